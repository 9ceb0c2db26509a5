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

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CORRECTIONS = ("none", "kc", "md")
FULL = 1 - 1e-9  # leverage from which a cluster alone determines a direction


@dataclass(frozen=True)
class Exchangeable:
    """W_i = (1 - rho) I + rho J by cluster; rho 0 is independence.

    codes: shape (n,), the cluster of each row, 0..clusters-1, each with a row.
    """

    codes: "Ints"
    rho: float = 0.0

    @property
    def sizes(self) -> "Ints":
        """Rows of each cluster, shape (clusters,)."""
        found: Ints = np.bincount(self.codes)
        return found

    def sums(self, values: "Floats") -> "Floats":
        """Sums by cluster, shape (clusters, k), of (n, k)."""
        total = np.zeros((len(self.sizes), values.shape[1]))
        np.add.at(total, self.codes, values)
        return total

    def solve(self, values: "Floats") -> "Floats":
        """W^-1 values, shape (n, k)."""
        if self.rho == 0.0:
            return values
        shrink = self.rho / (1 + (self.sizes - 1) * self.rho)
        within: Floats = (values - (shrink[:, None] * self.sums(values))[self.codes]) / (
            1 - self.rho
        )
        return within

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
    XWX = clusters.products(X, WX)
    M = np.linalg.inv(XWX.sum(axis=0))
    M = (M + M.T) / 2
    scores = clusters.sums(WX * residuals[:, None])
    half = np.linalg.cholesky(M)
    # A X is similar to half' XWX half, which is symmetric.
    values, vectors = np.linalg.eigh(half.T @ XWX @ half)
    values = np.clip(values, 0.0, None)
    alone = int((values > FULL).any(axis=1).sum())
    found = {}
    for name in CORRECTIONS:
        g = np.where(values > FULL, 0.0, _g(name)(np.minimum(values, FULL)))
        # X'W^-1 (r + X g(AX) A r) = s + XWX half G half' s
        inner = _bent(vectors, g, scores @ half) @ half.T
        own = scores + np.einsum("iab,ib->ia", XWX, inner)
        found[name] = M @ (own.T @ own) @ M
    return Sandwich(found, alone)


def _bent(vectors: "Floats", values: "Floats", at: "Floats") -> "Floats":
    """V diag(values) V' at of each cluster, shape (clusters, p)."""
    turned = np.einsum("iab,ia->ib", vectors, at) * values
    found: Floats = np.einsum("iab,ib->ia", vectors, turned)
    return found


def _g(name: str) -> Callable[["Floats"], "Floats"]:
    """(f(x) - 1) / x of a correction, without cancellation near 0."""
    if name == "none":
        return np.zeros_like
    if name == "md":
        return lambda x: 1 / (1 - x)
    # (1/s - 1) / (1 - s^2) with s = sqrt(1 - x) is 1 / (s (1 + s))
    return lambda x: 1 / (np.sqrt(1 - x) * (1 + np.sqrt(1 - x)))


def cr2_df(X: "Floats", clusters: Exchangeable, row: "Floats") -> float:
    """Satterthwaite degrees of freedom of row'b under CR2 and a working model of independence.

    Bell & McCaffrey 2002, as Pustejovsky & Tipton 2018 (J Bus Econ Stat 36:672-683, eq. 11) has it:
    with a_i = C_i X_i M row, Gamma_ij = a_i'(I - H)_ij a_j, df = tr(Gamma)^2 / tr(Gamma^2).
    Gamma is diagonal less a matrix T T' of rank p, so it is never formed: patients are many.
    """
    plain = Exchangeable(clusters.codes)
    XX = plain.products(X, X)
    M = np.linalg.inv(XX.sum(axis=0))
    half = np.linalg.cholesky((M + M.T) / 2)
    values, vectors = np.linalg.eigh(half.T @ XX @ half)
    values = np.clip(values, 0.0, None)
    bent = np.where(values > FULL, 1.0, 1 / np.sqrt(1 - np.minimum(values, FULL)))
    start = np.broadcast_to(half.T @ row, values.shape)  # X_i M row = X_i half start
    weights = _bent(vectors, bent, start) @ half.T  # a_i = X_i weights_i
    reached = np.einsum("iab,ib->ia", XX, weights)  # X_i' a_i
    T = reached @ half
    outer = np.einsum("ia,ia->i", T, T)  # the diagonal of T T'
    diagonal = np.einsum("ia,ia->i", weights, reached) - outer
    # tr(Gamma^2): its diagonal, and the rest of T T', whose squares sum to those of T'T.
    square = float(diagonal @ diagonal + np.sum(np.square(T.T @ T)) - outer @ outer)
    return float(diagonal.sum()) ** 2 / square if square > 0 else float("nan")
