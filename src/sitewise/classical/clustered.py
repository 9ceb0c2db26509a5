"""Sandwich variances of clustered readings, corrected for few clusters.

Linear model y = X b + e, clusters i, working covariance V_i = phi W_i. With
M = (sum X_i'W_i^-1 X_i)^-1 and H_i = X_i M X_i'W_i^-1 the leverage of a cluster,

    var b = M [sum X_i'W_i^-1 C_i r_i r_i' C_i' W_i^-1 X_i] M

    none          C = I                 Liang & Zeger 1986, Biometrika 73:13-22
    kc            C = (I - H_i)^-1/2    Kauermann & Carroll 2001, J Am Stat Assoc 96:1387-1396; with
                                        W = I it is CR2 of Bell & McCaffrey 2002, Surv Methodol 28
    md            C = (I - H_i)^-1      Mancl & DeRouen 2001, Biometrics 57:126-134

No n_i x n_i matrix is needed: H_i = X_i A_i with A_i = M X_i'W_i^-1, and for a function f with
f(0) = 1, f(H_i) r = r + X_i g(A_i X_i) A_i r, g(x) = (f(x) - 1) / x; A_i X_i is p x p, with
eigenvalues in [0, 1].
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.lmm.sums import sum_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CORRECTIONS = ("none", "kc", "md")
FULL = 1 - 1e-9  # leverage from which a cluster alone determines a direction
LITTLE = 0.01  # trace of a leverage up to which the power series are short
TERMS, ROUNDING = 12, 1e-18
BLOCK = 1 << 15  # rows at a time: they stay in the cache


@dataclass(frozen=True)
class Exchangeable:
    """W_i = (1 - rho) I + rho J by cluster; rho 0 is independence.

    codes: shape (n,), the cluster of each row, 0..clusters-1, each with a row.
    """

    codes: "Ints"
    rho: float = 0.0

    @cached_property
    def sizes(self) -> "Ints":
        """Rows of each cluster, shape (clusters,)."""
        found: Ints = np.bincount(self.codes)
        return found

    def sums(self, values: "Floats", weights: "Floats | None" = None) -> "Floats":
        """Sums by cluster, shape (clusters, k), of (n, k), each row times its weight."""
        return sum_by(self.codes, values, len(self.sizes), weights)

    def along(self, values: "Floats", at: "Floats") -> "Floats":
        """x'at_i of each row x of cluster i, shape (n,); values: (n, k), at: (clusters, k)."""
        found = np.empty(len(values))
        for begin in range(0, len(values), BLOCK):
            own = slice(begin, begin + BLOCK)
            np.einsum("nk,nk->n", values[own], at[self.codes[own]], out=found[own])
        return found

    def of(self, chosen: "NDArray[np.bool_]") -> "Exchangeable":
        """Some clusters, numbered anew; chosen: (clusters,)."""
        number = np.cumsum(chosen) - 1
        return Exchangeable(number[self.codes[chosen[self.codes]]], self.rho)

    def solve(self, values: "Floats") -> "Floats":
        """W^-1 values, shape (n, k)."""
        if self.rho == 0.0:
            return values
        found: Floats = (self.shrink[:, None] * self.sums(values))[self.codes]
        np.subtract(values, found, out=found)
        return np.divide(found, 1 - self.rho, out=found)

    @property
    def shrink(self) -> "Floats":
        """W^-1 = (I - shrink J) / (1 - rho), shape (clusters,)."""
        return np.asarray(self.rho / (1 + (self.sizes - 1) * self.rho), dtype=np.float64)

    def products(self, left: "Floats", right: "Floats") -> "Floats":
        """left_i' right_i of each cluster, shape (clusters, p, q), of (n, p) and (n, q)."""
        order = np.argsort(self.codes, kind="stable")
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        found = np.empty((len(starts), left.shape[1], right.shape[1]))
        for k, column in enumerate(left[order].T):
            found[:, k] = np.add.reduceat(column[:, None] * right[order], starts, axis=0)
        return found


@dataclass(frozen=True)
class Sandwich:
    """var b of each correction, shape (p, p); `alone`: clusters that alone determine something."""

    vcov: dict[str, "Floats"]
    alone: int


def sandwich(X: "Floats", residuals: "Floats", clusters: Exchangeable) -> Sandwich:
    """Robust covariances of b under every correction.

    X: shape (n, p), full rank; residuals: (n,), y - X b. A direction in which one cluster has all
    the leverage has a residual of 0 there; it is left as it is (Moore-Penrose), and counted.
    """
    WX = clusters.solve(X)
    M = _inverse(X.T @ WX)
    scores = clusters.sums(WX, residuals)
    found = _corrected(X, WX, clusters, M, scores)
    return Sandwich(
        {name: M @ (own.T @ own) @ M for name, own in found.scores.items()}, found.alone
    )


