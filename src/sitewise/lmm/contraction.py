"""Cross-products of a scheduled trial under any covariance over slots.

A column of the model at slot t is a sum of atoms a(t) f, f a feature of the wide row. For one cell
(a unit and a pattern of slots) and T x T weights W, 0 outside the pattern, the sum over its
patients of column_i'W column_k is then (a_i'W a_k) G[f_i, f_k]: the cross-products G of features
are summed once, and what a likelihood costs depends on cells and not on patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sitewise.lmm.chain import Chain
from sitewise.lmm.recursion import Arrow, Shape
from sitewise.lmm.wide import Wide, WideColumn

_AT_ONCE = 2_000_000  # numbers in one array of products; beyond, pattern by pattern


@dataclass(frozen=True)
class Atoms:
    """The distinct atoms of a model: a (n, T) and features (n,). The first `own` are those of S.

    S: (atoms, columns of S of all levels, innermost first). K: (atoms, m), of [X~ y~].
    """

    a: np.ndarray
    features: np.ndarray
    own: int
    S: np.ndarray
    K: np.ndarray


class AtomTable:
    """Collects atoms while columns are written in them.

    target, scale: shift and unit of each feature: f = target + scale f~.
    """

    def __init__(self, target: np.ndarray, scale: np.ndarray) -> None:
        self._target, self._scale = target, scale
        self._found: dict[tuple[bytes, int], int] = {}
        self._a: list[np.ndarray] = []
        self._features: list[int] = []

    def __len__(self) -> int:
        """Number of atoms."""
        return len(self._a)

    def weights(self, column: WideColumn) -> dict[int, float]:
        """The column as weights of atoms (of shifted, scaled features)."""
        found: dict[int, float] = {}
        for a, feature in column.parts:
            for piece, size in _pieces(a):
                self._add(found, piece, feature, size * self._scale[feature])
                if self._target[feature] != 0:
                    self._add(found, piece, 0, size * self._target[feature])
        return found

    def unit(self, a: np.ndarray, feature: int) -> int:
        """Index of the atom (a, feature)."""
        key = (a.tobytes(), feature)
        if key not in self._found:
            self._found[key] = len(self._a)
            self._a.append(a)
            self._features.append(feature)
        return self._found[key]

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """a (n, T) and features (n,)."""
        return np.array(self._a), np.array(self._features, dtype=np.int64)

    def _add(self, found: dict[int, float], a: np.ndarray, feature: int, weight: float) -> None:
        atom = self.unit(a, feature)
        found[atom] = found.get(atom, 0.0) + weight


def matrix_of(weights: Sequence[dict[int, float]], atoms: int) -> np.ndarray:
    """Columns written in atoms, (atoms, columns)."""
    found = np.zeros((atoms, len(weights)))
    for j, column in enumerate(weights):
        for atom, weight in column.items():
            found[atom, j] = weight
    return found


def _pieces(a: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """A function of the slot as multiples of functions of size one: its level apart where it is far
    from 0, so that a time in seconds since 1970 keeps its digits."""
    top, bottom = float(a.max()), float(a.min())
    if top == bottom:
        return [(np.ones_like(a), top)] if top != 0 else []
    found = []
    if min(abs(top), abs(bottom)) > 2 * (top - bottom):
        middle = float(a[len(a) // 2])
        found.append((np.ones_like(a), middle))
        a = a - middle
    size = 2.0 ** np.round(np.log2(np.abs(a).max()))
    return [*found, (a / size, float(size))]


@dataclass(frozen=True)
class CellTable:
    """Cross-products of shifted, scaled features, by cell and summed by pattern.

    G: (C, F, F). total: (P, F, F). patients: (P,). starts: first cell of each unit (cells are
    sorted by unit). order: cells by pattern; pattern_starts: the first of each pattern there.
    """

    G: np.ndarray
    total: np.ndarray
    patients: np.ndarray
    unit: np.ndarray
    pattern: np.ndarray
    starts: np.ndarray
    order: np.ndarray
    pattern_starts: np.ndarray
    patterns: np.ndarray


def cell_table(wide: Wide, target: np.ndarray, scale: np.ndarray) -> CellTable:
    """Cells about `target` (C, F) in units of `scale` (F,), exactly but for rounding."""
    moved = wide.shift - target
    # Outside the pattern an outcome counts as 0 and its weight is 0: it has no target.
    cross = wide.sums[:, :, None] * moved[:, None, :]
    G = wide.products + cross + np.swapaxes(cross, 1, 2)
    G += wide.n[:, None, None] * (moved[:, :, None] * moved[:, None, :])
    G /= scale[:, None] * scale
    order = np.argsort(wide.pattern, kind="stable")
    pattern_starts = np.searchsorted(wide.pattern[order], np.arange(len(wide.patterns)))
    total = np.add.reduceat(G[order], pattern_starts, axis=0)
    patients = np.add.reduceat(wide.n[order], pattern_starts)
    units = len(wide.levels[0].labels) if wide.levels else 1
    starts = np.searchsorted(wide.unit, np.arange(units))
    return CellTable(
        G, total, patients, wide.unit, wide.pattern, starts, order, pattern_starts, wide.patterns
    )


class Contraction:
    """Arrows of one model for T x T weights by pattern.

    by_pattern: G of the atoms' features, summed by pattern, (P, atoms, atoms).
    """

    def __init__(self, cells: CellTable, atoms: Atoms, shape: Shape) -> None:
        self.cells, self.atoms, self.shape = cells, atoms, shape
        f, own = atoms.features, atoms.own
        self._by_cell = cells.G[:, f[:own, None], f[None, :]]
        self._in_pattern_order = self._by_cell[cells.order]
        self.by_pattern = cells.total[:, f[:, None], f[None, :]]
        self._full = np.concatenate([atoms.S, atoms.K], axis=1)

    def weigh(self, W: np.ndarray) -> np.ndarray:
        """a_i'W a_k: (..., P, atoms, atoms) from (..., P, T, T)."""
        found: np.ndarray = self.atoms.a @ W @ self.atoms.a.T
        return found

    def arrow(self, W: np.ndarray) -> Arrow:
        """Cross-products under W (P, T, T), or under several (J, P, T, T): a leading axis J."""
        omega = self.weigh(W)
        K, own = self.atoms.K, self.atoms.own
        root = K.T @ (omega * self.by_pattern).sum(axis=-3) @ K
        root = (root + np.swapaxes(root, -1, -2)) / 2
        if not own:
            return Arrow([], root)
        by_unit = self._by_unit(omega[..., :own, :])
        return Arrow(self._rows(by_unit), root)

    def _by_unit(self, omega: np.ndarray) -> np.ndarray:
        """Sums over the cells of each innermost unit: (..., units, own, atoms)."""
        cells = self.cells
        if omega.ndim == 3:
            return np.add.reduceat(self._by_cell * omega[cells.pattern], cells.starts, axis=0)
        return np.stack([self._by_unit(one) for one in omega])

    def _rows(self, by_unit: np.ndarray) -> list[np.ndarray]:
        rows, at = [], 0
        for level, q in enumerate(self.shape.q):
            S = self.atoms.S[: self.atoms.own, at : at + q]
            found = S.T @ by_unit @ self._full[:, at:]
            if level:
                ancestors = self.shape.ancestors(0, level)
                starts = np.searchsorted(ancestors, np.arange(self.shape.units[level]))
                found = np.add.reduceat(found, starts, axis=-3)
            own = found[..., :q]
            found[..., :q] = (own + np.swapaxes(own, -1, -2)) / 2
            rows.append(found)
            at += q
        return rows

    # -- second order: pairs of directions of the slots' covariance ---------------------------

    def projected(self, chain: Chain | None) -> "Projected":
        """What pairs need of all cells, once a point: sums by pattern with the chains of units."""
        atoms, cells = self.atoms, self.cells
        own, m = atoms.own, self.shape.m
        P, n = len(cells.patterns), len(atoms.features)
        mixed, square = np.zeros((P, own, n, m)), np.zeros((P, own, own, m, m))
        inner = np.zeros((P, own, own))
        if chain is None or not own:
            return Projected(mixed, square, inner)
        S = atoms.S[:own]
        unit = cells.unit[cells.order]
        c = (S @ chain.coefficients)[unit]
        spread = (S @ chain.inner @ S.T)[unit]
        G = self._in_pattern_order
        starts = cells.pattern_starts
        inner = np.add.reduceat(G[:, :, :own] * spread, starts, axis=0)
        if c.size * n <= _AT_ONCE:
            mixed = np.add.reduceat(G[..., None] * c[:, :, None, :], starts, axis=0)
            weighted = (G[:, :, :own, None] * c[:, None]).reshape(len(c), own, 1, own * m)
            square = np.add.reduceat(c[..., None] * weighted, starts, axis=0)
            square = square.reshape(P, own, m, own, m).transpose(0, 1, 3, 2, 4)
            return Projected(mixed, square, inner)
        for p, first in enumerate(starts):
            which = slice(first, starts[p + 1] if p + 1 < P else len(c))
            own_c, own_G = c[which], G[which]
            for i in range(own):
                mixed[p, i] = own_G[:, i].T @ own_c[:, i]
                scaled = (own_G[:, i, :own, None] * own_c).reshape(len(own_c), own * m)
                square[p, i] = (own_c[:, i].T @ scaled).reshape(m, own, m).transpose(1, 0, 2)
        return Projected(mixed, square, inner)

    def pairs(self, W: np.ndarray, parts: "Projected") -> tuple[np.ndarray, np.ndarray]:
        """-2 tr(Psi S'W S) (z,) and the transformed [X y]'W[X y] (z, m, m), for W (z, P, T, T)."""
        K, own, m = self.atoms.K, self.atoms.own, self.shape.m
        omega = self.weigh(W)
        omega = (omega + np.swapaxes(omega, -1, -2)) / 2
        z = len(omega)
        found = K.T @ (omega * self.by_pattern).sum(axis=1) @ K
        if not own:
            return np.zeros(z), found
        left = omega[:, :, :own].transpose(3, 0, 1, 2).reshape(omega.shape[-1], z, -1)
        right = parts.mixed.transpose(2, 0, 1, 3).reshape(omega.shape[-1], -1, m)
        mixed = (left @ right).transpose(1, 0, 2)
        cross = np.swapaxes(mixed, 1, 2) @ K
        flat = np.ascontiguousarray(omega[:, :, :own, :own]).reshape(z, -1)
        square = (flat @ parts.square.reshape(-1, m * m)).reshape(z, m, m)
        found = found + cross + np.swapaxes(cross, 1, 2) + square
        return -2 * flat @ parts.inner.reshape(-1), found


