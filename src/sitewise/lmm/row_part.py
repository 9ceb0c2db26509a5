"""Moments of one formula where the row is the unit, with what a fit must know of the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import Column, model_columns
from sitewise.lmm.digest import row_sums
from sitewise.lmm.engine import row_moments_of
from sitewise.lmm.formula import Formula
from sitewise.lmm.hashed import hidden
from sitewise.lmm.hierarchy import Effect, Level
from sitewise.lmm.merge_rows import LabelledMoments, merge_rows
from sitewise.lmm.nesting import above_all, home, inside_out
from sitewise.lmm.rows import Rows
from sitewise.lmm.wide import add_digests


@dataclass(frozen=True, eq=False)
class RowPart:
    """As `sitewise.lmm.wide.Wide`, for rows without a schedule.

    moments: with labels of all units; those of the innermost are hashes once saved (`hashed`).
    columns: of X, all levels declared or found, in order. terms: per random term, in the order of
    the moments, its position in the formula and the names of its columns. present: levels that
    occur, by factor.
    """

    formula: Formula
    moments: LabelledMoments = field(repr=False)
    terms: tuple[tuple[int, tuple[str, ...]], ...]
    columns: tuple[str, ...]
    present: Mapping[str, tuple[str, ...]]
    declared: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...]
    nframe: int
    dropped: Mapping[str, int]
    digest: tuple[int, int, int]
    notes: tuple[str, ...]
    hashed: bool = False

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.moments.based.moments.n

    @property
    def factors(self) -> Mapping[str, tuple[str, ...]]:
        """Levels that occur, in order."""
        return self.present

    def without_names(self) -> "RowPart":
        """The innermost units by hash: what is saved."""
        if self.hashed:
            return self
        groups, labels = self.moments.groups, self.moments.labels
        same = [k for k, own in enumerate(labels) if len(own) == len(labels[0])]
        if above_all(self.formula, groups[0], [groups[k] for k in same]):
            same = [0]
        # Of levels with the same units any may be the patient, unless its columns are part of his.
        own = tuple(
            hidden(one) if k in same and not set(groups[k]) < set(groups[0]) else one
            for k, one in enumerate(labels)
        )
        return replace(self, moments=replace(self.moments, labels=own), hashed=True)


def build_row_part(
    formula: Formula,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    declared: Mapping[str, Sequence[str]],
) -> RowPart:
    """Moments of rows; `declared`: levels of factors as the caller gave them."""
    hierarchy = unshared(formula, hierarchy, rows)
    order = {name: tuple(declared.get(name, rows.labels[name])) for name in rows.factors}
    fixed = model_columns(formula.fixed, order, tuple(rows.numbers))
    hierarchy = tuple(
        replace(level, effects=tuple(
            replace(e, columns=model_columns(e.spec.terms, order, tuple(rows.numbers)))
            for e in level.effects
        ))
        for level in hierarchy
    )  # fmt: skip
    based = row_moments_of(rows, hierarchy, fixed)
    across = [e.across_labels or ("",) for level in hierarchy for e in level.effects]
    moments = LabelledMoments(
        based,
        tuple(level.group for level in hierarchy),
        tuple(level.labels for level in hierarchy),
        tuple(across),
    )
    terms = tuple(
        (formula.random.index(e.spec), tuple(c.name for c in e.columns))
        for level in hierarchy
        for e in level.effects
    )
    return RowPart(
        formula, moments, terms,
        tuple(column.name for column in fixed), {n: rows.labels[n] for n in rows.factors}, order,
        tuple(rows.numbers), len(rows.used),
        {name: int(mask.sum()) for name, mask in rows.dropped.items()},
        row_sums((), rows.y), rows.notes,
    )  # fmt: skip


def unshared(formula: Formula, hierarchy: tuple[Level, ...], rows: Rows) -> tuple[Level, ...]:
    """A level for every grouping, also where two have the same units in these rows.

    In a batch of one hospital the hospital and its country are the same rows; in all batches they
    are not, and it is the labels that tell.
    """
    found: list[Level] = []
    for level in hierarchy:
        homes: dict[tuple[str, ...], list[Effect]] = {}
        for effect in level.effects:
            homes.setdefault(home(effect), []).append(effect)
        units = np.arange(len(level.labels))
        first = np.empty(len(level.labels), dtype=np.int64)
        first[level.codes] = np.arange(len(level.codes))
        order = inside_out(formula, list(homes))
        for i, group in enumerate(order):
            codes, names = rows.grouping(group)
            labels = tuple(names[k] for k in codes[first])
            parent = level.parent if i + 1 == len(order) else units
            found.append(Level(group, level.codes, labels, parent, tuple(homes[group])))
    return tuple(found)


def symbolic(part: RowPart) -> tuple[Column, ...]:
    """The columns of X, as symbols."""
    return model_columns(part.formula.fixed, part.declared, part.numbers)


def occurring(part: RowPart) -> np.ndarray:
    """Which columns can differ from 0: those without a level that never occurs, boolean."""
    return np.array([
        all(level is None or level in part.present.get(v, ()) for v, level in column.atoms)
        for column in symbolic(part)
    ])  # fmt: skip


def occurring_effects(part: RowPart) -> list[np.ndarray]:
    """The same for the columns left of the bar of each term, in the order of the moments."""
    found = []
    for i, _ in part.terms:
        terms = part.formula.random[i].terms
        columns = model_columns(terms, part.declared, part.numbers)
        found.append(np.array([
            all(level is None or level in part.present.get(v, ()) for v, level in column.atoms)
            for column in columns
        ]))  # fmt: skip
    return found


def merge_parts(a: RowPart, b: RowPart) -> RowPart:
    """The rows of both; see `merge_rows` for what is refused."""
    odd = [name for name in a.declared if a.declared[name] != b.declared.get(name)]
    if odd:
        raise ModelError(
            "These moments can't be added.",
            [Problem(f"{name} has the levels {', '.join(a.declared[name])} in one batch and"
                     f" {', '.join(b.declared.get(name, ()))} in another", where=a.formula.text,
                     allowed="levels that are declared where rows have no schedule",
                     fix=f'declare the levels: moments(..., levels={{"{name}": [...]}})')
             for name in odd],
        )  # fmt: skip
    if a.hashed != b.hashed:
        a, b = a.without_names(), b.without_names()
    present = {
        name: tuple(v for v in a.declared[name] if v in own or v in b.present[name])
        for name, own in a.present.items()
    }
    moments = merge_rows(a.moments, b.moments)
    names = {t.label: own for t, own in zip(a.moments.based.terms, a.terms, strict=True)}
    dropped = {
        name: a.dropped.get(name, 0) + b.dropped.get(name, 0)
        for name in dict.fromkeys([*a.dropped, *b.dropped])
    }
    return replace(
        a,
        moments=moments,
        terms=tuple(names[term.label] for term in moments.based.terms),
        present=present,
        nframe=a.nframe + b.nframe,
        dropped=dropped,
        digest=add_digests([a.digest, b.digest]),
        notes=tuple(dict.fromkeys([*a.notes, *b.notes])),
    )
