"""From moments to well-conditioned columns: what the recursion works on, and the way back.

Each column is used in a basis near orthonormal: X~ = X R^-1, columns of a random term S~ = S R_k^-1
(so D~ = R_k D R_k'), y~ = (y - shift) / unit. Numbers of any size and unit give the same digits.
"""

from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.aliasing import COLLINEAR, independent_columns
from sitewise.lmm.contraction import (
    Atoms,
    AtomTable,
    Contraction,
    cell_table,
    matrix_of,
)
from sitewise.lmm.recursion import Shape
from sitewise.lmm.wide import Wide

_Sizes = tuple[np.ndarray, np.ndarray]  # shift and unit of each feature
EMPTY = 1e-12  # length of a column, relative to its size in the atoms, that is rounding
EPS = float(np.finfo(float).eps)
NEAR = 0.5  # share of a constant that X may leave and still take up most of a shift of y
NOISE = 1e-14  # eigenvalue of scaled cross-products that is rounding


@dataclass(frozen=True)
class TermBasis:
    """A random term in the recursion: D~ = R D R', q columns, `copies` of them across a factor.

    level: 0 innermost above the bottom; -1 for a term of the patient inside R_P.
    """

    group: str
    label: str
    names: tuple[str, ...]
    R: np.ndarray
    copies: int
    level: int


@dataclass(frozen=True)
class FixedBasis:
    """X~ = X[:, kept] R^-1 and y = X offset + unit y~ + (what S spans).

    combinations: (kept, dropped): X[:, ~kept] = X[:, kept] combinations.
    """

    names: tuple[str, ...]
    kept: np.ndarray
    combinations: np.ndarray
    R: np.ndarray
    offset: np.ndarray
    unit: float

    @property
    def log_det(self) -> float:
        """log|R'R|."""
        return float(2 * np.sum(np.log(np.abs(np.diag(self.R)))))

    @property
    def is_exact(self) -> bool:
        """Whether y less X offset is no more than rounding of y."""
        return bool(self.unit <= 2 * EPS * np.linalg.norm(self.R @ self.offset))

    def back(self, b: np.ndarray) -> np.ndarray:
        """Fixed effects in the units of the data from those of X~, y~."""
        found: np.ndarray = np.linalg.solve(self.R, b) * self.unit + self.offset
        return found


@dataclass(frozen=True)
class WideBottom:
    """A scheduled trial, conditioned: see `Contraction`."""

    n: int
    shape: Shape
    gammas: list[np.ndarray] = field(repr=False)
    fixed: FixedBasis
    terms: tuple[TermBasis, ...]
    slots: tuple[str, ...]
    Z: tuple[np.ndarray, ...] = field(repr=False)
    contraction: Contraction = field(repr=False)


def wide_bottom(wide: Wide) -> WideBottom:
    """Condition the moments of a scheduled trial. Raises no error on collinear columns: they go."""
    mean, spread = _feature_sizes(wide)
    table = AtomTable(mean, spread)
    S_weights = [table.weights(c) for level in wide.levels for e in level.effects for c in e.parts]
    own = len(table)
    X_weights = [table.weights(c) for c in wide.fixed]
    constant = {table.unit(np.ones(len(wide.slots)), 0): 1.0}
    y_weights = {
        table.unit(row, int(f)): 1.0
        for row, f in zip(np.eye(len(wide.slots)), wide.outcome, strict=True)
    }  # fmt: skip
    a, features = table.arrays()
    count = len(table)
    plain = cell_table(wide, np.broadcast_to(mean, wide.shift.shape), spread)
    roots = _Roots(plain.total, plain.patterns, a, features)
    X_map = matrix_of(X_weights, count)
    maps = X_map, matrix_of([constant], count)
    fixed, level = _fixed_basis(wide, roots, maps, (mean, spread))
    S_map, terms = _random_bases(wide, roots, matrix_of(S_weights, count))
    Z, patient_terms = _patient_bases(wide, plain.patients)
    gammas, target = _centres(wide, S_map, constant, mean, fixed.unit)
    cells = cell_table(wide, target, spread)
    X_tilde = np.linalg.solve(fixed.R.T, X_map[:, fixed.kept].T).T
    # What was taken out of y and X does not take up.
    rest = level * maps[1][:, 0] - X_map[:, fixed.kept] @ fixed.offset if level else 0.0
    y = matrix_of([y_weights], count)[:, 0] + rest / fixed.unit
    K = np.column_stack([X_tilde, y])
    units = tuple(len(level.labels) for level in wide.levels)
    q = tuple(sum(len(e.parts) for e in level.effects) for level in wide.levels)
    parents = tuple(level.parent for level in wide.levels[:-1])
    shape = Shape(q, units, parents, K.shape[1])
    padded = [_padded(g, level, shape) for level, g in enumerate(gammas)]
    atoms = Atoms(a, features, own, S_map, K)
    return WideBottom(
        wide.nobs, shape, padded, fixed, (*patient_terms, *terms), wide.slots, tuple(Z),
        Contraction(cells, atoms, shape),
    )  # fmt: skip


