"""The rows that a model uses, typed; `sitewise.lmm.reading` makes them from a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Rows:
    """The rows and columns that a model uses, typed: n rows of the n_frame of the frame.

    y: outcome, float64, shape (n,). numbers: columns that are numbers among the terms, float64,
    (n,). codes: int32, (n,), of every factor among the terms, every grouping column and the slot
    of a residual covariance: position of the row's value in `labels`. labels: of `codes`, only
    those that occur; factors (and the slot) in declared order, groupings sorted as text.
    factors: names of the factors among the terms, in order of first appearance. declared: those of
    them (and the slot) whose order the user gave, by levels or by categories.
    used: which rows of the frame, boolean, (n_frame,). dropped: for each column that lost rows,
    the mask of the rows where it is missing, (n_frame,). notes: what was found, in sentences.
    """

    y: np.ndarray = field(repr=False)
    numbers: Mapping[str, np.ndarray] = field(repr=False)
    codes: Mapping[str, np.ndarray] = field(repr=False)
    labels: Mapping[str, tuple[str, ...]] = field(repr=False)
    factors: tuple[str, ...]
    used: np.ndarray = field(repr=False)
    dropped: Mapping[str, np.ndarray] = field(repr=False)
    notes: tuple[str, ...]
    declared: frozenset[str] = frozenset()
    _joint: dict[tuple[str, ...], tuple[np.ndarray, tuple[str, ...]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def size(self) -> int:
        """Number of rows used."""
        return len(self.y)

    def grouping(self, columns: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Joint levels of `columns` that occur: codes int64 (n,), and labels `a:b`.

        Sorted column by column, each in the order of its `labels`. Kept: not to be written to.
        """
        key = tuple(columns)
        if key not in self._joint:
            self._joint[key] = self._grouping(key)
        return self._joint[key]

    def _grouping(self, columns: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
        codes = self.codes[columns[0]].astype(np.int64)
        labels = self.labels[columns[0]]
        for name in columns[1:]:
            texts = self.labels[name]
            codes, present = compact(codes * len(texts) + self.codes[name],
                                     len(labels) * len(texts))  # fmt: skip
            heads, tails = np.divmod(present, len(texts))
            pairs = zip(heads.tolist(), tails.tolist(), strict=True)
            labels = tuple(f"{labels[head]}:{texts[tail]}" for head, tail in pairs)
        return codes, labels


@dataclass(frozen=True)
class NewRows:
    """Typed columns of new data, for the same columns of a model: fields as in `Rows`."""

    size: int
    numbers: Mapping[str, np.ndarray] = field(repr=False)
    codes: Mapping[str, np.ndarray] = field(repr=False)
    labels: Mapping[str, tuple[str, ...]] = field(repr=False)


def compact(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes 0.. of the values that occur, in order, int64 (n,), and those values, sorted.

    codes: whole numbers from 0 to below `size`.
    """
    if size <= max(4 * len(codes), 1_000_000):  # marking what occurs is cheaper than sorting
        seen = np.zeros(size, dtype=bool)
        seen[codes] = True
        present = np.flatnonzero(seen)
        if len(present) == size:
            return codes.astype(np.int64, copy=False), present
        rank = np.zeros(size, dtype=np.int64)
        rank[present] = np.arange(len(present))
        return rank[codes], present
    import pandas as pd

    raw, uniques = pd.factorize(codes)
    order = np.argsort(uniques, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[raw], np.asarray(uniques)[order]
