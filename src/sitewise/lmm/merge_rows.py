"""Adding the moments of two batches of rows without a schedule: exact linear maps, then sums."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.arrow import RowMoments, swapped_innermost
from sitewise.lmm.conditioned_rows import BasedMoments
from sitewise.lmm.hashed import clear, hidden, is_hidden, names_of
from sitewise.lmm.recursion import Arrow, Shape


@dataclass(frozen=True)
class LabelledMoments:
    """Row moments with the names of their units, so that batches can be added.

    groups: columns of each level, innermost first, a level for every grouping. labels: of the
    units of each. across: labels of each term's copies, ("",) where none.
    """

    based: BasedMoments = field(repr=False)
    groups: tuple[tuple[str, ...], ...]
    labels: tuple[tuple[str, ...], ...] = field(repr=False)
    across: tuple[tuple[str, ...], ...]


def merge_rows(a: LabelledMoments, b: LabelledMoments) -> LabelledMoments:
    """Moments of the rows of both batches.

    Raises ModelError where a unit of the innermost grouping is in both, where a unit has two
    parents, or where the columns differ because levels of a factor were not declared.
    """
    order = _common_order(a, b)
    a, b = _named(_ordered(a, order), _ordered(b, order))
    _check(a, b)
    across = tuple(
        tuple(dict.fromkeys([*own, *sorted(set(other) - set(own))]))
        for own, other in zip(a.across, b.across, strict=True)
    )
    first = _mapped(a, a.based, across)
    second = _mapped(b, a.based, across)
    labels, parents = _united(a, b)
    shape = replace(first.shape, units=tuple(len(own) for own in labels), parents=tuple(parents))
    moments = _summed(shape, labels, [(a.labels, first), (b.labels, second)])
    terms = tuple(
        replace(term, copies=len(own)) for term, own in zip(a.based.terms, across, strict=True)
    )
    return LabelledMoments(replace(a.based, moments=moments, terms=terms), a.groups, labels, across)


def _check(a: LabelledMoments, b: LabelledMoments) -> None:
    problems = []
    both = sorted(set(a.labels[0]) & set(b.labels[0]))
    if both:
        problems.append(
            Problem(f"{', '.join(both[:5])} in two batches ({len(both)} in all)",
                    allowed="whole patients in a batch",
                    fix="put all rows of a patient in one batch")
        )  # fmt: skip
    if a.based.names != b.based.names:
        odd = sorted(set(a.based.names) ^ set(b.based.names))
        problems.append(
            Problem(f"only one batch has: {', '.join(odd[:5])}",
                    allowed="the same columns in every batch",
                    fix="declare the levels of every factor: moments(..., levels=...)")
        )  # fmt: skip
    if problems:
        raise ModelError("These moments can't be added.", problems)


def _common_order(a: LabelledMoments, b: LabelledMoments) -> list[tuple[str, ...]]:
    """Groupings from the finest to the coarsest, by the units of both batches.

    Of those with as many units in both, the one that is finer in a batch, then as they stand.
    """
    units = {}
    for k, group in enumerate(a.groups):
        own, other = a.labels[k], b.labels[b.groups.index(group)]
        if is_hidden(own) != is_hidden(other):
            own, other = hidden(own), hidden(other)
        units[group] = {*own, *other}
    return sorted(a.groups, key=lambda group: (-len(units[group]), a.groups.index(group)))


def _ordered(own: LabelledMoments, order: Sequence[tuple[str, ...]]) -> LabelledMoments:
    """Levels in this order; two change places where their units are the same in this batch."""
    for place in range(len(order)):
        while (at := own.groups.index(order[place])) > place:
            own = exchanged(own, at - 1)
    return own


def _named(a: LabelledMoments, b: LabelledMoments) -> tuple[LabelledMoments, LabelledMoments]:
    """Innermost units of both by hash where one has them so; others by the names that are known."""
    names = [list(a.labels), list(b.labels)]
    if any(is_hidden(own[0]) for own in names):
        names = [[hidden(own[0]), *own[1:]] for own in names]
    for k in range(1, len(a.labels)):
        if any(is_hidden(own[k]) for own in names):
            known = names_of([own[k] for own in names])
            for own in names:
                own[k] = clear(own[k], known)
    return replace(a, labels=tuple(names[0])), replace(b, labels=tuple(names[1]))


def exchanged(own: LabelledMoments, k: int) -> LabelledMoments:
    """Levels k and k + 1 exchanged; raises ModelError where their units differ."""
    based, moments = own.based, own.based.moments
    shape = moments.shape
    if shape.units[k] != shape.units[k + 1]:
        names = ":".join(own.groups[k]), ":".join(own.groups[k + 1])
        raise ModelError(
            "These moments can't be added.",
            [Problem(f"{names[0]} is within {names[1]} in one batch and the other way in another",
                     allowed="groupings that nest the same way in every batch")],
        )  # fmt: skip
    # Units are the same and in the same order: parents never decrease.
    swap = list(range(len(shape.q)))
    swap[k], swap[k + 1] = k + 1, k
    places = {k: k + 1, k + 1: k}
    moved = [(places.get(t.level, t.level), i) for i, t in enumerate(based.terms)]
    order = [i for _, i in sorted(moved)]
    terms = tuple(replace(based.terms[i], level=moved[i][0]) for i in order)
    new = swapped_innermost(moments) if k == 0 else _swapped(moments, k)
    return LabelledMoments(
        replace(based, moments=new, terms=terms),
        tuple(own.groups[i] for i in swap),
        tuple(own.labels[i] for i in swap),
        tuple(own.across[i] for i in order),
    )


def _swapped(moments: RowMoments, k: int) -> RowMoments:
    """Levels k and k + 1, neither innermost, with the same units."""
    shape, q = moments.shape, moments.shape.q
    swap = list(range(len(q)))
    swap[k], swap[k + 1] = k + 1, k
    rows = [_columns_exchanged(row, q, i, k) for i, row in enumerate(moments.rest.rows)]
    inner, outer = moments.rest.rows[k], moments.rest.rows[k + 1]
    a, c = q[k], q[k + 1]
    cross = np.swapaxes(inner[..., a : a + c], -1, -2)
    rows[k] = np.concatenate([outer[..., :c], cross, outer[..., c:]], axis=-1)
    rows[k + 1] = np.concatenate([inner[..., :a], inner[..., a + c :]], axis=-1)
    return RowMoments(
        replace(shape, q=tuple(q[i] for i in swap)), moments.n, moments.SS,
        _columns_exchanged(moments.gamma, q, 0, k, own_first=False),
        _columns_exchanged(moments.SU, q, 0, k, own_first=False),
        Arrow(rows, moments.rest.root),
    )  # fmt: skip


def _columns_exchanged(
    values: np.ndarray, q: Sequence[int], level: int, k: int, *, own_first: bool = True
) -> np.ndarray:
    """Columns of levels k and k + 1 exchanged in rows of a level below them."""
    first = level if own_first else level + 1
    if level >= k or values.shape[-1] == 0:
        return values
    at = sum(q[first:k])
    return np.concatenate(
        [values[..., :at], values[..., at + q[k] : at + q[k] + q[k + 1]],
         values[..., at : at + q[k]], values[..., at + q[k] + q[k + 1] :]], axis=-1,
    )  # fmt: skip


def _mapped(
    own: LabelledMoments, target: BasedMoments, across: Sequence[tuple[str, ...]]
) -> RowMoments:
    """Moments in the bases of `target`, with a copy for every label of `across`."""
    based, moments = own.based, own.based.moments
    levels = range(len(moments.shape.q))
    B = [_level_map(own, target, across, level) for level in levels]
    p = len(based.M)
    T = np.zeros((p + 1, p + 1))
    T[:p, :p] = np.linalg.solve(target.M.T, based.M.T).T
    T[:p, p] = based.M @ (based.offset - target.offset) / target.unit
    T[p, p] = based.unit / target.unit
    columns = [_diagonal([*B[level + 1 :], T]) for level in levels]
    # Of the innermost level S~ changes basis only: no copy there is empty of meaning.
    inverse = np.linalg.pinv(B[0])
    rows = [np.zeros((moments.shape.units[0], B[0].shape[1], 0))]
    for level in levels[1:]:
        wide = _diagonal([B[level], columns[level]])
        rows.append(B[level].T @ moments.rest.rows[level] @ wide)
    return RowMoments(
        replace(moments.shape, q=tuple(block.shape[1] for block in B)),
        moments.n,
        B[0].T @ moments.SS @ B[0],
        inverse @ moments.gamma @ columns[0],
        B[0].T @ moments.SU @ columns[0],
        Arrow(rows, T.T @ moments.rest.root @ T),
    )


def _level_map(
    own: LabelledMoments, target: BasedMoments, across: Sequence[tuple[str, ...]], level: int
) -> np.ndarray:
    """Columns of S~ of one level as columns in the bases of `target`."""
    parts = []
    for term, other, mine, wanted in zip(
        own.based.terms, target.terms, own.across, across, strict=True
    ):
        if term.level != level:
            continue
        change = np.linalg.solve(other.R.T, term.R.T).T
        places = np.zeros((len(mine), len(wanted)))
        places[np.arange(len(mine)), [wanted.index(label) for label in mine]] = 1.0
        parts.append(np.kron(places, change))
    return _diagonal(parts)


def _united(
    a: LabelledMoments, b: LabelledMoments
) -> tuple[tuple[tuple[str, ...], ...], list[np.ndarray]]:
    """Labels of the units of both, children of one parent together, and parents."""
    count = len(a.labels)
    labels: list[tuple[str, ...]] = [()] * count
    labels[-1] = tuple(sorted({*a.labels[-1], *b.labels[-1]}))
    parents: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * (count - 1)
    for level in reversed(range(count - 1)):
        place = {label: i for i, label in enumerate(labels[level + 1])}
        found: dict[str, int] = {}
        for batch in (a, b):
            above = batch.labels[level + 1]
            for label, parent in zip(
                batch.labels[level], batch.based.moments.shape.parents[level], strict=True
            ):
                own = place[above[int(parent)]]
                if found.setdefault(label, own) != own:
                    raise ModelError(
                        "These moments can't be added.",
                        [Problem(f"{label} is in {labels[level + 1][found[label]]} and in"
                                 f" {labels[level + 1][own]}", allowed="groupings that nest")],
                    )  # fmt: skip
        order = sorted(found, key=lambda label: (found[label], label))
        labels[level] = tuple(order)
        parents[level] = np.array([found[label] for label in order], dtype=np.int64)
    return tuple(labels), parents


def _summed(
    shape: Shape,
    labels: Sequence[tuple[str, ...]],
    batches: Sequence[tuple[Sequence[tuple[str, ...]], RowMoments]],
) -> RowMoments:
    places = [{label: i for i, label in enumerate(own)} for own in labels]
    moments = [m for _, m in batches]
    units, levels = shape.units[0], range(1, len(shape.q))

    def placed(values: Sequence[np.ndarray], level: int) -> np.ndarray:
        total = np.zeros((shape.units[level], *values[0].shape[1:]))
        for (own, _), array in zip(batches, values, strict=True):
            total[[places[level][label] for label in own[level]]] += array
        return total

    rows = [np.zeros((units, shape.q[0], 0))]
    rows += [placed([m.rest.rows[level] for m in moments], level) for level in levels]
    root = np.sum([m.rest.root for m in moments], axis=0)
    return RowMoments(
        shape,
        sum(m.n for m in moments),
        placed([m.SS for m in moments], 0),
        placed([m.gamma for m in moments], 0),
        placed([m.SU for m in moments], 0),
        Arrow(rows, root),
    )


def _diagonal(parts: Sequence[np.ndarray]) -> np.ndarray:
    rows, columns = sum(p.shape[0] for p in parts), sum(p.shape[1] for p in parts)
    found, i, j = np.zeros((rows, columns)), 0, 0
    for part in parts:
        found[i : i + part.shape[0], j : j + part.shape[1]] = part
        i, j = i + part.shape[0], j + part.shape[1]
    return found