def _padded(gamma: np.ndarray, level: int, shape: Shape) -> np.ndarray:
    """Gamma of y alone as Gamma of all columns: 0 for the levels above and X."""
    full = np.zeros((*gamma.shape, shape.above(level) + shape.m))
    full[..., -1] = gamma
    return full


def _feature_sizes(wide: Wide) -> tuple[np.ndarray, np.ndarray]:
    """Target (F,) and power-of-two scale (F,) of each feature; one of each for all outcomes."""
    F, T = len(wide.basis), len(wide.slots)
    n = np.repeat(wide.n[:, None], F, axis=1)
    seen = wide.patterns[wide.pattern]
    n[:, F - T :] *= seen
    shifted = np.any(wide.shift != 0, axis=0)
    sums = (wide.sums + n * wide.shift).sum(axis=0)
    counts = np.maximum(n.sum(axis=0), 1.0)
    target = np.where(shifted, sums / counts, 0.0)
    target[F - T :] = sums[F - T :].sum() / n[:, F - T :].sum()
    moved = wide.shift - target
    squares = np.einsum("cff->cf", wide.products) + 2 * wide.sums * moved + n * moved**2
    rms = np.sqrt(np.maximum(squares.sum(axis=0), 0.0) / counts)
    y = np.sqrt(np.maximum(squares[:, F - T :].sum() / n[:, F - T :].sum(), 0.0))
    rms[F - T :] = y
    scale = np.where(rms > 0, 2.0 ** np.round(np.log2(np.where(rms > 0, rms, 1.0))), 1.0)
    scale[0] = 1.0
    return target, scale


class _Roots:
    """Rows whose cross-products are those of the data: a square root of each pattern's features.

    QR of these is as good as QR of the rows themselves, which a Cholesky factor of X'X is not.
    """

    def __init__(
        self, total: np.ndarray, patterns: np.ndarray, a: np.ndarray, features: np.ndarray
    ) -> None:
        sizes = np.sqrt(np.maximum(np.einsum("pff->pf", total), 0.0))
        scale = np.where(sizes > 0, sizes, 1.0)
        values, vectors = np.linalg.eigh(total / scale[:, :, None] / scale[:, None, :])
        values = np.where(values > NOISE * values[:, -1:], values, 0.0)
        self._roots = np.sqrt(values)[:, :, None] * np.swapaxes(vectors, 1, 2) * scale[:, None, :]
        self._patterns, self._a, self._features = patterns, a, features

    def factor(self, columns: np.ndarray) -> np.ndarray:
        """R of a QR of the rows of `columns` (atoms, k): (min(rows, k), k)."""
        used = np.flatnonzero(np.any(columns != 0, axis=1))
        kept = np.zeros((0, columns.shape[1]))
        for root, seen in zip(self._roots, self._patterns, strict=True):
            atoms = root[:, self._features[used]]
            for slot in np.flatnonzero(seen):
                rows = (atoms * self._a[used, slot]) @ columns[used]
                kept = np.vstack([kept, rows[np.any(rows != 0, axis=1)]])
            if len(kept) > 4096:
                kept = triangle(kept)
        return triangle(kept)


def _fixed_basis(
    wide: Wide, roots: "_Roots", maps: tuple[np.ndarray, np.ndarray], sizes: _Sizes
) -> tuple[FixedBasis, float]:
    """Which columns are kept, their R, and the shift of y as fixed effects; the shift if some of
    it is left, since X only nearly spans a constant.

    maps: X and a constant in atoms. Sets the shift of the outcomes to 0 where X is far from it.
    """
    (X_map, one), (mean, spread) = maps, sizes
    lengths = np.linalg.norm(roots.factor(X_map), axis=0)
    # Atoms are about 1 in size: a column this short is 0 in every row, and rounding here (an
    # interaction of levels that never meet).
    dead = lengths <= EMPTY * np.sqrt(wide.nobs) * np.linalg.norm(X_map, axis=0)
    X_map = np.where(dead, 0.0, X_map)
    lengths = np.where(dead, 1.0, lengths)
    factor = roots.factor(np.column_stack([X_map / lengths, one]))
    kept, combinations = independent_columns(factor[:, :-1])
    Q, R = np.linalg.qr(factor[:, :-1][:, kept])
    signs = np.where(np.diag(R) < 0, -1.0, 1.0)
    Q, R = Q * signs, R * signs[:, None]
    target = factor[:, -1]
    inside = Q.T @ target
    left = np.linalg.norm(target - Q @ inside)
    unit, shift = float(spread[-1]), float(mean[-1])
    own = lengths[kept]
    spans = left <= COLLINEAR * np.linalg.norm(target)
    if not spans and left > NEAR * np.linalg.norm(target):  # X can't take up a shift of y
        mean[wide.outcome] = shift = 0.0
    offset = np.linalg.solve(R, inside) / own * shift
    scale = np.sqrt(wide.nobs)
    combinations = combinations / own[:, None] * lengths[~kept]
    names = tuple(c.name for c in wide.fixed)
    basis = FixedBasis(names, kept, combinations, R * own / scale, offset, unit)
    return basis, 0.0 if spans else shift


