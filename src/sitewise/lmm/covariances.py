"""Covariance matrices by parameters: one class a structure.

Each has natural parameters v, in which information and Kenward-Roger are written, and parameters
phi of the optimiser, unconstrained. `Structure` says what each offers; here is the unstructured
one, of random effects and of `us` residuals.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np


class Structure(Protocol):
    """A symmetric matrix of `size` rows, by n_v natural and n_phi optimiser parameters."""

    @property
    def size(self) -> int:
        """Rows of the matrix."""

    @property
    def n_v(self) -> int:
        """Natural parameters."""

    @property
    def n_phi(self) -> int:
        """Parameters of the optimiser."""

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """The natural parameters v, (n_v,)."""

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """dv/dphi, (n_v, n_phi)."""

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """sum_j g_j d2 v_j / dphi2, (n_phi, n_phi)."""

    def matrix(self, v: np.ndarray) -> np.ndarray:
        """The matrix, (size, size)."""

    def first(self, v: np.ndarray) -> np.ndarray:
        """Its derivatives in v, (n_v, size, size)."""

    def second(self, v: np.ndarray) -> np.ndarray | None:
        """Its second derivatives, (n_v, n_v, size, size); None where the matrix is linear in v."""

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """phi of the matrix of this structure near `matrix`, (n_phi,)."""

    def mmrm(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dv/dtheta (n_v, k) and d2v/dtheta2 (n_v, k, k) in mmrm's theta at phi."""

    def words(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """What each natural parameter is, said with the labels of the rows."""


@dataclass(frozen=True)
class Unstructured:
    """Any positive semidefinite matrix, D = L L'.

    v: lower triangle of D by column. phi: lower triangle of diag(unit)^-1 L by column, no sign
    constrained, so that a rank below full is an ordinary point. unit: size of a typical standard
    deviation of each row, powers of two so that scaling is exact; () for ones.
    """

    size: int
    unit: tuple[float, ...] = ()

    @property
    def n_v(self) -> int:
        """Entries of a triangle."""
        return self.size * (self.size + 1) // 2

    n_phi = n_v

    def root(self, phi: np.ndarray) -> np.ndarray:
        """L, (size, size), with D = L L'."""
        factor = self.scaled_root(phi)
        return np.asarray(self.units()[:, None] * factor)

    def scaled_root(self, phi: np.ndarray) -> np.ndarray:
        """diag(unit)^-1 L, (size, size)."""
        rows, columns = triangle(self.size)
        factor = np.zeros((self.size, self.size))
        factor[rows, columns] = phi
        return factor

    def units(self) -> np.ndarray:
        """unit as an array, (size,)."""
        return np.array(self.unit) if self.unit else np.ones(self.size)

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """The lower triangle of L L' by column."""
        factor = self.root(phi)
        v: np.ndarray = (factor @ factor.T)[triangle(self.size)]
        return v

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """d D_ab / d L_ij = delta_ai L_bj + delta_bi L_aj."""
        factor, (a, b) = self.root(phi), triangle(self.size)
        i, j = triangle(self.size)
        slopes: np.ndarray = (
            np.equal.outer(a, i) * factor[b][:, j] + np.equal.outer(b, i) * factor[a][:, j]
        ) * self.units()[i]
        return slopes

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """d2 tr(G L L') / dL_ij dL_kl = 2 G_ik delta_jl, G symmetric with g.v = tr(G D)."""
        i, j = triangle(self.size)
        unit = self.units()[i]
        bends: np.ndarray = 2 * self.gradient_matrix(g)[np.ix_(i, i)] * np.equal.outer(j, j)
        return bends * np.outer(unit, unit)

    def gradient_matrix(self, g: np.ndarray) -> np.ndarray:
        """The symmetric G with sum_j g_j dv_j = tr(G dD): off-diagonal entries are halved."""
        whole = np.zeros((self.size, self.size))
        whole[triangle(self.size)] = 0.5 * g
        return whole + whole.T

    def matrix(self, v: np.ndarray) -> np.ndarray:
        """D."""
        whole = np.zeros((self.size, self.size))
        rows, columns = triangle(self.size)
        whole[rows, columns] = v
        whole[columns, rows] = v
        return whole

    def first(self, v: np.ndarray) -> np.ndarray:
        """E of each entry: one or two ones."""
        rows, columns = triangle(self.size)
        place = np.arange(self.n_v)
        slopes = np.zeros((self.n_v, self.size, self.size))
        slopes[place, rows, columns] = 1.0
        slopes[place, columns, rows] = 1.0
        return slopes

    def second(self, v: np.ndarray) -> None:
        """Linear in v."""

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """Lower factor of a positive semidefinite matrix; negative eigenvalues are taken as 0."""
        unit = self.units()
        values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
        rows = (vectors * np.sqrt(np.maximum(values, 0.0))).T
        upper = np.asarray(np.linalg.qr(rows, mode="r"))
        signs = np.where(np.diag(upper) < 0, -1.0, 1.0)
        phi: np.ndarray = (upper.T * signs)[triangle(self.size)] + 0.0
        return phi

    def mmrm(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """theta: logs of the diagonal of L, then U below it, L = diag(exp) U; D definite."""
        v = self.natural(phi)
        factor = np.linalg.cholesky(self.matrix(v))
        diagonal, n = np.diag(factor), self.size
        i, j = triangle(n)
        below = i != j
        rows = np.concatenate([np.arange(n), i[below]])
        slopes = np.zeros((self.n_v, n, n))  # dL/dtheta
        slopes[np.arange(n), np.arange(n)] = factor
        place = np.arange(n, self.n_v)
        slopes[place, i[below], j[below]] = diagonal[i[below]]
        # L is diag(exp) U: a second derivative lives within one row and has one log diagonal.
        same = np.equal.outer(rows, rows)
        a, b = np.nonzero(same & ((np.arange(self.n_v) < n)[:, None]))
        bends = np.einsum("aik,bjk->abij", slopes, slopes)
        bends[a, b] += slopes[b] @ factor.T
        c, d = np.nonzero(same & ((np.arange(self.n_v) >= n)[:, None]) & (np.arange(self.n_v) < n))
        bends[c, d] += slopes[c] @ factor.T
        whole = slopes @ factor.T
        jacobian = (whole + np.swapaxes(whole, -1, -2))[:, i, j].T
        second = (bends + np.swapaxes(bends, -1, -2))[:, :, i, j].transpose(2, 0, 1)
        return jacobian, second

    def words(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """`variance of a`, `covariance of a and b`."""
        return tuple(
            f"variance of {labels[i]}" if i == j else f"covariance of {labels[j]} and {labels[i]}"
            for i, j in zip(*triangle(self.size), strict=True)
        )


@lru_cache
def triangle(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a lower triangle, by column."""
    columns, rows = np.triu_indices(size)
    return rows, columns


def sds_and_correlations(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (n,) and correlations (n, n), NaN where an sd is 0, 1 on the diagonal."""
    sds = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    product = np.outer(sds, sds)
    correlations = np.full(matrix.shape, np.nan)
    np.divide(matrix, product, out=correlations, where=product > 0)
    correlations[np.diag_indices(len(sds))] = np.where(sds > 0, 1.0, np.nan)
    return sds, np.clip(correlations, -1.0, 1.0)


def semidefinite_factor(D: np.ndarray) -> np.ndarray:
    """Cholesky factor of a semidefinite matrix, zero columns where it has no variance left."""
    q = len(D)
    L, rest = np.zeros((q, q)), D.copy()
    for j in range(q):
        if rest[j, j] > max(1e-14 * D[j, j], 0.0):
            L[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
            rest = rest - np.outer(L[:, j], L[:, j])
    return L
