"""A contrast of arm and visit by the strata of the repeated-measures ANOVA."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.result import AnovaRow
from sitewise.classical.type3 import INTERACTION
from sitewise.terms import TRT01P

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

WITHIN = 1e-12  # share of a weight between patients that counts as none


def by_strata(
    X: "Floats", y: "Floats", patients: "Ints", row: "Floats", anova: Mapping[str, AnovaRow]
) -> tuple[float, float, float]:
    """Estimate, SE and df of row'b on complete cases, every patient with the same v visits.

    X: shape (n, p), functions of arm and visit; patients: (n,) codes; anova: rows by effect. The
    estimate is w'y with w = X (X'X)^-1 row. Split into patient means and the rest,
    w_i = m_i 1 + u_i, its variance under compound symmetry is
    sum (v m_i^2) MS_between + |u_i|^2 MS_within, the mean squares those of the ANOVA's two
    strata; df by Satterthwaite 1946 (Biometrics Bull 2:110-114) where both are in it, exact
    where one is.
    """
    Q, R = np.linalg.qr(X)
    weights = Q @ np.linalg.solve(R.T, row)
    sizes = np.bincount(patients)
    means = np.bincount(patients, weights) / sizes
    rest = weights - means[patients]
    between = float((sizes * means**2).sum())
    inside = float(rest @ rest)
    if between < WITHIN * inside:
        between = 0.0
    parts = [
        (share * row_.ss / row_.df1 / row_.f if row_.f > 0 else math.nan, row_.df2)
        for share, row_ in ((between, anova[TRT01P]), (inside, anova[INTERACTION]))
        if share > 0
    ]
    variance = sum(value for value, _ in parts)
    square = sum(value**2 / own for value, own in parts)
    df = variance**2 / square if square > 0 else math.nan
    return float(weights @ y), math.sqrt(variance), df
