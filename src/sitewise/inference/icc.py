"""All intraclass correlations of one endpoint (rule icc)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sitewise.inference.design_effect import design_effects
from sitewise.inference.icc_exact import METHOD, sites_share
from sitewise.inference.icc_ols import ols_beside
from sitewise.inference.icc_result import IccLevel, IccModel, Iccs
from sitewise.inference.icc_share import ShareInterval, share_interval
from sitewise.inference.icc_sums import restricted_deviance
from sitewise.inference.icc_visit import iccs_by_visit
from sitewise.inference.icc_week import change_icc, has_slopes, iccs_at_weeks, variance_shares
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.model import Plan
from sitewise.terms import AVAL, AVISIT, SITEID, USUBJID
from sitewise.trial.selection import as_modelled, factor_levels, select_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# ASSUME: a site ICC above 0.05 is worth a mention. A convention, no test; the report names it so.
CONVENTION = 0.05


def compute_iccs(
    plan: Plan, frame: "pd.DataFrame", endpoint: str, fits: Mapping[str, PlannedFit]
) -> Iccs:
    """Intraclass correlations of one endpoint, all from the rows that the primary model uses.

    frame: analysis rows (adbp). fits: the planned fits by name, in the order of the plan, the
    primary model among them. The models side by side have random intercepts of site and patient
    and differ in their fixed part: none, visits, that of the primary model. Where no patient has
    two readings there is no patient level, and where there is one visit its model is the empty one.
    Raises ModelError where such a model can't be fitted.
    """
    from sitewise.lmm.design import build_design

    selection = select_rows(plan, frame, endpoint, plan.primary.model)
    candidates = as_modelled(plan, selection.candidates)
    primary = build_design(plan.models[plan.primary.model].formula, candidates, factor_levels(plan))
    modelled = candidates[primary.used]
    rows = selection.candidates[primary.used]
    present = set(rows[AVISIT].unique())
    visits = [visit.name for visit in plan.visits if visit.name in present]
    fixed_parts = {
        "empty": "1",
        "visit": AVISIT if len(visits) > 1 else "1",
        "primary": primary.formula.fixed,
    }
    models = tuple(_icc_model(plan, modelled, fixed, text) for fixed, text in fixed_parts.items())
    headline = next(model for model in models if model.headline)
    by_visit = iccs_by_visit(rows, visits, plan.alpha)
    at_primary = next((v.icc for v in by_visit if v.visit == plan.primary.visit), math.nan)
    return Iccs(
        endpoint=endpoint,
        models=models,
        by_visit=by_visit,
        at_week=tuple(
            row for fit in fits.values() if has_slopes(fit) for row in iccs_at_weeks(plan, fit)
        ),
        design_effects=design_effects(
            rows,
            plan.arms.levels,
            headline.levels[0].share,
            visit=plan.primary.visit,
            visit_icc=at_primary,
            baseline=plan.baseline_visit.name if plan.primary.contrast == "change" else "",
            change_icc=change_icc(plan, fits[plan.primary.model]),
        ),
        ols=() if plan.blinded else ols_beside(plan, rows, primary, fits),
        convention=CONVENTION,
        shares=tuple(row for fit in fits.values() for row in variance_shares(plan, fit)),
    )


def _icc_model(plan: Plan, rows: "pd.DataFrame", fixed: str, text: str) -> IccModel:
    """Fit one fixed part with random intercepts; shares, correlations, intervals."""
    from sitewise.lmm.api import fit_frame
    from sitewise.lmm.design import build_design
    from sitewise.lmm.record import record_of

    names = (SITEID, USUBJID) if rows[USUBJID].duplicated().any() else (SITEID,)
    random = " + ".join(f"(1 | {name})" for name in names)
    design = build_design(f"{AVAL} ~ {text} + {random}", rows, factor_levels(plan))
    # no effect is tested here, and nobody's is predicted
    fit = record_of(fit_frame(design, reml=True), alpha=plan.alpha, df="asymptotic")
    codes = _codes(rows[design.used])
    variances = [term.variances[0] for term in fit.random]
    total = sum(variances) + fit.sigma**2
    levels = []
    for i, level in enumerate(names):
        if level == SITEID:
            ends = sites_share(design.y, design.X, *codes, plan.alpha)
            interval = ShareInterval(*ends, False, METHOD)
        else:
            deviance = restricted_deviance(design.y, design.X, *codes)
            interval = share_interval(deviance, fit.theta, i, plan.alpha)
        levels.append(
            IccLevel(
                level=level,
                variance=variances[i],
                share=variances[i] / total,
                # Readings that share a level share those above it too.
                correlation=sum(variances[: i + 1]) / total,
                lower=interval.lower,
                upper=interval.upper,
                one_sided=interval.one_sided,
                method=interval.method,
            )
        )
    return IccModel(
        fixed=fixed,
        formula=fit.formula,
        levels=tuple(levels),
        residual_variance=fit.sigma**2,
        headline=fixed == plan.icc.headline,
    )


def _codes(rows: "pd.DataFrame") -> "tuple[np.ndarray, np.ndarray]":
    """Site and patient of each row, as numbers."""
    import pandas as pd

    return pd.factorize(rows[SITEID])[0], pd.factorize(rows[USUBJID])[0]
