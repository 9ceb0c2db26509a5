"""Rows in well-conditioned columns: the moments of data without a schedule, and their likelihood.

Moments are kept in the basis of the batch that they came from, so that they merge by linear maps
and keep their digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.lmm.aliasing import COLLINEAR, independent_columns
from sitewise.lmm.arrow import CentredRows, RowMoments, row_moments
from sitewise.lmm.bottoms import RowBottom
from sitewise.lmm.conditioned import NOISE, FixedBasis, TermBasis, basis_of, triangle
from sitewise.lmm.recursion import Arrow


@dataclass(frozen=True)
class RowTerm:
    """A random term by rows: values (n, q) of its columns; across (n,), its copy, or None."""

    group: str
    label: str
    names: tuple[str, ...]
    values: np.ndarray = field(repr=False)
    across: np.ndarray | None = field(repr=False)
    copies: int


@dataclass(frozen=True)
class RowLevel:
    """A level by rows: unit of each row (n,), parent of each unit, and its terms."""

    codes: np.ndarray = field(repr=False)
    parent: np.ndarray = field(repr=False)
    units: int
    terms: tuple[RowTerm, ...]


@dataclass(frozen=True)
class BasedMoments:
    """Moments with their bases: X = X~ M, y = X offset + unit y~, S = S~ R of each term.

    M: (p, p). offset: (p,), fixed effects. names: of the columns of X, none dropped.
    """

    moments: RowMoments = field(repr=False)
    M: np.ndarray = field(repr=False)
    offset: np.ndarray = field(repr=False)
    unit: float
    terms: tuple[TermBasis, ...]
    names: tuple[str, ...]


def based_moments(
    levels: Sequence[RowLevel], X: np.ndarray, names: tuple[str, ...], y: np.ndarray
) -> BasedMoments:
    """Moments of the rows, innermost level first. X: (n, p), all columns. y: (n,)."""
    S, terms = [], []
    for number, level in enumerate(levels):
        parts = []
        for term in level.terms:
            R = basis_of(triangle(term.values), len(y))
            parts.append(_spread(np.linalg.solve(R.T, term.values.T).T, term))
            terms.append(
                TermBasis(term.group, term.label, term.names, R, max(1, term.copies), number)
            )
        S.append(np.hstack(parts))
    K, M, offset, unit = _fixed_part(X, y)
    moments = row_moments(
        S, [level.codes for level in levels], [level.parent for level in levels[:-1]],
        [level.units for level in levels], K,
    )  # fmt: skip
    return BasedMoments(moments, M, offset, unit, tuple(terms), names)


def keep_columns(based: BasedMoments, chosen: np.ndarray) -> BasedMoments:
    """Without columns of X that are 0 in all rows (levels that were declared and never occur)."""
    if chosen.all():
        return based
    names = tuple(n for n, keep in zip(based.names, chosen, strict=True) if keep)
    # The columns of X~ all stay: some are then used by no column of X.
    return replace(based, M=based.M[:, chosen], offset=based.offset[chosen], names=names)


def keep_effects(based: BasedMoments, chosen: Sequence[np.ndarray]) -> BasedMoments:
    """Without columns of random terms that are 0 in all rows; `chosen`: by term."""
    if all(keep.all() for keep in chosen):
        return based
    moments, levels = based.moments, range(len(based.moments.shape.q))
    own = [
        np.concatenate([np.empty(0, dtype=bool), *(
            np.tile(keep, term.copies)
            for term, keep in zip(based.terms, chosen, strict=True) if term.level == level
        )])
        for level in levels
    ]  # fmt: skip
    fixed = np.ones(moments.shape.m, dtype=bool)
    columns = [np.concatenate([*own[level + 1 :], fixed]) for level in levels]
    rows = [np.zeros((moments.shape.units[0], int(own[0].sum()), 0))]
    for level in levels[1:]:
        wide = np.concatenate([own[level], columns[level]])
        rows.append(moments.rest.rows[level][:, own[level]][..., wide])
    kept = RowMoments(
        replace(moments.shape, q=tuple(int(keep.sum()) for keep in own)), moments.n,
        moments.SS[:, own[0]][..., own[0]], moments.gamma[:, own[0]][..., columns[0]],
        moments.SU[:, own[0]][..., columns[0]], Arrow(rows, moments.rest.root),
    )  # fmt: skip
    terms = tuple(
        replace(
            term,
            names=tuple(n for n, k in zip(term.names, keep, strict=True) if k),
            R=term.R[np.ix_(keep, keep)],
        )
        for term, keep in zip(based.terms, chosen, strict=True)
    )
    return replace(based, moments=kept, terms=terms)


def condition_rows(based: BasedMoments) -> tuple[RowBottom, FixedBasis]:
    """Drop collinear columns, make the others orthonormal, take out of y what they span."""
    total = total_products(based.moments)
    p = len(based.M)
    sizes = np.sqrt(np.maximum(np.diag(total), 0.0))
    scale = np.where(sizes > 0, sizes, 1.0)
    values, vectors = np.linalg.eigh(total / scale[:, None] / scale)
    root = np.sqrt(np.where(values > NOISE * values[-1], values, 0.0))[:, None] * vectors.T * scale
    factor = root[:, :p] @ based.M
    kept, combinations = independent_columns(factor)
    Q, R = np.linalg.qr(factor[:, kept])
    R = R / np.sqrt(based.moments.n)
    Q = Q * np.sqrt(based.moments.n)
    # What was taken out of y before is only reported; taking it out again would cost its digits.
    before = based.offset[kept] + combinations @ based.offset[~kept]
    more = np.linalg.solve(R, Q.T @ root[:, p]) / based.moments.n * based.unit
    offset = before + more
    y = np.append(-based.M[:, kept] @ more, based.unit)
    size = float(np.linalg.norm(root @ y)) / np.sqrt(based.moments.n)
    unit = 2.0 ** np.round(np.log2(size)) if size > 0 else 1.0
    X = np.vstack([np.linalg.solve(R.T, based.M[:, kept].T).T, np.zeros(R.shape[0])])
    columns = np.column_stack([X, y / unit])
    centred = CentredRows(based.moments, columns)
    bottom = RowBottom(based.moments.n, centred.shape, centred.gammas, centred.arrow)
    return bottom, FixedBasis(based.names, kept, combinations, R, offset, float(unit))


def total_products(moments: RowMoments) -> np.ndarray:
    """[X~ y~]'[X~ y~] of all rows, (m, m)."""
    m = moments.shape.m
    between = moments.gamma[..., -m:]
    fitted = np.einsum("uqi,uqr,urj->ij", between, moments.SS, between, optimize=True)
    cross = np.einsum("uqi,uqj->ij", between, moments.SU[..., -m:])
    found = moments.rest.root + fitted + cross + cross.T
    return np.asarray((found + found.T) / 2)


