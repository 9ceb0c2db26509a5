"""Checks of single values: numbers, units, limits, study days."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.errors import plural
from sitewise.terms import ADY, AVAL, SITEID, Fate, Severity
from sitewise.trial.findings import Found, lost_readings, quoted
from sitewise.trial.numbers import parse_number
from sitewise.trial.rows import (
    AVALC,
    DAYCELL,
    DECIMAL,
    FATE,
    PARAMCD,
    SHEETUNIT,
    UNIT,
    undecided,
)
from sitewise.trial.schema import HARD, SOFT, outside_limits
from sitewise.trial.units import KPA, MMHG, MMHG_PER_KPA, unit_factor
from sitewise.trial.unread import MISSING_NUMBERS, date_style, why_no_number

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.endpoint import Endpoint
    from sitewise.plan.model import Plan


# 54 years. Spreadsheets count dates from 1900: theirs are larger since 1954, and so is 20240305.
MOST_DAYS = 20000


def value_column(plan: "Plan", endpoint: str) -> str:
    """The raw column that holds the values of an endpoint."""
    return str(plan.endpoints[endpoint].column or plan.columns.value)


def check_numbers(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Measured cells that are no number: set aside."""
    text = undecided(rows)
    text = text[text[AVAL].isna()]
    for name, part in text.groupby(PARAMCD):
        told = [
            why_no_number(cell, mark) for cell, mark in zip(part[AVALC], part[DECIMAL], strict=True)
        ]
        yield lost_readings(
            "not a number",
            part,
            value_column(plan, str(name)),
            [
                f"{quoted(cell)} is not a number{looks}"
                for cell, (looks, _) in zip(part[AVALC], told, strict=True)
            ],
            value=part[AVALC].tolist(),
            allowed=f"a number in {plan.endpoints[str(name)].unit}, without its unit",
            advice=[advice for _, advice in told],
        )


