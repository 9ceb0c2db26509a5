"""What the analysis rows say of patients, outcomes and missing visits (rule describe)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import AVAL, AVISIT, AVISITN, CHG, SITEID, TRT01P, USUBJID
from sitewise.trial.baseline_table import baseline_rows
from sitewise.trial.description import (
    Description,
    FlowRow,
    LeavingRow,
    OutcomeRow,
    PatternRow,
    SetRow,
    SiteArmRow,
)
from sitewise.trial.leaving import leaving_rows
from sitewise.trial.rows import PARAMCD, leaving_columns
from sitewise.trial.statistics import sample

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.plan.model import Plan

    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

PATIENT = [SITEID, USUBJID]
ALL = ""
# What a patient outside an analysis set lacks, by the plan's word for it.
WANTED = {
    "any outcome": "a reading",
    "baseline": "a baseline reading",
    "post-baseline": "a reading after baseline",
    "all visits": "readings at every visit",
}


@dataclass(frozen=True)
class _Rows:
    """Analysis rows, and their patients numbered in the order of their first rows.

    who: number of each row's patient, shape (rows,). patients: first row of each, by number.
    """

    frame: "pd.DataFrame" = field(repr=False)
    who: "Ints" = field(repr=False)
    patients: "pd.DataFrame" = field(repr=False)

    def of(self, endpoint: str) -> "_Rows":
        """The rows of one endpoint; patients stay numbered as they are."""
        own = (self.frame[PARAMCD] == endpoint).to_numpy()
        return _Rows(self.frame[own], self.who[own], self.patients)

    def seen(self, visits: int) -> "Flags":
        """Which patient (by number) has a reading at which visit, shape (patients, visits)."""
        found = np.zeros((len(self.patients), visits), dtype=bool)
        there = self.frame[AVAL].notna().to_numpy()
        found[self.who[there], self.frame[AVISITN].to_numpy()[there]] = True
        return found


def columns_of(plan: "Plan") -> list[str]:
    """The columns of the analysis rows that `describe` reads."""
    sets = [f"{name}FL" for name in plan.analysis_sets]
    return [
        *(*PATIENT, TRT01P, PARAMCD, AVISIT, AVISITN, AVAL, CHG),
        *(*sets, *plan.covariates, *leaving_columns(plan)),
    ]


def describe(plan: "Plan", adbp: "pd.DataFrame") -> Description:
    """Describe the analysis rows: no test, no model.

    adbp: at least `columns_of(plan)`. Patients are those with any analysed reading. Intervals are
    t intervals of the observed mean, coverage 1 - alpha of the plan. While the trial is blinded
    there are no outcomes by site.
    """
    who = adbp.groupby(PATIENT, sort=False).ngroup().to_numpy().astype(np.int64)
    rows = _Rows(adbp, who, adbp[np.diff(np.maximum.accumulate(who), prepend=-1) > 0])
    return Description(
        visits=tuple(visit.name for visit in plan.visits),
        arms=arm_names(plan),
        flow=tuple(_flow(plan, rows)),
        sets=tuple(_sets(plan, rows)),
        baseline=tuple(baseline_rows(plan, adbp, rows.patients, who)),
        outcomes=tuple(_outcomes(plan, adbp)),
        patterns=tuple(_patterns(plan, rows)),
        site_arms=() if plan.blinded else tuple(_site_arms(plan, rows)),
        leaving=tuple(_leaving(plan, rows)),
    )


def arm_names(plan: "Plan") -> tuple[str, ...]:
    """The arms in the order of the tables."""
    return tuple(arm.name for arm in plan.arms.order)


def _flow(plan: "Plan", rows: _Rows) -> Iterator[FlowRow]:
    """By arm, all sites first, then each site; visits of the first endpoint of the plan."""
    visits = [visit.name for visit in plan.visits]
    seen = rows.of(next(iter(plan.endpoints))).seen(len(visits))
    baseline = visits.index(plan.baseline_visit.name)
    told = np.column_stack(
        [seen[:, baseline], seen[:, baseline + 1 :].any(axis=1), seen.all(axis=1), seen]
    )
    site = rows.patients[SITEID].to_numpy(dtype=object)
    arm = rows.patients[TRT01P].to_numpy(dtype=object)
    sites: dict[str, list[int]] = {}
    for number, name in enumerate(site.tolist()):
        sites.setdefault(name, []).append(number)
    for name in [ALL, *sorted(sites)]:
        here = slice(None) if name == ALL else np.array(sites[name])
        arms, own = arm[here], told[here]
        for each in arm_names(plan):
            part = own[arms == each]
            if name != ALL and not len(part):
                continue
            with_baseline, later, everything, *by_visit = part.sum(axis=0).tolist()
            yield FlowRow(
                arm=each,
                site=name,
                patients=len(part),
                with_baseline=with_baseline,
                with_post_baseline=later,
                all_visits=everything,
                by_visit=tuple(by_visit),
            )


def _sets(plan: "Plan", rows: _Rows) -> Iterator[SetRow]:
    """By analysis set, endpoint and arm."""
    every = rows.patients[TRT01P]
    for name, spec in plan.analysis_sets.items():
        for endpoint in plan.endpoints:
            own = rows.of(endpoint)
            inside = np.unique(own.who[(own.frame[f"{name}FL"] == "Y").to_numpy()])
            member = every.iloc[inside]
            for arm in (*arm_names(plan), ALL):
                counts = (len(p) if arm == ALL else int((p == arm).sum()) for p in (member, every))
                patients, of = counts
                yield SetRow(
                    name=name,
                    label=spec.label,
                    arm=arm,
                    patients=patients,
                    excluded=of - patients,
                    reason="without " + " or ".join(WANTED[r] for r in spec.requires),
                    endpoint=endpoint,
                )


def _outcomes(plan: "Plan", adbp: "pd.DataFrame") -> Iterator[OutcomeRow]:
    """By endpoint, visit and arm."""
    keys = [PARAMCD, AVISIT, TRT01P]
    groups = dict(tuple(adbp[[*keys, AVAL, CHG]].groupby(keys)))
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


def _patterns(plan: "Plan", rows: _Rows) -> Iterator[PatternRow]:
    """By endpoint and arm, the most complete pattern first; with the last observed value."""
    arms = rows.patients[TRT01P].to_numpy(dtype=object)
    for endpoint in plan.endpoints:
        own = rows.of(endpoint)
        seen = own.seen(len(plan.visits))
        order = np.lexsort((own.frame[AVISITN], own.who))
        last = np.full(len(rows.patients), np.nan)
        last[own.who[order]] = own.frame[AVAL].to_numpy()[order]  # the latest is written last
        for arm in arm_names(plan):
            patients = np.flatnonzero(arms == arm)
            found, which = np.unique(seen[patients], axis=0, return_inverse=True)
            marks = ["".join("x" if there else "." for there in line) for line in found]
            places = sorted(
                range(len(marks)), key=lambda k: (-marks[k].count("x"), marks[k].replace("x", " "))
            )
            for place in places:
                here = patients[which.reshape(-1) == place]
                values = sample(last[here], plan.alpha)
                yield PatternRow(
                    endpoint=endpoint,
                    arm=arm,
                    pattern=marks[place],
                    patients=len(here),
                    last_mean=values.mean,
                    last_sd=values.sd,
                )


def _leaving(plan: "Plan", rows: _Rows) -> Iterator[LeavingRow]:
    """By endpoint; nothing where the plan names no column of reasons."""
    if plan.leaving.column is not None:
        for name in plan.endpoints:
            seen = rows.of(name).seen(len(plan.visits))
            yield from leaving_rows(plan, rows.patients, name, seen)


def _site_arms(plan: "Plan", rows: _Rows) -> Iterator[SiteArmRow]:
    """By endpoint, site and arm (those with patients) at the primary visit."""
    keys = [PARAMCD, SITEID, TRT01P]
    at = rows.frame.loc[rows.frame[AVISIT] == plan.primary.visit, [*keys, AVAL, CHG]]
    told = at.groupby(keys)[[AVAL, CHG]].agg(["count", "mean", "std"])
    found = dict(zip(told.index.tolist(), told.to_numpy().tolist(), strict=True))
    order = {arm: i for i, arm in enumerate(arm_names(plan))}
    pairs = rows.patients[[SITEID, TRT01P]].drop_duplicates().itertuples(index=False, name=None)
    for endpoint, (site, arm) in product(
        plan.endpoints, sorted(pairs, key=lambda pair: (pair[0], order[pair[1]]))
    ):
        n, mean, sd, change_n, change_mean, change_sd = found.get(
            (endpoint, site, arm), (0, np.nan, np.nan, 0, np.nan, np.nan)
        )
        yield SiteArmRow(
            endpoint=endpoint,
            site=site,
            arm=arm,
            visit=plan.primary.visit,
            n=int(n),
            mean=mean,
            se=_standard_error(sd, n),
            change_n=int(change_n),
            change_mean=change_mean,
            change_se=_standard_error(change_sd, change_n),
        )


def _standard_error(sd: float, n: float) -> float:
    return sd / math.sqrt(n) if n else math.nan
