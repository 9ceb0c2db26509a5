"""What a reader must know before trusting a fit, in sentences that a clinician understands."""

from collections.abc import Iterator, Sequence

import numpy as np

from sitewise.inference.plan_models import has_site_by_visit
from sitewise.inference.planned_fit import MissedVisit
from sitewise.inference.singular_terms import singular_terms
from sitewise.inference.tally import Tally, visit_rest
from sitewise.lmm.formula import Formula
from sitewise.lmm.result import Fit
from sitewise.plan.factors import left_out
from sitewise.plan.model import Plan
from sitewise.terms import AVISIT, SITEID, TRT01P, WEEK

MISFIT = 3.0  # standard errors from which a straight line is said to miss a visit's mean


def fit_cautions(
    plan: Plan,
    model: str,
    formula: Formula,
    fit: Fit,
    *,
    visits: int,
    missed: Sequence[MissedVisit],
    notes: Sequence[str],
) -> tuple[str, ...]:
    """All cautions on one planned fit that need no rows, the gravest first.

    visits: how many the rows used hold. missed: those whose mean a straight line in WEEK misses.
    notes: sentences of the fit on the data.
    """
    found: list[str] = []
    if not fit.converged:
        found.append(
            "The search for the best-fitting values did not converge: the numbers of this model"
            " are not final and must not be reported."
        )
    found += site_by_visit(plan, model, formula, visits)
    found += singular_terms(fit)
    found += line_misfit(missed)
    found += stratification(plan, formula)
    found += notes
    return tuple(dict.fromkeys(found))


def constraint_note(plan: Plan, fit: Fit) -> str:
    """What a fit notes of the columns that go because arms are held equal at baseline, and no more.

    One column an arm: its effects at the later visits add up to that of the arm. "" where others
    went too, or none.
    """
    pairs = [{part.startswith((TRT01P, AVISIT)) for part in name.split(":")}
             for name in fit.aliased if name.count(":") == 1]  # fmt: skip
    arms = len(fit.levels.get(TRT01P, ())) - 1
    if plan.baseline.handling != "constrained" or pairs != [{True}] * len(fit.aliased):
        return ""
    if len(pairs) != arms:
        return ""
    return f"Dropped because they are combinations of other columns: {', '.join(fit.aliased)}."


def missed_visits(plan: Plan, fit: Fit, tally: Tally) -> tuple[MissedVisit, ...]:
    """Visits whose mean a straight line in WEEK misses by more than MISFIT standard errors.

    Judged by outcome minus fixed part, the rows used. Empty where the fixed part is not linear in
    WEEK.
    """
    beta = {one.name: one.estimate for one in fit.fixef}
    at = {one.visit: one for one in tally.by_visit}
    found = []
    for visit in (v.name for v in plan.visits if v.name in at):
        mean, sd = visit_rest(at[visit], beta)
        if at[visit].rows > 1 and abs(mean) > MISFIT * sd / np.sqrt(at[visit].rows):
            found.append(MissedVisit(visit, mean))
    return tuple(found)


def line_misfit(missed: Sequence[MissedVisit]) -> Iterator[str]:
    """One sentence on the visits whose mean the straight line misses."""
    if missed:
        told = ", ".join(f"{one.visit} by {one.distance:+.1f}" for one in missed)
        yield (
            f"A straight line in {WEEK} misses the mean outcome at {told}: the course"
            " is not linear, so neither slopes nor their variances describe single patients."
        )


def site_by_visit(plan: Plan, model: str, formula: Formula, visits: int) -> Iterator[str]:
    """Where sites are randomised, differences between visits need their own site variance.

    visits: how many the rows used hold; at a single one, site and site-by-visit are the same.
    """
    if plan.design != "cluster" or visits < 2 or has_site_by_visit(formula):
        return
    primary = model == plan.primary.model
    close = (
        "It is nevertheless the primary model of the plan."
        if primary
        else "Read it beside the primary model, not in its place."
    )
    if not any(SITEID in spec.group for spec in formula.random):
        yield (
            "Sites were randomised, and this model has no site term: it counts the patients of one"
            " site as independent, so its standard errors of the treatment contrast are likely too"
            f" small and its p-values too low. {close}"
        )
        return
    yield (
        "Sites were randomised, and this model lets sites differ in level but not in their change"
        f" from visit to visit: it has no (1 | {SITEID}:{AVISIT}). Patients of one site change"
        " together for reasons that are not the treatment, so its standard error of"
        f" {_contrast_words(plan)} is likely too small and its p-value too low. {close}"
    )


def _contrast_words(plan: Plan) -> str:
    if plan.primary.contrast == "change":
        return "a change between visits"
    return "a level at one visit"


def stratification(plan: Plan, formula: Formula) -> Iterator[str]:
    """Stratification factors that the formula leaves out."""
    for factor in left_out(plan.stratification, formula.text):
        yield (
            f"Randomisation was stratified by {factor}, and this model leaves it out: its"
            " standard error of the treatment contrast is likely too large."
        )
