"""From rows to wide rows to cells: what a scheduled trial's likelihood needs, summed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from sitewise.lmm.columns import Column
from sitewise.lmm.digest import row_sums
from sitewise.lmm.factored import Term, factor
from sitewise.lmm.formula import Formula
from sitewise.lmm.hierarchy import Effect, Level
from sitewise.lmm.rows import Rows
from sitewise.lmm.schedule import Schedule, fixed_columns, seen_patterns
from sitewise.lmm.wide import Feature, Patients, Wide, WideEffect, WideLevel, add_digests

_BLOCK = 1 << 13  # patients at a time: their products stay in the cache
_ROWS = 1 << 15


def build_wide(
    formula: Formula,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    schedule: Schedule,
    *,
    fixed: Sequence[Column] | None = None,
    declared: Mapping[str, Sequence[str]] | None = None,
) -> Wide:
    """Moments of scheduled rows; `hierarchy` from the patient up, `schedule` by `find_schedule`.

    fixed: the columns of X, none dropped, where they are known already. declared: levels of factors
    as the caller gave them; moments of other batches must agree on them.
    """
    fixed = fixed_columns(formula, rows) if fixed is None else fixed
    written = factor(
        fixed,
        [[_term(effect, rows) for effect in level.effects] for level in hierarchy[1:]],
        [_term(effect, rows) for effect in hierarchy[0].effects],
        roles=schedule.roles, slots=schedule.slots, slot_values=schedule.values,
    )  # fmt: skip
    N = len(hierarchy[0].labels)
    unit = hierarchy[0].parent if len(hierarchy) > 1 else np.zeros(N, dtype=np.int64)
    cells = _cells(rows, hierarchy[0].codes, unit, schedule, written.basis)
    return Wide(
        formula=formula,
        patient=hierarchy[0].group,
        roles=dict(schedule.roles),
        slots=schedule.slots,
        slot_variables=schedule.variables,
        slot_values=schedule.values,
        basis=written.basis,
        patterns=cells.patterns,
        fixed=written.fixed,
        levels=tuple(
            WideLevel(
                level.group, level.labels, level.parent, effects, _names(level, effects, rows)
            )
            for level, effects in zip(hierarchy[1:], written.effects, strict=True)
        ),
        patient_effects=written.patient_effects,
        unit=cells.unit,
        pattern=cells.pattern,
        n=cells.n,
        shift=cells.shift,
        sums=cells.sums,
        products=cells.products,
        nobs=len(rows.y),
        patients=Patients(hierarchy[0].labels),
        digest=_digest(rows.y),
        nframe=len(rows.used),
        dropped={name: int(mask.sum()) for name, mask in rows.dropped.items()},
        declared={name: tuple(levels) for name, levels in (declared or {}).items()},
        factors={name: rows.labels[name] for name in rows.factors},
        numbers=tuple(rows.numbers),
        notes=rows.notes,
    )


def _digest(y: np.ndarray) -> tuple[int, int, int]:
    # By blocks that stay in the cache.
    return add_digests([row_sums((), y[at : at + _ROWS]) for at in range(0, len(y), _ROWS)])


def _names(
    level: Level, effects: Sequence[WideEffect], rows: Rows
) -> dict[tuple[str, ...], tuple[str, ...]]:
    found = {level.group: level.labels}
    for effect in effects:
        if effect.home not in found:
            codes, labels = rows.grouping(effect.home)
            own = np.empty(len(level.labels), dtype=np.int64)
            own[level.codes] = codes
            found[effect.home] = tuple(labels[k] for k in own)
    return found


def _term(effect: Effect, rows: Rows) -> Term:
    if not effect.across:
        return Term(effect.spec, effect.columns)
    codes, labels = rows.grouping(effect.across)
    at = np.empty(len(labels), dtype=np.int64)
    at[codes] = np.arange(len(codes))
    levels = tuple(
        tuple(rows.labels[name][int(rows.codes[name][i])] for name in effect.across) for i in at
    )
    return Term(effect.spec, effect.columns, effect.across, levels)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Fields as in `Wide`."""

    patterns: np.ndarray
    unit: np.ndarray
    pattern: np.ndarray
    n: np.ndarray
    shift: np.ndarray = field(repr=False)
    sums: np.ndarray = field(repr=False)
    products: np.ndarray = field(repr=False)


