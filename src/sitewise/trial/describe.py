"""What the analysis rows say of patients, outcomes and missing visits (rule describe)."""

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from sitewise.terms import AVAL, AVISIT, AVISITN, CHG, SITEID, TRT01P, USUBJID
from sitewise.trial.baseline_table import baseline_rows
from sitewise.trial.description import (
    Description,
    FlowRow,
    OutcomeRow,
    PatternRow,
    SetRow,
    SiteArmRow,
)
from sitewise.trial.rows import PARAMCD
from sitewise.trial.statistics import Sample, sample

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

PATIENT = [SITEID, USUBJID]
ALL = ""
# What a patient outside an analysis set lacks, by the plan's word for it.
WANTED = {
    "any outcome": "a reading",
    "baseline": "a baseline reading",
    "post-baseline": "a reading after baseline",
    "all visits": "readings at every visit",
}


def describe(plan: "Plan", adbp: "pd.DataFrame") -> Description:
    """Describe the analysis rows: no test, no model.

    Patients are those with any analysed reading. Intervals are t intervals of the observed mean,
    coverage 1 - alpha of the plan. While the trial is blinded there are no outcomes by site.
    """
    patients = adbp.drop_duplicates(PATIENT)
    return Description(
        visits=tuple(visit.name for visit in plan.visits),
        arms=arm_names(plan),
        flow=tuple(_flow(plan, adbp, patients)),
        sets=tuple(_sets(plan, adbp, patients)),
        baseline=tuple(baseline_rows(plan, adbp, patients)),
        outcomes=tuple(_outcomes(plan, adbp)),
        patterns=tuple(_patterns(plan, adbp, patients)),
        site_arms=() if plan.blinded else tuple(_site_arms(plan, adbp, patients)),
    )


def arm_names(plan: "Plan") -> tuple[str, ...]:
    """The arms in the order of the tables."""
    return tuple(arm.name for arm in plan.arms.order)


def _flow(plan: "Plan", adbp: "pd.DataFrame", patients: "pd.DataFrame") -> Iterator[FlowRow]:
    """By arm, all sites first, then each site; visits of the first endpoint of the plan."""
    first = adbp[adbp[PARAMCD] == next(iter(plan.endpoints))]
    seen = first.pivot_table(index=PATIENT, columns=AVISIT, values=AVAL, aggfunc="size")
    visits = [visit.name for visit in plan.visits]
    at = patients.set_index(PATIENT)[[TRT01P]].join(seen.reindex(columns=visits).notna())
    at[visits] = at[visits].eq(True)
    late = visits[visits.index(plan.baseline_visit.name) + 1 :]
    at["_late"] = at[late].any(axis=1)
    at["_all"] = at[visits].all(axis=1)
    for site in [ALL, *sorted(patients[SITEID].unique())]:
        here = at if site == ALL else at.xs(site, level=SITEID)
        for arm in arm_names(plan):
            part = here[here[TRT01P] == arm]
            if site != ALL and part.empty:
                continue
            yield FlowRow(
                arm=arm,
                site=site,
                patients=len(part),
                with_baseline=int(part[plan.baseline_visit.name].sum()),
                with_post_baseline=int(part["_late"].sum()),
                all_visits=int(part["_all"].sum()),
                by_visit=tuple(int(part[visit].sum()) for visit in visits),
            )


def _sets(plan: "Plan", adbp: "pd.DataFrame", patients: "pd.DataFrame") -> Iterator[SetRow]:
    """By analysis set, endpoint and arm."""
    for name, spec in plan.analysis_sets.items():
        for endpoint in plan.endpoints:
            flags = adbp[adbp[PARAMCD] == endpoint].drop_duplicates(PATIENT)
            member = flags[flags[f"{name}FL"] == "Y"]
            for arm in (*arm_names(plan), ALL):
                inside = len(member) if arm == ALL else int((member[TRT01P] == arm).sum())
                every = len(patients) if arm == ALL else int((patients[TRT01P] == arm).sum())
                yield SetRow(
                    name=name,
                    label=spec.label,
                    arm=arm,
                    patients=inside,
                    excluded=every - inside,
                    reason="without " + " or ".join(WANTED[r] for r in spec.requires),
                    endpoint=endpoint,
                )


