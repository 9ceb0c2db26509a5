"""Which analysis rows of an endpoint one model uses, and why not the others."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.plan.model import Plan
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
    Use,
)

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.design import Design

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


def select_rows(plan: Plan, frame: "pd.DataFrame", endpoint: str, model: str) -> Selection:
    """Rows of `endpoint` and the reason of each that `model` can't use as an outcome.

    Raises ModelError where the endpoint has no rows, or none is left.
    """
    rows = frame[frame[PARAMCD] == endpoint].reset_index(drop=True)
    name = plan.models[model].set
    reasons = np.full(len(rows), "", dtype=object)

    def exclude(mask: "np.ndarray | pd.Series[bool]", reason: str) -> None:
        reasons[np.asarray(mask, dtype=bool) & (reasons == "")] = reason

    exclude(rows[f"{name}FL"] != "Y", f"not in the analysis set {name}")
    exclude(rows[ANL01FL] != "Y", "not the record to analyse (ANL01FL)")
    if plan.baseline.missing == "drop":
        exclude(rows[BASE].isna(), "the patient has no baseline reading")
    if plan.baseline.handling == "covariate":
        exclude(rows[ABLFL] == "Y", BASELINE_REASON)
        week = plan.baseline_visit.week
        early = [visit.name for visit in plan.visits if visit.week < week]
        exclude(rows[AVISIT].isin(early), "before baseline")
    candidate = reasons == ""
    if not candidate.any():
        counts = ", ".join(
            f"{int((reasons == reason).sum())} {reason}" for reason in dict.fromkeys(reasons)
        )
        raise ModelError(
            f"The model {model} has no rows of {endpoint}.",
            [Problem(f"{len(rows)} analysis rows: {counts or 'none at all'}",
                     where=f"models.{model}", fix="see the findings, and the set's rule")],
        )  # fmt: skip
    return Selection(rows, candidate, reasons)


def factor_levels(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Levels of the factors that the plan declares, the first is the reference.

    With the baseline as a covariate its visit is no level: no outcome is there.
    """
    visits = plan.visits
    if plan.baseline.handling == "covariate":
        visits = tuple(v for v in visits if v.week > plan.baseline_visit.week)
    levels = {TRT01P: plan.arms.levels, AVISIT: tuple(visit.name for visit in visits)}
    for name, covariate in plan.covariates.items():
        if covariate.type == "category" and covariate.codes:
            levels[name] = tuple(dict.fromkeys(covariate.codes.values()))
    return levels


def table_uses(
    selection: Selection, design: "Design", fitted: np.ndarray, residuals: np.ndarray
) -> "pd.DataFrame":
    """One row an analysis row: USE, REASON, FITTED and RESIDUAL where used as outcome.

    design: built on `selection.rows[selection.candidate]`. A baseline counts as used only where a
    later reading of the patient is used.
    """
    rows = selection.rows
    reasons = selection.reasons.copy()
    candidates = np.flatnonzero(selection.candidate)
    for name, missing in design.dropped.items():
        lost = candidates[missing]
        reasons[lost] = [f"{r} and {name} missing" if r else name for r in reasons[lost]]
    reasons[candidates] = [_missing(reason) for reason in reasons[candidates]]
    used = candidates[design.used]
    use = np.full(len(rows), Use.DROPPED.value, dtype=object)
    use[used] = Use.OUTCOME.value
    followed = rows[USUBJID].isin(set(rows[USUBJID].iloc[used])).to_numpy()
    baseline = reasons == BASELINE_REASON
    use[baseline & followed] = Use.BASELINE.value
    reasons[baseline & ~followed] = "baseline of a patient without a later reading in this model"
    table = rows[[SRCFILE, SRCROW, USUBJID, AVISIT]].copy()
    table["USE"], table["REASON"] = use.astype(str), reasons.astype(str)
    for column, values in (("FITTED", fitted), ("RESIDUAL", residuals)):
        whole = np.full(len(rows), np.nan)
        whole[used] = values
        table[column] = whole
    return table


def _missing(names: str) -> str:
    """`BMI` as `BMI missing`; several are joined already."""
    return f"{names} missing" if names and not names.endswith("missing") else names
