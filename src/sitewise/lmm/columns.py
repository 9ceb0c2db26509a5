"""Columns of a model matrix: products of numbers and indicators, named and ordered as R does.

Whether a factor within a term gets treatment contrasts or every indicator is R's rule (Chambers &
Hastie 1992, Statistical Models in S, p. 38), which depends on the terms alone. A column is then a
product that any data can be put into, so no parser and no matrix builder ever sees the rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np

from sitewise.lmm.expansion import expand_terms

Atom = tuple[str, str | None]


@dataclass(frozen=True)
class Column:
    """One column of a model matrix as a product of atoms, without data.

    name: as R writes it, e.g. `(Intercept)`, `AVISITMonth 12:TRT01PTASSH+HIC`. atoms: (variable,
    None) is the number itself, (variable, level) the indicator of a factor's level; () is the
    intercept.
    """

    name: str
    atoms: tuple[Atom, ...]


class Typed(Protocol):
    """Typed columns, `sitewise.lmm.rows.Rows` or new data of the same kind."""

    @property
    def size(self) -> int:
        """Number of rows."""

    @property
    def numbers(self) -> Mapping[str, np.ndarray]:
        """Numbers, float64, (n,)."""

    @property
    def codes(self) -> Mapping[str, np.ndarray]:
        """Position of each row's level in `labels`, (n,)."""

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """Levels of the coded columns."""


def model_columns(
    terms: str, factors: Mapping[str, tuple[str, ...]], numbers: Collection[str]
) -> tuple[Column, ...]:
    """The columns of a terms text such as `AVISIT * ARM + AGE`, as R's model.matrix has them.

    factors: levels of each factor, the first is the reference. numbers: columns that are numbers.
    Every column named in `terms` must be in one of the two.
    """
    expanded = expand_terms(terms)
    unknown = sorted({v for term in expanded for v in term} - set(factors) - set(numbers))
    if unknown:
        raise KeyError(f"neither a factor nor a number: {', '.join(unknown)}")
    found: list[Column] = []
    for term, full in zip(expanded, _full_indicators(expanded, factors), strict=True):
        choices: list[list[Atom]] = [
            [(name, level) for level in factors[name][0 if name in full else 1 :]]
            if name in factors else [(name, None)]
            for name in term
        ]  # fmt: skip
        # In R the first factor of a product varies fastest.
        for last_first in product(*reversed(choices)):
            atoms = last_first[::-1]
            name = ":".join(variable + (level or "") for variable, level in atoms)
            found.append(Column(name or "(Intercept)", atoms))
    return tuple(found)


def column_values(columns: Sequence[Column], rows: Typed) -> np.ndarray:
    """The values of `columns`, float64, shape (n, k), each column contiguous in memory."""
    values = np.empty((rows.size, len(columns)), order="F")
    for column, out in zip(columns, values.T, strict=True):
        _fill(column, rows, out)
    return values


def _fill(column: Column, rows: Typed, out: np.ndarray) -> None:
    shown: np.ndarray | None = None
    for variable, level in column.atoms:
        if level is None:
            continue
        labels = rows.labels[variable]
        # A level that does not occur in these rows: its indicator is 0.
        own = rows.codes[variable] == (labels.index(level) if level in labels else -1)
        shown = own if shown is None else shown & own
    out[:] = 1.0 if shown is None else shown
    for variable, level in column.atoms:
        if level is None:
            out *= rows.numbers[variable]


def _full_indicators(
    terms: Sequence[tuple[str, ...]], factors: Mapping[str, tuple[str, ...]]
) -> list[set[str]]:
    """For each term the factors that get every indicator instead of contrasts.

    A factor has contrasts in a term where the rest of that term is within an earlier term, or is
    the intercept. Without an intercept the first factor of all has every indicator.
    """
    found: list[set[str]] = []
    for i, term in enumerate(terms):
        full = set()
        for name in term:
            rest = set(term) - {name}
            if name in factors and rest and not any(rest <= set(before) for before in terms[:i]):
                full.add(name)
        found.append(full)
    if () not in terms:
        for term, full in zip(terms, found, strict=True):
            first = next((name for name in term if name in factors), None)
            if first is not None:
                full.add(first)
                break
    return found