@dataclass(frozen=True)
class Projected:
    """Sums over the cells of each pattern, c the coefficients of S (in atoms) in the final columns.

    mixed: (P, own, atoms, m), sum of c_i G_ik. square: (P, own, own, m, m), sum of c_i G_ik c_k.
    inner: (P, own, own), sum of Psi_ik G_ik.
    """

    mixed: np.ndarray
    square: np.ndarray
    inner: np.ndarray


class SlotWeights:
    """R_P^-1 on every pattern, 0 outside, and what follows from it."""

    def __init__(self, patterns: np.ndarray, R: np.ndarray) -> None:
        """R: (T, T). Raises LinAlgError where it is not positive definite on a pattern."""
        T = R.shape[0]
        both = patterns[:, :, None] & patterns[:, None, :]
        filled = np.where(both, R, np.eye(T))
        chol = np.linalg.cholesky(filled)
        half = np.linalg.solve(chol, np.broadcast_to(np.eye(T), chol.shape))
        self.W: np.ndarray = np.where(both, np.swapaxes(half, -1, -2) @ half, 0.0)
        self.log_dets: np.ndarray = 2 * np.log(np.diagonal(chol, axis1=1, axis2=2)).sum(axis=1)

    def moved(self, dR: np.ndarray) -> np.ndarray:
        """W dR_j W: (J, P, T, T) from (J, T, T)."""
        return np.asarray(self.W @ dR[:, None] @ self.W)

    def traces(self, dR: np.ndarray) -> np.ndarray:
        """tr(W dR_j) by pattern: (J, P)."""
        return np.asarray(np.einsum("pts,jst->jp", self.W, dR))
