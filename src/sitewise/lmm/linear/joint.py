"""F tests of several rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sitewise.errors import ModelError, Problem

RANK = 1e-9  # singular value of rows, each of length 1, below which they are dependent
NEAR_TWO = 1e-2  # of df: the scale of Kenward-Roger's F has a pole at 2


@dataclass(frozen=True)
class FTest:
    """F on df1 (the rank of the rows) and df2 (inf: a chi-square over df1); p.

    unscaled: F without the scale by which Kenward & Roger match its moments.
    """

    F: float
    df1: int
    df2: float
    p: float
    unscaled: float


def f_test(F: float, df1: int, df2: float, scale: float = 1.0) -> FTest:
    """scale x F with its p; p is NaN where no F distribution has these moments."""
    from scipy import special

    scaled = float(scale * F)
    p = np.nan
    if np.isfinite(scaled) and scaled >= 0 and df2 > 0:
        p = special.chdtrc(df1, df1 * scaled) if np.isinf(df2) else special.fdtrc(df1, df2, scaled)
    return FTest(scaled, df1, float(df2), float(p), float(F))


def independent_rows(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span the same, (q, p); raises ModelError where all are 0."""
    rows = np.atleast_2d(rows)
    lengths = np.linalg.norm(rows, axis=1)
    rows = rows[lengths > 0] / lengths[lengths > 0][:, None]
    if not len(rows):
        raise ModelError(
            "There is nothing to test.",
            [Problem("every weight of the contrast is 0", allowed="a weight other than 0")],
        )
    _, sizes, vectors = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(vectors[sizes > RANK * sizes[0]])


def plain_f(rows: np.ndarray, beta: np.ndarray, vcov: np.ndarray) -> tuple[float, int]:
    """Wald F with a given covariance, and the rank of the rows."""
    scale = np.sqrt(np.diag(vcov))
    kept = independent_rows(np.atleast_2d(rows) * scale)  # free of the columns' units
    value = kept @ (beta / scale)
    middle = kept @ (vcov / np.outer(scale, scale)) @ kept.T
    return float(value @ np.linalg.solve(middle, value)) / len(kept), len(kept)


def satterthwaite_f(
    rows: np.ndarray,
    beta: np.ndarray,
    vcov: np.ndarray,
    df: Callable[[np.ndarray], np.ndarray],
) -> FTest:
    """Fai & Cornelius 1996, as lmerTest: the rows turned so that their estimates are uncorrelated.

    The df depend on the rows themselves, not only on what they span.
    """
    rows = np.atleast_2d(rows)
    F, q = plain_f(rows, beta, vcov)
    _, vectors = np.linalg.eigh(rows @ vcov @ rows.T)
    nu = df(vectors[:, ::-1].T[:q] @ rows)
    return f_test(F, q, _pooled(nu))


def _pooled(nu: np.ndarray) -> float:
    if len(nu) == 1 or np.isinf(nu).all() or np.all(np.abs(np.diff(nu)) < 1e-8):
        return float(nu.mean())
    if np.any(nu <= 2):
        return 2.0
    excess = float(np.sum(2 / (nu - 2)))  # sum of nu / (nu - 2), less q
    return 2 * (excess + len(nu)) / excess


def kenward_roger_f(
    rows: np.ndarray, b: np.ndarray, phis: tuple[np.ndarray, np.ndarray],
    first: np.ndarray, W: np.ndarray,
) -> FTest:  # fmt: skip
    """Kenward & Roger 1997, sec. 3, with the correction of their eq. 7 for exact cases.

    rows: independent, (q, p). phis: Phi, Phi_A. first: P_j, (J, p, p).
    """
    phi, adjusted = phis
    q = len(rows)
    theta = rows.T @ np.linalg.solve(rows @ phi @ rows.T, rows)
    moved = np.einsum("ab,jbc->jac", theta @ phi, first @ phi)
    traces = np.einsum("jaa->j", moved)
    A1 = float(traces @ W @ traces)
    A2 = float(np.einsum("jk,jab,kba->", W, moved, moved, optimize=True))
    value = rows @ b
    F = float(value @ np.linalg.solve(rows @ adjusted @ rows.T, value)) / q
    if A2 <= 1e-14:  # the variances have no say
        return f_test(F, q, np.inf)
    df2, scale = _moments(q, A1, A2)
    return f_test(F, q, df2, scale)


def _moments(q: int, A1: float, A2: float) -> tuple[float, float]:
    """df and scale by which the first two moments of F are matched."""
    if q == 1:
        return 2 / A2, 1.0
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c1, c2, c3 = (x / (3 * q + 2 * (1 - g)) for x in (g, q - g, q + 2 - g))
    V0, V1, V2 = 1 + c1 * B, 1 - c2 * B, 1 - c3 * B
    V0 = 0.0 if abs(V0) < 1e-10 else V0
    expected = 1 - A2 / q  # the inverse of the mean of F
    ratio = 1.0 if abs(expected) < 1e-10 and abs(V1) < 1e-10 else expected / V1
    rho = ratio**2 * V0 / V2 / q if V2 else np.inf  # of balanced designs V2 may be 0: df 4
    df2 = 4 + (q + 2) / (q * rho - 1)
    scale = 1.0 if abs(df2 - 2) < NEAR_TWO else df2 * expected / (df2 - 2)
    return df2, scale
