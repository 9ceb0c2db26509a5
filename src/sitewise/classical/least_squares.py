"""Least squares, plain and with sites as fixed effects."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.clustered import Exchangeable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RANK = 1e-10  # of the largest singular value of the scaled columns
OUTSIDE = 1e-7  # how far a contrast may lie outside what the columns span


@dataclass(frozen=True)
class Line:
    """b and its model-based covariance. beta (p,), vcov (p, p), residuals (n,), df of s^2."""

    beta: "Floats"
    vcov: "Floats"
    residuals: "Floats"
    df: int

    def of(self, row: "Floats") -> tuple[float, float]:
        """Estimate and SE of row'b."""
        return float(row @ self.beta), math.sqrt(float(row @ self.vcov @ row))


def ordinary(X: "Floats", y: "Floats") -> Line:
    """Ordinary least squares. X: shape (n, p), full rank; NaN variances where n = p."""
    n, p = X.shape
    R, turned, _ = _triangle(X, y)
    beta = np.linalg.solve(R, turned)
    residuals = y - X @ beta
    inverse = np.linalg.solve(R, np.eye(p))
    s2 = float(residuals @ residuals) / (n - p) if n > p else math.nan
    return Line(beta, s2 * (inverse @ inverse.T), residuals, n - p)


def _triangle(X: "Floats", y: "Floats") -> tuple["Floats", "Floats", float]:
    """R (p, p) and Q'y (p,) of X = Q R, and |y - Q Q'y|^2; Q itself is as long as the rows."""
    n, p = X.shape
    whole = np.zeros((max(p + 1, n), p + 1))
    whole[:n, :p], whole[:n, p] = X, y
    found = np.linalg.qr(whole, mode="r")
    return found[:p, :p], found[:p, p], float(found[p, p]) ** 2


def within(
    X: "Floats", y: "Floats", codes: "Ints", row: "Floats"
) -> tuple[float, float, int] | None:
    """Estimate, SE, df of row'b beside a fixed effect of every site; None if not estimable.

    The site effects are swept out: columns and outcome less their site means. row'b is estimable
    if and only if row lies in the row space of what is left; a column that is constant within every
    site leaves nothing. s^2 is on n - sites - rank.
    """
    sites = Exchangeable(codes)
    means = sites.sums(np.column_stack([X, y])) / sites.sizes[:, None]
    left = X - means[codes, :-1]
    out = y - means[codes, -1]
    scale = np.sqrt((X**2).sum(axis=0))
    R, turned, rest = _triangle(left / scale, out)
    U, d, Vt = np.linalg.svd(R, full_matrices=False)
    kept = d > RANK * max(float(d.max(initial=0.0)), 1.0)
    U, d, Vt = U[:, kept], d[kept], Vt[kept]
    asked = row / scale
    along = Vt @ asked
    if np.abs(asked - along @ Vt).max() > OUTSIDE * np.abs(asked).max():
        return None
    df = len(y) - len(sites.sizes) - int(kept.sum())
    if df <= 0:
        return None
    fitted = U.T @ turned
    outside = turned - U @ fitted
    s2 = (float(outside @ outside) + rest) / df
    return float(along @ (fitted / d)), math.sqrt(s2 * float(((along / d) ** 2).sum())), df
