"""The likelihood of a model from its moments: value, gradient, exact Hessian, information.

-2 log-likelihood, REML as lme4, nlme and SAS count it (no log|X'X| term):

    l = log|V| + log|X'V^-1X| + r'V^-1 r + (n - p) log 2 pi

(ML: without the second term, n for n - p).

Derivatives in the natural parameters v of the covariances (Harville 1977, J. Am. Stat. Assoc. 72,
320-338; average information: Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440-1450), with
Phi = (X'V^-1X)^-1, r = y - Xb, B and t as in `sitewise.lmm.recursion`:

    d l/dv_j = t_j - tr(Phi B_j,XX) - r'B_j r
    E        = 1/2 [t_jk - 2 tr(Phi B_jk,XX) + tr(Phi B_j,XX Phi B_k,XX)]
    AI       = 1/2 [r'B_jk r - (B_j r)_X'Phi (B_k r)_X]
    d2 l     = 2 (2 AI - E) + terms of d2V, which V linear in v does not have
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sitewise.lmm.pairs import second_order
from sitewise.lmm.recursion import (
    Arrow,
    Eliminated,
    LevelCovariance,
    Shape,
    eliminate,
    eliminate_value,
    push,
)


class Bottom(Protocol):
    """What the likelihood asks of the data below the levels."""

    @property
    def shape(self) -> Shape:
        """Sizes of the hierarchy."""

    @property
    def gammas(self) -> list[np.ndarray]:
        """Gamma of each level, see `sitewise.lmm.recursion`."""

    @property
    def n(self) -> int:
        """Rows."""

    def start(self, v: np.ndarray) -> "Started":
        """R^-1 at the natural parameters of R; LinAlgError where R is not positive definite."""


class Started(Protocol):
    """The bottom at one v: R^-1, log|R|, and derivatives in the parameters of R."""

    @property
    def arrow(self) -> Arrow:
        """S'R^-1[S U]."""

    @property
    def log_r(self) -> float:
        """log|R|."""

    def directions(self) -> tuple[Arrow, np.ndarray]:
        """Arrows of R^-1 dR_j R^-1, and tr(R^-1 dR_j)."""

    def pairs(
        self, done: Eliminated, t: np.ndarray, B: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `second_order` leaves to the bottom: parts of t_jk and B_jk."""

    def curved(self) -> "Curved | None":
        """Pairs (z, 2), arrows and traces of d2R_jk; None where R is linear in v."""


Curved = tuple[np.ndarray, Arrow, np.ndarray]


SILENT = 1e-10  # of the information on a variance: what is left of it is rounding


@dataclass(frozen=True)
class Point:
    """Everything at one v, in conditioned units; J parameters, p fixed effects.

    deviance: -2 log-likelihood. b: (p,). phi: (X'V^-1X)^-1, (p, p). rss: r'V^-1 r. gradient: (J,).
    expected, average: E and AI, (J, J). hessian: exact second derivatives of the deviance, (J, J).
    first: dPhi^-1/dv_j = -B_j,XX, (J, p, p), the P_j of Kenward & Roger (1997). second: their Q_jk,
    B_jk,XX, (J, J, p, p). curved: their R_jk, X'V^-1 d2V_jk V^-1 X, None where V is linear.
    known: the diagonal that E would have if the fixed effects were known, (J,).
    """

    deviance: float
    b: np.ndarray = field(repr=False)
    phi: np.ndarray = field(repr=False)
    rss: float
    gradient: np.ndarray = field(repr=False)
    expected: np.ndarray = field(repr=False)
    average: np.ndarray = field(repr=False)
    hessian: np.ndarray = field(repr=False)
    first: np.ndarray = field(repr=False)
    second: np.ndarray = field(repr=False)
    curved: np.ndarray | None = field(repr=False)
    known: np.ndarray = field(repr=False)
    done: Eliminated = field(repr=False)

    @property
    def silent(self) -> np.ndarray:
        """(J,) bool: parameters on which the data say nothing beside the fixed effects."""
        found: np.ndarray = np.diag(self.expected) <= SILENT * self.known
        return found


@dataclass(frozen=True)
class Split:
    """Where the parameters of a model stand in v.

    bottom: positions of the parameters of R. levels: of each level, in the order of its E.
    """

    bottom: np.ndarray
    levels: tuple[np.ndarray, ...]

    @property
    def order(self) -> np.ndarray:
        """Positions in v of the recursion's directions."""
        return np.concatenate([self.bottom, *self.levels]).astype(np.int64)


class Likelihood:
    """-2 log-likelihood of one model in conditioned units, without the constants of the units."""

    def __init__(self, bottom: Bottom, split: Split, reml: bool) -> None:
        self.bottom, self.split, self.reml = bottom, split, reml
        self.p = bottom.shape.m - 1
        self.evaluations = 0

    def value(self, v: np.ndarray, covariances: Sequence[LevelCovariance]) -> float:
        """The deviance; +inf where V or X'V^-1X is not positive definite."""
        self.evaluations += 1
        try:
            started = self.bottom.start(v[self.split.bottom])
            log_v, A = eliminate_value(
                self.bottom.shape, started.arrow, self.bottom.gammas, covariances
            )
            return self._deviance(log_v + started.log_r, A)[0]
        except np.linalg.LinAlgError:
            return np.inf

    def scale(self, v: np.ndarray, covariances: Sequence[LevelCovariance]) -> float:
        """The factor on all variances together that fits best, their ratios as they are."""
        started = self.bottom.start(v[self.split.bottom])
        log_v, A = eliminate_value(
            self.bottom.shape, started.arrow, self.bottom.gammas, covariances
        )
        return self._deviance(log_v, A)[3] / self.degrees

    def value_over_scale(self, v: np.ndarray, covariances: Sequence[LevelCovariance]) -> float:
        """The least deviance over all multiples s V: s = r'V^-1 r / degrees; +inf outside."""
        self.evaluations += 1
        try:
            started = self.bottom.start(v[self.split.bottom])
            log_v, A = eliminate_value(
                self.bottom.shape, started.arrow, self.bottom.gammas, covariances
            )
            value, _, _, rss = self._deviance(log_v + started.log_r, A)
        except np.linalg.LinAlgError:
            return np.inf
        return float(value - rss + self.degrees * (1 + np.log(rss / self.degrees)))

    def point(self, v: np.ndarray, covariances: Sequence[LevelCovariance]) -> Point:
        """Value and all derivatives; raises LinAlgError where V is not positive definite."""
        self.evaluations += 1
        started = self.bottom.start(v[self.split.bottom])
        directions, t0 = started.directions()
        shape = self.bottom.shape
        done = eliminate(
            shape, started.arrow, self.bottom.gammas, covariances, directions=directions, t=t0
        )
        deviance, b, phi, rss = self._deviance(done.log_v + started.log_r, done.A)
        r = np.append(-b, 1.0)
        t2, B2 = second_order(done)
        J0 = len(t0)
        own_t, own_B = started.pairs(done, done.t[:J0], done.B[:J0])
        t2[:J0, :J0] += own_t
        B2[:J0, :J0] += own_B
        gradient, E, AI = self._information((done.t, done.B), (t2, B2), phi, r)
        hessian = 4 * AI - 2 * E
        curved = None
        more = started.curved()
        if more is not None:
            hessian[:J0, :J0] += self._bend(done, more, phi, r)
            curved = self._curvature_of_information(done, more, J0, len(done.t))
        back = np.argsort(self.split.order)
        grid = np.ix_(back, back)
        p = self.p
        return Point(
            deviance, b, phi, rss, gradient[back], E[grid], AI[grid], hessian[grid],
            -done.B[back][:, :p, :p], B2[grid][:, :, :p, :p],
            None if curved is None else curved[grid], np.diag(t2)[back] / 2, done,
        )  # fmt: skip

    def _deviance(self, log_v: float, A: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, float]:
        p = self.p
        root = np.linalg.cholesky(A[:p, :p])
        half = np.linalg.solve(root, A[:p, p])
        b = np.linalg.solve(root.T, half)
        rss = float(A[p, p] - half @ half)
        if rss <= 0:
            raise np.linalg.LinAlgError("no residual variation")
        inverse = np.linalg.solve(root, np.eye(p))
        value = log_v + rss + self.degrees * np.log(2 * np.pi)
        if self.reml:
            value += 2 * np.log(np.diag(root)).sum()
        return float(value), b, inverse.T @ inverse, rss

    @property
    def degrees(self) -> int:
        """n - p for REML, n for ML."""
        return self.bottom.n - self.p if self.reml else self.bottom.n

    def _information(
        self,
        first: tuple[np.ndarray, np.ndarray],
        second: tuple[np.ndarray, np.ndarray],
        phi: np.ndarray,
        r: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Gradient, E and AI."""
        (t, B), (t2, B2) = first, second
        p = self.p
        BX = B[:, :p, :p]
        gradient = t - np.einsum("jab,a,b->j", B, r, r)
        E = t2 / 2
        if self.reml:
            phiB = phi @ BX
            gradient = gradient - np.einsum("jaa->j", phiB)
            E = E - np.einsum("ab,jkab->jk", phi, B2[:, :, :p, :p])
            E = E + np.einsum("jab,kba->jk", phiB, phiB) / 2
        Br = (B @ r)[:, :p]
        AI = (np.einsum("jkab,a,b->jk", B2, r, r) - Br @ phi @ Br.T) / 2
        return gradient, E, AI

    def _bend(
        self, done: Eliminated, more: Curved, phi: np.ndarray, r: np.ndarray
    ) -> np.ndarray:  # fmt: skip
        """d l in the directions d2V_jk, (J0, J0)."""
        pairs, arrow, t = more
        traces, B = push(self.bottom.shape, done, arrow, t)
        found = traces - np.einsum("jab,a,b->j", B, r, r)
        if self.reml:
            p = self.p
            found = found - np.einsum("ab,jab->j", phi, B[:, :p, :p])
        J0 = done.bottom
        bend = np.zeros((J0, J0))
        bend[pairs[:, 0], pairs[:, 1]] = found
        bend[pairs[:, 1], pairs[:, 0]] = found
        return bend

    def _curvature_of_information(
        self, done: Eliminated, more: Curved, J0: int, J: int
    ) -> np.ndarray:
        pairs, arrow, t = more
        _, B = push(self.bottom.shape, done, arrow, t)
        p = self.p
        found = np.zeros((J, J, p, p))
        found[pairs[:, 0], pairs[:, 1]] = B[:, :p, :p]
        found[pairs[:, 1], pairs[:, 0]] = B[:, :p, :p]
        return found
