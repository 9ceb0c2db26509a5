"""The site ICC at one visit: one-way analysis of variance with unequal clusters."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sitewise.inference.icc_exact import sites_share
from sitewise.inference.icc_result import VisitIcc
from sitewise.terms import AVAL, AVISIT, SITEID, USUBJID

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike


def iccs_by_visit(
    frame: "pd.DataFrame", visits: Sequence[str], alpha: float
) -> tuple[VisitIcc, ...]:
    """The site ICC at each of `visits`, from one reading a patient.

    frame: rows with SITEID, USUBJID, AVISIT and a measured AVAL, at most one a patient and visit.
    """
    rows = []
    for visit in visits:
        part = frame.loc[frame[AVISIT] == visit, [SITEID, USUBJID, AVAL]]
        part = part.sort_values([SITEID, USUBJID])
        rows.append(one_way_icc(visit, part[AVAL].to_numpy(), part[SITEID].to_numpy(), alpha))
    return tuple(rows)


def one_way_icc(visit: str, values: "ArrayLike", sites: "ArrayLike", alpha: float) -> VisitIcc:
    """One-way random-effects ICC with its F-based interval.

    values, sites: shape (N,). With k sites of sizes n_i, the estimate is the ANOVA one,
    (MSB - MSW) / (MSB + (n0 - 1) MSW), n0 = (N - sum n_i^2 / N) / (k - 1): unbiased mean squares,
    so it may be negative and then stands as it is.

    The interval is Wald's (1947, Ann Math Stat 18:586-589), exact whatever the sizes of the sites
    (`icc_exact`; with equal sizes the textbook's, from F = MSB / MSW). An ICC of sites is not below
    0: both ends stop there.

    All numbers are NaN where there are fewer than two sites, or no site with two patients.
    """
    import pandas as pd

    y = np.asarray(values, dtype=float)
    code, names = pd.factorize(np.asarray(sites, dtype=object))
    k, total = len(names), len(y)
    if k < 2 or total <= k:
        nan = math.nan
        return VisitIcc(visit, nan, nan, nan, k, total, nan)
    sizes = np.bincount(code, minlength=k).astype(float)
    means = np.bincount(code, weights=y, minlength=k) / sizes
    within = float(((y - means[code]) ** 2).sum()) / (total - k)
    between = float((sizes * (means - y.mean()) ** 2).sum()) / (k - 1)
    n0 = (total - float((sizes**2).sum()) / total) / (k - 1)
    spread = between + (n0 - 1) * within
    estimate = (between - within) / spread if spread > 0 else math.nan
    lower, upper = sites_share(y, np.ones((total, 1)), code, np.arange(total), alpha)
    return VisitIcc(visit, estimate, lower, upper, k, total, n0)
