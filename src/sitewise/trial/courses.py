"""The courses of single patients that a figure shows: a sample of each arm by the plan's seed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import AVAL, AVISITN, PARAMCD, SITEID, TRT01P, USUBJID

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


@dataclass(frozen=True)
class Course:
    """One patient's readings of one endpoint, in the order of the visits; nobody is named."""

    weeks: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ArmCourses:
    """The courses chosen of one arm. patients: from how many."""

    arm: str
    patients: int
    courses: tuple[Course, ...]


def sampled_courses(
    plan: "Plan", adbp: "pd.DataFrame", endpoint: str, most: int
) -> tuple[ArmCourses, ...]:
    """At most `most` patients of each arm with two readings of the endpoint or more.

    Drawn without replacement by `seeds.figures` of the plan, each arm by itself.
    """
    rows = adbp[(adbp[PARAMCD] == endpoint) & adbp[AVAL].notna()]
    rows = rows.sort_values([SITEID, USUBJID, AVISITN], kind="stable")
    return tuple(
        _of_arm(plan, rows[rows[TRT01P] == arm.name], arm.name, most) for arm in plan.arms.order
    )


def _of_arm(plan: "Plan", rows: "pd.DataFrame", arm: str, most: int) -> ArmCourses:
    """rows: of the arm, sorted by patient and visit."""
    weeks = [visit.week for visit in plan.visits]
    new = rows[[SITEID, USUBJID]].ne(rows[[SITEID, USUBJID]].shift()).any(axis=1).to_numpy()
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(rows)) if len(starts) else starts
    several = np.flatnonzero(ends - starts > 1)
    drawn = several
    if len(several) > most:
        rng = np.random.default_rng(plan.seeds.figures)
        drawn = np.sort(rng.choice(several, most, replace=False))
    visits, values = rows[AVISITN].tolist(), rows[AVAL].tolist()
    courses = [
        Course(
            tuple(weeks[int(visits[i])] for i in range(starts[k], ends[k])),
            tuple(float(values[i]) for i in range(starts[k], ends[k])),
        )
        for k in drawn
    ]
    return ArmCourses(arm, len(several), tuple(courses))