def triangle(rows: np.ndarray) -> np.ndarray:
    """R of rows = Q R."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def basis_of(factor: np.ndarray, rows: float) -> np.ndarray:
    """R with S R^-1 near orthonormal, from R of a QR; a scale alone where S is collinear."""
    q = factor.shape[1]
    full = np.zeros((q, q))
    full[: len(factor)] = factor
    full = full / np.sqrt(max(rows, 1.0))
    diagonal, lengths = np.abs(np.diag(full)), np.linalg.norm(full, axis=0)
    if np.any(diagonal <= COLLINEAR * lengths) or np.any(lengths == 0):
        return np.diag(np.where(lengths > 0, lengths, 1.0))
    return np.asarray(full * np.where(np.diag(full) < 0, -1.0, 1.0)[:, None])


def _random_bases(
    wide: Wide, roots: _Roots, S_map: np.ndarray
) -> tuple[np.ndarray, list[TermBasis]]:
    """Columns of S in their bases, (atoms, columns), and the terms."""
    terms, columns, at = [], [], 0
    for number, level in enumerate(wide.levels):
        for effect in level.effects:
            q, copies = len(effect.names), len(effect.parts) // len(effect.names)
            blocks = [S_map[:, at + k * q : at + (k + 1) * q] for k in range(copies)]
            stacked = np.vstack([roots.factor(block) for block in blocks])
            R = basis_of(triangle(stacked), wide.nobs)
            columns += [np.linalg.solve(R.T, block.T).T for block in blocks]
            group = effect.spec.group_name
            terms.append(TermBasis(group, str(effect.spec), effect.names, R, copies, number))
            at += q * copies
    empty = np.zeros((S_map.shape[0], 0))
    return np.concatenate([empty, *columns], axis=1), terms


def _patient_bases(wide: Wide, patients: np.ndarray) -> tuple[list[np.ndarray], list[TermBasis]]:
    """Z of each patient term in its basis, (T, q), and the terms."""
    readings = (patients[:, None] * wide.patterns).sum(axis=0)
    found, terms = [], []
    for effect in wide.patient_effects:
        factor = triangle(np.sqrt(readings)[:, None] * effect.values)
        R = basis_of(factor, wide.nobs)
        found.append(np.linalg.solve(R.T, effect.values.T).T)
        terms.append(TermBasis(effect.spec.group_name, str(effect.spec), effect.names, R, 1, -1))
    return found, terms


def _centres(
    wide: Wide, S_map: np.ndarray, constant: dict[int, float], mean: np.ndarray, unit: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Means of y by unit taken out where S spans a constant: Gamma of y, and each cell's target."""
    target = np.repeat(mean[None], len(wide.n), axis=0)
    seen = wide.patterns[wide.pattern]
    y = wide.outcome
    counts = (wide.n[:, None] * seen).sum(axis=1)
    sums = (wide.sums[:, y] + wide.n[:, None] * seen * (wide.shift[:, y] - mean[y])).sum(axis=1)
    gammas: list[np.ndarray] = []
    one = np.zeros(len(S_map))
    for atom, weight in constant.items():
        one[atom] = weight
    at = 0
    ones = []
    for level in wide.levels:
        q = sum(len(e.parts) for e in level.effects)
        block = S_map[:, at : at + q]
        kappa = np.linalg.lstsq(block, one, rcond=None)[0]
        spans = np.allclose(block @ kappa, one, atol=1e-9)
        ones.append(kappa if spans else np.zeros(q))
        gammas.append(np.zeros((len(level.labels), q)))
        at += q
    for number in reversed(range(len(wide.levels))):
        above = wide.unit
        for lower in range(number):
            above = wide.levels[lower].parent[above]
        if not np.any(ones[number]):
            continue
        units = len(wide.levels[number].labels)
        totals = np.bincount(above, sums, units) / np.maximum(
            np.bincount(above, counts, units), 1.0
        )
        gammas[number] = totals[:, None] / unit * ones[number]
        sums = sums - counts * totals[above]
        target[:, y] += totals[above][:, None]
    return gammas, target
