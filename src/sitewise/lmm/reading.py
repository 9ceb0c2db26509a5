"""From a frame to the rows that a model uses: types, missing values, factor levels."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.encode import check_whole, is_number, level_text, number, plain, text_codes
from sitewise.lmm.formula import Formula, fixed_columns, formula_columns, term_columns
from sitewise.lmm.rows import NewRows, Rows

if TYPE_CHECKING:
    import pandas as pd

_UNBUILT = "A factor of the model can't be built."


class NoRowsError(ModelError):
    """No row of `nframe` is without a missing value; dropped: how many lack each column."""

    def __init__(self, formula: Formula, nframe: int, dropped: Mapping[str, int]) -> None:
        self.nframe, self.dropped = nframe, dropped
        counts = ", ".join(f"{name} in {count}" for name, count in dropped.items())
        what = f"all {nframe} rows have a missing value ({counts})" if nframe else "no rows at all"
        super().__init__(
            "No row is left to fit.",
            [Problem(what, where=formula.text, fix="see which of these columns the data lack")],
        )


def read_rows(
    formula: Formula,
    frame: "pd.DataFrame",
    levels: Mapping[str, Sequence[str]],
    *,
    batch: bool = False,
    whole: bool = False,
) -> Rows:
    """Pick the columns of `formula`, type them, drop rows with a missing value.

    levels: columns that are factors, their levels in order; any other text among the terms, and
    the slot of a residual covariance, is a factor in the order of its categories, else sorted.
    batch: these are not all rows, so a factor may have one level here. whole: factors keep all
    their levels, whether they occur or not.
    Raises ModelError with all problems: unknown columns; then text where numbers must be, numbers
    that are not finite, fractions as groupings, values outside a factor's levels.
    """
    columns = formula_columns(formula)
    _check_known(formula, columns, frame)
    if not len(frame):
        raise NoRowsError(formula, 0, {})
    found = _Columns(formula, frame, levels)
    missing = {name: found.missing(name) for name in columns}
    dropped = {name: mask for name, mask in missing.items() if mask.any()}
    used = np.ones(len(frame), dtype=bool)
    for mask in dropped.values():
        used &= ~mask
    if not used.any():
        counts = {name: int(mask.sum()) for name, mask in dropped.items()}
        raise NoRowsError(formula, len(frame), counts)
    keep = used if dropped else slice(None)
    numbers = {name: values[keep] for name, values in found.numbers.items()}
    codes, labels, notes, problems = {}, {}, list[str](), list[Problem]()
    for name, (own, texts) in found.codes.items():
        order = found.order(name)
        if order is not None:
            problems += _undeclared(name, own, texts, order, used)
        if whole and order is not None:
            codes[name], labels[name] = _in_all(own[keep], texts, order), order
            continue
        codes[name], labels[name] = _in_order(own[keep], texts, order)
        if name in found.factors:
            notes += found.remarks(name, labels[name])
            problems += [] if batch else _too_few(name, labels[name])
    if problems:
        head = "A value is not a level of its factor." if whole else _UNBUILT
        raise ModelError(head, problems)
    y = numbers.pop(formula.response)
    declared = frozenset(name for name in codes if found.order(name) is not None)
    return Rows(y, numbers, codes, labels, found.factors, used, dropped, tuple(notes), declared)


def read_new(
    names: Sequence[str], frame: "pd.DataFrame", labels: Mapping[str, tuple[str, ...]]
) -> NewRows:
    """Columns of new data, typed as in the model; raises ModelError for a level that it lacks."""
    numbers: dict[str, np.ndarray] = {}
    codes: dict[str, np.ndarray] = {}
    problems: list[Problem] = []
    for name in names:
        values = plain(frame[name])
        if name not in labels:
            numbers[name] = number(name, values, problems)
            continue
        own, texts = text_codes(values)
        position = {label: i for i, label in enumerate(labels[name])}
        unknown = sorted({texts[i] for i in np.unique(own) if i >= 0} - set(position))
        if unknown or (own < 0).any():
            what = ", ".join(map(repr, unknown[:5])) or "a missing value"
            problems.append(
                Problem(f"{name} has {what}", where=name, allowed=", ".join(labels[name]))
            )
        else:
            codes[name] = np.array([position.get(text, -1) for text in texts], np.int32)[own]
    if problems:
        raise ModelError("A value is not a level of its factor.", problems)
    return NewRows(len(frame), numbers, codes, {name: labels[name] for name in codes})


class _Columns:
    """The columns of a formula, typed but not yet cut to the rows used."""

    def __init__(
        self, formula: Formula, frame: "pd.DataFrame", levels: Mapping[str, Sequence[str]]
    ) -> None:
        self.terms = list(fixed_columns(formula))
        for spec in formula.random:
            self.terms += term_columns(spec.terms)
        groups = {name for spec in formula.random for name in spec.group}
        residual = formula.residual
        if residual is not None:
            groups |= set(residual.group)
        slot = residual.slot if residual is not None else None
        raw = {name: plain(frame[name]) for name in formula_columns(formula)}
        self._declared = {name: tuple(map(level_text, own)) for name, own in levels.items()}
        self._raw = raw
        self.slot = slot
        self.numbers: dict[str, np.ndarray] = {}
        self.codes: dict[str, tuple[np.ndarray, tuple[str, ...]]] = {}
        factors = {n for n in self.terms if n in levels or not is_number(raw[n])}
        self.factors = tuple(dict.fromkeys(name for name in self.terms if name in factors))
        self._ordered = {*factors, *([slot] if slot else [])}
        problems = [
            Problem(f"the levels declared for {name} name {own[i]!r} twice", where=name)
            for name, own in self._declared.items() if name in raw
            for i in range(len(own)) if own[i] in own[:i]
        ]  # fmt: skip
        for name, values in raw.items():
            problems += self._clashes(name, values, groups)
            if name in factors or name == slot or (name in groups and name not in self.terms):
                if name not in self._ordered:
                    check_whole(name, values, problems)
                self.codes[name] = text_codes(values)
            else:
                self.numbers[name] = number(name, values, problems)
        if problems:
            raise ModelError("The data do not fit the formula.", problems)

    def _clashes(self, name: str, values: "pd.Series", groups: set[str]) -> list[Problem]:
        among = name in self.terms and name not in self.factors
        if among and name in groups:
            return [
                Problem(f"{name} is both a number among the terms and a grouping", where=name,
                        fix="declare it as a factor, or group by another column")
            ]  # fmt: skip
        if name == self.slot and name not in self._declared and is_number(values):
            return [
                Problem(f"{name} is the slot of a residual covariance and holds numbers",
                        where=name, allowed="a factor: text, or a column with declared levels",
                        fix=f"declare the levels of {name} in order"
                        + (", and name another column among the terms" if among else ""))
            ]  # fmt: skip
        undeclared = name in self.factors and name not in self._declared
        if undeclared and (kind := _time_like(values)):
            return [
                Problem(f"{name} is a {kind} among the terms", where=name,
                        allowed="numbers, as days since the start, or a factor")
            ]  # fmt: skip
        return []

    def missing(self, name: str) -> np.ndarray:
        """Rows where the column is missing, boolean (n_frame,)."""
        found = self.codes.get(name)
        mask: np.ndarray = np.isnan(self.numbers[name]) if found is None else found[0] < 0
        return mask

    def order(self, name: str) -> tuple[str, ...] | None:
        """Levels in the order that the user gave: declared, or of its categories; else None."""
        import pandas as pd

        if name not in self._ordered:
            return None
        if name in self._declared:
            return self._declared[name]
        if isinstance(self._raw[name].dtype, pd.CategoricalDtype):
            return self.codes[name][1]
        return None

    def remarks(self, name: str, found: tuple[str, ...]) -> list[str]:
        """Sentences on declared levels that no row used has, and on levels that read as numbers."""
        absent = [level for level in self.order(name) or () if level not in found]
        if absent:
            return [
                f"{name}: no row used has {', '.join(absent)};"
                f" the reference is {found[0] if found else 'none'}."
            ]
        if self.order(name) is None and _read_as_numbers(found):
            return [f"{name} is text that reads as numbers: taken as a factor."]
        return []


def _time_like(values: "pd.Series") -> str:
    """`date` or `duration`; empty for anything else. Objects are told by the first."""
    import pandas as pd

    found = pd.api.types.infer_dtype(values.dropna().iloc[:1])
    kinds = {"datetime64": "date", "datetime": "date", "date": "date", "time": "time"}
    kinds |= {"timedelta64": "duration", "timedelta": "duration"}
    return kinds.get(found, "")


def _read_as_numbers(labels: tuple[str, ...]) -> bool:
    try:
        return len([float(label) for label in labels]) > 0
    except ValueError:
        return False


def _check_known(formula: Formula, columns: Sequence[str], frame: "pd.DataFrame") -> None:
    known = [str(name) for name in frame.columns]
    problems = []
    for name in columns:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            problems.append(
                Problem(f"unknown column {name!r}", where=formula.text, allowed=", ".join(known),
                        fix=f"did you mean {near[0]!r}?" if near else "mend the formula")
            )  # fmt: skip
        elif known.count(name) > 1:
            problems.append(
                Problem(f"{known.count(name)} columns of the data are called {name!r}",
                        where=formula.text, allowed="one column of each name")
            )  # fmt: skip
    if problems:
        raise ModelError("The formula names columns that the data lack.", problems)


def _undeclared(
    name: str, codes: np.ndarray, labels: tuple[str, ...], order: tuple[str, ...], used: np.ndarray
) -> list[Problem]:
    foreign = sorted(set(labels) - set(order))
    positions = {label: labels.index(label) for label in foreign}
    unknown = [label for label in foreign if (used & (codes == positions[label])).any()]
    if not unknown:
        return []
    first = np.flatnonzero(used & (codes == positions[unknown[0]]))[:5]
    rows = ", ".join(str(i + 1) for i in first)
    return [
        Problem(f"{name} has {', '.join(map(repr, unknown[:5]))} (first rows: {rows})",
                where=name, allowed=", ".join(order))
    ]  # fmt: skip


def _too_few(name: str, labels: tuple[str, ...]) -> list[Problem]:
    if len(labels) > 1:
        return []
    return [
        Problem(f"{name} has one level only in the rows used: {', '.join(labels)}", where=name,
                allowed="two levels or more",
                fix="take it out of the formula, or see why the data lack the others")
    ]  # fmt: skip


def _in_all(codes: np.ndarray, labels: tuple[str, ...], order: tuple[str, ...]) -> np.ndarray:
    """Codes int32 in all levels of `order`; 0 for a label that is not among them."""
    position = {label: i for i, label in enumerate(order)}
    table = np.array([position.get(label, 0) for label in labels], dtype=np.int32)
    found: np.ndarray = table[codes]
    return found


def _in_order(
    codes: np.ndarray, labels: tuple[str, ...], order: tuple[str, ...] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes int32 of the labels that occur, in the given order, else sorted as text."""
    present = np.zeros(len(labels), dtype=bool)
    present[codes] = True
    if order is None and sorted(labels) == list(labels):
        if present.all():
            return codes, labels
        return (np.cumsum(present, dtype=np.int32) - 1)[codes], tuple(compress(labels, present))
    position = {label: i for i, label in enumerate(labels) if present[i]}
    kept = sorted(position) if order is None else [label for label in order if label in position]
    if tuple(kept) == labels:
        return codes, labels
    table = np.zeros(len(labels), dtype=np.int32)
    table[[position[label] for label in kept]] = np.arange(len(kept))
    return table[codes], tuple(kept)
