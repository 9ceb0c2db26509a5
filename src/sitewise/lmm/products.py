"""Cross-products of a mixed model and the penalised least squares that they solve.

Notation: E is the grouping with the most levels (G of them, all its terms together q columns),
T the columns of all other terms (the border), K = [X y]. With Lam the covariance factor,
V_E = I + Z_E Lam Lam' Z_E' is inverted level by level (Woodbury): V_E^-1 = I - Z_E M Z_E',
M = Lam (Lam' Z_E'Z_E Lam + I)^-1 Lam'; the border is then eliminated by one Cholesky.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg, sparse

from sitewise.lmm.design import Block


@dataclass(frozen=True)
class Products:
    """Cross-products that do not depend on theta.

    levels: of each block. inner, outer: indices of the blocks in E and in T. ZE, T: columns of E
    and of the border, sparse (n, G q) and (n, t). K: [X y], (n, p + 1). SEE: ZE'ZE by level,
    (G, q, q). SET: ZE'T, sparse (G q, t). SEK: ZE'K. STT: T'T, (t, t). STK: T'K.
    """

    levels: list[int]
    inner: list[int]
    outer: list[int]
    ZE: Any = field(repr=False)
    T: Any = field(repr=False)
    K: np.ndarray = field(repr=False)
    SEE: np.ndarray = field(repr=False)
    SET: Any = field(repr=False)
    SEK: np.ndarray = field(repr=False)
    STT: np.ndarray = field(repr=False)
    STK: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Solved:
    """See `sitewise.lmm.profile.State`."""

    log_v: float
    log_x: float
    penalised: float
    information: np.ndarray
    coefficients: np.ndarray
    effects: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class _Reduced:
    """One elimination.

    lam: factor of E, (q, q); chol: Cholesky factors of its levels, (G, q, q); M: (G, q, q).
    border: Cholesky factor of the border, (t, t). log_v: log|V|.
    """

    lam: np.ndarray
    chol: np.ndarray
    M: np.ndarray
    border: np.ndarray
    log_v: float


def products(
    values: list[np.ndarray], blocks: Sequence[Block], X: np.ndarray, y: np.ndarray
) -> Products:
    """All cross-products; `values`: the blocks' columns, scaled."""
    codes = [block.codes for block in blocks]
    levels = [len(block.levels) for block in blocks]
    largest = int(np.argmax(levels))
    inner = [i for i, c in enumerate(codes) if np.array_equal(c, codes[largest])]
    outer = [i for i in range(len(blocks)) if i not in inner]
    wide = np.hstack([values[i] for i in inner])
    ZE = _sparse(wide, codes[largest], levels[largest])
    border = [_sparse(values[i], codes[i], levels[i]) for i in outer]
    T = sparse.hstack(border, format="csr") if border else sparse.csr_array((len(y), 0))
    K = np.column_stack([X, y])
    SEE = np.zeros((levels[largest], wide.shape[1], wide.shape[1]))
    np.add.at(SEE, codes[largest], wide[:, :, None] * wide[:, None, :])
    return Products(
        levels, inner, outer, ZE, T, K,
        SEE=SEE, SET=sparse.csr_array(ZE.T @ T), SEK=np.asarray(ZE.T @ K),
        STT=np.asarray((T.T @ T).toarray()), STK=np.asarray(T.T @ K),
    )  # fmt: skip


def solve(pr: Products, lams: list[np.ndarray]) -> Solved:
    """Penalised least squares at relative covariance factors `lams`, one (q, q) a block.

    For each column k of K = [X y] let u minimise |k - Z Lam u|^2 + |u|^2 and e = k - Z Lam u. Then
    K'V^-1 K = e'e + u'u, sums of squares: no digits are lost where V is extreme, as they are in
    the textbook difference K'K - K'Z Lam(...)Lam'Z'K.
    """
    red = _reduce(pr, lams)
    p = pr.K.shape[1] - 1
    u_inner, b_inner, u_outer, b_outer = _predict(pr, red, lams)
    e = pr.K - pr.ZE @ b_inner
    if len(u_outer):
        e = e - pr.T @ b_outer
    stacked = np.concatenate([e, u_inner, u_outer])
    information = stacked[:, :p].T @ stacked[:, :p]
    root = linalg.cholesky(information, lower=True)
    coefficients = linalg.cho_solve((root, True), stacked[:, :p].T @ stacked[:, p])
    rest = stacked[:, p] - stacked[:, :p] @ coefficients
    weights = np.append(-coefficients, 1.0)
    return Solved(
        log_v=red.log_v,
        log_x=float(2 * np.sum(np.log(np.diag(root)))),
        penalised=float(rest @ rest),
        information=information,
        coefficients=coefficients,
        effects=tuple(_by_block(pr, lams, b_inner @ weights, b_outer @ weights)),
    )


