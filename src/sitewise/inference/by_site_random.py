"""Effects of sites as random: the SD of the primary contrast between them, its interval, its test.

The interval is that of the profile ML likelihood (`profiles`); the test compares with the model
that has all but the effects of arms by site, by the rules of `lrt`: mixtures at the boundary, the
tangent cones where several variances are tested, the bootstrap beside where sites are few.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ComparisonError, ModelError
from sitewise.inference.by_site_result import RandomForm
from sitewise.inference.by_site_terms import Terms
from sitewise.inference.fitting import df_of
from sitewise.inference.lrt import FEW_UNITS, test_of
from sitewise.inference.placed import place
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.inference.profiles import profile_of
from sitewise.inference.quantities import SD, Quantity, quantities
from sitewise.lmm.api import fit_moments, identification
from sitewise.lmm.linear.tests import estimates
from sitewise.lmm.linear.wald import wald_of
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.moments import moments
from sitewise.lmm.record import fixed_part
from sitewise.lmm.result import Estimate
from sitewise.terms import SITEID

if TYPE_CHECKING:
    import pandas as pd

STEP = 0.5  # first step to an end of the interval, of the SD or of the residual's scale
NO_FORM = RandomForm(
    "", "", "", "", "", None, math.nan, math.nan, math.nan, math.nan, 0, math.nan, math.nan, "",
    "", None, None, None, 0, (),
)  # fmt: skip


@dataclass(frozen=True)
class Effects:
    """A random form with what each site shows: predicted contrast and SE of its departure."""

    form: RandomForm
    predicted: dict[str, tuple[float, float]]


def random_form(terms: Terms, rows: "pd.DataFrame") -> Effects:
    """Fit, interval and test. rows: candidates of the primary model; every site keeps its own."""
    form = replace(NO_FORM, smaller=terms.smaller, sites=int(rows[SITEID].nunique()))
    try:
        fit, passed = _taken(terms, rows)
    except ModelError as error:
        return Effects(replace(form, formula=terms.uncorrelated(), refused=_said(error)), {})
    column = terms.effect(terms.plan.primary.arm)
    own = next(q for q in quantities(fit) if (q.kind, q.group, q.term) == (SD, SITEID, column))
    answer = _answer(terms, fit, rows)
    form = replace(
        form,
        formula=fit.formula,
        passed=passed,
        state=state_of(fit),
        answer=answer,
        sd=terms.scale * own.estimate,
    )
    if not fit.converged:
        return Effects(replace(form, test_refused="the model did not converge"), {})
    lower, upper = _interval(terms, fit, own)
    form = replace(form, lower=terms.scale * lower, upper=terms.scale * upper)
    return Effects(_tested(terms, rows, fit, form), _predictions(terms, fit, column, answer))


def state_of(fit: LmmFit) -> str:
    """`not converged`, `singular` or `regular`."""
    if not fit.converged:
        return "not converged"
    return "singular" if fit.singular else "regular"


def _fit(formula: str, terms: Terms, rows: "pd.DataFrame") -> LmmFit:
    """Of the rows' moments."""
    plan = terms.plan
    made = moments(formula, terms.frame(rows), terms.levels())
    return fit_moments(formula, made, plan.models[plan.primary.model].reml)


def _taken(terms: Terms, rows: "pd.DataFrame") -> tuple[LmmFit, str]:
    """The fit by the plan's form, or without correlations and why."""
    passed = ""
    if terms.plan.treatment_by_site.random == "correlated":
        formula = terms.correlated()
        try:
            fit = _fit(formula, terms, rows)
        except ModelError as error:
            passed = _said(error)
        else:
            passed = _unusable(fit)
            if not passed:
                return fit, ""
        passed = f"{formula} was passed over: {passed}"
    return _fit(terms.uncorrelated(), terms, rows), passed


def _unusable(fit: LmmFit) -> str:
    """Why a correlated form can't be taken, empty if it can."""
    if not fit.converged:
        return f"it did not converge ({fit.certificate.problems[0]})"
    arbitrary = identification(fit.solution.model, fit.formula)
    if arbitrary:
        return arbitrary[0]
    if fit.singular:
        return f"it is singular ({fit.singularity.kind} at ({fit.singularity.where}))"
    return ""


def _answer(terms: Terms, fit: LmmFit, rows: "pd.DataFrame") -> Estimate | None:
    plan = terms.plan
    asked, _ = ask_primary(plan, fixed_part(fit), rows)
    if asked is None or not asked.estimable:
        return None
    wald = wald_of(fit, df_of(plan, fit.reml))
    name = asked.name(plan.arms.reference)
    return estimates(wald, asked.row[None], [name], plan.alpha)[0]


def _interval(terms: Terms, fit: LmmFit, own: Quantity) -> tuple[float, float]:
    level = 1 - terms.plan.alpha
    scale = math.sqrt(fit.residual_variance) / max(terms.scale, 1.0)
    lower, upper, _ = profile_of(fit).interval(own, level, STEP * max(own.estimate, scale))
    return lower, upper


def _tested(terms: Terms, rows: "pd.DataFrame", fit: LmmFit, form: RandomForm) -> RandomForm:
    plan = terms.plan
    try:
        smaller = _fit(terms.smaller, terms, rows)
        if not smaller.converged:
            return replace(form, test_refused="the model without them did not converge")
        pair = place(smaller, fit)
    except (ModelError, ComparisonError) as error:
        return replace(form, test_refused=_said(error))
    few = pair.units is not None and pair.units < FEW_UNITS
    draws = plan.bootstrap.draws if few else 0
    test = test_of(pair, bootstrap=draws, seed=plan.seeds.comparisons)
    own = test.bootstrap
    return replace(
        form,
        statistic=test.statistic,
        df=test.df,
        p=test.p,
        p_error=test.error,
        rule=test.rule,
        p_bootstrap=test.p_bootstrap,
        bootstrap_error=None if own is None else own.error,
        bootstrap_draws=None if own is None else own.draws,
        cautions=test.cautions,
    )


def _predictions(
    terms: Terms, fit: LmmFit, column: str, answer: Estimate | None
) -> dict[str, tuple[float, float]]:
    if answer is None:
        return {}
    table = fit.ranef(SITEID)
    blups, ses = table[column].to_numpy(), table[f"se({column})"].to_numpy()
    labels: Sequence[str] = [str(label) for label in table.index]
    return {
        site: (float(answer.estimate + terms.scale * blup), float(terms.scale * se))
        for site, blup, se in zip(labels, np.atleast_1d(blups), np.atleast_1d(ses), strict=True)
    }


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
