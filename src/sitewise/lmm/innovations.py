"""Standardised innovations: of each reading what those before it don't tell, in its own SD.

They are L^-1 r with L the lower Cholesky factor of the covariance V of r, row by row. V is never
made: the random effects above a row are known from the rows before it, and each row updates what
is known of them (the Kalman filter, in the square-root form of Carlson 1973, AIAA Journal
11:1259-1265). The work is linear in the rows, whatever the size of a hospital.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class NestedEffects:
    """Random effects of the units of one grouping.

    unit: of each row, int64 (n,). values: of the effects' columns, (n, q). D: their covariance in
    a unit, (q, q), singular where a variance is 0.
    """

    unit: np.ndarray = field(repr=False)
    values: np.ndarray = field(repr=False)
    D: np.ndarray = field(repr=False)


def innovations(
    left: np.ndarray, levels: Sequence[NestedEffects], block: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """L^-1 left (n,), where left has covariance I + the sum of Z D Z' over the levels.

    levels: innermost first, each nested in the next. block: unit of the outermost grouping, int64
    (n,); rows of two blocks are independent. order: the rows block by block, in the order of L; the
    rows of a unit of any level stand together.
    """
    steps = _steps(block[order])
    at = order[steps.rows]
    y, Z = left[at], np.concatenate([level.values for level in levels], axis=1)[at].T.copy()
    fresh = [_fresh(level.unit, order)[steps.rows] for level in levels]
    known = _Known([level.D for level in levels], len(steps.counts) and int(steps.counts[0]))
    found, stop = np.empty(len(left)), 0
    for count in steps.counts.tolist():
        rows = slice(stop, stop + count)
        stop += count
        known.forget([own[rows] for own in fresh])
        found[at[rows]] = known.learn(Z[:, rows], y[rows])
    return found


@dataclass(frozen=True)
class _Steps:
    """rows: places in the order, first of every block, then the second of every block, ...

    Blocks with more rows come first in each step, so that those of a step are the first `counts`.
    """

    rows: np.ndarray
    counts: np.ndarray


def _steps(block: np.ndarray) -> _Steps:
    """block: of each row in order, equal ones together."""
    starts = np.flatnonzero(np.concatenate([[True], block[1:] != block[:-1]]))
    lengths = np.diff(np.append(starts, len(block)))
    rank = np.empty(len(starts), dtype=np.int64)
    rank[np.argsort(-lengths, kind="stable")] = np.arange(len(starts))
    step = np.arange(len(block)) - np.repeat(starts, lengths)
    counts = np.bincount(step)
    rows = np.empty(len(block), dtype=np.int64)
    rows[(np.cumsum(counts) - counts)[step] + np.repeat(rank, lengths)] = np.arange(len(block))
    return _Steps(rows, counts)


def _fresh(unit: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Whether a row is the first of its unit, by place in the order."""
    own = unit[order]
    return np.concatenate([[True], own[1:] != own[:-1]])


class _Known:
    """What is known of the K effects above the next row of each of B blocks.

    mean (K, B) and S (K, K, B), a root of their covariance, S S'. Columns of a level are 0 in the
    rows of levels above it: without its own rows and columns S is the root for the others.
    """

    def __init__(self, D: Sequence[np.ndarray], blocks: int) -> None:
        ends = np.cumsum([len(own) for own in D])
        K = int(ends[-1])
        self._levels = [
            slice(int(end) - len(own), int(end)) for end, own in zip(ends, D, strict=True)
        ]
        self._mean, self._S = np.zeros((K, blocks)), np.zeros((K, K, blocks))
        self._prior = [np.zeros((len(own), K, 1)) for own in D]
        for prior, at, own in zip(self._prior, self._levels, D, strict=True):
            prior[:, at, 0] = _root(own)

    def forget(self, fresh: Sequence[np.ndarray]) -> None:
        """Nothing is known of new units. fresh: of each level, which of the first blocks have one.

        A block's new unit has new units in it on every level below.
        """
        for prior, level, new in zip(self._prior, self._levels, fresh, strict=True):
            at = np.flatnonzero(new)
            if len(at):
                self._mean[level, at] = 0.0
                self._S[level, :, at] = prior

    def learn(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The innovations of a row in each of the first blocks, z (K, b), y (b,)."""
        count = len(y)
        mean, S = self._mean[:, :count], self._S[:, :, :count]
        f = np.einsum("ijb,ib->jb", S, z)
        part = S * f
        total = np.cumsum(part, axis=1)
        after = 1.0 + np.cumsum(f * f, axis=0)
        before = np.concatenate([np.ones((1, count)), after[:-1]])
        new = y - np.einsum("ib,ib->b", z, mean)
        mean += total[:, -1] * (new / after[-1])
        S *= np.sqrt(before / after)
        S[:, 1:] -= total[:, :-1] * (f / np.sqrt(before * after))[1:]
        scaled: np.ndarray = new / np.sqrt(after[-1])
        return scaled


def _root(D: np.ndarray) -> np.ndarray:
    """A root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(D)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
