"""The fitted model in which a shift at the visit of the primary contrast shifts it as much."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import Ladder
from sitewise.classical.least_squares import ordinary
from sitewise.classical.question import Question, answer, state_of
from sitewise.errors import ModelError
from sitewise.lmm.design import build_design
from sitewise.terms import AVISIT, SITEID, TRT01P
from sitewise.trial.selection import as_modelled, factor_levels

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.design import Design
    from sitewise.lmm.lmmfit import LmmFit

NOTHING = 1e-8
OWN_MEANS = "the primary model gives the arms no mean of their own at {}"
STOPPED = "not converged"


@dataclass(frozen=True)
class Start:
    """The fitted model that the deltas start from. answers: by arm, where they are known."""

    key: str
    label: str
    design: "Design"
    fit: "LmmFit"
    rows: "pd.DataFrame"
    answers: Mapping[str, Answer]


def start_of(question: Question, ladder: Ladder, primary: Mapping[str, Any]) -> Start:
    """The primary model, or the one with a mean for each visit; raises ModelError with neither."""
    plan, label = question.plan, str(primary["label"])
    contrasts = {
        one["arm"]: _answer(one["result"], plan.alpha)
        for one in primary["contrasts"]
        if (one["visit"], one["kind"]) == (plan.primary.visit, plan.primary.contrast)
    }
    own = _fitted(question, question.design.formula.text)
    start = Start("primary", label, *own, contrasts)
    if state_of(start.fit) == STOPPED:
        raise ModelError("the primary model did not converge")
    if all(_has_mean(question, start, arm) for arm in plan.arms.levels):
        return start
    if ladder.straight is None:
        raise ModelError(OWN_MEANS.format(plan.primary.visit))
    # MMRM knows no sites: where they were randomised the primary model's covariance stays.
    key = "visits" if question.cluster == SITEID else "mmrm_visits"
    row = next((row for row in ladder.straight.rows if row.key == key), None)
    if row is None or row.answer is None or row.state == STOPPED:
        why = "there is none" if row is None else row.refused or "it did not converge"
        said = f"{OWN_MEANS.format(plan.primary.visit)}, and of the model that would, {why}"
        raise ModelError(said)
    answers = {plan.primary.arm: row.answer}
    return Start(key, row.label, *_fitted(question, row.formula), answers)


def _fitted(question: Question, formula: str) -> "tuple[Design, LmmFit, pd.DataFrame]":
    from sitewise.lmm.api import fit_frame

    rows = as_modelled(question.plan, question.rows)
    design = build_design(formula, rows, factor_levels(question.plan))
    fit = fit_frame(design, question.reml)
    if tuple(fit.estimates.names) != design.names:
        raise ModelError(f"the columns of {formula} are not those that were fitted")
    return design, fit, rows


def _answer(result: Mapping[str, Any], alpha: float) -> Answer:
    """Of `fit.json`, where NaN and infinities are text."""
    estimate, se, df = (float(result[key]) for key in ("estimate", "se", "df"))
    return answer(estimate, se, df, alpha)


def _has_mean(question: Question, start: Start, arm: str) -> bool:
    """Whether a shift of an arm's readings at the visit is a shift of its mean there, and no more.

    So it is where the columns of the fixed part make up the indicator of these readings.
    """
    rows = start.rows
    at = (rows[TRT01P] == arm) & (rows[AVISIT] == question.plan.primary.visit)
    left = ordinary(start.design.X, at.to_numpy().astype(np.float64)).residuals
    return bool(np.abs(left).max() < NOTHING)
