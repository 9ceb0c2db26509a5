"""Slots of a scheduled trial: which variables are functions of the visit, which of the patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import Column, model_columns
from sitewise.lmm.formula import Formula, term_columns
from sitewise.lmm.formula import fixed_columns as fixed_names
from sitewise.lmm.hierarchy import Level
from sitewise.lmm.rows import Rows

# Beyond, patterns are nearly as many as patients, and rows by group cost less than wide rows.
MOST_SLOTS = 15
_MOST_BITS = 16  # slots of a table of 2^T patterns


@dataclass(frozen=True, eq=False)
class Schedule:
    """The rows of a model as patients x slots, n rows, N patients, T slots.

    roles: of each variable among the terms: "slot", "patient" or "varying" (with a residual
    covariance only). variables: those whose joint values are the slots. slots: labels, (T,).
    values: of each variable with role slot, its level or number at each slot.
    code: slot of each row, (n,). first: the first row of each patient, (N,).
    """

    roles: Mapping[str, str]
    variables: tuple[str, ...]
    slots: tuple[str, ...]
    values: Mapping[str, tuple[str | float, ...]]
    code: np.ndarray = field(repr=False)
    first: np.ndarray = field(repr=False)


def find_schedule(
    formula: Formula,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    *,
    roles: Mapping[str, str] | None = None,
) -> Schedule | str:
    """The schedule of the rows, or the sentence why they are none (never with a residual).

    roles: what other batches know of a variable: one that changes within patients there is "slot"
    or "varying" here too, even if these rows can't tell. Without a residual covariance the slots
    are the joint values of all variables that change within a patient: at most 15, no patient twice
    in one, random terms of the patient functions of the slot only.
    Raises ModelError with a residual covariance that these rows do not fit.
    """
    variables = variables_of(formula, hierarchy)
    reader = _Reader(rows, hierarchy[0].codes, len(hierarchy[0].labels))
    known = roles or {}
    changing = [
        v for v in variables if known.get(v, "patient") != "patient" or not reader.constant(v)
    ]
    if formula.residual is not None:
        found = _under_residual(formula.residual.slot, variables, changing, reader, known)
    else:
        if not changing:
            return "no variable of the model changes within a patient"
        joint = _joint_slots(changing, reader)
        if joint is None:
            return f"{', '.join(changing)} take more than {MOST_SLOTS} joint values"
        own = {v: "slot" if v in changing else "patient" for v in variables}
        found = _schedule(own, tuple(changing), *joint, reader)
    twice = _repeated(found, reader)
    for effect in hierarchy[0].effects:
        bad = [v for c in effect.columns for v, _ in c.atoms if found.roles[v] != "slot"]
        if bad:
            what = f"({effect.spec}) has {bad[0]}, which is not a function of the visit"
            if formula.residual is None:
                return what
            raise ModelError(
                "The model can't be built.",
                [Problem(what, where=formula.text, allowed="beside a residual covariance, random"
                         " terms of the patient that are functions of the visit")],
            )  # fmt: skip
    if twice is not None:
        row = ", ".join(str(i + 1) for i in np.flatnonzero(rows.used)[twice[:5]])
        patient = hierarchy[0].labels[int(hierarchy[0].codes[twice[0]])]
        what = f"{patient} has {found.slots[int(found.code[twice[0]])]} more than once (rows {row})"
        if formula.residual is None:
            return what
        raise ModelError(
            "A patient has a visit twice.",
            [Problem(what, where=str(formula.residual), allowed="one row a patient and visit",
                     fix="choose one reading of the visit, or average them, in the data")],
        )  # fmt: skip
    return found


def fixed_columns(formula: Formula, rows: Rows) -> tuple[Column, ...]:
    """The columns of X before any is dropped, on the levels that occur in `rows`."""
    factors = {name: rows.labels[name] for name in rows.factors}
    return model_columns(formula.fixed, factors, tuple(rows.numbers))


def variables_of(formula: Formula, hierarchy: tuple[Level, ...]) -> tuple[str, ...]:
    """Variables of all terms, and columns of groupings crossed with patients, in order.

    Those without a column in these rows (a factor with one level here) are among them.
    """
    names = list(fixed_names(formula))
    for spec in formula.random:
        names += term_columns(spec.terms)
    for level in hierarchy:
        names += [name for effect in level.effects for name in effect.across]
    return tuple(dict.fromkeys(names))


class _Reader:
    """Rows by patient: what is constant where."""

    def __init__(self, rows: Rows, patient: np.ndarray, patients: int) -> None:
        self.rows, self.patient, self.patients = rows, patient, patients
        self._same = patient[1:] == patient[:-1]
        starts = np.flatnonzero(np.concatenate([[True], ~self._same]))
        self._grouped = len(starts) == patients
        self.first = np.empty(patients, dtype=np.int64)
        if self._grouped:
            self.first[patient[starts]] = starts
        else:  # of repeated indices numpy keeps the last assignment
            self.first[patient[::-1]] = np.arange(len(patient) - 1, -1, -1)

    def values(self, variable: str) -> np.ndarray:
        """Numbers, or codes of a factor."""
        found = self.rows.numbers.get(variable)
        return self.rows.codes[variable] if found is None else found

    def constant(self, variable: str) -> bool:
        """Whether a variable is constant within every patient."""
        values = self.values(variable)
        if self._grouped:
            return not bool(np.any((values[1:] != values[:-1]) & self._same))
        own = values[self.first]
        # A few rows tell most variables that change, without touching them all.
        for part in (slice(0, 4096), slice(4096, None)):
            if np.any(values[part] != own[self.patient[part]]):
                return False
        return True

    def shown(self, variable: str, at: np.ndarray) -> tuple[str | float, ...]:
        """Level or number of a variable in the rows `at`."""
        values = self.values(variable)[at]
        if variable in self.rows.numbers:
            return tuple(float(v) for v in values)
        labels = self.rows.labels[variable]
        return tuple(labels[int(v)] for v in values)


def _joint_slots(variables: list[str], reader: _Reader) -> tuple[np.ndarray, np.ndarray] | None:
    """Slot of each row and a row of each slot, slots sorted; None where there are too many."""
    code = np.zeros(len(reader.patient), dtype=np.int64)
    at = np.zeros(1, dtype=np.int64)
    # Factors first: a number such as the week is then mostly a function of what is there already.
    for variable in sorted(variables, key=lambda v: v in reader.rows.numbers):
        values = reader.values(variable)
        if np.array_equal(values[at][code], values):
            continue
        own = _few_codes(values) if variable in reader.rows.numbers else values
        if own is None:
            return None
        width = int(own.max()) + 1
        joint = code * width + own
        present = np.flatnonzero(np.bincount(joint, minlength=len(at) * width))
        if len(present) > MOST_SLOTS:
            return None
        number = np.zeros(len(at) * width, dtype=np.int64)
        number[present] = np.arange(len(present))
        code = number[joint]
        at = np.array([int(np.argmax(code == k)) for k in range(len(present))])
    order = np.lexsort([reader.values(v)[at] for v in reversed(variables)])
    rank = np.empty(len(at), dtype=np.int64)
    rank[order] = np.arange(len(at))
    return rank[code], at[order]


def _few_codes(values: np.ndarray) -> np.ndarray | None:
    """Codes of numbers with few values; None where there are more than slots may be."""
    known = np.unique(values[:1000])
    while len(known) <= MOST_SLOTS:
        code = np.searchsorted(known, values)
        np.minimum(code, len(known) - 1, out=code)
        new = values[known[code] != values]
        if not len(new):
            return code
        known = np.union1d(known, np.unique(new[:1000]))
    return None


def _under_residual(
    slot: str,
    variables: tuple[str, ...],
    changing: list[str],
    reader: _Reader,
    known: Mapping[str, str],
) -> Schedule:
    code = np.asarray(reader.rows.codes[slot], dtype=np.int64)
    at = np.empty(len(reader.rows.labels[slot]), dtype=np.int64)
    at[code[::-1]] = np.arange(len(code) - 1, -1, -1)
    roles = {slot: "slot"}
    for v in variables:
        if v not in changing:
            roles.setdefault(v, "patient")
            continue
        values = reader.values(v)
        fits = known.get(v) != "varying" and np.array_equal(values[at][code], values)
        roles.setdefault(v, "slot" if fits else "varying")
    return _schedule(roles, (slot,), code, at, reader)


def _schedule(
    roles: Mapping[str, str],
    variables: tuple[str, ...],
    code: np.ndarray,
    at: np.ndarray,
    reader: _Reader,
) -> Schedule:
    values = {v: reader.shown(v, at) for v, role in roles.items() if role == "slot"}
    return Schedule(roles, variables, slot_labels(variables, values), values, code, reader.first)


def slot_labels(
    variables: tuple[str, ...], values: Mapping[str, tuple[str | float, ...]]
) -> tuple[str, ...]:
    """Names of the slots: the joint values of their variables, `Month 3` or `Month 3, 12.0`."""
    joint = zip(*(values[v] for v in variables), strict=True)
    return tuple(", ".join(str(value) for value in one) for one in joint)


def _repeated(schedule: Schedule, reader: _Reader) -> np.ndarray | None:
    """Rows of the first patient and slot that occurs twice, or None."""
    T = len(schedule.slots)
    place = reader.patient * T + schedule.code
    filled = np.zeros(reader.patients * T, dtype=bool)
    filled[place] = True
    if np.count_nonzero(filled) == len(place):
        return None
    counts = np.bincount(place)
    return np.flatnonzero(place == int(np.argmax(counts > 1)))


def seen_patterns(filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patterns of visits that occur, complete ones first, and the pattern of each patient.

    filled: shape (N, T), which slots a patient has. Returns (patterns, T) and (N,).
    """
    N, T = filled.shape
    if T <= _MOST_BITS:
        code = np.zeros(N, dtype=np.int64)
        for t in range(T):
            code |= (~filled[:, t]).astype(np.int64) << (T - 1 - t)
        counts = np.bincount(code, minlength=1 << T)
        present = np.flatnonzero(counts)
        number = np.zeros(1 << T, dtype=np.int64)
        number[present] = np.arange(len(present))
        bits = present[:, None] >> np.arange(T - 1, -1, -1)
        return (bits & 1) == 0, number[code]
    packed, pattern = np.unique(np.packbits(~filled, axis=1), axis=0, return_inverse=True)
    return np.unpackbits(packed, axis=1, count=T) == 0, pattern.reshape(N).astype(np.int64)
