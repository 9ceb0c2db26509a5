"""Type III F tests of arm, visit and their interaction in a mixed model of cell means."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import AVISIT, TRT01P

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sitewise.lmm.design import Design

    Floats = NDArray[np.float64]

INTERACTION = f"{AVISIT}:{TRT01P}"
EFFECTS = (TRT01P, AVISIT, INTERACTION)


def cell_rows(design: "Design", arms: Sequence[str], visits: Sequence[str]) -> "Floats":
    """Rows of X of each arm and visit, shape (arms, visits, p)."""
    import pandas as pd

    grid = pd.DataFrame([(a, v) for a in arms for v in visits], columns=[TRT01P, AVISIT])
    return design.fixed_rows(grid).reshape(len(arms), len(visits), -1)


def type3_hypotheses(cells: "Floats") -> Mapping[str, "Floats"]:
    """L of each effect, shape (q, p): means of cells that weigh every cell alike.

    cells: shape (arms, visits, p). Arm: the arms' means over visits are equal (a - 1 rows); visit:
    the visits' means over arms are equal (v - 1); interaction: every difference of differences
    from the first arm and visit is 0. That is R's type III under sum-to-zero contrasts.
    """
    by_arm, by_visit = cells.mean(axis=1), cells.mean(axis=0)
    p = cells.shape[2]
    change = cells[:, 1:] - cells[:, :1]
    return {
        TRT01P: by_arm[1:] - by_arm[:1],
        AVISIT: by_visit[1:] - by_visit[:1],
        INTERACTION: (change[1:] - change[:1]).reshape(-1, p),
    }


def wald_f(L: "Floats", beta: "Floats", vcov: "Floats") -> float:
    """F = (L b)' (L V L')^-1 (L b) / q. Shapes (q, p), (p,), (p, p); NaN if L V L' is singular."""
    value = L @ beta
    covariance = L @ vcov @ L.T
    if np.linalg.matrix_rank(covariance) < len(value):
        return math.nan
    return float(value @ np.linalg.solve(covariance, value)) / len(value)


def f_p_value(f: float, df1: float, df2: float) -> float:
    """Upper tail of F(df1, df2); NaN where a number is."""
    from scipy.special import fdtrc  # scipy.stats takes half a second longer to import

    return float(fdtrc(df1, df2, f)) if math.isfinite(f) and math.isfinite(df2) else math.nan