def _fixed_part(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """[X~ y~] near orthonormal, M, offset and unit; collinear columns only scaled."""
    n, p = X.shape
    lengths = np.linalg.norm(X, axis=0)
    lengths = np.where(lengths > 0, lengths, 1.0)
    kept, _ = independent_columns(triangle(X / lengths))
    tilde = X / lengths * np.sqrt(n)
    M = np.diag(lengths / np.sqrt(n))
    Q, R = np.linalg.qr(X[:, kept] / lengths[kept])
    tilde[:, kept] = Q * np.sqrt(n)
    M[np.ix_(kept, kept)] = R * lengths[kept] / np.sqrt(n)
    inside = Q.T @ np.ones(n)
    offset, rest = np.zeros(p), y
    if np.linalg.norm(1.0 - Q @ inside) <= COLLINEAR * np.sqrt(n):
        # A difference of close numbers is exact, a projection of large ones is not.
        rest = y - y[0]
        one = np.linalg.solve(R, inside) / lengths[kept]
        whole = np.round(one)
        offset[kept] = np.where(np.abs(one - whole) < 1e-9, whole, one) * y[0]
    for _ in range(2):  # the second time mends the rounding of the first
        more = Q.T @ rest
        rest = rest - Q @ more
        offset[kept] += np.linalg.solve(R, more) / lengths[kept]
    size = float(np.sqrt(np.mean(rest**2)))
    unit = 2.0 ** np.round(np.log2(size)) if size > 0 else 1.0
    return np.column_stack([tilde, rest / unit]), M, offset, float(unit)


def _spread(values: np.ndarray, term: RowTerm) -> np.ndarray:
    """Columns of S: those of the term, in the copy of each row."""
    if term.across is None:
        return values
    n, q = values.shape
    wide = np.zeros((n, term.copies, q))
    wide[np.arange(n), term.across] = values
    return wide.reshape(n, term.copies * q)