def conditional_diagonals(pr: Products, lams: list[np.ndarray]) -> list[np.ndarray]:
    """Diagonal of Lam (Lam'Z'Z Lam + I)^-1 Lam' by block, shapes (levels, q)."""
    red = _reduce(pr, lams)
    t = len(red.border)
    inner = np.einsum("gii->gi", red.M).ravel()
    outer = np.zeros(0)
    if t:
        flipped, counts = [lams[i].T for i in pr.outer], [pr.levels[i] for i in pr.outer]
        cov = _transposed_times(flipped, counts, linalg.cho_solve((red.border, True), np.eye(t)))
        cov = _transposed_times(flipped, counts, np.ascontiguousarray(cov.T))
        outer = np.diag(cov)
        MC = _block_diagonal(red.M) @ pr.SET
        inner = inner + np.concatenate([
            np.asarray(part.multiply(part @ cov).sum(axis=1)).ravel()
            for part in (MC[i : i + 4096] for i in range(0, MC.shape[0], 4096))
        ])  # fmt: skip
    return _by_block(pr, lams, inner, outer)


def _reduce(pr: Products, lams: list[np.ndarray]) -> _Reduced:
    lam = linalg.block_diag(*(lams[i] for i in pr.inner))
    G, q, _ = pr.SEE.shape
    chol = np.linalg.cholesky(lam.T @ pr.SEE @ lam + np.eye(q))
    log_v = float(2 * np.sum(np.log(np.einsum("gii->gi", chol))))
    half = np.linalg.solve(chol, np.broadcast_to(lam.T, (G, q, q)))
    M = np.swapaxes(half, 1, 2) @ half
    t = pr.STT.shape[0]
    if t == 0:
        return _Reduced(lam, chol, M, np.zeros((0, 0)), log_v)
    lam_t, counts = [lams[i] for i in pr.outer], [pr.levels[i] for i in pr.outer]
    STT = pr.STT - (pr.SET.T @ (_block_diagonal(M) @ pr.SET)).toarray()
    inside = _transposed_times(lam_t, counts, STT)
    inside = _transposed_times(lam_t, counts, np.ascontiguousarray(inside.T))
    inside[np.diag_indices(t)] += 1.0
    border = linalg.cholesky(inside, lower=True)
    log_v += float(2 * np.sum(np.log(np.diag(border))))
    return _Reduced(lam, chol, M, border, log_v)


def _predict(
    pr: Products, red: _Reduced, lams: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """u and Lam u for every column of K: of E, (G q, p + 1) each, and of the border, (t, p + 1)."""
    G, q, _ = pr.SEE.shape
    columns = pr.K.shape[1]
    right = pr.SEK
    u_outer = b_outer = np.zeros((0, columns))
    if len(red.border):
        lam_t, counts = [lams[i] for i in pr.outer], [pr.levels[i] for i in pr.outer]
        reduced = pr.STK - pr.SET.T @ (red.M @ right.reshape(G, q, -1)).reshape(G * q, -1)
        u_outer = linalg.cho_solve((red.border, True), _transposed_times(lam_t, counts, reduced))
        b_outer = _transposed_times([lam.T for lam in lam_t], counts, u_outer)
        right = right - pr.SET @ b_outer
    half = np.linalg.solve(red.chol, red.lam.T @ right.reshape(G, q, -1))
    u_inner = np.linalg.solve(np.swapaxes(red.chol, 1, 2), half)
    b_inner = red.lam @ u_inner
    return u_inner.reshape(G * q, -1), b_inner.reshape(G * q, -1), u_outer, b_outer


def _by_block(
    pr: Products, lams: list[np.ndarray], inner: np.ndarray, outer: np.ndarray
) -> list[np.ndarray]:
    """Random effects by block, shapes (levels, q), from those of E and of the border."""
    found: list[np.ndarray] = [np.zeros(0)] * len(lams)
    column, wide = 0, inner.reshape(pr.SEE.shape[0], -1)
    for i in pr.inner:
        found[i] = wide[:, column : column + len(lams[i])]
        column += len(lams[i])
    start = 0
    for i in pr.outer:
        stop = start + pr.levels[i] * len(lams[i])
        found[i] = outer[start:stop].reshape(pr.levels[i], -1)
        start = stop
    return found


def _transposed_times(lams: list[np.ndarray], counts: list[int], A: np.ndarray) -> np.ndarray:
    """Lam' A, with Lam block-diagonal: each of `lams` repeated `counts` times."""
    parts, start = [], 0
    for lam, count in zip(lams, counts, strict=True):
        stop = start + count * len(lam)
        piece = A[start:stop].reshape(count, len(lam), -1)
        parts.append((lam.T @ piece).reshape(stop - start, -1))
        start = stop
    return np.concatenate(parts)


def _sparse(values: np.ndarray, codes: np.ndarray, levels: int) -> Any:
    n, q = values.shape
    rows = np.repeat(np.arange(n), q)
    columns = (codes[:, None] * q + np.arange(q)).ravel()
    return sparse.csr_array((values.ravel(), (rows, columns)), shape=(n, levels * q))


def _block_diagonal(M: np.ndarray) -> Any:
    G, q, _ = M.shape
    return sparse.bsr_array((M, np.arange(G), np.arange(G + 1)), shape=(G * q, G * q)).tocsr()
