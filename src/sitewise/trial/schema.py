"""Row-level rules: what one reading must be, whatever the others are."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem, plural
from sitewise.terms import ADY, AVAL, AVISIT, SITEID, SRCFILE, SRCROW, TRT01P, USUBJID
from sitewise.trial.rows import ANOTHER, PARAMCD, POOLED, SITECELL

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.endpoint import Endpoint
    from sitewise.plan.model import Plan

HARD, SOFT = "hard limits", "soft limits"


def known_values(plan: "Plan") -> dict[str, tuple[str, ...] | None]:
    """Who, where, which arm, which visit: what each column may hold; None is any text at all."""
    pooled = plan.arms.levels == (POOLED,)
    return {
        USUBJID: None,
        TRT01P: (*plan.arms.levels, *([ANOTHER] if pooled else [])),
        AVISIT: tuple(visit.name for visit in plan.visits),
        PARAMCD: tuple(plan.endpoints),
    } | ({SITECELL: None} if plan.columns.site is not None else {})


def unknown_rows(
    known: Mapping[str, tuple[str, ...] | None], frame: "pd.DataFrame"
) -> "dict[str, pd.Index]":
    """Index of the rows whose cell is missing or none of the known values, by column."""
    found = {}
    for name, values in known.items():
        cells = frame[name]
        found[name] = frame.index[cells.isna() if values is None else ~cells.isin(values)]
    return {name: index for name, index in found.items() if len(index)}


def outside_limits(endpoint: "Endpoint", values: "pd.Series[float]") -> "dict[str, pd.Index]":
    """Index of the values outside the hard limits and outside the soft ones, in its unit."""
    return {
        kind: values.index[values.notna() & ~values.between(low, high)]
        for kind, (low, high) in ((HARD, endpoint.hard), (SOFT, endpoint.soft))
    }


def assert_analysable(plan: "Plan", readings: "pd.DataFrame") -> None:
    """The gate to the analysis: every reading that passes has all that it needs.

    readings: those with a fate that reaches the analysis. Raises DataError; that would be a fault
    of the checks before it, never of a hospital.
    """
    needed = {**known_values(plan), SITEID: None, SRCFILE: None, AVAL: None}
    needed.pop(SITECELL, None)
    if plan.time != "nominal":
        needed[ADY] = None
    wrong = unknown_rows(needed, readings)
    wrong[SRCROW] = readings.index[readings[SRCROW] < 1]
    for name, endpoint in plan.endpoints.items():
        values = readings.loc[readings[PARAMCD] == name, AVAL]
        wrong[f"{name} {HARD}"] = outside_limits(endpoint, values)[HARD]
    wrong = {name: index for name, index in wrong.items() if len(index)}
    if wrong:
        raise DataError(
            "Readings passed the checks that should not have: please report this fault.",
            [
                Problem(
                    f"{name}: {plural(len(index), 'reading')}", where=_first(readings.loc[index])
                )
                for name, index in sorted(wrong.items())
            ],
        )


def _first(readings: "pd.DataFrame") -> str:
    line = readings.iloc[0]
    return f"{line[SRCFILE]} line {line[SRCROW]}"
