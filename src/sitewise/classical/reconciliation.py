"""From the repeated-measures ANOVA to the primary analysis, one change at a time (rule crosscheck).

On complete cases the mixed model with a patient intercept has the ANOVA's two mean squares as its
REML estimates, sigma^2 = MS_within and sigma^2 + v tau^2 = MS_between, where that gives tau^2 > 0:
its F are then the ANOVA's (Searle, Casella & McCulloch 1992, Variance Components, sec. 4.3).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.classical.anova_contrast import by_strata
from sitewise.classical.complete_cases import refusal
from sitewise.classical.crosscheck import PATIENT, primary_row
from sitewise.classical.mixed_rungs import PATIENT as INTERCEPT
from sitewise.classical.mixed_rungs import planned_answer
from sitewise.classical.question import (
    Question,
    answer,
    counts,
    level_codes,
    over,
    state_of,
    tested,
)
from sitewise.classical.reconciliation_result import EffectMatch, Reconciliation, Step
from sitewise.classical.result import AnovaRow
from sitewise.classical.type3 import EFFECTS, cell_rows, type3_hypotheses, wald_f
from sitewise.errors import ModelError
from sitewise.lmm.design import build_design
from sitewise.lmm.formula import fixed_columns
from sitewise.terms import AVISIT, SITEID, TRT01P, USUBJID, WEEK
from sitewise.trial.selection import as_modelled, factor_levels

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.lmm.design import Design
    from sitewise.lmm.lmmfit import LmmFit

    Floats = NDArray[np.float64]

SAME = 1e-8  # relative difference of two F that are one number


@dataclass(frozen=True)
class _Complete:
    """The complete cases, their cell means, and the contrast as weights of these."""

    rows: "pd.DataFrame" = field(repr=False)
    design: "Design" = field(repr=False)
    cells: "Floats" = field(repr=False)
    row: "Floats | None" = field(repr=False)


def reconcile(
    question: Question, endpoint: str, primary: Mapping[str, Any], anova: Sequence[AnovaRow]
) -> Reconciliation:
    """The reconciliation of one endpoint.

    question: `question.pose(...)`; primary: the primary model's fit as plain data (`fit.json`);
    anova: the mixed ANOVA of the complete cases, empty where there is none.
    """
    rows, visits = question.rows, question.visits
    present = set(rows[TRT01P].unique())
    arms = [arm for arm in question.plan.arms.levels if arm in present]
    kept = question.complete
    why = refusal(rows, kept, visits, arms) or ("" if anova else "there is no ANOVA of these rows")
    effects: tuple[EffectMatch, ...] = ()
    steps: list[Step] = []
    variance = math.nan
    if not why:
        complete = _complete(question, kept, arms, visits)
        try:
            fit = question.fit(PATIENT, kept, free=True)
        except ModelError as error:
            why = " ".join(str(error).split())
        else:
            variance = float(fit.estimates.terms[0].D[0, 0])
            effects = _effects(complete, fit, anova)
            steps += _complete_steps(question, complete, fit, anova)
    steps += _steps(question, primary)
    n, patients, sites = counts(question.whole)
    sizes = kept.groupby(TRT01P, observed=True)[USUBJID].nunique()
    return Reconciliation(
        endpoint=endpoint,
        contrast=question.contrast,
        rows=n,
        patients=patients,
        sites=sites,
        equal_arms=bool(sizes.nunique() == 1),
        patient_variance=variance,
        effects=effects,
        steps=tuple(_compared(steps)),
        refused=why,
        notes=_notes(question),
    )


def _notes(question: Question) -> tuple[str, ...]:
    extra = _covariates(question)
    if not extra:
        return ()
    return (
        f"The ANOVA takes no covariate: its contrast is not adjusted for {', '.join(extra)}, which"
        " the primary analysis has.",
    )


def _covariates(question: Question) -> list[str]:
    return sorted(set(fixed_columns(question.design.formula)) - {TRT01P, AVISIT, WEEK})


def _complete(
    question: Question, kept: "pd.DataFrame", arms: Sequence[str], visits: Sequence[str]
) -> _Complete:
    """The primary contrast as weights of cell means: what it estimates by least squares there."""
    design = build_design(PATIENT, kept, factor_levels(question.plan))
    cells = cell_rows(design, arms, visits)
    if question.row is None:
        return _Complete(kept, design, cells, None)
    if _covariates(question):
        row = primary_row(question.plan, cells, arms, visits)
        return _Complete(kept, design, cells, row)
    formula = question.plan.models[question.plan.primary.model].formula
    planned = build_design(formula, as_modelled(question.plan, kept), factor_levels(question.plan))
    if planned.names != question.design.names:
        return _Complete(kept, design, cells, None)
    Q, R = np.linalg.qr(planned.X)
    weights = Q @ np.linalg.solve(R.T, question.row)
    return _Complete(kept, design, cells, design.X.T @ weights)


def _effects(
    complete: _Complete, fit: "LmmFit", anova: Sequence[AnovaRow]
) -> tuple[EffectMatch, ...]:
    """F of each effect by both kinds of sums of squares, held against the ANOVA's."""
    sizes = complete.rows.groupby(TRT01P, observed=True)[USUBJID].nunique()
    order = [a for a in complete.design.levels[TRT01P] if a in sizes.index]
    weights = np.array([float(sizes[a]) for a in order]) / float(sizes.sum())
    hypotheses = type3_hypotheses(complete.cells)
    weighed = np.einsum("a,avp->vp", weights, complete.cells)
    sequential = {**hypotheses, AVISIT: weighed[1:] - weighed[:1]}
    beta, vcov = fit.estimates.beta, fit.estimates.vcov
    positive = not fit.singular
    rows = {row.effect: row for row in anova}
    found = []
    for effect in EFFECTS:
        row = rows[effect]
        first = wald_f(sequential[effect], beta, vcov)
        third = wald_f(hypotheses[effect], beta, vcov)
        found.append(_match(row, first, third, positive))
    return tuple(found)


