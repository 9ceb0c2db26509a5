"""The two bottoms of the recursion: R by rows (sigma^2 I) and R by slots (T x T, by pattern)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from sitewise.lmm.contraction import Contraction, SlotWeights
from sitewise.lmm.outer import entries, fits, unit_pairs
from sitewise.lmm.recursion import Arrow, Eliminated, Shape

_AT_ONCE = 2_000_000  # numbers in one array of weights


class SlotCovariance(Protocol):
    """R over all T slots as a function of its natural parameters."""

    def full(self, v: np.ndarray) -> np.ndarray:
        """R (T, T)."""

    def first(self, v: np.ndarray) -> np.ndarray:
        """dR/dv (J, T, T)."""

    def second(self, v: np.ndarray) -> Sequence[tuple[int, int, np.ndarray]]:
        """(j, k, d2R) of those that are not 0, j <= k."""


@dataclass(frozen=True)
class SlotBottom:
    """A scheduled trial: `covariance` gives R, `contraction` the cross-products under R^-1."""

    n: int
    shape: Shape
    gammas: list[np.ndarray] = field(repr=False)
    contraction: Contraction = field(repr=False)
    covariance: SlotCovariance = field(repr=False)

    def start(self, v: np.ndarray) -> "SlotStart":
        """Raises LinAlgError where R is not positive definite."""
        return SlotStart(
            self, v, SlotWeights(self.contraction.cells.patterns, self.covariance.full(v))
        )


@dataclass(frozen=True)
class SlotStart:
    """R^-1 by pattern at one v."""

    bottom: SlotBottom
    v: np.ndarray
    weights: SlotWeights

    @cached_property
    def arrow(self) -> Arrow:
        """S'R^-1[S U]."""
        return self.bottom.contraction.arrow(self.weights.W)

    @property
    def log_r(self) -> float:
        """log|R|."""
        return float(self.bottom.contraction.cells.patients @ self.weights.log_dets)

    @cached_property
    def _first(self) -> np.ndarray:
        return self.bottom.covariance.first(self.v)

    @cached_property
    def _moved(self) -> np.ndarray:
        return self.weights.moved(self._first)

    def directions(self) -> tuple[Arrow, np.ndarray]:
        """Arrows of R^-1 dR_j R^-1 and tr(R^-1 dR_j)."""
        patients = self.bottom.contraction.cells.patients
        return self.bottom.contraction.arrow(self._moved), self.weights.traces(
            self._first
        ) @ patients

    def pairs(
        self, done: Eliminated, t: np.ndarray, B: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The bottom's part of t_jk (J, J) and B_jk (J, J, m, m), one row of pairs at a time."""
        contraction = self.bottom.contraction
        patients, m, J = contraction.cells.patients, self.bottom.shape.m, len(t)
        parts = contraction.projected(done.chains[0] if done.chains else None)
        at = entries(self._first)
        if at is not None and fits(contraction):
            return unit_pairs(contraction, self.weights.W, parts, at)
        t2, B2 = np.zeros((J, J)), np.zeros((J, J, m, m))
        WdR = self.weights.W @ self._first[:, None]
        size = len(contraction.atoms.features) ** 2 * len(patients)
        step = max(1, _AT_ONCE // (J * size))
        for first in range(0, J, step):
            rows = np.arange(first, min(first + step, J))
            j, k = (x.ravel() for x in np.meshgrid(rows, np.arange(first, J), indexing="ij"))
            W = self._moved[j] @ self._first[k][:, None] @ self.weights.W
            own = np.einsum("zpts,zpst,p->z", WdR[j], WdR[k], patients)
            more, found = contraction.pairs(W, parts)
            t2[j, k] = t2[k, j] = own + more
            B2[j, k] = B2[k, j] = found
        return t2, B2

    def curved(self) -> tuple[np.ndarray, Arrow, np.ndarray] | None:
        """Pairs (z, 2) with second derivatives of R, their arrows and traces; None if linear."""
        second = self.bottom.covariance.second(self.v)
        if not second:
            return None
        pairs = np.array([(j, k) for j, k, _ in second])
        matrices = np.array([matrix for _, _, matrix in second])
        arrow = self.bottom.contraction.arrow(self.weights.moved(matrices))
        traces = self.weights.traces(matrices) @ self.bottom.contraction.cells.patients
        return pairs, arrow, traces


@dataclass(frozen=True)
class RowBottom:
    """Rows as units: R = sigma^2 I, v = (sigma^2,)."""

    n: int
    shape: Shape
    gammas: list[np.ndarray] = field(repr=False)
    crossed: Arrow = field(repr=False)

    def start(self, v: np.ndarray) -> "RowStart":
        """Raises LinAlgError where sigma^2 is not positive."""
        if not v[0] > 0:
            raise np.linalg.LinAlgError("no residual variance")
        return RowStart(self, float(v[0]))


@dataclass(frozen=True)
class RowStart:
    """R^-1 = I / sigma^2."""

    bottom: RowBottom
    variance: float

    @cached_property
    def arrow(self) -> Arrow:
        """S'R^-1[S U]."""
        crossed, v = self.bottom.crossed, self.variance
        return Arrow([row / v for row in crossed.rows], crossed.root / v)

    @property
    def log_r(self) -> float:
        """log|R|."""
        return self.bottom.n * float(np.log(self.variance))

    def directions(self) -> tuple[Arrow, np.ndarray]:
        """One direction, sigma^2."""
        crossed, s = self.bottom.crossed, self.variance**2
        arrow = Arrow([row[None] / s for row in crossed.rows], crossed.root[None] / s)
        return arrow, np.array([self.bottom.n / self.variance])

    def pairs(
        self, done: Eliminated, t: np.ndarray, B: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """W_jk = W_j / sigma^2, so both follow from the first derivatives."""
        v = self.variance
        return (2 * t[:, None] / v - self.bottom.n / v**2), B[None] / v

    def curved(self) -> None:
        """R is linear in sigma^2."""
        return
