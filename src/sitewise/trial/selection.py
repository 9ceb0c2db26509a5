"""Which analysis rows of an endpoint a planned model may use, and why not the others.

The models and all their relatives select by this, so that they see the same rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.plan.model import Plan
from sitewise.plan.sections import Visit
from sitewise.terms import (
    ABLFL,
    ANL01FL,
    AVISIT,
    BASE,
    PARAMCD,
    SRCFILE,
    SRCROW,
    TRT01P,
    USUBJID,
)

if TYPE_CHECKING:
    import pandas as pd

# What names a row for the digest of the rows used.
IDENTIFIERS = (USUBJID, AVISIT, SRCFILE, SRCROW)
BASELINE_REASON = "baseline, enters the model as BASE"


@dataclass(frozen=True)
class Selection:
    """Analysis rows of the endpoint, as they stand in adbp.

    rows: every one of them. candidate: may be an outcome, boolean, one a row. reasons: why not,
    empty where it may.
    """

    rows: "pd.DataFrame" = field(repr=False)
    candidate: np.ndarray = field(repr=False)
    reasons: np.ndarray = field(repr=False)

    @cached_property
    def candidates(self) -> "pd.DataFrame":
        """The rows that may be outcomes, numbered anew."""
        return self.rows[self.candidate].reset_index(drop=True)


class Selections:
    """Selections of one endpoint's rows: models of one analysis set share theirs, made once."""

    def __init__(self, plan: Plan, frame: "pd.DataFrame", endpoint: str) -> None:
        """frame: analysis rows (adbp), of any endpoints."""
        self._plan, self._frame, self._endpoint = plan, frame, endpoint
        self._made: dict[str, Selection] = {}

    def judged(self, model: str) -> Selection:
        """As `judge_rows`."""
        name = self._plan.models[model].set
        if name not in self._made:
            self._made[name] = judge_rows(self._plan, self._frame, self._endpoint, model)
        return self._made[name]

    def selected(self, model: str) -> Selection:
        """As `select_rows`."""
        return _some(self.judged(model), self._endpoint, model)


def select_rows(plan: Plan, frame: "pd.DataFrame", endpoint: str, model: str) -> Selection:
    """Rows of `endpoint` and the reason of each that `model` can't use as an outcome.

    Raises ModelError where the endpoint has no rows, or none is left.
    """
    return _some(judge_rows(plan, frame, endpoint, model), endpoint, model)


def _some(found: Selection, endpoint: str, model: str) -> Selection:
    if not found.candidate.any():
        reasons = found.reasons.tolist()
        raise no_rows(endpoint, model, {r: reasons.count(r) for r in dict.fromkeys(reasons)})
    return found


def no_rows(endpoint: str, model: str, reasons: Mapping[str, int]) -> ModelError:
    """What is said of a model without a row. reasons: number of rows by why they can't be used."""
    counts = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    return ModelError(
        f"The model {model} has no rows of {endpoint}.",
        [Problem(f"{sum(reasons.values())} analysis rows: {counts or 'none at all'}",
                 where=f"models.{model}", fix="see the findings, and the set's rule")],
    )  # fmt: skip


def judge_rows(plan: Plan, frame: "pd.DataFrame", endpoint: str, model: str) -> Selection:
    """As `select_rows`, also where no row is left, as in a batch may be."""
    mine = frame[PARAMCD] == endpoint
    rows = (frame if mine.all() else frame[mine]).reset_index(drop=True)
    name = plan.models[model].set
    reasons = np.full(len(rows), "", dtype=object)
    candidate = np.ones(len(rows), dtype=bool)

    def exclude(mask: "np.ndarray | pd.Series[bool]", reason: str) -> None:
        out = np.asarray(mask, dtype=bool) & candidate
        reasons[out] = reason
        candidate[out] = False

    exclude(rows[f"{name}FL"] != "Y", f"not in the analysis set {name}")
    exclude(rows[ANL01FL] != "Y", "not the record to analyse (ANL01FL)")
    if plan.baseline.missing == "drop":
        exclude(rows[BASE].isna(), "the patient has no baseline reading")
    if plan.baseline.handling == "covariate":
        exclude(rows[ABLFL] == "Y", BASELINE_REASON)
        week = plan.baseline_visit.week
        early = [visit.name for visit in plan.visits if visit.week < week]
        exclude(rows[AVISIT].isin(early), "before baseline")
    return Selection(rows, candidate, reasons)


def as_modelled(plan: Plan, rows: "pd.DataFrame") -> "pd.DataFrame":
    """The rows as a model of the plan sees them: of constrained arms the reference up to baseline.

    TRT01P then tells which arm's mean a reading has: before treatment all arms have one, that of
    the reference (Liang & Zeger 2000, Sankhya B 62:134-148). `AVISIT*TRT01P` so has no effect of
    the arm at baseline, and one of its columns is a combination of the others.
    """
    if plan.baseline.handling != "constrained":
        return rows
    reference = plan.arms.reference
    early = [v.name for v in plan.visits if arm_modelled(plan, "", v) == reference]
    arms = rows[TRT01P].astype(object).mask(rows[AVISIT].isin(early), reference)
    return rows.assign(**{TRT01P: arms.astype(str)})


def arm_modelled(plan: Plan, arm: str, visit: Visit) -> str:
    """The arm that a model of the plan sees in a reading of `arm` at `visit`."""
    held = plan.baseline.handling == "constrained" and visit.week <= plan.baseline_visit.week
    return plan.arms.reference if held else arm


def outcome_visits(plan: Plan) -> tuple[Visit, ...]:
    """Visits whose readings are outcomes: those after baseline where it is a covariate."""
    late = plan.baseline.handling == "covariate"
    return tuple(v for v in plan.visits if not late or v.week > plan.baseline_visit.week)


def factor_levels(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Levels of the factors that the plan declares, the first is the reference.

    With the baseline as a covariate its visit is no level: no outcome is there.
    """
    levels = {TRT01P: plan.arms.levels, AVISIT: tuple(v.name for v in outcome_visits(plan))}
    for name, covariate in plan.covariates.items():
        if covariate.type == "category" and covariate.codes:
            levels[name] = tuple(dict.fromkeys(covariate.codes.values()))
    return levels
