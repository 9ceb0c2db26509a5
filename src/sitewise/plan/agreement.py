"""What the sections of a plan must agree on.

Each disagreement is a path and what is wrong there, some also with what is allowed and what to do.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sitewise.plan.names import Disagreement, unknown
from sitewise.plan.order import order_disagreements
from sitewise.terms import SITEID

if TYPE_CHECKING:
    from sitewise.plan.model import Plan

# Keys of `columns` that name none.
_NO_COLUMNS = ("layout", "patient_ids")


def disagreements(plan: "Plan") -> list[Disagreement]:
    """All of them, in the order of the plan's keys.

    Of a plan that holds some of its sections only, those that these sections show.
    """
    held = plan.model_fields_set
    return [found for keys, check in CHECKS if held.issuperset(keys) for found in check(plan)]


def _design(plan: "Plan") -> Iterator[Disagreement]:
    expected = {"individual": "USUBJID", "cluster": "SITEID"}[plan.design]
    if plan.randomised_unit != expected:
        yield (
            "randomised_unit",
            f"design `{plan.design}` randomises {expected}, found {plan.randomised_unit}",
        )


def _visits(plan: "Plan") -> Iterator[Disagreement]:
    marked = [visit.name for visit in plan.visits if visit.baseline]
    if len(marked) != 1:
        yield (
            "visits",
            f"exactly one visit must have `baseline: true`, found {', '.join(marked) or 'none'}",
        )
    names = [visit.name for visit in plan.visits]
    if len(set(names)) != len(names):
        yield "visits", f"visit names are not unique: {', '.join(names)}"
    weeks = [visit.week for visit in plan.visits]
    if sorted(set(weeks)) != weeks:
        yield "visits", f"weeks must rise from visit to visit, found {weeks}"
    codes = [code for visit in plan.visits for code in (visit.codes or (visit.name,))]
    codes += list(plan.other_visits)
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        yield "visits", f"raw visit names that stand for two visits: {', '.join(twice)}"


def _endpoints(plan: "Plan") -> Iterator[Disagreement]:
    wanted, other = ("column", "code") if plan.columns.layout == "visits" else ("code", "column")
    for name, endpoint in plan.endpoints.items():
        if getattr(endpoint, wanted) is None:
            yield (
                f"endpoints.{name}",
                f"layout `{plan.columns.layout}` needs the key `{wanted}`",
            )
        if getattr(endpoint, other) is not None:
            yield (
                f"endpoints.{name}.{other}",
                f"layout `{plan.columns.layout}` takes `{wanted}`, not `{other}`",
            )


def _roles(plan: "Plan") -> Iterator[Disagreement]:
    roles = [endpoint.role for endpoint in plan.endpoints.values()]
    if "primary" not in roles:
        yield "endpoints", "no endpoint has `role: primary`"
    elif roles != sorted(roles, key=["primary", "secondary", "exploratory"].index):
        yield "endpoints", "the order of testing must be primary, secondary, exploratory"


def _pairs(plan: "Plan") -> Iterator[Disagreement]:
    for i, pair in enumerate(plan.pairs):
        for key in ("above", "below"):
            if getattr(pair, key) not in plan.endpoints:
                yield unknown(f"pairs.{i}.{key}", getattr(pair, key), list(plan.endpoints))


def _stratification(plan: "Plan") -> Iterator[Disagreement]:
    known = [*plan.covariates, SITEID]
    for i, factor in enumerate(plan.stratification):
        if factor not in known:
            yield unknown(f"stratification.{i}", factor, known)


def _sets(plan: "Plan") -> Iterator[Disagreement]:
    for name, model in plan.models.items():
        if model.set not in plan.analysis_sets:
            yield unknown(f"models.{name}.set", model.set, list(plan.analysis_sets))


def _comparisons(plan: "Plan") -> Iterator[Disagreement]:
    for i, comparison in enumerate(plan.comparisons):
        for key in ("smaller", "larger"):
            if getattr(comparison, key) not in plan.models:
                yield unknown(f"comparisons.{i}.{key}", getattr(comparison, key), list(plan.models))


def _primary_model(plan: "Plan") -> Iterator[Disagreement]:
    if plan.primary.model not in plan.models:
        yield unknown("primary.model", plan.primary.model, list(plan.models))


def _primary_df(plan: "Plan") -> Iterator[Disagreement]:
    primary = plan.models.get(plan.primary.model)
    if plan.df == "kenward-roger" and primary is not None and not primary.reml:
        yield (
            "df",
            f"Kenward-Roger corrects a fit by REML, and the primary model {plan.primary.model} has"
            " `reml: false`: use `reml: true` there, or `df: satterthwaite`",
        )


def _primary_visit(plan: "Plan") -> Iterator[Disagreement]:
    visits = [visit.name for visit in plan.visits]
    if plan.primary.visit not in visits:
        yield unknown("primary.visit", plan.primary.visit, visits)
    at_baseline = [v.name for v in plan.visits if v.baseline]
    if plan.primary.contrast == "change" and plan.primary.visit in at_baseline:
        yield "primary.visit", "change from baseline at the baseline visit is 0 by definition"


def _primary_arm(plan: "Plan") -> Iterator[Disagreement]:
    arms = list(plan.arms.levels)
    if plan.primary.arm not in arms:
        yield unknown("primary.arm", plan.primary.arm, arms)
    elif plan.primary.arm == plan.arms.reference:
        yield "primary.arm", f"{plan.primary.arm!r} is the reference arm itself"


def _primary_contrast(plan: "Plan") -> Iterator[Disagreement]:
    if plan.primary.contrast == "change" and plan.baseline.handling == "covariate":
        yield (
            "primary.contrast",
            "with the baseline as a covariate the difference in level is the difference in"
            " change: use `level`",
        )


def _time(plan: "Plan") -> Iterator[Disagreement]:
    if plan.time == "actual" and plan.columns.day is None:
        yield "time", "`actual` needs the key `columns.day`"


def _blinded(plan: "Plan") -> Iterator[Disagreement]:
    for name, own in plan.covariates.items():
        if plan.blinded and own.column == plan.columns.arm:
            yield (
                f"covariates.{name}.column",
                f"{own.column!r} is the column of the arm, and the trial is blinded",
            )


def _leaving(plan: "Plan") -> Iterator[Disagreement]:
    """A column that holds something else tells no reason; that of the arm would lift a blind."""
    column = plan.leaving.column
    taken = {own: f"columns.{key}" for key, own in plan.columns if key not in _NO_COLUMNS and own}
    taken |= {own.column: f"endpoints.{n}" for n, own in plan.endpoints.items() if own.column}
    if column in taken:
        yield (
            "leaving.column",
            f"{column!r} is the column of {taken[column]}",
            "a column of its own, with the reason for which the patient left early",
            "correct the name, or take the section out",
        )


# The keys of the plan that a check needs, and the check.
CHECKS: tuple[tuple[tuple[str, ...], Callable[["Plan"], Iterator[Disagreement]]], ...] = (
    (("design", "randomised_unit"), _design),
    (("visits", "other_visits"), _visits),
    (("columns", "endpoints"), _endpoints),
    (("endpoints",), _roles),
    (
        ("endpoints", "endpoint_order", "hierarchy", "visits", "arms", "primary"),
        order_disagreements,
    ),
    (("endpoints", "pairs"), _pairs),
    (("covariates", "stratification"), _stratification),
    (("analysis_sets", "models"), _sets),
    (("models", "comparisons"), _comparisons),
    (("models", "primary"), _primary_model),
    (("models", "primary", "df"), _primary_df),
    (("visits", "primary"), _primary_visit),
    (("arms", "primary"), _primary_arm),
    (("baseline", "primary"), _primary_contrast),
    (("columns", "time"), _time),
    (("blinded", "columns", "covariates"), _blinded),
    (("columns", "endpoints", "leaving"), _leaving),
)
