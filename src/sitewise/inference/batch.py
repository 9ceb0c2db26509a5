"""Moments of the planned models of one endpoint, from one batch of hospitals (rule moments)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.inference.tally import Tally, row_keys, tally_batch
from sitewise.lmm.formula import (
    Formula,
    fixed_columns,
    formula_columns,
    parse_formula,
    term_columns,
)
from sitewise.lmm.moments import Moments, moments_of_rows
from sitewise.plan.model import Plan
from sitewise.terms import AVISIT, TRT01P, USUBJID, WEEK
from sitewise.trial.selection import Selections, as_modelled, factor_levels

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from sitewise.lmm.rows import Rows
    from sitewise.trial.selection import Selection

MOST_VISITS = 15  # of a schedule; beyond, the row is the unit


@dataclass(frozen=True)
class ModelBatch:
    """What one model keeps of a batch. moments: without a part where no row is used."""

    tally: Tally
    moments: Moments


def batch_moments(
    plan: Plan, frame: "pd.DataFrame", endpoint: str, models: Sequence[str] | None = None
) -> dict[str, ModelBatch]:
    """Moments and tally of each model by name: of `models`, or of all that the plan has.

    frame: analysis rows (adbp) of whole hospitals. Raises ModelError where a model can't be built.
    """
    levels = factor_levels(plan)
    selections = Selections(plan, frame, endpoint)
    keys: dict[str, list[np.ndarray]] = {}
    found = {}
    for model in models or plan.models:
        spec = plan.models[model]
        formula = parse_formula(spec.formula)
        selection = selections.judged(model)
        if spec.set not in keys:
            keys[spec.set] = row_keys(selection.candidates)
        own = {name: levels[name] for name in formula_columns(formula) if name in levels}
        rows = _typed(plan, formula, selection, own)
        kept = Moments({})
        if rows is not None:
            kept = moments_of_rows(
                formula, rows, own,
                roles=_roles(plan, formula), scheduled=_scheduled(plan, formula),
            )  # fmt: skip
        tally = tally_batch(endpoint, model, formula, selection, rows, keys=keys[spec.set])
        found[model] = ModelBatch(tally, kept)
    return found


def add_moments(parts: Sequence[Moments]) -> Moments:
    """The moments of all batches of one model; those without a row used are passed over."""
    filled = [part for part in parts if part.parts]
    if not filled:
        return Moments({})
    total, *others = filled
    for other in others:
        total = total + other
    return total


def _typed(
    plan: Plan, formula: Formula, selection: "Selection", levels: Mapping[str, tuple[str, ...]]
) -> "Rows | None":
    from sitewise.lmm.reading import read_rows

    candidates = as_modelled(plan, selection.candidates)
    known = [name for name in formula_columns(formula) if name in candidates]
    if not candidates[known].notna().all(axis=1).any():
        return None
    return read_rows(formula, candidates, levels, batch=True)


def _roles(plan: Plan, formula: Formula) -> dict[str, str]:
    """What a batch of few patients may not tell: the visit, and planned weeks, are of the visit.

    Where arms are held equal up to baseline, the arm as modelled changes within patients.
    """
    found = {AVISIT: "slot", **({WEEK: "slot"} if plan.time == "nominal" else {})}
    if _arm_varies(plan, formula) and formula.residual is not None:
        found[TRT01P] = "varying"
    named = formula_columns(formula)
    return {name: role for name, role in found.items() if name in named}


def _arm_varies(plan: Plan, formula: Formula) -> bool:
    return plan.baseline.handling == "constrained" and TRT01P in formula_columns(formula)


def _scheduled(plan: Plan, formula: Formula) -> bool | None:
    """Whether rows are visits of a schedule: told by the plan, for every batch alike.

    None under a residual covariance, which always has one. A patient's covariates have one value
    each, so what changes within a patient is the visit and the week.
    """
    if formula.residual is not None:
        return None
    if _arm_varies(plan, formula):
        return False
    slots = _roles(plan, formula)
    names = set(fixed_columns(formula))
    own = []
    for spec in formula.random:
        names |= {*term_columns(spec.terms), *(n for n in spec.group if n in slots)}
        if USUBJID in spec.group:
            own.append(spec)
    return (
        bool(names & set(slots))
        and (plan.time == "nominal" or WEEK not in names)
        and len(plan.visits) <= MOST_VISITS
        and bool(own)
        and not any(set(spec.group) & set(slots) for spec in own)
        and all(set(term_columns(spec.terms)) <= set(slots) for spec in own)
    )
