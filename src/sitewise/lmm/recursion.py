"""One elimination of the random effects, level by level, with first and second derivatives.

V = R + sum over levels of S D S'. Rows of the data are never seen: a model enters as an `Arrow`,
the cross-products S'R^-1[S U] of each unit of each level (U: the columns of the levels above, X
and y) and [X y]'R^-1[X y]. With B_j = U'V^-1 (dV/dv_j) V^-1 U and
B_jk = U'V^-1 (dV/dv_j) V^-1 (dV/dv_k) V^-1 U (symmetric part), adding S D S' to V changes

    C = L (I + L'A_SS L)^-1 L', D = LL'        F = (I + A_SS D)^-1
    K = F A_SU,  K_S = F A_SS,  T = [-N; I],  N = C A_SU,  Y_j = (B_j T)_S
    A    <- A_UU - A_US C A_SU                 log|V| <- log|V| + log|I + L'A_SS L|
    B_j  <- T'B_j T                            t_j  <- t_j - tr(C B_j,SS)
    B_E   = K'E K                              t_E  = tr(E K_S)
    B_jk <- T'B_jk T - Y_j'C Y_k           t_jk <- t_jk - 2 tr(C B_jk,SS) + tr(C B_j,SS C B_k,SS)
    B_jE  = Y_j'F'E K                          t_jE = tr(E F B_j,SS F')
    B_EE' = K'E K_S E'K                        t_EE' = tr(E K_S E'K_S)

which follows from the Woodbury identity (Harville 1977, J. Am. Stat. Assoc. 72, 320-338, has the
two-level case). Second derivatives are not carried upwards: what arises at a level is mapped to
its final form by the products of the T above it (`Chain`), so that pairs cost one Gram matrix.

Columns that S nearly spans are given as U = S Gamma + U~ with Gamma by unit: A_UU is then a sum of
what is within and what is between, and no digits are lost where D is very large.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.chain import Chain, chains_of


@dataclass(frozen=True)
class Shape:
    """Sizes of a hierarchy, levels innermost first.

    q: columns of S at each level. parents: unit of the level above, one array a level but the last;
    never decreasing. units: number of units at each level. m: columns of [X y].
    """

    q: tuple[int, ...]
    units: tuple[int, ...]
    parents: tuple[np.ndarray, ...] = field(repr=False)
    m: int

    def above(self, level: int) -> int:
        """Columns of S at the levels above `level`."""
        return sum(self.q[level + 1 :])

    def ancestors(self, level: int, upper: int) -> np.ndarray:
        """Unit of level `upper` of each unit of `level`."""
        found = np.arange(self.units[level])
        for between in range(level, upper):
            found = self.parents[between][found]
        return found


@dataclass
class Arrow:
    """Cross-products of a hierarchy: an arrowhead matrix by unit.

    rows: at each level (..., units, q, q + columns above + m): S'W[S U]. root: (..., m, m). A
    leading axis of directions where the arrow holds derivatives.
    """

    rows: list[np.ndarray]
    root: np.ndarray

    def copy(self) -> "Arrow":
        """A deep copy, since an elimination works in place."""
        return Arrow([row.copy() for row in self.rows], self.root.copy())


@dataclass(frozen=True)
class LevelCovariance:
    """D of one level: D = root root', shapes (q, q). E: its derivatives, shape (nD, q, q)."""

    D: np.ndarray
    root: np.ndarray
    E: np.ndarray


@dataclass(frozen=True)
class Left:
    """What one level leaves behind; shapes (units, ., .), Y and BSS with an axis of directions."""

    C: np.ndarray
    N: np.ndarray
    K: np.ndarray
    KS: np.ndarray
    M: np.ndarray
    E: np.ndarray
    Y: np.ndarray
    BSS: np.ndarray


@dataclass(frozen=True)
class Eliminated:
    """The end of an elimination.

    log_v: log|V| less log|R|. A: (m, m), [X y]'V^-1[X y]. t, B: first derivatives, (J,) and
    (J, m, m), in the order: directions of the bottom, then E of each level, innermost first.
    levels: what each level left. chains: by level, from that level upwards.
    """

    shape: Shape
    log_v: float
    A: np.ndarray
    t: np.ndarray
    B: np.ndarray
    levels: tuple[Left, ...]
    bottom: int
    chains: tuple[Chain, ...]


