"""Distances to cones of positive semidefinite blocks, many points at once.

d2(z) = min over M in PSD(m_1) x ... x PSD(m_K) of (M - z)'W (M - z), M and z as lower triangles by
column, W any positive definite metric. Exact for single variances (all faces are tried) and for one
2 x 2 block (its boundary is a curve of directions); by the alternating direction method of
multipliers (Boyd, Parikh, Chu, Peleato & Eckstein 2011, Found. Trends Mach. Learn. 3, 1-122)
otherwise.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

ANGLES = 60  # first grid over the directions of a 2 x 2 block
ROUNDS = 7  # of refinement, each 4 times as fine: to 4e-6 of a radian, squared in the distance
ITERATIONS, SETTLED = 2000, 1e-8
MOST_FACES = 8  # single variances: 2^8 faces


def distances(z: np.ndarray, W: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """d2 of each row of z (n, k); sizes m_1..m_K of the blocks, k = sum m (m + 1) / 2."""
    if z.shape[1] == 0:
        return np.zeros(len(z))
    if all(size == 1 for size in sizes) and len(sizes) <= MOST_FACES:
        return _orthant(z, W)
    if tuple(sizes) == (2,):
        return _one_pair(z, W)
    return _alternating(z, W, sizes)


def _orthant(z: np.ndarray, W: np.ndarray) -> np.ndarray:
    """The least over all faces whose own minimum lies in the orthant."""
    k = z.shape[1]
    best = np.full(len(z), np.inf)
    for face in product((False, True), repeat=k):
        free = np.array(face)
        rest = ~free
        M = np.zeros_like(z)
        if free.any():
            move = np.linalg.solve(W[np.ix_(free, free)], W[np.ix_(free, rest)])
            M[:, free] = z[:, free] + z[:, rest] @ move.T
        inside = (M >= 0).all(axis=1)
        gap = M - z
        best = np.where(inside, np.minimum(best, np.einsum("ni,ij,nj->n", gap, W, gap)), best)
    return best


def _one_pair(z: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Inside: 0. Else the nearest point has rank one (or is 0): z less its best direction a a'."""
    inside = (z[:, 0] >= 0) & (z[:, 2] >= 0) & (z[:, 0] * z[:, 2] >= z[:, 1] ** 2)
    total = np.einsum("ni,ij,nj->n", z, W, z)
    out = np.flatnonzero(~inside)
    Wz = z[out] @ W
    angle = np.zeros((len(out), 1))
    width, best = np.pi / ANGLES, np.zeros(len(out))
    grid = np.arange(ANGLES)[None] * width
    rows = np.arange(len(out))
    for _ in range(ROUNDS + 1):
        tried = angle + grid
        gain = _gain(np.broadcast_to(tried, (len(out), grid.shape[1])), Wz, W)
        at = np.argmax(gain, axis=1)
        angle = (tried if len(tried) == len(out) else np.repeat(tried, len(out), 0))[rows, at, None]
        best = np.maximum(best, gain[rows, at])
        grid, width = np.linspace(-1, 1, 9)[None] * width, width / 4
    found = np.zeros(len(z))
    found[out] = np.maximum(total[out] - best, 0.0)
    return found


def _gain(angles: np.ndarray, Wz: np.ndarray, W: np.ndarray) -> np.ndarray:
    """(d'Wz)+^2 / d'Wd, d the lower triangle of a a', a = (cos, sin)."""
    c, s = np.cos(angles), np.sin(angles)
    d = (c * c, c * s, s * s)
    along = sum(d[i] * Wz[:, i, None] for i in range(3))
    size = sum(W[i, j] * d[i] * d[j] for i in range(3) for j in range(3))
    found: np.ndarray = np.maximum(along, 0.0) ** 2 / size
    return found


def _alternating(z: np.ndarray, W: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    weights = _weights(sizes)
    metric = W / np.outer(weights, weights)
    scaled = z * weights
    values, vectors = np.linalg.eigh(metric)
    rho = float(np.sqrt(values[0] * values[-1]))
    shrink = (vectors / (values + rho)) @ vectors.T
    M = _nearest(scaled, sizes, weights)
    dual = np.zeros_like(M)
    size = np.maximum(np.abs(scaled).max(axis=1), 1e-300)
    for _ in range(ITERATIONS):
        x = (scaled @ metric + rho * (M - dual)) @ shrink
        before = M
        M = _nearest(x + dual, sizes, weights)
        dual = dual + x - M
        change = np.maximum(np.abs(M - before), np.abs(x - M)).max(axis=1)
        if (change <= SETTLED * size).all():
            break
    gap = M - scaled
    found: np.ndarray = np.einsum("ni,ij,nj->n", gap, metric, gap)
    return found


def _weights(sizes: Sequence[int]) -> np.ndarray:
    """Square root of 2 for entries off the diagonal: then the plain norm is Frobenius'."""
    found = []
    for size in sizes:
        columns, rows = np.triu_indices(size)
        found.append(np.where(rows == columns, 1.0, np.sqrt(2.0)))
    return np.concatenate(found)


def _nearest(x: np.ndarray, sizes: Sequence[int], weights: np.ndarray) -> np.ndarray:
    """The nearest point of the cone in Frobenius' norm: negative eigenvalues become 0."""
    found, at = np.empty_like(x), 0
    for size in sizes:
        columns, rows = np.triu_indices(size)
        own = slice(at, at + len(rows))
        at += len(rows)
        if size == 1:
            found[:, own] = np.maximum(x[:, own], 0.0)
            continue
        D = np.zeros((len(x), size, size))
        entries = x[:, own] / weights[own]
        D[:, rows, columns] = entries
        D[:, columns, rows] = entries
        values, vectors = np.linalg.eigh(D)
        D = (vectors * np.maximum(values, 0.0)[:, None]) @ np.swapaxes(vectors, 1, 2)
        found[:, own] = D[:, rows, columns] * weights[own]
    return found
