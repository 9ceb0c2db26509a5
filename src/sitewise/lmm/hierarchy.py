"""Where each random term lives: the chain of groupings above the row, read from the data."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import Column, model_columns
from sitewise.lmm.formula import Formula, RandomSpec, fixed_columns
from sitewise.lmm.rows import Rows

MOST_ACROSS = 60  # each joint label is a column of every unit: beyond, the terms are crossed


@dataclass(frozen=True)
class Effect:
    """One random term, placed at a level.

    spec: the term as written. columns: those left of the bar, q of them. across: columns of the
    grouping that cross the units below inside one unit of the level (AVISIT in
    `(1 | SITEID:AVISIT)` beside `(1 | USUBJID)`), or (): the term's columns in a unit are then
    (indicator of the joint across label) x (columns), label by label, and its covariance is
    I (x) D0. across_labels: joint labels `a:b` that occur anywhere, in the order of
    `Rows.grouping(across)`; () where there is none.
    """

    spec: RandomSpec
    columns: tuple[Column, ...]
    across: tuple[str, ...] = ()
    across_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Level:
    """One grouping of the chain, its units and the random terms that live there.

    group: columns whose joint values are the units. codes: unit of each row, int64, (n,).
    labels: of the units, in the order of their numbers. parent: unit of the next coarser level,
    int64, (units,), never decreasing: the children of one unit stand together; zeros at the
    outermost level. effects: random terms, in the order of the formula; () for a level that is
    there as the group of the residual covariance only.
    """

    group: tuple[str, ...]
    codes: np.ndarray = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    parent: np.ndarray = field(repr=False)
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class _Grouping:
    group: tuple[str, ...]
    codes: np.ndarray
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        return ":".join(self.group)


def build_hierarchy(
    formula: Formula, rows: Rows, *, batch: bool = False, slots: Collection[str] = ()
) -> tuple[Level, ...]:
    """The levels of `formula`, innermost first; the group of its residual covariance is one.

    batch: these are not all rows. A visit that seems to lie within a patient, as SITEID:AVISIT does
    where each site has one, is taken to go across the patients of other batches. slots: columns
    known to be visits.

    Nesting is read from the data: a grouping is within another if each of its levels lies in one
    of the other's. Of two groupings that cross inside a unit of a third, the one with fewer levels
    there goes across (see `Effect`). With a residual covariance its group is the innermost level.
    Raises ModelError where groupings are crossed in any other way.
    """
    chain = _Chain(rows)
    if formula.residual is not None:
        chain.held = formula.residual.group
        chain.add(formula.residual.group)
    for spec in formula.random:
        chain.add(spec.group)
    if batch:
        chain.send_visits({*visits_of(formula), *slots}, slots)
    chain.settle()
    levels = _renumbered(chain.ordered())
    _check_patients(formula, levels, chain)
    placed: dict[tuple[str, ...], list[Effect]] = {}
    for spec in formula.random:
        place, across = chain.place(spec.group)
        columns = random_columns(spec, rows)
        labels = rows.grouping(across)[1] if across else ()
        placed.setdefault(place, []).append(Effect(spec, columns, across, labels))
    return tuple(
        Level(own.group, own.codes, own.labels, parent, tuple(placed.get(own.group, ())))
        for own, parent in levels
    )


def random_columns(spec: RandomSpec, rows: Rows) -> tuple[Column, ...]:
    """The columns left of the bar; raises ModelError where there is none."""
    factors = {name: rows.labels[name] for name in rows.factors}
    columns = model_columns(spec.terms, factors, rows.numbers)
    if not columns:
        raise ModelError(
            "A random term is empty.",
            [Problem(f"({spec}) has no column left of the bar", where=str(spec),
                     allowed="e.g. (1 | SITEID)")],
        )  # fmt: skip
    return columns


def visits_of(formula: Formula) -> frozenset[str]:
    """Columns that may be visits: of the fixed part, and the slot of a residual covariance."""
    slot = () if formula.residual is None else (formula.residual.slot,)
    return frozenset((*fixed_columns(formula), *slot))


class _Chain:
    """Groupings that nest, while the chain is being made.

    held: the group of the residual covariance, which never goes across.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.held: tuple[str, ...] | None = None
        self._known: dict[tuple[str, ...], _Grouping] = {}
        self._same: dict[tuple[str, ...], tuple[str, ...]] = {}  # group: the one with its codes
        self._across: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._chain: list[_Grouping] = []

    def grouping(self, group: tuple[str, ...]) -> _Grouping:
        if group not in self._known:
            self._known[group] = _Grouping(group, *self.rows.grouping(group))
        return self._known[group]

    def add(self, group: tuple[str, ...]) -> None:
        """Take a grouping into the chain unless one there has the same units."""
        own = self.grouping(group)
        for other in self._chain:
            if len(own.labels) == len(other.labels) and within(own, other):
                self._same[group] = other.group
                return
        self._same[group] = group
        self._chain.append(own)

    def place(self, group: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The level of a term of this grouping, and the columns across."""
        level, across = self._same[group], tuple[str, ...]()
        while level in self._across:
            level, more = self._across[level]
            level, across = self._same[level], (*more, *across)
        return level, across

    def settle(self) -> None:
        """Send groupings across until the rest nest, or raise ModelError."""
        while crossed := self._crossed():
            best = min(
                (found for pair in crossed for own in pair if (found := self._split(own, crossed))),
                default=None,
            )
            if best is None:
                raise _crossed_error(crossed, self.held)
            _, _, group, level, across = best
            self._chain = [own for own in self._chain if own.group != group]
            self._across[group] = (level, across)
            self.add(level)

    def send_visits(self, visits: Collection[str], sure: Collection[str]) -> None:
        """Send across what would nest within a grouping only because that is one a unit here."""
        groups = list(self._same)
        sent = {}
        for own in map(self.grouping, groups):
            across = tuple(name for name in own.group if name in visits)
            level = tuple(name for name in own.group if name not in visits)
            if not across or not level or own.group == self.held:
                continue
            if len(self.grouping(across).labels) > MOST_ACROSS:
                continue
            above, known = self.grouping(level), set(across) <= set(sure)
            if any(
                not set(other.group) <= set(own.group) and within(other, above)
                and (other.group == self.held or known or len(other.labels) < len(own.labels))
                and within(own, other)
                for other in map(self.grouping, groups)
            ):  # fmt: skip
                sent[own.group] = (level, across)
        if sent:
            self._chain, self._same = [], {}
            for group in groups:
                self.add(sent[group][0] if group in sent else group)
            self._same |= {group: group for group in sent}
            self._across |= sent

    def ordered(self) -> list[_Grouping]:
        """The chain, innermost first."""
        return sorted(self._chain, key=lambda own: -len(own.labels))

    def _crossed(self) -> list[tuple[_Grouping, _Grouping]]:
        pairs = combinations(self.ordered(), 2)
        return [(fine, coarse) for fine, coarse in pairs if not within(fine, coarse)]

    def _split(
        self, own: _Grouping, crossed: list[tuple[_Grouping, _Grouping]]
    ) -> tuple[int, int, tuple[str, ...], tuple[str, ...], tuple[str, ...]] | None:
        """(levels, labels across, group, level, across) of the best way to send `own` across."""
        if own.group == self.held:
            return None
        others = [b if a is own else a for a, b in crossed if a is own or b is own]
        found = []
        for size in range(1, len(own.group)):
            for level in combinations(own.group, size):
                above = self.grouping(level)
                across = tuple(name for name in own.group if name not in level)
                labels = len(self.grouping(across).labels)
                if labels <= MOST_ACROSS and all(within(other, above) for other in others):
                    found.append((len(own.labels), labels, own.group, level, across))
        return min(found, default=None)


def within(fine: _Grouping, coarse: _Grouping) -> bool:
    """Whether each unit of `fine` lies in one unit of `coarse`."""
    if len(fine.labels) < len(coarse.labels):
        return False
    parent = _parents(fine, coarse)
    return bool(np.array_equal(parent[fine.codes], coarse.codes))


def _parents(fine: _Grouping, coarse: _Grouping) -> np.ndarray:
    parent = np.empty(len(fine.labels), dtype=np.int64)
    parent[fine.codes] = coarse.codes
    return parent


def _renumbered(chain: Sequence[_Grouping]) -> list[tuple[_Grouping, np.ndarray]]:
    """Units numbered so that the children of a unit stand together; with their parents."""
    found: list[tuple[_Grouping, np.ndarray]] = []
    above: _Grouping | None = None
    for own in reversed(chain):
        parent = (
            np.zeros(len(own.labels), dtype=np.int64) if above is None else _parents(own, above)
        )
        level = own
        if np.any(np.diff(parent) < 0):
            order = np.argsort(parent, kind="stable")
            number = np.empty(len(order), dtype=np.int64)
            number[order] = np.arange(len(order))
            labels = tuple(own.labels[i] for i in order.tolist())
            level, parent = _Grouping(own.group, number[own.codes], labels), parent[order]
        found.append((level, parent))
        above = level
    return found[::-1]


def _check_patients(
    formula: Formula, levels: Sequence[tuple[_Grouping, np.ndarray]], chain: _Chain
) -> None:
    """Beside a residual covariance no random term may lie within its patients."""
    if formula.residual is None:
        return
    units = len(chain.grouping(formula.residual.group).labels)
    inside = {own.group for own, _ in levels if len(own.labels) > units}
    problems = [
        Problem(f"({spec}) lies within the patients of {formula.residual}", where=formula.text,
                allowed="random terms of the patient or of groupings above",
                fix=f"take it out: {formula.residual} holds what varies within a patient")
        for spec in formula.random if chain.place(spec.group)[0] in inside
    ]  # fmt: skip
    if problems:
        raise ModelError("A variance of the model is not identified.", problems)


def _crossed_error(
    crossed: Sequence[tuple[_Grouping, _Grouping]], held: tuple[str, ...] | None
) -> ModelError:
    return ModelError(
        "Crossed groupings can't be fitted yet: they come later.",
        [
            _crossing(coarse, fine, True) if coarse.group == held
            else _crossing(fine, coarse, fine.group == held)
            for fine, coarse in crossed
        ],
    )  # fmt: skip


def _crossing(fine: _Grouping, coarse: _Grouping, held: bool) -> Problem:
    """Which units of the finer grouping lie in several of the coarser, and what may be meant."""
    parent = _parents(fine, coarse)
    lost = np.unique(fine.codes[parent[fine.codes] != coarse.codes])
    shown = []
    for unit in lost[:3].tolist():
        there = np.unique(coarse.codes[fine.codes == unit])[:3].tolist()
        shown.append(f"{fine.labels[unit]} (in {', '.join(coarse.labels[i] for i in there)})")
    joint = ":".join(dict.fromkeys((*coarse.group, *fine.group)))
    most = 2 * len(lost) > len(fine.labels)
    nested = f"(1 | {coarse.name}/{fine.group[-1]})"
    if held:
        nested = f"us(... | {joint}) and its kind"
    elif len(fine.group) > 1:
        nested = f"(1 | {joint})"
    elif most and len(coarse.group) == 1:  # which of the two is the parent can't be seen
        nested += f" or (1 | {fine.name}/{coarse.name}), the parent first"
    repeat = f"where labels repeat across parents (patient 1 in every site), write {nested}"
    moved = (
        f"where one {fine.name} was in several {coarse.name}, decide which counts, or give each"
        " stay its own identifier"
    )
    fixes = [repeat, moved] if most else [moved, repeat]
    return Problem(
        f"{fine.name} and {coarse.name} are crossed: {len(lost)} of {len(fine.labels)} levels of"
        f" {fine.name} lie in several of {coarse.name}: {'; '.join(shown)}",
        where=f"{fine.name}, {coarse.name}",
        allowed="groupings that nest, as patients in sites, or that cross inside one unit of a"
        " third, as (1 | SITEID:AVISIT) beside (1 | USUBJID)",
        fix="; ".join(fixes),
    )