def eliminate_value(
    shape: Shape, arrow: Arrow, gammas: Sequence[np.ndarray], covariances: Sequence[LevelCovariance]
) -> tuple[float, np.ndarray]:
    """log|V| - log|R| and [X y]'V^-1[X y] alone; raises LinAlgError where V is not definite."""
    A = arrow.copy()
    log_v = 0.0
    for level, covariance in enumerate(covariances):
        q = shape.q[level]
        SS, SU = A.rows[level][..., :q], A.rows[level][..., q:]
        gamma = gammas[level]
        C, log_det = _woodbury(SS, covariance.root)
        log_v += log_det
        _fold_value(shape, level, A, _Solved(C, SS, SU, gamma, covariance.D))
    return log_v, A.root


def eliminate(
    shape: Shape,
    arrow: Arrow,
    gammas: Sequence[np.ndarray],
    covariances: Sequence[LevelCovariance],
    *,
    directions: Arrow,
    t: np.ndarray,
) -> Eliminated:
    """Value and first derivatives, and what second derivatives need.

    directions: B_j of the bottom, leading axis J. t: tr(R^-1 dR_j), shape (J,).
    """
    A, bottom = arrow.copy(), len(t)
    J = bottom + sum(len(c.E) for c in covariances)
    B = _room_for(directions, J)
    traces = np.zeros(J)
    traces[:bottom] = t
    log_v, active, levels = 0.0, bottom, []
    for level, covariance in enumerate(covariances):
        q = shape.q[level]
        SS, SU = A.rows[level][..., :q], A.rows[level][..., q:]
        C, log_det = _woodbury(SS, covariance.root)
        log_v += log_det
        solved = _Solved(C, SS, SU, gammas[level], covariance.D)
        N, K, KS = solved.coefficients(), solved.filtered(), solved.filtered_own()
        BSS = B.rows[level][:active, ..., :q].copy()
        BSU = B.rows[level][:active, ..., q:]
        half = BSU - 0.5 * (BSS @ N)
        Y = BSU - BSS @ N
        traces[:active] -= np.einsum("uab,juba->j", C, BSS)
        _fold_value(shape, level, A, solved)
        _fold(shape, level, B, which=slice(0, active), left=-N, right=half, both=True)
        new = slice(active, active + len(covariance.E))
        EK = covariance.E[:, None] @ K
        traces[new] = np.einsum("eab,uba->e", covariance.E, KS)
        _fold(shape, level, B, which=new, left=K, right=EK, both=False)
        levels.append(Left(C, N, K, KS, solved.M, covariance.E, Y, BSS))
        active = new.stop
    done = tuple(levels)
    return Eliminated(shape, log_v, A.root, traces, B.root, done, bottom, chains_of(shape, done))


