"""Fit one model of the plan to one endpoint (rule fit)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.inference.plan_models import check_models, model_notes
from sitewise.inference.planned_fit import ArmContrast, ArmMean, PlannedFit, UseCount
from sitewise.plan.model import Plan
from sitewise.terms import SITEID, USUBJID, Use

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.inference.planned_contrasts import Asked
    from sitewise.lmm.fit import Fitted
    from sitewise.lmm.result import Estimate

__all__ = ["PlannedResult", "check_models", "fit_planned", "model_notes"]


@dataclass(frozen=True)
class PlannedResult:
    """A planned fit with its tables.

    use: one row an analysis row of the endpoint: SRCFILE, SRCROW, USUBJID, AVISIT, USE, REASON,
    FITTED, RESIDUAL (conditional on the random effects; null unless used as outcome).
    ranef: GROUP, LEVEL, TERM, BLUP, SE.
    """

    planned: PlannedFit
    use: "pd.DataFrame" = field(repr=False)
    ranef: "pd.DataFrame" = field(repr=False)


def fit_planned(plan: Plan, frame: "pd.DataFrame", endpoint: str, model: str) -> PlannedResult:
    """Fit `model` to `endpoint` on the analysis rows `frame` (adbp).

    Contrasts are arm minus reference, by visit, in level and (baseline as outcome) in change from
    baseline; `sitewise.inference.planned_contrasts` says how means and contrasts are averaged.
    Raises ModelError where the model can't be built or fitted, or lacks the primary contrast.
    """
    from sitewise.inference.cautions import fit_cautions, missed_visits
    from sitewise.inference.planned_contrasts import ask_all
    from sitewise.inference.planned_rows import table_uses
    from sitewise.lmm.design import build_design
    from sitewise.lmm.fit import fit_design
    from sitewise.trial.selection import IDENTIFIERS, factor_levels, select_rows

    spec = plan.models[model]
    selection = select_rows(plan, frame, endpoint, model)
    candidates = selection.candidates
    design = build_design(spec.formula, candidates, factor_levels(plan), identifiers=IDENTIFIERS)
    rows = candidates[design.used].reset_index(drop=True)
    every, missing = ask_all(plan, design, rows)
    primary = _primary(plan, model, every)
    asked = {one.name(plan.arms.reference): one for one in every if one.estimable}
    fitted = fit_design(
        design,
        reml=spec.reml,
        hypotheses={name: one.row for name, one in asked.items()},
        df=plan.df,
        alpha=plan.alpha,
    )
    use = table_uses(selection, design, fitted.fitted, fitted.residuals)
    missed = missed_visits(plan, design, fitted.fit, rows)
    said = fit_cautions(
        plan, model, design, fitted.fit, rows, residuals=fitted.residuals, missed=missed
    )
    contrasts, means = _answers(plan, asked, fitted.fit.hypotheses)
    planned = PlannedFit(
        endpoint=endpoint,
        model=model,
        label=spec.label,
        fit=fitted.fit,
        contrasts=tuple(contrasts.values()),
        means=means,
        primary=contrasts.get(primary),
        uses=_count_uses(use),
        patients=int(rows[USUBJID].nunique()),
        sites=int(rows[SITEID].nunique()),
        cautions=(*said, *missing),
        missed=missed,
    )
    return PlannedResult(planned, use, _ranef_table(fitted))


def _answers(
    plan: Plan, asked: "dict[str, Asked]", results: "tuple[Estimate, ...]"
) -> tuple[dict[str, ArmContrast], tuple[ArmMean, ...]]:
    """Estimates under what they stand for: contrasts by name, and means."""
    contrasts, means = {}, []
    for (name, one), result in zip(asked.items(), results, strict=True):
        arm, visit = one.arm, one.visit
        if one.kind == "mean":
            means.append(ArmMean(arm, visit.name, visit.week, result))
        else:
            contrasts[name] = ArmContrast(
                arm, plan.arms.reference, visit.name, visit.week, one.kind, result
            )
    return contrasts, tuple(means)


def _primary(plan: Plan, model: str, every: "list[Asked]") -> str:
    """Name of the plan's primary contrast among those asked; "" where `model` can't give it.

    ModelError where `model` is the primary one.
    """
    wanted = plan.primary
    for one in every:
        if (one.kind, one.arm, one.visit.name) == (wanted.contrast, wanted.arm, wanted.visit):
            if one.estimable:
                return one.name(plan.arms.reference)
            why = "the formula holds no term that lets it differ from 0, or the data no reading"
            break
    else:
        why = f"the data hold no reading of {wanted.arm} or of the reference at the visits needed"
    if model != wanted.model:
        return ""
    raise ModelError(
        "The primary contrast can't be estimated.",
        [Problem(
            f"{wanted.arm} minus {plan.arms.reference} at {wanted.visit}, {wanted.contrast}: {why}",
            where=f"models.{model}",
            fix="see the account of readings by arm and visit; then the formula or `primary`",
        )],
    )  # fmt: skip


def _count_uses(use: "pd.DataFrame") -> tuple[UseCount, ...]:
    """Rows and patients by use and reason: outcomes first, then in order of size."""
    order = [kind.value for kind in (Use.OUTCOME, Use.BASELINE, Use.DROPPED)]
    counts = [
        UseCount(str(kind), str(reason), len(rows), int(rows[USUBJID].nunique()))
        for (kind, reason), rows in use.groupby(["USE", "REASON"], sort=True)
    ]
    return tuple(sorted(counts, key=lambda c: (order.index(c.use), -c.rows, c.reason)))


def _ranef_table(fitted: "Fitted") -> "pd.DataFrame":
    import pandas as pd

    rows = [(r.group, r.level, r.term, r.blup, r.se) for r in fitted.ranef]
    table = pd.DataFrame(rows, columns=["GROUP", "LEVEL", "TERM", "BLUP", "SE"])
    return table.astype({"BLUP": np.float64, "SE": np.float64})
