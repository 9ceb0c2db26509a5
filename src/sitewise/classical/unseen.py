"""Who has no reading at the visit of the primary contrast, and what that has to do with it."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.not_at_random_result import Unseen
from sitewise.classical.question import Question
from sitewise.errors import ModelError
from sitewise.lmm.sums import sum_by
from sitewise.terms import AVISIT, BASE, SITEID, TRT01P, USUBJID

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Patients:
    """The patients of the analysis set, one an entry, and whether they lack the visit.

    unit: the column whose units are independent; units: its level of each patient; missing: (n,).
    """

    unit: str
    frame: "pd.DataFrame" = field(repr=False)
    units: "NDArray[np.int64]" = field(repr=False)
    missing: "NDArray[np.bool_]" = field(repr=False)

    @cached_property
    def place(self) -> "pd.Series":
        """Unit of each patient, by USUBJID."""
        import pandas as pd

        return pd.Series(self.units, index=self.frame[USUBJID])

    def added(self, rows: "pd.DataFrame", influence: "Floats", se: float) -> "Floats":
        """What each unit adds to the contrast, scaled so that their squares add up to se^2.

        influence: of each row, `influence.row_influence`. The scale leaves the correlation with
        what the unit adds to a share as it is, and no delta can then make a variance negative.
        """
        codes = self.place.loc[rows[USUBJID]].to_numpy()
        found = sum_by(codes, influence[:, None], int(self.units.max()) + 1)[:, 0]
        length = math.sqrt(float(found @ found))
        return found * (se / length) if length > 0 else found

    def of_arm(self, arm: str, added: "Floats") -> Unseen:
        """The share of an arm without a reading: p, var p, and its covariance with the contrast.

        The share is p = m / n over units that have n_k patients, m_k of them missing; unit k adds
        (m_k - p n_k) / n to it, with k / (k - 1) for the variance where the units are sites.
        Raises ModelError where one site alone would have to tell how sites differ.
        """
        own = (self.frame[TRT01P] == arm).to_numpy()
        size = len(added)
        n = np.bincount(self.units[own], minlength=size).astype(float)
        m = np.bincount(self.units[own & self.missing], minlength=size).astype(float)
        share = float(m.sum() / n.sum())
        adds = (m - share * n) / n.sum()
        k = int((n > 0).sum())
        if self.unit == SITEID and m.any():
            if k == 1:
                raise ModelError(
                    f"one site has arm {arm}: how the share of missing readings varies between"
                    " sites can't be told"
                )
            adds = adds * math.sqrt(k / (k - 1))
        variance, covariance = float(adds @ adds), float(adds @ added)
        return Unseen(arm, int(n.sum()), int(m.sum()), variance, float(k - 1), covariance)


def patients_of(question: Question) -> Patients:
    """The patients of the question's analysis set.

    Those that the plan drops for want of a baseline reading are in no analysis, and not here. A
    reading counts as seen where the model uses it.
    """
    plan = question.plan
    whole = question.whole
    if plan.baseline.missing == "drop":
        whole = whole[whole[BASE].notna()]
    frame = whole.drop_duplicates(USUBJID)[[USUBJID, SITEID, TRT01P]].reset_index(drop=True)
    rows = question.rows
    seen = rows.loc[rows[AVISIT] == plan.primary.visit, USUBJID]
    missing = (~frame[USUBJID].isin(seen)).to_numpy()
    units = np.unique(frame[question.cluster].astype(str), return_inverse=True)[1]
    return Patients(question.cluster, frame, units.astype(np.int64), missing)