def _cells(
    rows: Rows,
    patient: np.ndarray,
    unit: np.ndarray,
    schedule: Schedule,
    basis: tuple[Feature, ...],
) -> _Cells:
    N, T = len(unit), len(schedule.slots)
    filled = np.zeros(N * T, dtype=bool)
    filled[patient * T + schedule.code] = True
    patterns, pattern = seen_patterns(filled.reshape(N, T))
    key = unit * len(patterns) + pattern
    order = np.sort(key * N + np.arange(N)) % N  # a stable argsort; sorting itself is vectorised
    f = _wide_rows(rows, patient, schedule, basis, order)
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    still = np.array([feature.indicator for feature in basis])
    n, shift, sums, products = _summed(f, starts, still)
    key = key[starts]
    return _Cells(patterns, key // len(patterns), key % len(patterns), n, shift, sums, products)


def _wide_rows(
    rows: Rows,
    patient: np.ndarray,
    schedule: Schedule,
    basis: tuple[Feature, ...],
    order: np.ndarray,
) -> np.ndarray:
    """Features of each patient in the order of cells: (F, N), 0 where a slot has no row."""
    N, T = len(order), len(schedule.slots)
    rank = np.empty(N, dtype=np.int64)
    rank[order] = np.arange(N)
    f = np.zeros((len(basis), N))
    f[-T:].reshape(T * N)[schedule.code * N + rank[patient]] = rows.y
    first = schedule.first[order]
    known: dict[tuple[str, str | None], np.ndarray] = {}
    slot = {label: t for t, label in enumerate(schedule.slots)}
    for j, feature in enumerate(basis[:-T]):
        f[j] = 1.0
        if feature.slot is not None:
            at = np.flatnonzero(schedule.code == slot[feature.slot])
            own = np.ones(len(at))
            for atom in feature.atoms:
                if schedule.roles[atom[0]] == "varying":
                    own *= _atom_values(atom, rows, at)
            f[j] = 0.0
            f[j, rank[patient[at]]] = own
        for atom in feature.atoms:
            if schedule.roles[atom[0]] == "patient":
                if atom not in known:
                    known[atom] = _atom_values(atom, rows, first)
                f[j] *= known[atom]
    return f


def _atom_values(atom: tuple[str, str | None], rows: Rows, at: np.ndarray) -> np.ndarray:
    variable, level = atom
    if level is None:
        values: np.ndarray = rows.numbers[variable][at]
        return values
    wanted = rows.labels[variable].index(level)
    shown: np.ndarray = (rows.codes[variable][at] == wanted).astype(np.float64)
    return shown


def _summed(
    f: np.ndarray, starts: np.ndarray, still: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """n (C,), shift, sums (C, F), products (C, F, F) of runs of patients. `f` (F, N) is changed.

    The shift is the mean, rounded to a double; f - shift is then f's deviation to one rounding.
    still: features with shift 0.
    """
    F, N = f.shape
    C = len(starts)
    lengths = np.diff(np.append(starts, N))
    n = lengths.astype(np.float64)
    shift = np.add.reduceat(f, starts, axis=1) / n
    first = f[:, starts]
    # A constant has its own value as shift, so that its deviations are exactly 0.
    shift = np.where(np.abs(shift - first) <= 1e-13 * np.abs(first), first, shift)
    shift[still] = 0.0
    sums, products = np.empty((F, C)), np.empty((F, F, C))
    for cells in _blocks(starts, N):
        stop = int(starts[cells.stop]) if cells.stop < C else N
        begin = int(starts[cells.start])
        d = f[:, begin:stop]
        d -= np.repeat(shift[:, cells], lengths[cells], axis=1)
        own = starts[cells] - begin
        sums[:, cells] = np.add.reduceat(d, own, axis=1)
        for i in range(F):
            products[i, i:, cells] = np.add.reduceat(d[i] * d[i:], own, axis=1)
    for i in range(F):
        products[i + 1 :, i] = products[i, i + 1 :]
    return n, shift.T.copy(), sums.T.copy(), np.ascontiguousarray(products.transpose(2, 0, 1))


def _blocks(starts: np.ndarray, N: int) -> list[slice]:
    """Runs of whole cells, of some thousand patients each where cells are smaller."""
    marks = np.searchsorted(starts, np.arange(0, N, _BLOCK), side="left")
    edges = np.unique(np.append(marks, len(starts)))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