def push(
    shape: Shape, done: Eliminated, directions: Arrow, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First derivatives in further directions of the bottom: traces (J,) and B (J, m, m)."""
    B, traces = directions.copy(), t.copy()
    for level, left in enumerate(done.levels):
        q = shape.q[level]
        BSS, BSU = B.rows[level][..., :q], B.rows[level][..., q:]
        traces -= np.einsum("uab,juba->j", left.C, BSS)
        half = BSU - 0.5 * (BSS @ left.N)
        _fold(shape, level, B, which=slice(0, len(t)), left=-left.N, right=half, both=True)
    return traces, B.root


def solve_units(M: np.ndarray, right: np.ndarray) -> np.ndarray:
    """M^-1 right of every unit; of random intercepts, (units, 1, 1), the division that it is.

    LAPACK is called unit by unit, which takes ten times longer than the arithmetic.
    """
    if M.shape[-1] == 1:
        return np.asarray(right / M)
    return np.asarray(np.linalg.solve(M, right))


class _Solved:
    """The solves of one level; F = (I + A_SS D)^-1 always by a solve, never as I - A_SS C."""

    def __init__(
        self, C: np.ndarray, SS: np.ndarray, SU: np.ndarray, gamma: np.ndarray, D: np.ndarray
    ) -> None:
        self.C, self.SS, self.SU, self.gamma = C, SS, SU, gamma
        self.M = np.eye(SS.shape[-1]) + SS @ D
        self.centred = bool(np.any(gamma))

    def coefficients(self) -> np.ndarray:
        """C A_SU~ - F'Gamma: minus the coefficients of S in the final columns."""
        found = self.C @ self.SU
        if self.centred:
            found = found - solve_units(np.swapaxes(self.M, -1, -2), self.gamma)
        return np.asarray(found)

    def filtered(self) -> np.ndarray:
        """F A_SU."""
        full = self.SU + self.SS @ self.gamma if self.centred else self.SU
        return solve_units(self.M, full)

    def filtered_own(self) -> np.ndarray:
        """F A_SS, symmetric."""
        found = solve_units(self.M, self.SS)
        return np.asarray((found + np.swapaxes(found, -1, -2)) / 2)


def _woodbury(SS: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, float]:
    """C of every unit, (units, q, q), and sum of log|I + L'A_SS L|."""
    inside = root.T @ SS @ root
    inside = (inside + np.swapaxes(inside, -1, -2)) / 2 + np.eye(len(root))
    chol = np.linalg.cholesky(inside)
    half = solve_units(chol, np.broadcast_to(root.T, inside.shape))
    log_det = 2 * np.sum(np.log(np.diagonal(chol, axis1=-2, axis2=-1)))
    return np.swapaxes(half, -1, -2) @ half, float(log_det)


def _fold_value(shape: Shape, level: int, A: Arrow, solved: _Solved) -> None:
    """A <- A_UU - A_US C A_SU, with the between part of columns that S spans added."""
    _fold_one(shape, level, A, solved.SU, -(solved.C @ solved.SU))
    if solved.centred:
        FSU = solve_units(solved.M, solved.SU)
        _fold_one(shape, level, A, solved.gamma, FSU)
        _fold_one(shape, level, A, FSU, solved.gamma)
        _fold_one(shape, level, A, solved.gamma, solved.filtered_own() @ solved.gamma)


def _fold_one(shape: Shape, level: int, A: Arrow, left: np.ndarray, right: np.ndarray) -> None:
    """Add sum over units of left'right, both (units, q, r), to the levels above and the root."""
    at, m = 0, shape.m
    A.root += _flat(left[..., -m:]).T @ _flat(right[..., -m:])
    for upper in range(level + 1, len(shape.q)):
        stop = at + shape.q[upper]
        block = np.swapaxes(left[..., at:stop], -1, -2) @ right[..., at:]
        A.rows[upper] += _gather(block, shape.ancestors(level, upper), shape.units[upper])
        at = stop


def _fold(
    shape: Shape,
    level: int,
    B: Arrow,
    *,
    which: slice,
    left: np.ndarray,
    right: np.ndarray,
    both: bool,
) -> None:
    """The same for directions: left (units, q, r), right (J, units, q, r).

    both: add the transpose too.
    """
    at, m = 0, shape.m
    J, u, q, _ = right.shape
    if J == 0:
        return
    wide = right[..., -m:].transpose(1, 2, 0, 3).reshape(u * q, J * m)
    found = (_flat(left[..., -m:]).T @ wide).reshape(m, J, m).transpose(1, 0, 2)
    B.root[which] += found + found.transpose(0, 2, 1) if both else found
    for upper in range(level + 1, len(shape.q)):
        stop = at + shape.q[upper]
        block = np.swapaxes(left[..., at:stop], -1, -2) @ right[..., at:]
        if both:
            block = block + np.swapaxes(right[..., at:stop], -1, -2) @ left[..., at:]
        ancestors = shape.ancestors(level, upper)
        for j, row in enumerate(range(*which.indices(len(B.root)))):
            B.rows[upper][row] += _gather(block[j], ancestors, shape.units[upper])
        at = stop


def _gather(block: np.ndarray, ancestors: np.ndarray, units: int) -> np.ndarray:
    """Sums over the units of one ancestor; ancestors never decrease and each has a unit."""
    starts = np.searchsorted(ancestors, np.arange(units))
    return np.add.reduceat(block, starts, axis=0)


def _room_for(directions: Arrow, J: int) -> Arrow:
    """The arrow of the bottom's directions with zeros for those of the levels."""

    def grown(values: np.ndarray) -> np.ndarray:
        full = np.zeros((J, *values.shape[1:]))
        full[: len(values)] = values
        return full

    return Arrow([grown(row) for row in directions.rows], grown(directions.root))


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, values.shape[-1])
