"""Checks of single values: numbers, units, limits, study days."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import ADY, AVAL, SITEID, Fate, Severity
from sitewise.trial.findings import Found, lost_readings, shown
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
from sitewise.trial.schema import HARD, SOFT, broken, limit_schema
from sitewise.trial.units import KPA, MMHG, MMHG_PER_KPA, unit_factor

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan
    from sitewise.plan.sections import Endpoint

# Nobody lives at a median systolic pressure of 40 mmHg, and 40 kPa is 300 mmHg.
KPA_MEDIAN = 40.0


def value_column(plan: "Plan", endpoint: str) -> str:
    """The raw column that holds the values of an endpoint."""
    return str(plan.endpoints[endpoint].column or plan.columns.value)


def check_numbers(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Measured cells that are no number: set aside."""
    text = undecided(rows)
    text = text[text[AVAL].isna()]
    for name, part in text.groupby(PARAMCD):
        yield lost_readings(
            "not a number",
            part,
            value_column(plan, str(name)),
            [
                f"{shown(cell)!r} is not a number{_comma(cell, mark)}"
                for cell, mark in zip(part[AVALC], part[DECIMAL], strict=True)
            ],
            value=part[AVALC].tolist(),
            allowed=f"a number in {plan.endpoints[str(name)].unit}, without its unit",
            advice="correct the cell from the source document; if it means missing, add it to the"
            " plan's missing_values",
        )


def _comma(cell: str, decimal: str) -> str:
    other = "," if decimal == "." else "."
    if other in cell and decimal not in cell:
        return f"; the site sheet says that this file's decimal mark is {decimal!r}"
    return ""


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
        return f"the unit {shown(unit)!r} can't be turned into {wanted}"
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
                    f"{len(site)} {name} reading(s) in kPa, as the site sheet declares, were"
                    f" multiplied by {MMHG_PER_KPA}",
                    action="converted to mmHg and kept",
                    scope="site",
                )
            )
    return found


def check_suspected_units(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Whole sites whose values look like the other unit of pressure, by their median."""
    left = undecided(rows)
    above = {pair.above for pair in plan.pairs} | {"SYSBP"}
    for name, endpoint in plan.endpoints.items():
        if endpoint.unit != MMHG:
            continue
        part = left[left[PARAMCD] == name]
        medians = part.groupby(SITEID)[AVAL].median()
        for site, median in medians.items():
            here = part[part[SITEID] == site]
            declared = bool((here[UNIT] == KPA).any())
            if not declared and _looks_kpa(median, endpoint, name in above):
                says = "looks like kPa, and the site sheet does not declare kPa"
                fix = "put `kPa`"
            elif (
                declared and median > endpoint.hard[1] and _inside(median / MMHG_PER_KPA, endpoint)
            ):
                says, fix = "looks converted without need", "take `kPa` out and put nothing"
            else:
                continue
            yield Found(
                "suspected unit",
                Severity.ERROR,
                here.iloc[:1],
                value_column(plan, name),
                f"the median {name} of this site is {median:.4g} {MMHG}: that {says}",
                value=f"{median:.4g}",
                allowed=f"values in {MMHG}, or in kPa where the site sheet declares it",
                action="each reading judged by its limits",
                advice=f"ask the site for its unit; if it is so, {fix} into its `unit` in the site"
                " sheet",
                scope="site",
            )


def _inside(value: float, endpoint: "Endpoint") -> bool:
    return endpoint.hard[0] <= value <= endpoint.hard[1]


def _looks_kpa(median: float, endpoint: "Endpoint", systolic: bool) -> bool:
    low = max(endpoint.hard[0], KPA_MEDIAN) if systolic else endpoint.hard[0]
    return median < low and _inside(median * MMHG_PER_KPA, endpoint)


def _looks_mmhg(median: float, endpoint: "Endpoint") -> bool:
    return median > endpoint.hard[1] and _inside(median / MMHG_PER_KPA, endpoint)


def check_limits(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Values outside the hard limits are set aside, outside the soft ones only named."""
    left = undecided(rows)
    for name, endpoint in plan.endpoints.items():
        part = left[left[PARAMCD] == name]
        wrong = broken(limit_schema(endpoint), part)
        hard = wrong.get(HARD, part.index[:0])
        soft = wrong.get(SOFT, part.index[:0]).difference(hard, sort=False)
        column = value_column(plan, name)
        yield _outside(part.loc[hard], name, endpoint, HARD, column)
        yield _outside(part.loc[soft], name, endpoint, SOFT, column)


def _outside(
    part: "pd.DataFrame", name: str, endpoint: "Endpoint", kind: str, column: str
) -> Found:
    hard = kind == HARD
    low, high = endpoint.hard if hard else endpoint.soft
    return Found(
        f"outside the {kind}",
        Severity.ERROR if hard else Severity.WARNING,
        part,
        column,
        [
            f"{name} of {value:.6g} {endpoint.unit} is {'not possible' if hard else 'unusual'}"
            for value in part[AVAL]
        ],
        value=part[AVALC].tolist(),
        allowed=f"{low:g} to {high:g} {endpoint.unit}",
        action="reading set aside" if hard else "not set aside for this",
        advice="compare the cell with the source document",
        fate=Fate.SET_ASIDE if hard else None,
    )


def check_days(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Study days that are missing or impossible; they cost the reading where time is `actual`."""
    if plan.columns.day is None:
        return []
    left = undecided(rows)
    actual = plan.time == "actual"
    day = left[ADY]
    wrong = left[DAYCELL].notna() & ~(day.notna() & (day % 1 == 0) & (day != 0))
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
            [f"the study day {shown(cell)!r} can't be used" for cell in part[DAYCELL]],
            value=part[DAYCELL].fillna("").tolist(),
            allowed="a whole number that is not 0: day 1 is the first, day -1 the day before",
            action="row set aside" if actual else "reading kept, the day is treated as missing",
            advice="correct the day from the source document",
            fate=Fate.SET_ASIDE if actual else None,
            scope="row",
        )
        for rule, part in faults
        if len(part)
    ]


def measured(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Readings within the plan whose cell is not empty, set aside or not."""
    out = [Fate.OUTSIDE_PLAN.value, Fate.NOT_MEASURED.value]
    return rows[rows[AVALC].notna() & ~rows[FATE].isin(out)]
