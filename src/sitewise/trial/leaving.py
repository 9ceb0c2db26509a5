"""Patients without a reading at the visits that matter, by the reason that the files give."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import DCSREAS, TRT01P
from sitewise.trial.description import LeavingRow

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.plan.model import Plan


def leaving_rows(
    plan: "Plan", patients: "pd.DataFrame", endpoint: str, seen: "NDArray[np.bool_]"
) -> Iterator[LeavingRow]:
    """By visit (the primary one, then the last), arm and reason; none given comes last.

    patients: one row a patient. seen: which has a reading of the endpoint at which visit, shape
    (patients, visits). Every reason stands under every arm, so that all patients are counted.
    """
    arms = patients[TRT01P].to_numpy(dtype=object)
    reasons = patients[DCSREAS].fillna("").to_numpy(dtype=object)
    given = sorted(set(reasons.tolist()) - {""})
    names = [visit.name for visit in plan.visits]
    for visit in dict.fromkeys([plan.primary.visit, names[-1]]):
        there = seen[:, names.index(visit)]
        for arm in plan.arms.order:
            for reason in [*given, ""]:
                own = there[(arms == arm.name) & (reasons == reason)]
                yield LeavingRow(
                    endpoint=endpoint,
                    visit=visit,
                    arm=arm.name,
                    reason=reason,
                    absent=int((~own).sum()),
                    present=int(own.sum()),
                )
