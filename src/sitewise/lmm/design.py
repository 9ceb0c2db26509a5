"""The design of a mixed model: rows used, fixed-effects columns, random terms and their levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm import identified
from sitewise.lmm.aliasing import independent_columns
from sitewise.lmm.columns import Column, column_values, model_columns
from sitewise.lmm.digest import digest, row_sums, text_hashes
from sitewise.lmm.encode import plain, text_codes
from sitewise.lmm.formula import Formula, fixed_columns, parse_formula
from sitewise.lmm.hierarchy import Level, build_hierarchy, random_columns
from sitewise.lmm.identified import Grouped
from sitewise.lmm.reading import read_new, read_rows
from sitewise.lmm.rows import Rows

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class _Aliasing:
    """X without the dropped columns; kept (p_full,); combinations (kept, dropped)."""

    X: np.ndarray
    kept: np.ndarray
    combinations: np.ndarray


@dataclass(frozen=True)
class Design:
    """A model ready to be fitted, n rows used of n_frame, p fixed effects.

    data: the rows, typed. columns: of the fixed part before any was dropped. terms: the random
    terms with their groupings, in the order of the formula. levels: of each factor, the first is
    the reference. What costs more than a pass over the rows is built when first asked for.
    """

    formula: Formula
    data: Rows = field(repr=False)
    columns: tuple[Column, ...] = field(repr=False)
    terms: tuple[Grouped, ...] = field(repr=False)
    levels: Mapping[str, tuple[str, ...]]
    _identifiers: "tuple[pd.Series, ...]" = field(repr=False)

    @property
    def y(self) -> np.ndarray:
        """Outcome, shape (n,)."""
        return self.data.y

    @property
    def used(self) -> np.ndarray:
        """Which rows of the frame, boolean, shape (n_frame,)."""
        return self.data.used

    @property
    def dropped(self) -> Mapping[str, np.ndarray]:
        """For each column that lost rows, the mask of its missing rows, shape (n_frame,)."""
        return self.data.dropped

    @cached_property
    def _aliasing(self) -> _Aliasing:
        full = column_values(self.columns, self.data)
        kept, combinations = independent_columns(full)
        return _Aliasing(np.ascontiguousarray(full[:, kept]), kept, combinations)

    @property
    def X(self) -> np.ndarray:  # noqa: N802
        """Fixed-effects columns, shape (n, p), those that are combinations of others left out."""
        return self._aliasing.X

    @property
    def kept(self) -> np.ndarray:
        """Which of `columns` are in X, boolean."""
        return self._aliasing.kept

    @property
    def combinations(self) -> np.ndarray:
        """What the others are made of: columns[~kept] = X @ combinations."""
        return self._aliasing.combinations

    @property
    def fixed(self) -> tuple[Column, ...]:
        """The columns of X."""
        return tuple(c for c, keep in zip(self.columns, self.kept, strict=True) if keep)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of X's columns, R style."""
        return tuple(column.name for column in self.fixed)

    @property
    def aliased(self) -> tuple[str, ...]:
        """Names of the columns that are combinations of others."""
        return tuple(c.name for c, keep in zip(self.columns, self.kept, strict=True) if not keep)

    @cached_property
    def hierarchy(self) -> tuple[Level, ...]:
        """The levels of the model, innermost first; raises ModelError where they are crossed."""
        return build_hierarchy(self.formula, self.data)

    @cached_property
    def rows(self) -> str:
        """Digest of the identifiers and outcomes of the rows used, whatever their order."""
        if not self._identifiers:
            keys = [np.flatnonzero(self.used).astype(np.uint64)]
        else:
            keys = [_keys(values, self.used) for values in self._identifiers]
        return digest(row_sums(keys, self.y))

    def fixed_rows(self, frame: "pd.DataFrame") -> np.ndarray:
        """Rows of X for new data, shape (k, p): same contrasts, aliased columns removed.

        A row (or a difference of rows) is estimable only where `alias_rows` gives zeros.
        """
        return self._full_rows(frame)[:, self.kept]

    def alias_rows(self, frame: "pd.DataFrame") -> np.ndarray:
        """How far new rows break the aliasing of the data, shape (k, number aliased).

        A linear combination of fixed effects is estimable if and only if its combination of these
        rows is 0: aliased columns are then the same combinations of the others as in the data.
        """
        full = self._full_rows(frame)
        broken: np.ndarray = full[:, ~self.kept] - full[:, self.kept] @ self.combinations
        return broken

    def _full_rows(self, frame: "pd.DataFrame") -> np.ndarray:
        names = fixed_columns(self.formula)
        return column_values(self.columns, read_new(names, frame, self.levels))


def build_design(
    formula: str | Formula,
    frame: "pd.DataFrame",
    levels: Mapping[str, Sequence[str]],
    *,
    identifiers: Sequence[str] = (),
) -> Design:
    """Build the design of `formula` on `frame`.

    levels: columns that are factors, their levels in order, the first the reference; any other
    text column among the terms becomes a factor in the order of its categories, else sorted.
    identifiers: columns that name a row (default: its position), for the digest `Design.rows`.
    Raises ModelError, with every problem found at a stage: unknown columns, non-finite values, a
    constant outcome, a factor or grouping with one level, more random effects than rows, a slot
    twice under a residual covariance.
    """
    parsed = parse_formula(formula) if isinstance(formula, str) else formula
    rows = read_rows(parsed, frame, levels)
    identified.check_outcome(parsed.response, rows.y)
    factors = {name: rows.labels[name] for name in rows.factors}
    columns = model_columns(parsed.fixed, factors, rows.numbers)
    if not columns:
        raise ModelError(
            "The model has no fixed effect.",
            [Problem("the fixed part has no column", where=parsed.text,
                     allowed="at least an intercept: response ~ 1 + ...")],
        )  # fmt: skip
    terms = tuple(
        Grouped(spec, random_columns(spec, rows), *rows.grouping(spec.group))
        for spec in parsed.random
    )
    named = tuple(frame[name] for name in identifiers)
    design = Design(parsed, rows, columns, terms, factors, named)
    # The rank is worth its cost only where the rows may be too few for the columns.
    p = len(columns) if rows.size > len(columns) else int(design.kept.sum())
    identified.check_variances(terms, parsed.residual, rows, p)
    return design


def _keys(values: "pd.Series", used: np.ndarray) -> np.ndarray:
    codes, labels = text_codes(plain(values))
    keys: np.ndarray = text_hashes((*labels, ""))[codes[used]]  # -1, missing, is the last
    return keys
