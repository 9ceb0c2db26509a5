"""Readings to analysis rows in the ADaM basic data structure (rule derive)."""

from typing import TYPE_CHECKING

from sitewise.terms import (
    ABLFL,
    ADY,
    ANL01FL,
    AVAL,
    AVISIT,
    AVISITN,
    BASE,
    CHG,
    DTYPE,
    SITEID,
    SRCFILE,
    SRCROW,
    STUDYID,
    TRT01P,
    USUBJID,
    WEEK,
    Fate,
)
from sitewise.trial.rows import FATE, PARAMCD

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

NREAD = "NREAD"
# One patient's rows of one endpoint.
PROFILE = [SITEID, USUBJID, PARAMCD]


def derive_rows(plan: "Plan", readings: "pd.DataFrame") -> "pd.DataFrame":
    """Analysis rows (`adbp`): one row a patient, endpoint and planned visit.

    readings: of `check_trial`, of whole hospitals; those analysed or averaged are taken. Columns as
    in docs/architecture.md; AVISITN int64 in planned order from 0, WEEK in weeks from baseline.
    CHG is null at baseline. Sorted by site, patient, endpoint of the plan, visit.
    """
    taken = readings[readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])]
    adbp = derive_records(plan, taken)
    adbp = derive_week(plan, adbp)
    adbp = derive_base(plan, adbp)
    adbp[ANL01FL] = "Y"  # one record a patient, endpoint and visit is all that there is
    sets = derive_set_flags(plan, adbp)
    adbp = adbp.assign(**sets)
    columns = [
        STUDYID, SITEID, USUBJID, TRT01P, PARAMCD, AVISIT, AVISITN, WEEK, ADY, AVAL, BASE, CHG,
        ABLFL, ANL01FL, DTYPE, NREAD, *sets, *plan.covariates, SRCFILE, SRCROW,
    ]  # fmt: skip
    place = {name: i for i, name in enumerate(plan.endpoints)}
    return (
        adbp.assign(_place=adbp[PARAMCD].map(place))
        .sort_values([SITEID, USUBJID, "_place", AVISITN], kind="stable", ignore_index=True)
        .loc[:, columns]
    )


def derive_records(plan: "Plan", taken: "pd.DataFrame") -> "pd.DataFrame":
    """One record a patient, endpoint and visit: the reading itself, or the mean of several.

    The mean takes place (SRCFILE, SRCROW) and study day of its first reading.
    """
    keys = [*PROFILE, AVISITN]
    taken = taken.sort_values([*keys, SRCFILE, SRCROW], kind="stable")
    # a sum of sorted values, so that the mean does not depend on the order of the file
    ordered = taken.sort_values([*keys, AVAL], kind="stable")
    values = ordered.groupby(keys)[AVAL].agg(["mean", "size"])
    first = taken.drop_duplicates(keys).set_index(keys)
    day = taken.groupby(keys)[ADY].min()
    records = first.assign(**{AVAL: values["mean"], NREAD: values["size"], ADY: day}).reset_index()
    records[DTYPE] = records[FATE].eq(Fate.AVERAGED.value).map({True: "AVERAGE", False: ""})
    records[DTYPE] = records[DTYPE].astype("str")
    return records.astype({AVISITN: "int64", NREAD: "int64"})


def derive_week(plan: "Plan", adbp: "pd.DataFrame") -> "pd.DataFrame":
    """WEEK: the visit's planned week, or (ADY - 1)/7 from day 1 on and ADY/7 before it."""
    if plan.time == "nominal":
        weeks = {visit.name: float(visit.week) for visit in plan.visits}
        return adbp.assign(**{WEEK: adbp[AVISIT].map(weeks).astype("float64")})
    day = adbp[ADY]  # there is no day 0
    return adbp.assign(**{WEEK: day.where(day < 0, day - 1) / 7})


def derive_base(plan: "Plan", adbp: "pd.DataFrame") -> "pd.DataFrame":
    """BASE, CHG and ABLFL from the record at the plan's baseline visit."""
    at = adbp[AVISIT] == plan.baseline_visit.name
    base = adbp.loc[at, [*PROFILE, AVAL]].rename(columns={AVAL: BASE})
    adbp = adbp.merge(base, on=PROFILE, how="left", validate="many_to_one")
    at = adbp[AVISIT] == plan.baseline_visit.name
    flag = at.map({True: "Y", False: ""}).astype("str")
    return adbp.assign(**{CHG: (adbp[AVAL] - adbp[BASE]).where(~at), ABLFL: flag})


def derive_set_flags(plan: "Plan", adbp: "pd.DataFrame") -> "dict[str, pd.Series[str]]":
    """`<set>FL`, Y or N, by patient and endpoint."""
    profile = adbp.groupby(PROFILE)
    baseline = adbp[ABLFL] == "Y"
    late = ~baseline & (adbp[AVISITN] > _baseline_number(plan))
    by_name = [adbp[name] for name in PROFILE]
    met = {
        "any outcome": adbp[AVAL].notna(),
        "baseline": baseline.groupby(by_name).transform("any"),
        "post-baseline": late.groupby(by_name).transform("any"),
        "all visits": profile[AVISIT].transform("nunique") == len(plan.visits),
    }
    flags = {}
    for name, spec in plan.analysis_sets.items():
        member = adbp[AVAL].notna()
        for requirement in spec.requires:
            member &= met[requirement]
        flags[f"{name}FL"] = member.map({True: "Y", False: "N"}).astype("str")
    return flags


def _baseline_number(plan: "Plan") -> int:
    return [visit.baseline for visit in plan.visits].index(True)
