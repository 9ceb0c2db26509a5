"""Effects of sites as fixed: each site's primary contrast, and the F test that all are the same."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, plural
from sitewise.inference.by_site_random import state_of
from sitewise.inference.by_site_result import FixedForm
from sitewise.inference.by_site_terms import Terms
from sitewise.inference.fitting import df_of
from sitewise.inference.planned_contrasts import TOLERANCE, SeenRows, grid_of, seen_in
from sitewise.lmm.api import fit_moments
from sitewise.lmm.linear.tests import estimates
from sitewise.lmm.linear.wald import wald_of
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.moments import moments
from sitewise.lmm.record import FixedPart, fixed_part
from sitewise.lmm.result import Estimate
from sitewise.plan.sections import Visit
from sitewise.terms import SITEID, TRT01P, USUBJID
from sitewise.trial.selection import arm_modelled

if TYPE_CHECKING:
    import pandas as pd

POOL = " + "
NO_FORM = FixedForm("", "", "", 0, math.nan, 0, math.nan, math.nan, (), (), ())


@dataclass(frozen=True)
class SiteEffects:
    """A fixed form with each site's contrast; counts: patients of the arm, of the reference."""

    form: FixedForm
    estimates: dict[str, Estimate]
    counts: dict[str, tuple[int, int]]


def patients_by_site(terms: Terms, rows: "pd.DataFrame") -> dict[str, tuple[int, int]]:
    """Patients of the primary contrast's arm and of the reference, by site, sorted."""
    plan = terms.plan
    people = rows.drop_duplicates(USUBJID)
    sizes = people.groupby([SITEID, TRT01P], observed=True).size().to_dict()
    return {
        site: (
            int(sizes.get((site, plan.primary.arm), 0)),
            int(sizes.get((site, plan.arms.reference), 0)),
        )
        for site in sorted(rows[SITEID].unique())
    }


def fixed_form(terms: Terms, rows: "pd.DataFrame") -> SiteEffects:
    """Fit and test. rows: candidates of the primary model without missing values."""
    counts = patients_by_site(terms, rows)
    lacking = [site for site, own in counts.items() if min(own) == 0]
    kept, pooled, left_out = _by_rule(terms, rows, lacking)
    form = replace(NO_FORM, pooled=pooled, left_out=left_out)
    own_counts = patients_by_site(terms, kept)
    formula = terms.fixed()
    form = replace(form, formula=formula or "", sites=len(own_counts))
    refused = _refused(terms, kept, own_counts) if formula else (
        "without its random effects of sites nothing random is left of the primary model"
    )  # fmt: skip
    if refused or formula is None:
        return SiteEffects(replace(form, refused=refused), {}, own_counts)
    try:
        plan = terms.plan
        levels = {**terms.levels(), SITEID: tuple(own_counts)}
        made = moments(formula, terms.frame(kept), levels)
        fit = fit_moments(formula, made, plan.models[plan.primary.model].reml)
        return _answers(terms, kept, fit, form, own_counts)
    except ModelError as error:
        said = " ".join(str(error).split())
        return SiteEffects(replace(form, refused=said), {}, own_counts)


def _by_rule(
    terms: Terms, rows: "pd.DataFrame", lacking: list[str]
) -> "tuple[pd.DataFrame, tuple[str, ...], tuple[str, ...]]":
    """The rows of the form; sites pooled, sites left out. A pool that lacks an arm is left out."""
    if not lacking:
        return rows, (), ()
    site = rows[SITEID].astype(str)
    if terms.plan.treatment_by_site.missing_arm == "pool" and len(lacking) > 1:
        name = POOL.join(lacking)
        together = rows.assign(**{SITEID: site.where(~site.isin(lacking), name)})
        if min(patients_by_site(terms, together)[name]) > 0:
            return together.reset_index(drop=True), tuple(lacking), ()
    kept = rows[~site.isin(lacking)].reset_index(drop=True)
    return kept.assign(**{SITEID: kept[SITEID].astype(str)}), (), tuple(lacking)


def _refused(terms: Terms, rows: "pd.DataFrame", counts: Mapping[str, tuple[int, int]]) -> str:
    most = terms.plan.treatment_by_site.most_sites
    if len(counts) < 2:
        return (
            f"{plural(len(counts), 'site has', 'sites have')} both arms: an interaction needs two"
        )
    if len(counts) > most:
        return (
            f"{len(counts)} sites have both arms, and the plan allows {most} as fixed"
            " (treatment_by_site.most_sites)"
        )
    patients = int(rows[USUBJID].nunique())
    cells = len(rows.drop_duplicates([SITEID, TRT01P]))
    if patients <= cells:
        return (
            f"{patients} patients in {cells} cells of site and arm leave no degrees of freedom"
            " between patients"
        )
    return ""


def _answers(
    terms: Terms,
    rows: "pd.DataFrame",
    fit: LmmFit,
    form: FixedForm,
    counts: dict[str, tuple[int, int]],
) -> SiteEffects:
    plan, part = terms.plan, fixed_part(fit)
    seen = seen_in(part.formula, terms.frame(rows))
    found = {site: _row(terms, part, seen, site) for site in counts}
    broken = tuple(site for site, (_, gap) in found.items() if gap >= TOLERANCE)
    own = {site: row for site, (row, gap) in found.items() if gap < TOLERANCE}
    form = replace(form, state=state_of(fit), sites=len(own), inestimable=broken)
    if len(own) < 2:
        return SiteEffects(
            replace(form, refused="the readings of one site at most determine its contrast"),
            {},
            counts,
        )
    wald = wald_of(fit, df_of(plan, fit.reml))
    matrix = np.array(list(own.values()))
    each = estimates(wald, matrix, list(own), plan.alpha)
    test = wald.joint(_contrasts(len(own)) @ matrix)
    form = replace(form, f=test.F, df1=test.df1, df2=test.df2, p=test.p)
    return SiteEffects(form, dict(zip(own, each, strict=True)), counts)


def _contrasts(n: int) -> np.ndarray:
    """Differences of n numbers, orthonormal (Helmert), (n - 1, n).

    Satterthwaite's degrees of freedom of several rows depend on the rows and not only on what they
    span, but for rotations: an orthonormal set gives the same answer whichever site comes first.
    """
    rows = np.zeros((n - 1, n))
    for k in range(1, n):
        rows[k - 1, :k], rows[k - 1, k] = -1.0, k
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _row(terms: Terms, part: FixedPart, seen: SeenRows, site: str) -> tuple[np.ndarray, float]:
    """Weights of the primary contrast at one site, and how far they are not estimable."""
    plan = terms.plan
    visits = {v.name: v for v in plan.visits}
    at = _difference(terms, part, seen, site, visits[plan.primary.visit])
    if plan.primary.contrast == "change":
        base = _difference(terms, part, seen, site, plan.baseline_visit)
        at = at[0] - base[0], at[1] - base[1]
    return at[0], float(np.abs(at[1]).max(initial=0.0))


def _difference(
    terms: Terms, part: FixedPart, seen: SeenRows, site: str, visit: Visit
) -> tuple[np.ndarray, np.ndarray]:
    plan = terms.plan
    sides = []
    for arm in (plan.primary.arm, plan.arms.reference):
        pinned: dict[str, str | float] = {SITEID: site, **terms.at(arm, visit)}
        modelled = arm_modelled(plan, arm, visit)
        row, gap = part.rows(grid_of(part, seen, modelled, visit, pinned))
        sides.append((row.mean(axis=0), gap.mean(axis=0)))
    return sides[0][0] - sides[1][0], sides[0][1] - sides[1][1]
