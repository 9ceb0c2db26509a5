"""Cross-products by group where the row is the unit: R = sigma^2 I.

For replicates, covariates that change by row, exact days. Each unit of the innermost grouping keeps
its S'S, the least squares coefficients of all other columns on S, and the cross-products of what is
left. These add up over batches of whole units, and the likelihood needs nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.recursion import Arrow, Shape

NULL = 1e-11  # eigenvalue of a scaled S'S below which a unit can't tell its columns apart


@dataclass(frozen=True)
class RowMoments:
    """Sufficient statistics of one model, columns [S of each level, X, y].

    shape: sizes. SS: (units, q, q) of the innermost level. gamma: (units, q, r), coefficients of
    the r other columns on S. SU: (units, q, r), S'(what is left), 0 but for rounding. rest:
    products of what is left, as `Arrow` without the innermost level's rows. n: rows.
    """

    shape: Shape
    n: int
    SS: np.ndarray = field(repr=False)
    gamma: np.ndarray = field(repr=False)
    SU: np.ndarray = field(repr=False)
    rest: Arrow = field(repr=False)


def row_moments(
    S: Sequence[np.ndarray], codes: Sequence[np.ndarray], parents: Sequence[np.ndarray],
    units: Sequence[int], K: np.ndarray,
) -> RowMoments:  # fmt: skip
    """From rows: S of each level (n, q), its unit of each row (n,), K = [X y] (n, m)."""
    q = tuple(s.shape[1] for s in S)
    shape = Shape(q, tuple(units), tuple(parents), K.shape[1])
    order = np.argsort(codes[0], kind="stable")
    starts = np.searchsorted(codes[0][order], np.arange(units[0]))
    own = S[0][order]
    others = np.hstack([*S[1:], K])[order]
    code = codes[0][order]
    SS = _summed(own, own, starts)
    inverse = _pseudo_inverse(SS)
    gamma = np.zeros((units[0], q[0], others.shape[1]))
    for _ in range(2):  # the second time mends the rounding of the first
        more = inverse @ _summed(own, others, starts)
        others = others - np.einsum("nq,nqr->nr", own, more[code])
        gamma = gamma + more
    SU = _summed(own, others, starts)
    rows, at = [np.zeros((units[0], q[0], 0))], 0
    for level in range(1, len(q)):
        stop = at + q[level]
        above = shape.ancestors(0, level)[code]
        sums = _summed(
            others[:, at:stop], others[:, at:], np.searchsorted(above, np.arange(units[level]))
        )
        rows.append(sums)
        at = stop
    root = others[:, at:].T @ others[:, at:]
    return RowMoments(shape, len(K), SS, gamma, SU, Arrow(rows, root))


def swapped_innermost(moments: RowMoments) -> RowMoments:
    """The two innermost levels exchanged, which have the same units.

    Of each unit's columns [S0 S1 U] what S0 spans was taken out; here it is what S1 spans.
    """
    shape, (a, c, *_) = moments.shape, moments.shape.q
    rows, SS, m = moments.rest.rows, moments.SS, moments.shape.m
    own, others = moments.gamma[..., :c], moments.gamma[..., c:]
    T = np.swapaxes
    # Total cross-products S0'[S1 U] and S1'[S1 U].
    first = SS @ moments.gamma + moments.SU
    second = T(own, -1, -2) @ first + rows[1]
    second = second + T(moments.SU[..., :c], -1, -2) @ moments.gamma
    inner, SU = second[..., :c], second[..., c:]
    whole = np.concatenate([T(first[..., :c], -1, -2), SU], axis=-1)
    gamma = _pseudo_inverse(inner) @ whole
    left = whole - inner @ gamma
    rest = [np.zeros((shape.units[0], c, 0))]
    rest.append(np.concatenate([SS, first[..., c:]], axis=-1) - T(whole[..., :a], -1, -2) @ gamma)
    mine = gamma[..., a:]
    # U'U less what S1 spans, from U'U less what S0 spans.
    change = T(others, -1, -2) @ (SS @ others) - T(mine, -1, -2) @ (inner @ mine)
    cross = T(others, -1, -2) @ moments.SU[..., c:] - T(mine, -1, -2) @ left[..., a:]
    change = change + cross + T(cross, -1, -2)
    at = 0
    for level in range(2, len(shape.q)):
        stop = at + shape.q[level]
        starts = np.searchsorted(shape.ancestors(0, level), np.arange(shape.units[level]))
        rest.append(rows[level] + np.add.reduceat(change[:, at:stop, at:], starts, axis=0))
        at = stop
    root = moments.rest.root + change[:, -m:, -m:].sum(axis=0)
    q = (c, a, *shape.q[2:])
    turned = Shape(q, shape.units, shape.parents, m)
    return RowMoments(turned, moments.n, inner, gamma, left, Arrow(rest, root))


class CentredRows:
    """The arrow of conditioned columns, what S spans taken out unit by unit, level by level.

    columns: (m, m'), the map of [X y] to the conditioned [X~ y~] (m' <= m: aliased columns go).
    """

    def __init__(self, moments: RowMoments, columns: np.ndarray) -> None:
        shape = moments.shape
        self.n = moments.n
        self.shape = Shape(shape.q, shape.units, shape.parents, columns.shape[1])
        up = sum(shape.q[1:])

        def mapped(values: np.ndarray, at: int) -> np.ndarray:
            return np.concatenate([values[..., :at], values[..., at:] @ columns], axis=-1)

        self._gammas = [mapped(moments.gamma, up)]
        self._SU = mapped(moments.SU, up)
        self._SS = moments.SS
        rows = [np.zeros(0)]
        for level in range(1, len(shape.q)):
            rows.append(mapped(moments.rest.rows[level], sum(shape.q[level:])))
        root = columns.T @ moments.rest.root @ columns
        self._rest = Arrow(rows, (root + root.T) / 2)
        for level in reversed(range(1, len(shape.q))):
            self._centre(level)
        first = np.concatenate([self._SS, self._SU], axis=-1)
        self.arrow = Arrow([first, *self._rest.rows[1:]], self._rest.root)

    @property
    def gammas(self) -> list[np.ndarray]:
        """Gamma of each level, (units, q, columns above + m)."""
        return self._gammas

    def _centre(self, level: int) -> None:
        """Take out of [X y] what S of `level` spans, unit by unit (total cross-products)."""
        shape = self.shape
        q, units = shape.q[level], shape.units[level]
        ancestors = shape.ancestors(0, level)
        starts = np.searchsorted(ancestors, np.arange(units))
        at = sum(shape.q[1:level])
        own = slice(at, at + q)
        rest = slice(at + q, None)
        within = self._gammas[0]
        between = np.swapaxes(within[..., own], -1, -2) @ self._SS @ within
        total = np.add.reduceat(between, starts, axis=0)
        SS = total[..., own] + self._rest.rows[level][..., :q]
        SU = total[..., rest] + self._rest.rows[level][..., q:]
        gamma = _pseudo_inverse(SS) @ SU
        self._gammas.insert(1, gamma)
        moved = gamma[ancestors]
        within[..., rest] -= within[..., own] @ moved
        self._SU[..., rest] -= self._SU[..., own] @ moved
        self._centre_rest(level, gamma, own)

    def _centre_rest(self, level: int, gamma: np.ndarray, own: slice) -> None:
        """The same in the cross-products of what the innermost level leaves (often 0 there)."""
        shape, q = self.shape, self.shape.q[level]
        rows = self._rest.rows
        S, SU = rows[level][..., :q], rows[level][..., q:]
        if not np.any(rows[level]):
            return
        m = shape.m
        last = gamma[..., -m:]
        cross = np.einsum("uqi,uqj->ij", last, SU[..., -m:])
        own_part = np.einsum("uqi,uqj->ij", last, S @ last)
        self._rest.root = self._rest.root - cross - cross.T + own_part
        for upper in range(level + 1, len(shape.q)):
            first = sum(shape.q[level + 1 : upper])
            block = slice(first, first + shape.q[upper])
            onward = slice(first, None)
            G, C = gamma[..., block], SU[..., block]
            change = (np.swapaxes(C, -1, -2) @ gamma[..., onward]
                      + np.swapaxes(G, -1, -2) @ SU[..., onward]
                      - np.swapaxes(G, -1, -2) @ S @ gamma[..., onward])  # fmt: skip
            ancestors = shape.ancestors(level, upper)
            starts = np.searchsorted(ancestors, np.arange(shape.units[upper]))
            rows[upper] = rows[upper] - np.add.reduceat(change, starts, axis=0)
        rows[level] = np.concatenate([S, SU - S @ gamma], axis=-1)
        for lower in range(1, level):
            start = sum(shape.q[lower:level])
            moved = gamma[shape.ancestors(lower, level)]
            part = rows[lower][..., start : start + q] @ moved
            rows[lower][..., start + q :] -= part


def _summed(left: np.ndarray, right: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums of left'right over runs of rows: (runs, a, b)."""
    found = np.empty((len(starts), left.shape[1], right.shape[1]))
    for i in range(left.shape[1]):
        found[:, i] = np.add.reduceat(left[:, i : i + 1] * right, starts, axis=0)
    return found


def _pseudo_inverse(SS: np.ndarray) -> np.ndarray:
    """Inverse of each S'S, 0 in directions that its unit does not have."""
    sizes = np.sqrt(np.einsum("uqq->uq", SS))
    scale = np.where(sizes > 0, sizes, 1.0)
    values, vectors = np.linalg.eigh(SS / scale[:, :, None] / scale[:, None, :])
    kept = values > NULL * values[:, -1:]
    inverted = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    found = (vectors * inverted[:, None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.asarray(found / scale[:, :, None] / scale[:, None, :])
