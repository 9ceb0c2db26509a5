"""The rows that the classical relatives see: those of the planned model."""

from typing import TYPE_CHECKING

from sitewise.plan.model import Plan
from sitewise.terms import ABLFL, ANL01FL, AVAL, AVISIT, BASE, TRT01P

if TYPE_CHECKING:
    import pandas as pd


def endpoint_rows(plan: Plan, frame: "pd.DataFrame", endpoint: str, model: str) -> "pd.DataFrame":
    """Analysis rows of the endpoint in the model's set, by the plan's handling of the baseline.

    Baseline as covariate: rows after baseline only. Baseline missing and `drop`: the patient goes.
    """
    keep = (
        (frame["PARAMCD"] == endpoint)
        & (frame[ANL01FL] == "Y")
        & (frame[f"{plan.models[model].set}FL"] == "Y")
        & frame[AVAL].notna()
    )
    if plan.baseline.handling == "covariate":
        keep &= (frame[ABLFL] != "Y") & frame[AVISIT].isin(outcome_visits(plan))
    if plan.baseline.missing == "drop":
        keep &= frame[BASE].notna()
    return frame[keep].reset_index(drop=True)


def outcome_visits(plan: Plan) -> tuple[str, ...]:
    """Visits whose readings are outcomes: those after baseline where it is a covariate."""
    late = plan.baseline.handling == "covariate"
    return tuple(v.name for v in plan.visits if not late or v.week > plan.baseline_visit.week)


def factor_levels(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Levels of every factor that a formula may name, the first is the reference."""
    levels = {AVISIT: outcome_visits(plan), TRT01P: plan.arms.levels}
    for name, covariate in plan.covariates.items():
        if covariate.type == "category" and covariate.codes:
            levels[name] = tuple(dict.fromkeys(covariate.codes.values()))
    return levels
