"""Row-level rules as pandera schemas: what one reading must be, whatever the others are."""

from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem
from sitewise.terms import ADY, AVAL, AVISIT, SITEID, SRCFILE, SRCROW, TRT01P, USUBJID
from sitewise.trial.rows import ANOTHER, PARAMCD, POOLED, SITECELL

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa

    from sitewise.plan.model import Plan
    from sitewise.plan.sections import Endpoint

HARD, SOFT = "hard limits", "soft limits"


def row_schema(plan: "Plan") -> "pa.DataFrameSchema":
    """Who, where, which arm, which visit: all must be known to the plan and the site sheet."""
    import pandera.pandas as pa

    arms = [*plan.arms.levels, *([ANOTHER] if plan.arms.levels == (POOLED,) else [])]
    columns = {
        USUBJID: pa.Column(str, nullable=False),
        TRT01P: pa.Column(str, pa.Check.isin(arms), nullable=False),
        AVISIT: pa.Column(str, pa.Check.isin([v.name for v in plan.visits]), nullable=False),
        PARAMCD: pa.Column(str, pa.Check.isin(list(plan.endpoints)), nullable=False),
    }
    if plan.columns.site is not None:
        columns[SITECELL] = pa.Column(str, nullable=False)
    return pa.DataFrameSchema(columns)


def limit_schema(endpoint: "Endpoint") -> "pa.DataFrameSchema":
    """Values of one endpoint, in its unit: the hard limits and the soft ones."""
    import pandera.pandas as pa

    checks = [
        pa.Check(lambda s, lo=low, hi=high: s.between(lo, hi), name=name)
        for name, (low, high) in ((HARD, endpoint.hard), (SOFT, endpoint.soft))
    ]
    return pa.DataFrameSchema({AVAL: pa.Column(float, checks, nullable=False)})


def broken(schema: "pa.DataFrameSchema", frame: "pd.DataFrame") -> "dict[str, pd.Index]":
    """Index of the rows that break a schema, by column, or by the check's name for AVAL."""
    import pandera.pandas as pa

    if frame.empty:
        return {}
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        key = cases["check"].where(cases["column"] == AVAL, cases["column"])
        return {
            str(name): frame.index[frame.index.isin(part["index"].tolist())]
            for name, part in cases.groupby(key)
        }
    return {}


def assert_analysable(plan: "Plan", readings: "pd.DataFrame") -> None:
    """The gate to the analysis: every reading that passes has all that it needs.

    readings: those with a fate that reaches the analysis. Raises DataError; that would be a fault
    of the checks before it, never of a hospital.
    """
    import pandera.pandas as pa

    schema = row_schema(plan).remove_columns([SITECELL] if plan.columns.site else [])
    schema = schema.add_columns(
        {
            SITEID: pa.Column(str, nullable=False),
            SRCFILE: pa.Column(str, nullable=False),
            SRCROW: pa.Column("int64", pa.Check.ge(1)),
            AVAL: pa.Column(float, nullable=False),
            ADY: pa.Column(float, nullable=plan.time == "nominal"),
        }
    )
    wrong = broken(schema, readings)
    for name, endpoint in plan.endpoints.items():
        index = broken(limit_schema(endpoint), readings[readings[PARAMCD] == name]).get(HARD)
        if index is not None:
            wrong[f"{name} {HARD}"] = index
    if wrong:
        raise DataError(
            "Readings passed the checks that should not have: please report this fault.",
            [
                Problem(f"{name}: {len(index)} reading(s)", where=_first(readings.loc[index]))
                for name, index in sorted(wrong.items())
            ],
        )


def _first(readings: "pd.DataFrame") -> str:
    line = readings.iloc[0]
    return f"{line[SRCFILE]} line {line[SRCROW]}"
