"""Checks of a hospital's values as a whole: its unit, and values that never vary."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import AVAL, SITEID, Severity
from sitewise.trial.findings import Found
from sitewise.trial.rows import AVALC, PARAMCD, UNIT, undecided
from sitewise.trial.units import KPA, MMHG, MMHG_PER_KPA
from sitewise.trial.value_checks import value_column

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.endpoint import Endpoint
    from sitewise.plan.model import Plan

# Nobody lives at a median systolic pressure of 40 mmHg, and 40 kPa is 300 mmHg.
KPA_MEDIAN = 40.0
# So many equal readings of a site are no chance: blood pressure varies from minute to minute.
FEWEST_EQUAL = 5


def check_suspected_units(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Whole sites whose values look like the other unit of pressure, by their median."""
    left = undecided(rows)
    above = {pair.above for pair in plan.pairs} | {"SYSBP"}
    for name, endpoint in plan.endpoints.items():
        if endpoint.unit != MMHG:
            continue
        part = left[left[PARAMCD] == name]
        sites = part.assign(_kpa=part[UNIT] == KPA).groupby(SITEID)
        medians = sites[AVAL].median()
        for (site, median), in_kpa in zip(medians.items(), sites["_kpa"].any(), strict=True):
            declared = bool(in_kpa)
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
                part[part[SITEID] == site].iloc[:1],
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


def check_constant_sites(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Sites at which every reading of an endpoint has the same value: kept, and said."""
    left = undecided(rows)
    for name, endpoint in plan.endpoints.items():
        part = left[left[PARAMCD] == name]
        told = part.groupby(SITEID)[AVAL].agg(["size", "nunique"])
        for site in told.index[(told["size"] >= FEWEST_EQUAL) & (told["nunique"] <= 1)]:
            here = part[part[SITEID] == site]
            value = float(here[AVAL].iloc[0])
            yield Found(
                "values never vary",
                Severity.WARNING,
                here.iloc[:1],
                value_column(plan, name),
                f"all {len(here)} {name} readings of this site are {value:.6g} {endpoint.unit}",
                value=str(here[AVALC].iloc[0]),
                allowed="readings that differ between patients and visits",
                action="readings kept",
                advice="ask the site how the values were measured; if they were filled in, take"
                " the site out of the site sheet",
                scope="site",
            )
