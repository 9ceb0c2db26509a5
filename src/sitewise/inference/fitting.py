"""Fit the models of the plan to one endpoint (rule fit), from moments."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sitewise.errors import ModelError, Problem
from sitewise.inference.plan_models import check_models, model_notes
from sitewise.inference.planned_fit import ArmContrast, ArmMean, PlannedFit, ScoredFit, with_score
from sitewise.plan.model import Plan

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.inference.planned_contrasts import Asked
    from sitewise.inference.tally import Tally
    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.moments import Moments
    from sitewise.lmm.result import Estimate

__all__ = [
    "PlannedResult",
    "check_models",
    "fit_batches",
    "fit_endpoint",
    "fit_planned",
    "model_notes",
]


@dataclass(frozen=True)
class PlannedResult:
    """A planned fit with its score and tables; the tables as `scoring.ScoredRows` has them."""

    planned: ScoredFit
    use: "pd.DataFrame" = field(repr=False)
    ranef: "pd.DataFrame" = field(repr=False)


def fit_endpoint(
    plan: Plan,
    endpoint: str,
    batches: "Callable[[str], tuple[Sequence[Tally], Sequence[Moments]]]",
) -> Iterator[PlannedFit]:
    """Fit every model of `plan`, in its order; batches: a model's tallies and moments.

    Raises ModelError with what is wrong with all of them, after the last.
    """
    failed: list[ModelError] = []
    for model in plan.models:
        try:
            yield fit_batches(plan, endpoint, model, *batches(model))
        except ModelError as error:
            failed.append(error)
    if failed:
        raise ModelError(
            " ".join(dict.fromkeys(error.title for error in failed)),
            [problem for error in failed for problem in error.problems],
        )


def fit_batches(
    plan: Plan, endpoint: str, model: str, tallies: "Sequence[Tally]", moments: "Sequence[Moments]"
) -> PlannedFit:
    """Fit `model` to `endpoint` from the tallies and moments of all batches, in one order.

    Contrasts are arm minus reference, by visit, in level and (baseline as outcome) in change from
    baseline; `sitewise.inference.planned_contrasts` says how means and contrasts are averaged.
    Raises ModelError where the model can't be built or fitted, or lacks the primary contrast.
    """
    from sitewise.inference.batch import add_moments
    from sitewise.inference.tally import add_tallies

    return _fitted(plan, endpoint, model, add_tallies(tallies), add_moments(moments))[0]


def fit_planned(plan: Plan, frame: "pd.DataFrame", endpoint: str, model: str) -> PlannedResult:
    """Moments, fit and score at once, of the analysis rows `frame` (adbp), one model."""
    from sitewise.inference.batch import batch_moments
    from sitewise.inference.scoring import score_fit
    from sitewise.trial.selection import Selections

    batch = batch_moments(plan, frame, endpoint, [model])[model]
    planned, fit = _fitted(plan, endpoint, model, batch.tally, batch.moments)
    scored = score_fit(plan, Selections(plan, frame, endpoint), planned, fit)
    return PlannedResult(with_score(planned, scored.score), scored.use, scored.ranef)


def _fitted(
    plan: Plan, endpoint: str, model: str, tally: "Tally", moments: "Moments"
) -> "tuple[PlannedFit, LmmFit]":
    from sitewise.inference.cautions import constraint_note, fit_cautions, missed_visits
    from sitewise.inference.planned_contrasts import ask_all, joint_tests
    from sitewise.inference.taken import take
    from sitewise.lmm.linear.wald import wald_of
    from sitewise.lmm.record import fixed_part, record_of
    from sitewise.trial.selection import no_rows

    spec = plan.models[model]
    if not tally.used:
        lost = tally.rows - sum(tally.unfit.values())
        raise no_rows(
            endpoint, model, {**tally.unfit, **({"with a missing value": lost} if lost else {})}
        )
    taken = take(plan, spec, moments)
    fit = taken.fit
    every, missing = ask_all(plan, fixed_part(fit), tally)
    primary = _primary(plan, model, every)
    asked = {one.name(plan.arms.reference): one for one in every if one.estimable}
    hypotheses = {name: one.row for name, one in asked.items()}
    df = df_of(plan, spec.reml)
    record = record_of(fit, alpha=plan.alpha, df=df, hypotheses=hypotheses)
    record = replace(record, rows=tally.identity)
    missed = missed_visits(plan, record, tally)
    by_constraint = constraint_note(plan, record)
    contrasts, means = _answers(plan, asked, record.hypotheses)
    said = fit_cautions(
        plan, model, fit.basis.formula, record, visits=len(tally.visits), missed=missed,
        notes=[note for note in fit.basis.notes if note != by_constraint],
    )  # fmt: skip
    planned = PlannedFit(
        endpoint=endpoint,
        model=model,
        label=spec.label,
        fit=record,
        contrasts=tuple(contrasts.values()),
        means=means,
        primary=contrasts.get(primary),
        patients=tally.patients,
        sites=tally.sites,
        cautions=(*taken.departures, *said, *missing),
        missed=missed,
        joint=joint_tests(plan, asked.values(), wald_of(fit, df)),
        departures=taken.departures,
    )
    return planned, fit


def df_of(plan: Plan, reml: bool) -> str:
    """The method of degrees of freedom of a model: Kenward-Roger has none for a fit by ML."""
    return "satterthwaite" if plan.df == "kenward-roger" and not reml else plan.df


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
    """Name of the plan's primary contrast among those asked; "" where `model` can't give it, and
    while the trial is blinded.

    ModelError where `model` is the primary one.
    """
    wanted = plan.primary
    if plan.blinded:
        return ""
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