def _match(row: AnovaRow, first: float, third: float, positive: bool) -> EffectMatch:
    apart = [over(abs(value - row.f), abs(row.f)) for value in (first, third)]
    same = [value <= SAME for value in apart]
    agrees = {(True, True): "both", (True, False): "sequential", (False, True): "type III",
              (False, False): "none"}[same[0], same[1]]  # fmt: skip
    said = {
        "both": "the same by sequential (type I) and by type III sums of squares",
        "sequential": "the same by sequential (type I) sums of squares, where the visits' means"
        " weigh the arms by their complete patients; by type III"
        " the arms weigh alike, so F differs",
        "type III": "the same by type III sums of squares",
        "none": "not the same: the patient variance is estimated as 0, which the ANOVA's error"
        " strata do not know"
        if not positive
        else "not the same although it should be: one of the two is wrong",
    }[agrees]
    return EffectMatch(row.effect, row.f, row.df1, row.df2, row.p, row.epsilon, row.p_gg, first,
                       third, min(apart), agrees, said)  # fmt: skip


def _complete_steps(
    question: Question, complete: _Complete, fit: "LmmFit", anova: Sequence[AnovaRow]
) -> list[Step]:
    """The ANOVA, the mixed model that is the same, and the primary model's fixed part."""
    plan, numbers = question.plan, counts(complete.rows)
    if complete.row is None:
        why = "the complete cases do not determine the primary contrast"
        return [_refused("anova", "Repeated-measures ANOVA, complete cases", numbers, "", why)]
    patients = level_codes(complete.rows[USUBJID])
    by_effect = {row.effect: row for row in anova}
    strata = by_strata(complete.design.X, complete.design.y, patients, complete.row, by_effect)
    steps = [
        Step("anova", "Repeated-measures ANOVA, complete cases", "", *numbers,
             answer(*strata, plan.alpha), "", "", False, math.nan, math.nan),
        Step("same", "The mixed model that is the same: cell means, patient intercept", fit.formula,
             *numbers, tested(fit, complete.row, plan), state_of(fit), "", False, math.nan,
             math.nan),
    ]  # fmt: skip
    label = "Fixed part of the primary analysis, still complete cases"
    fixed = "".join(question.design.formula.fixed.split())
    if fixed in (f"{AVISIT}*{TRT01P}", f"{TRT01P}*{AVISIT}"):
        return steps
    return [*steps, _fitted(question, "fixed", label, INTERCEPT, complete.rows)]


def _steps(question: Question, primary: Mapping[str, Any]) -> list[Step]:
    """From all patients with a patient intercept to the primary analysis."""
    formula = question.design.formula
    inside = [f"({s})" for s in formula.random if USUBJID in s.group]
    if formula.residual is not None:
        inside.append(str(formula.residual))
    site = [f"({s})" for s in formula.random if s.group == (SITEID,)]
    others = [f"({s})" for s in formula.random if USUBJID not in s.group and s.group != (SITEID,)]
    steps = [_fitted(question, "all", "All patients, compound symmetry", INTERCEPT)]
    terms: list[str] = []
    for key, own, changed, kept in (
        (
            "covariance",
            inside,
            "Covariance within patients of the primary analysis",
            "keeps compound symmetry within patients",
        ),
        ("site", site, "With the sites", "has no site term"),
        ("site_by_visit", others, "With the sites by visit", "has no site-by-visit term"),
    ):
        terms += own
        if (key == "covariance" and own == [INTERCEPT]) or (key != "covariance" and not own):
            label = f"The primary analysis {kept}: nothing changes"
            steps.append(replace(steps[-1], key=key, label=label, unchanged=True))
        elif not terms:
            why = "the primary analysis has no term within patients"
            steps.append(_refused(key, changed, question.counts(), "", why))
        else:
            steps.append(_fitted(question, key, changed, " + ".join(terms)))
    numbers = planned_answer(primary, question.plan.alpha)
    label = f"Primary analysis: {primary['label']}"
    last = replace(steps[-1], key="primary", label=label, answer=numbers, refused="",
                   unchanged=True, formula=formula.text)  # fmt: skip
    return [*steps, last]


def _fitted(
    question: Question, key: str, label: str, random: str, rows: "pd.DataFrame | None" = None
) -> Step:
    formula = question.formula(random)
    numbers = counts(question.rows if rows is None else rows)
    try:
        fit = question.fit(formula, rows)
        if question.row is None or tuple(fit.estimates.names) != question.design.names:
            why = "these rows do not determine the primary contrast"
            return _refused(key, label, numbers, formula, why)
        found = tested(fit, question.row, question.plan)
    except ModelError as error:
        return _refused(key, label, numbers, formula, " ".join(str(error).split()))
    return Step(key, label, formula, *numbers, found, state_of(fit), "", False, math.nan, math.nan)


def _refused(key: str, label: str, numbers: tuple[int, int, int], formula: str, why: str) -> Step:
    return Step(key, label, formula, *numbers, None, "", why, False, math.nan, math.nan)


def _compared(steps: Sequence[Step]) -> list[Step]:
    """Each step against the one before it that has an answer."""
    found, before = [], None
    for step in steps:
        now = step.answer
        if now is not None and before is not None:
            step = replace(step, estimate_change=now.estimate - before.estimate,  # noqa: PLW2901
                           se_ratio=over(now.se, before.se))  # fmt: skip
        before = now or before
        found.append(step)
    return found