def check_units(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Units that can't be read, and kPa that the site sheet does not declare: set aside."""
    left = undecided(rows)
    for name, endpoint in plan.endpoints.items():
        part = left[left[PARAMCD] == name]
        known = [u for u in (endpoint.unit, KPA) if unit_factor(u, endpoint.unit) is not None]
        column = plan.columns.unit or "unit"
        unknown = part[~part[UNIT].isin(known)]
        yield lost_readings(
            "unknown unit",
            unknown,
            column,
            [_unit_told(unit, endpoint.unit) for unit in unknown[UNIT]],
            value=unknown[UNIT].fillna("").tolist(),
            allowed=", ".join(known),
            advice="correct the unit, or declare it for the site in the site sheet",
        )
        undeclared = part[(part[UNIT] == KPA) & (endpoint.unit != KPA) & (part[SHEETUNIT] != KPA)]
        yield lost_readings(
            "undeclared kPa",
            undeclared,
            column,
            f"the value is in kPa, the endpoint in {endpoint.unit}, and the site sheet does"
            " not declare kPa for this site",
            value=undeclared[AVALC].tolist(),
            allowed=f"{endpoint.unit}, or kPa where the site sheet declares it",
            advice="if the site really measures in kPa, put `kPa` into its `unit` in the site"
            " sheet: its values are then converted",
        )


def _unit_told(unit: object, wanted: str) -> str:
    if isinstance(unit, str):
        return f"the unit {quoted(unit)} can't be turned into {wanted}"
    return f"the value has no unit, and the site sheet declares none ({wanted} is analysed)"


def convert_units(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Bring AVAL into the unit of its endpoint (changes `rows`); says so once a site."""
    found = []
    left = undecided(rows)
    for name, endpoint in plan.endpoints.items():
        part = left[(left[PARAMCD] == name) & (left[UNIT] == KPA) & (endpoint.unit == MMHG)]
        rows.loc[part.index, AVAL] = part[AVAL] * MMHG_PER_KPA
        for _, site in part.groupby(SITEID):
            found.append(
                Found(
                    "converted from kPa",
                    Severity.NOTE,
                    site.iloc[:1],
                    value_column(plan, name),
                    f"{plural(len(site), f'{name} reading')} in kPa, as the site sheet declares,"
                    f" multiplied by {MMHG_PER_KPA}",
                    action="converted to mmHg and kept",
                    scope="site",
                )
            )
    return found


def check_limits(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Values outside the hard limits are set aside, outside the soft ones only named."""
    left = undecided(rows)
    for name, endpoint in plan.endpoints.items():
        part = left[left[PARAMCD] == name]
        wrong = outside_limits(endpoint, part[AVAL])
        hard, soft = wrong[HARD], wrong[SOFT].difference(wrong[HARD], sort=False)
        column = value_column(plan, name)
        yield _outside(part.loc[hard], name, endpoint, HARD, column)
        yield _outside(part.loc[soft], name, endpoint, SOFT, column)


def _outside(
    part: "pd.DataFrame", name: str, endpoint: "Endpoint", kind: str, column: str
) -> Found:
    hard = kind == HARD
    low, high = endpoint.hard if hard else endpoint.soft
    coded = part[AVAL].isin(MISSING_NUMBERS)
    compare = "compare the cell with the source document"
    declare = "if it means missing, add it to the plan's missing_values; else "
    return Found(
        f"outside the {kind}",
        Severity.ERROR if hard else Severity.WARNING,
        part,
        column,
        [
            f"{name} of {value:.6g} {endpoint.unit} is {'not possible' if hard else 'unusual'}"
            + ("; it looks like a code for a missing value" if code else "")
            for value, code in zip(part[AVAL], coded, strict=True)
        ],
        value=part[AVALC].tolist(),
        allowed=f"{low:g} to {high:g} {endpoint.unit}",
        action="reading set aside" if hard else "not set aside for this",
        advice=[declare + compare if code else compare for code in coded],
        fate=Fate.SET_ASIDE if hard else None,
    )


def check_days(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Study days that are missing or impossible; they cost the reading where time is `actual`."""
    if plan.columns.day is None:
        return []
    left = undecided(rows)
    actual = plan.time == "actual"
    day = left[ADY]
    whole = day.notna() & (day % 1 == 0) & (day != 0) & (day.abs() <= MOST_DAYS)
    wrong = left[DAYCELL].notna() & ~whole
    faults = [("impossible study day", left[wrong])]
    if actual:
        faults.append(("missing study day", left[left[DAYCELL].isna()]))
    rows.loc[rows.index.isin(left.index[wrong]), ADY] = float("nan")
    return [
        Found(
            rule,
            Severity.ERROR if actual else Severity.WARNING,
            part,
            plan.columns.day,
            [
                f"the study day {quoted(cell)} can't be used{_day_hint(cell, mark)}"
                for cell, mark in zip(part[DAYCELL], part[DECIMAL], strict=True)
            ],
            value=part[DAYCELL].fillna("").tolist(),
            allowed="a whole number that is not 0: day 1 is the first, day -1 the day before; at"
            f" most {MOST_DAYS}",
            action="row set aside" if actual else "reading kept, the day is treated as missing",
            advice="write the days since the start of treatment, counted as day 1; or take"
            " columns.day out of the plan",
            fate=Fate.SET_ASIDE if actual else None,
            scope="row",
        )
        for rule, part in faults
        if len(part)
    ]


def _day_hint(cell: object, decimal: str) -> str:
    if not isinstance(cell, str):
        return ""
    if style := date_style(cell):
        return f"; it looks like a date ({style}), and a date is not turned into a day"
    number = parse_number(cell, decimal)
    if math.isnan(number):
        return why_no_number(cell, decimal)[0]
    if abs(number) > MOST_DAYS:
        return "; it looks like a date as a spreadsheet counts it, or one without separators"
    return ""


def measured(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Readings within the plan whose cell is not empty, set aside or not."""
    out = [Fate.OUTSIDE_PLAN.value, Fate.NOT_MEASURED.value]
    return rows[rows[AVALC].notna() & ~rows[FATE].isin(out)]
