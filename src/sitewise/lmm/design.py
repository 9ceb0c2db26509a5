"""The design of a mixed model: rows used, fixed-effects columns, random-effects blocks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm import identified
from sitewise.lmm.cells import Cells, read_cells
from sitewise.lmm.columns import Coding, build_columns, columns_of
from sitewise.lmm.formula import Formula, RandomSpec, fixed_columns, parse_formula, term_columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Block:
    """Rows of one random term `(terms | group)`: q columns, n rows.

    names: of the columns, shape (q,). values: shape (n, q). codes: level of the group in each
    row, int64, shape (n,). levels: labels of the group's levels, sorted; `a:b` joins with a colon.
    """

    spec: RandomSpec
    names: tuple[str, ...]
    values: np.ndarray = field(repr=False)
    codes: np.ndarray = field(repr=False)
    levels: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Design:
    """A model ready to be fitted, n rows used of n_frame, p fixed effects.

    y: shape (n,). X: shape (n, p), aliased columns removed. names: of X's columns, R style.
    blocks: one a random term, in the order of the formula.
    used: which rows of the frame, boolean, shape (n_frame,). dropped: for each column that lost
    rows, the mask of the rows where it is missing, shape (n_frame,).
    levels: of each factor, the first is the reference. aliased: columns that are combinations of
    others. notes: what was done to the data or is not identified, in sentences.
    rows: sha256 of the identifiers and outcomes of the rows used, whatever their order.
    """

    formula: Formula
    y: np.ndarray = field(repr=False)
    X: np.ndarray = field(repr=False)
    names: tuple[str, ...]
    blocks: tuple[Block, ...]
    used: np.ndarray = field(repr=False)
    dropped: Mapping[str, np.ndarray] = field(repr=False)
    levels: Mapping[str, tuple[str, ...]]
    aliased: tuple[str, ...]
    notes: tuple[str, ...]
    rows: str
    coding: Coding = field(repr=False)
    kept: np.ndarray = field(repr=False)
    combinations: np.ndarray = field(repr=False)

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
        return columns_of(self.coding, frame[list(fixed_columns(self.formula))])


def build_design(
    formula: str | Formula,
    frame: "pd.DataFrame",
    levels: Mapping[str, Sequence[str]],
    *,
    identifiers: Sequence[str] = (),
) -> Design:
    """Build the design of `formula` on `frame`.

    levels: columns that are factors, their levels in order, the first the reference; any other
    text column among the terms becomes a factor with sorted levels. identifiers: columns that
    name a row (default: its position), for the digest `Design.rows`.
    Raises ModelError, with every problem found at a stage: unknown columns, non-finite values, a
    constant outcome, a factor or grouping with one level, more random effects than rows.
    """
    parsed = parse_formula(formula) if isinstance(formula, str) else formula
    cells = read_cells(parsed, frame, levels)
    identified.check_outcome(parsed.response, cells.y)
    full, coding = _fixed(parsed, cells)
    kept, combinations = independent_columns(full)
    blocks = tuple(_block(spec, cells) for spec in parsed.random)
    aliased = tuple(name for name, keep in zip(coding.names, kept, strict=True) if not keep)
    gone = f"Dropped because they are combinations of other columns: {', '.join(aliased)}."
    notes = (*cells.notes, *([gone] if aliased else []))
    identified.check_blocks(blocks, len(cells.y), int(kept.sum()))
    return Design(
        formula=parsed,
        y=cells.y,
        X=np.ascontiguousarray(full[:, kept]),
        names=tuple(name for name, keep in zip(coding.names, kept, strict=True) if keep),
        blocks=blocks,
        used=cells.used,
        dropped=cells.dropped,
        levels=cells.levels,
        aliased=aliased,
        notes=(*notes, *identified.confounded(blocks)),
        rows=_digest(frame, cells, identifiers),
        coding=coding,
        kept=kept,
        combinations=combinations,
    )


def independent_columns(X: np.ndarray, tolerance: float = 1e-7) -> tuple[np.ndarray, np.ndarray]:
    """Which columns are kept, in column order, and what the others are made of.

    Returns kept, boolean (p,), and C, shape (kept, dropped), with X[:, ~kept] = X[:, kept] @ C.
    A column goes if what is left of it after projection on those before it is below `tolerance`
    of its length: the rule and the figure of R's lm and lme4.
    """
    n, p = X.shape
    kept = np.zeros(p, dtype=bool)
    Q = np.empty((n, min(n, p)))
    rank = 0
    for j in range(p):
        length = np.linalg.norm(X[:, j])
        rest = X[:, j].copy()
        for _ in range(2):  # twice is enough (Kahan, in Parlett 1998, sec. 6.9)
            rest -= Q[:, :rank] @ (Q[:, :rank].T @ rest)
        left = np.linalg.norm(rest)
        if rank < min(n, p) and left > tolerance * length:
            Q[:, rank] = rest / left
            kept[j] = True
            rank += 1
    if kept.all():
        return kept, np.zeros((p, 0))
    combinations = np.linalg.lstsq(X[:, kept], X[:, ~kept], rcond=None)[0]
    combinations[np.abs(combinations) < 1e-9] = 0.0
    return kept, combinations


def _fixed(formula: Formula, cells: Cells) -> tuple[np.ndarray, Coding]:
    names = fixed_columns(formula)
    factors = {name: cells.levels[name] for name in names if name in cells.levels}
    full, coding = build_columns(formula.fixed, cells.frame[list(names)], factors)
    if full.shape[1] == 0:
        raise ModelError(
            "The model has no fixed effect.",
            [Problem("the fixed part has no column", where=formula.text,
                     allowed="at least an intercept: response ~ 1 + ...")],
        )  # fmt: skip
    return full, coding


def _block(spec: RandomSpec, cells: Cells) -> Block:
    names = term_columns(spec.terms)
    factors = {name: cells.levels[name] for name in names if name in cells.levels}
    values, coding = build_columns(spec.terms, cells.frame[list(names)], factors)
    codes, labels = cells.grouping(spec.group)
    if values.shape[1] == 0:
        raise ModelError(
            "A random term is empty.",
            [Problem(f"({spec}) has no column left of the bar", where=str(spec),
                     allowed="e.g. (1 | SITEID)")],
        )  # fmt: skip
    return Block(spec, coding.names, values, codes, labels)


def _digest(frame: "pd.DataFrame", cells: Cells, identifiers: Sequence[str]) -> str:
    if identifiers:
        named = frame.loc[cells.used, list(identifiers)].astype(str)
        keys = ["\t".join(row) for row in named.itertuples(index=False)]
    else:
        keys = [str(i) for i in np.flatnonzero(cells.used)]
    lines = sorted(f"{key}\t{value!r}" for key, value in zip(keys, cells.y.tolist(), strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
