"""Least squares, plain and with sites as fixed effects."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.clustered import BLOCK, Exchangeable

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    R, turned, _ = _triangle((X[b], y[b]) for b in _blocks(n))
    beta = np.asarray(np.linalg.solve(R, turned), dtype=np.float64)
    residuals = y - X @ beta
    inverse = np.linalg.solve(R, np.eye(p))
    s2 = float(residuals @ residuals) / (n - p) if n > p else math.nan
    return Line(beta, s2 * (inverse @ inverse.T), residuals, n - p)


def _triangle(blocks: "Iterable[tuple[Floats, Floats]]") -> tuple["Floats", "Floats", float]:
    """R (p, p) and Q'y (p,) of X = Q R, and |y - Q Q'y|^2, from blocks of rows of X and y.

    The triangle of what came before stands on top of each block: neither Q nor a copy of all rows.
    """
    found: Floats | None = None
    for X, y in blocks:
        own = np.column_stack([X, y])
        top = np.zeros((own.shape[1],) * 2) if found is None else found
        found = np.asarray(np.linalg.qr(np.vstack([top, own]), mode="r"), dtype=np.float64)
    if found is None:
        raise ValueError("no rows")
    return found[:-1, :-1], found[:-1, -1], float(found[-1, -1]) ** 2


def _blocks(n: int) -> "list[slice]":
    return [slice(begin, begin + BLOCK) for begin in range(0, n, BLOCK)]


def within(
    X: "Floats", y: "Floats", codes: "Ints", row: "Floats"
) -> tuple[float, float, int] | None:
    """Estimate, SE, df of row'b beside a fixed effect of every site; None if not estimable.

    The site effects are swept out: columns and outcome less their site means. row'b is estimable
    if and only if row lies in the row space of what is left; a column that is constant within every
    site leaves nothing. s^2 is on n - sites - rank.
    """
    sites = Exchangeable(codes)
    means, level = sites.sums(X) / sites.sizes[:, None], sites.sums(y[:, None])[:, 0] / sites.sizes
    scale = np.sqrt(np.einsum("nk,nk->k", X, X))
    R, turned, rest = _triangle(
        ((X[b] - means[codes[b]]) / scale, y[b] - level[codes[b]]) for b in _blocks(len(y))
    )
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