@dataclass(frozen=True)
class _Corrected:
    """Scores of corrected residuals by correction, (clusters, p); clusters that stand alone."""

    scores: "dict[str, Floats]"
    alone: int


def _corrected(
    X: "Floats", WX: "Floats", clusters: Exchangeable, M: "Floats", scores: "Floats"
) -> _Corrected:
    """X_i'W^-1 f(H_i) r_i of scores s_i = X_i'W^-1 r_i: f(B_i M) s_i with B_i = X_i'W^-1 X_i.

    Clusters of little leverage, of which there may be hundreds of thousands, go by the power series
    of f, a pass over the rows a term; the others by the eigenvalues of their B_i M.
    """
    leverage = clusters.sums(np.einsum("nk,nk->n", WX @ M, X)[:, None])[:, 0]
    little = leverage < LITTLE  # the trace of H_i, so no eigenvalue is larger
    found = {name: scores.copy() for name in CORRECTIONS}
    if little.any():
        most, term = float(leverage[little].max()), np.where(little[:, None], scores, 0.0)
        for k in range(1, TERMS):
            term = clusters.sums(WX, clusters.along(X, term @ M))
            for name in CORRECTIONS:
                found[name] += _series(name, k) * term
            if most**k < ROUNDING:
                break
    if little.all():
        return _Corrected(found, 0)
    rows = ~little[clusters.codes]
    XWX = clusters.of(~little).products(X[rows], WX[rows])
    half = np.linalg.cholesky(M)
    # A X is similar to half' XWX half, which is symmetric.
    values, vectors = np.linalg.eigh(half.T @ XWX @ half)
    values = np.clip(values, 0.0, None)
    alone = int((values > FULL).any(axis=1).sum())
    own = scores[~little]
    for name in CORRECTIONS:
        g = np.where(values > FULL, 0.0, _g(name)(np.minimum(values, FULL)))
        # X'W^-1 (r + X g(AX) A r) = s + XWX half G half' s
        inner = _bent(vectors, g, own @ half) @ half.T
        found[name][~little] = own + np.einsum("iab,ib->ia", XWX, inner)
    return _Corrected(found, alone)


def _bent(vectors: "Floats", values: "Floats", at: "Floats") -> "Floats":
    """V diag(values) V' at of each cluster, shape (clusters, p)."""
    turned = np.einsum("iab,ia->ib", vectors, at) * values
    found: Floats = np.einsum("iab,ib->ia", vectors, turned)
    return found


def _inverse(XWX: "Floats") -> "Floats":
    M = np.linalg.inv(XWX)
    found: Floats = (M + M.T) / 2
    return found


def _g(name: str) -> Callable[["Floats"], "Floats"]:
    """(f(x) - 1) / x of a correction, without cancellation near 0."""
    if name == "none":
        return np.zeros_like
    if name == "md":
        return lambda x: 1 / (1 - x)
    # (1/s - 1) / (1 - s^2) with s = sqrt(1 - x) is 1 / (s (1 + s))
    return lambda x: 1 / (np.sqrt(1 - x) * (1 + np.sqrt(1 - x)))


def _series(name: str, k: int) -> float:
    """Coefficient of x^k in f(x): 1 / (1 - x), or 1 / sqrt(1 - x) = sum (2k choose k) (x/4)^k."""
    if name == "none":
        return 0.0
    return 1.0 if name == "md" else math.comb(2 * k, k) / 4**k


def cr2_df(X: "Floats", clusters: Exchangeable, row: "Floats") -> float:
    """Satterthwaite degrees of freedom of row'b under CR2 and a working model of independence.

    Bell & McCaffrey 2002, as Pustejovsky & Tipton 2018 (J Bus Econ Stat 36:672-683, eq. 11) has it:
    with a_i = C_i X_i M row, Gamma_ij = a_i'(I - H)_ij a_j, df = tr(Gamma)^2 / tr(Gamma^2).
    Gamma is diagonal less a matrix T T' of rank p, so it is never formed: patients are many.
    """
    plain = Exchangeable(clusters.codes)
    M = _inverse(X.T @ X)
    # X_i M row in place of residuals: X_i'a_i, and a_i'a_i = (M row)'X_i'C_i^2 X_i M row.
    start = plain.sums(X, X @ (M @ row))
    found = _corrected(X, X, plain, M, start).scores
    T = found["kc"] @ np.linalg.cholesky(M)
    outer = np.einsum("ia,ia->i", T, T)  # the diagonal of T T'
    diagonal = found["md"] @ (M @ row) - outer
    # tr(Gamma^2): its diagonal, and the rest of T T', whose squares sum to those of T'T.
    square = float(diagonal @ diagonal + np.sum(np.square(T.T @ T)) - outer @ outer)
    return float(diagonal.sum()) ** 2 / square if square > 0 else float("nan")
