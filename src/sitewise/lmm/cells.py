"""From a frame to the cells that a model uses: types, missing values, factor levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import Formula, fixed_columns, formula_columns, term_columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Cells:
    """The rows and columns that a model uses; fields as in `sitewise.lmm.design.Design`.

    frame: rows used, columns used: numbers as float64, factors and groupings as text.
    """

    frame: "pd.DataFrame" = field(repr=False)
    y: np.ndarray = field(repr=False)
    used: np.ndarray = field(repr=False)
    dropped: Mapping[str, np.ndarray] = field(repr=False)
    levels: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    def grouping(self, columns: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Codes (n,), int64, and labels of the levels that occur, sorted column by column."""

        import pandas as pd

        codes = np.zeros(len(self.frame), dtype=np.int64)
        labels = [""]
        for i, name in enumerate(columns):
            own, texts = pd.factorize(self.frame[name].to_numpy(dtype=object), sort=True)
            joint = codes * len(texts) + own.astype(np.int64)
            present, codes = np.unique(joint, return_inverse=True)
            codes = codes.astype(np.int64)
            before = [labels[k // len(texts)] for k in present]
            labels = [
                f"{head}:{texts[k % len(texts)]}" if i else str(texts[k % len(texts)])
                for head, k in zip(before, present, strict=True)
            ]
        return codes, tuple(labels)


def read_cells(
    formula: Formula, frame: "pd.DataFrame", levels: Mapping[str, Sequence[str]]
) -> Cells:
    """Pick the columns of `formula`, type them, drop rows with a missing cell.

    Raises ModelError with all problems: unknown columns; then text where numbers must be, numbers
    that are not finite, fractions as groupings, values outside a factor's levels.
    """

    import pandas as pd

    columns = formula_columns(formula)
    _check_known(formula, columns, frame)
    typed, factors = _typed(formula, columns, frame, levels)
    dropped = {name: typed[name].isna().to_numpy() for name in columns if typed[name].isna().any()}
    used = np.ones(len(frame), dtype=bool)
    for mask in dropped.values():
        used &= ~mask
    if not used.any():
        counts = ", ".join(f"{name} in {int(mask.sum())}" for name, mask in dropped.items())
        raise ModelError(
            "No row is left to fit.",
            [Problem(f"all {len(frame)} rows have a missing value ({counts or 'no rows at all'})",
                     where=formula.text, fix="see which of these columns the data lack")],
        )  # fmt: skip
    kept = pd.DataFrame(typed).loc[used].reset_index(drop=True)
    found, notes = _levels(kept, sorted(factors, key=columns.index), levels)
    return Cells(kept, kept[formula.response].to_numpy(np.float64), used, dropped, found, notes)


def _typed(
    formula: Formula,
    columns: Sequence[str],
    frame: "pd.DataFrame",
    levels: Mapping[str, Sequence[str]],
) -> tuple[dict[str, "pd.Series"], set[str]]:
    """Each column as number or text, and which of them are factors among the terms."""
    groups = {name for spec in formula.random for name in spec.group}
    terms = {*fixed_columns(formula), *(c for s in formula.random for c in term_columns(s.terms))}
    factors = {name for name in terms if name in levels or not _is_number(frame[name])}
    problems: list[Problem] = []
    typed: dict[str, pd.Series] = {}
    for name in columns:
        if name in factors:
            typed[name] = _text(frame[name])
        elif name in groups and name not in terms:
            typed[name] = _group(name, frame[name], problems)
        else:
            typed[name] = _number(name, frame[name], problems)
        if name in groups and name in terms and name not in factors:
            problems.append(
                Problem(f"{name} is both a number among the terms and a grouping", where=name,
                        fix="declare it as a factor, or group by another column")
            )  # fmt: skip
    if problems:
        raise ModelError("The data do not fit the formula.", problems)
    return typed, factors


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
    if problems:
        raise ModelError("The formula names columns that the data lack.", problems)


def _is_number(values: "pd.Series") -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _text(values: "pd.Series") -> "pd.Series":
    """Text with missing cells kept missing; an empty cell is missing."""
    text = values.astype(str).where(values.notna(), None).astype(object)
    return text.where(text != "", None)


def _group(name: str, values: "pd.Series", problems: list[Problem]) -> "pd.Series":
    import pandas as pd

    if pd.api.types.is_float_dtype(values):
        present = values.dropna()
        if not (present == np.floor(present)).all():
            problems.append(
                Problem(f"the grouping {name} holds fractions, found {present.iloc[0]!r}",
                        where=name, allowed="identifiers or categories")
            )  # fmt: skip
            return values
        return _text(values.astype("Int64"))
    return _text(values)


def _number(name: str, values: "pd.Series", problems: list[Problem]) -> "pd.Series":
    import pandas as pd

    if not _is_number(values):
        number = pd.to_numeric(values, errors="coerce")
        bad = values[number.isna() & values.notna()]
        what = f"{name} must be a number, found text" + (
            f" {bad.iloc[0]!r} in row {int(np.flatnonzero(values.index == bad.index[0])[0]) + 1}"
            if len(bad) else ""
        )  # fmt: skip
        problems.append(Problem(what, where=name, fix="see the findings on this column"))
        return number
    number = pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)
    infinite = np.flatnonzero(np.isinf(number.to_numpy()))
    if len(infinite):
        rows = ", ".join(str(i + 1) for i in infinite[:5])
        problems.append(
            Problem(f"{name} is infinite in {len(infinite)} row(s): {rows}", where=name,
                    allowed="finite numbers; missing where unknown")
        )  # fmt: skip
    return number


def _levels(
    frame: "pd.DataFrame", factors: Sequence[str], declared: Mapping[str, Sequence[str]]
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Levels that occur, in the declared order, and notes on those that do not."""
    found: dict[str, tuple[str, ...]] = {}
    notes: list[str] = []
    problems: list[Problem] = []
    for name in factors:
        present = set(frame[name])
        order = tuple(declared[name]) if name in declared else tuple(sorted(present))
        unknown = sorted(present - set(order))
        if unknown:
            rows = ", ".join(str(i + 1) for i in np.flatnonzero(frame[name] == unknown[0])[:5])
            problems.append(
                Problem(f"{name} has {', '.join(map(repr, unknown[:5]))} (first rows: {rows})",
                        where=name, allowed=", ".join(order))
            )  # fmt: skip
        absent = [level for level in order if level not in present]
        found[name] = tuple(level for level in order if level in present)
        if absent:
            notes.append(
                f"{name}: no row used has {', '.join(absent)};"
                f" the reference is {found[name][0] if found[name] else 'none'}."
            )
        if len(found[name]) < 2:
            problems.append(
                Problem(f"{name} has one level only in the rows used: {', '.join(found[name])}",
                        where=name, allowed="two levels or more",
                        fix="take it out of the formula, or see why the data lack the others")
            )  # fmt: skip
    if problems:
        raise ModelError("A factor of the model can't be built.", problems)
    return found, tuple(notes)