def _outcomes(plan: "Plan", adbp: "pd.DataFrame") -> Iterator[OutcomeRow]:
    """By endpoint, visit and arm."""
    groups = dict(tuple(adbp.groupby([PARAMCD, AVISIT, TRT01P])))
    for endpoint in plan.endpoints:
        for visit in plan.visits:
            for arm in arm_names(plan):
                part = groups.get((endpoint, visit.name, arm), adbp.iloc[:0])
                level = sample(part[AVAL], plan.alpha)
                change = sample(part[CHG], plan.alpha)
                yield OutcomeRow(
                    endpoint=endpoint,
                    visit=visit.name,
                    week=visit.week,
                    arm=arm,
                    n=level.n,
                    mean=level.mean,
                    sd=level.sd,
                    lower=level.lower,
                    upper=level.upper,
                    minimum=level.minimum,
                    maximum=level.maximum,
                    change_n=change.n,
                    change_mean=change.mean,
                    change_sd=change.sd,
                )


def _patterns(plan: "Plan", adbp: "pd.DataFrame", patients: "pd.DataFrame") -> Iterator[PatternRow]:
    """By endpoint and arm, the most complete pattern first; with the last observed value."""
    who = patients.set_index(PATIENT)[TRT01P]
    for endpoint in plan.endpoints:
        part = adbp[adbp[PARAMCD] == endpoint]
        seen = part.assign(_x=True).pivot_table(
            index=PATIENT, columns=AVISITN, values="_x", aggfunc="any"
        )
        seen = seen.reindex(index=who.index, columns=range(len(plan.visits))).eq(True)
        marks = reduce(add, (seen[i].map({True: "x", False: "."}) for i in seen.columns))
        last = part.sort_values([*PATIENT, AVISITN]).drop_duplicates(PATIENT, keep="last")
        values = last.set_index(PATIENT)[AVAL].reindex(who.index)
        for arm in arm_names(plan):
            here = marks[who == arm]
            order = sorted(here.unique(), key=lambda m: (-m.count("x"), m.replace("x", " ")))
            for pattern in order:
                last_values = sample(values[here.index[here == pattern]], plan.alpha)
                yield PatternRow(
                    endpoint=endpoint,
                    arm=arm,
                    pattern=pattern,
                    patients=int((here == pattern).sum()),
                    last_mean=last_values.mean,
                    last_sd=last_values.sd,
                )


def _site_arms(
    plan: "Plan", adbp: "pd.DataFrame", patients: "pd.DataFrame"
) -> Iterator[SiteArmRow]:
    """By endpoint, site and arm (those with patients) at the primary visit."""
    visit = plan.primary.visit
    at = adbp[adbp[AVISIT] == visit]
    groups = dict(tuple(at.groupby([PARAMCD, SITEID, TRT01P])))
    order = {arm: i for i, arm in enumerate(arm_names(plan))}
    pairs = sorted(
        set(zip(patients[SITEID], patients[TRT01P], strict=True)),
        key=lambda pair: (pair[0], order[pair[1]]),
    )
    for endpoint in plan.endpoints:
        for site, arm in pairs:
            part = groups.get((endpoint, site, arm), at.iloc[:0])
            level: Sample = sample(part[AVAL], plan.alpha)
            change: Sample = sample(part[CHG], plan.alpha)
            yield SiteArmRow(
                endpoint=endpoint,
                site=site,
                arm=arm,
                visit=visit,
                n=level.n,
                mean=level.mean,
                se=level.se,
                change_n=change.n,
                change_mean=change.mean,
                change_se=change.se,
            )
