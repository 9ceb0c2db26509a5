"""One raw column, typed: a number, or codes of its text. Fast at millions of rows."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.errors import ModelError, Problem, plural

if TYPE_CHECKING:
    import pandas as pd

LARGEST, SMALLEST = 1e100, 1e-100  # of numbers whose products are far from over- and underflow
_LONG = 10_000  # below, nothing is worth a short cut


def is_number(values: "pd.Series") -> bool:
    """Whether a column holds numbers (true or false is no number)."""
    import pandas as pd

    types = pd.api.types
    numeric = types.is_numeric_dtype(values) and not types.is_complex_dtype(values)
    return numeric and not types.is_bool_dtype(values)


def plain(values: "pd.Series") -> "pd.Series":
    """The column with the type of what it holds: objects that are all numbers become numbers."""
    if values.dtype != object:
        return values
    present = values.notna().to_numpy()
    held = values.array[int(present.argmax())] if present.any() else None
    return values if isinstance(held, str) else values.infer_objects()


def text_codes(values: "pd.Series") -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes int32 (n,), -1 where missing, and labels in order of appearance.

    Whole numbers read as `7`, not `7.0`; an empty text is missing. Categories keep their order.
    """
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, uniques = values.cat.codes.to_numpy().astype(np.int32), values.cat.categories
    else:
        codes, uniques = _factorized(values)
    listed = (uniques.to_numpy(dtype=object) if hasattr(uniques, "to_numpy") else uniques).tolist()
    if set(map(type, listed)) == {str} and "" not in listed:
        return codes, tuple(listed)  # millions of identifiers: no second look at each
    return _merged(codes, listed)


def _factorized(values: "pd.Series") -> tuple[np.ndarray, Any]:
    """pandas' codes and uniques, with one look at a run of equal values (rows by patient)."""
    import pandas as pd

    array: Any = values.array
    comparable = len(array) > _LONG
    if comparable and values.dtype == object:
        array, comparable = values.to_numpy(), not values.isna().any()
    if comparable:
        changes = array[1:] != array[:-1]
        if isinstance(changes, np.ndarray) and changes.dtype == bool:
            starts = np.flatnonzero(changes) + 1
            if 2 * len(starts) < len(array):
                starts = np.concatenate([[0], starts])
                codes, uniques = pd.factorize(array[starts])
                lengths = np.diff(np.append(starts, len(array)))
                return np.repeat(codes.astype(np.int32), lengths), uniques
    try:
        codes, uniques = pd.factorize(values)
    except TypeError as error:
        held = next(value for value in values if isinstance(value, list | dict | set))
        raise ModelError(
            "The data do not fit the formula.",
            [Problem(f"{values.name} holds a {type(held).__name__} in a row: {held!r}"[:120],
                     where=str(values.name), allowed="text or whole numbers",
                     fix="give each row one label")],
        ) from error  # fmt: skip
    return codes.astype(np.int32), uniques


def _merged(codes: np.ndarray, uniques: list[Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Values as text; those with the same text (1 and "1") become one, the empty text missing."""
    texts = [level_text(value) for value in uniques]
    kept = [text for text in dict.fromkeys(texts) if text]
    if kept == texts:
        return codes, tuple(texts)
    position = {text: i for i, text in enumerate(kept)} | {"": -1}
    table = np.array([position[text] for text in texts] + [-1], dtype=np.int32)
    return table[codes], tuple(kept)


def level_text(value: Any) -> str:
    """A value as the text of a level: whole numbers as `7`, not `7.0`."""
    if isinstance(value, str):
        return value
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def number(name: str, values: "pd.Series", problems: list[Problem]) -> np.ndarray:
    """A column as float64 (n,), NaN where missing; adds a problem for text and for infinity."""
    import pandas as pd

    if pd.api.types.is_complex_dtype(values):
        problems.append(
            Problem(f"{name} must be a number, found complex numbers", where=name,
                    fix="take the real part, if that is what was measured")
        )  # fmt: skip
        return np.full(len(values), np.nan)
    if not is_number(values):
        found = pd.to_numeric(values.astype(object), errors="coerce").to_numpy(np.float64)
        bad = np.flatnonzero(np.isnan(found) & values.notna().to_numpy())
        kind = _kind(values)
        first = f" {str(values.iloc[bad[0]])!r} in row {bad[0] + 1}" if len(bad) else ""
        problems.append(
            Problem(f"{name} must be a number, found {kind}{first}", where=name,
                    allowed="numbers, missing (NaN) where unknown",
                    fix=f"mend cells that are none, then pandas.to_numeric(data[{name!r}])")
        )  # fmt: skip
        return found
    typed: np.ndarray = values.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.flatnonzero(np.isinf(typed))
    if len(infinite):
        rows = ", ".join(str(i + 1) for i in infinite[:5])
        problems.append(
            Problem(f"{name} is infinite in {plural(len(infinite), 'row')}: {rows}", where=name,
                    allowed="finite numbers; missing where unknown")
        )  # fmt: skip
        return typed
    size = float(np.nanmax(np.abs(typed), initial=0.0))
    if size > LARGEST or 0 < size < SMALLEST:
        problems.append(
            Problem(f"the largest value of {name} is {size:.3g}: its squares are no numbers",
                    where=name, allowed=f"a largest value from {SMALLEST:g} to {LARGEST:g}",
                    fix=f"take another unit of {name}")
        )  # fmt: skip
    return typed


def _kind(values: "pd.Series") -> str:
    """What a column that is no number holds, in words."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return "a date,"
    held = pd.api.types.infer_dtype(values, skipna=True)
    words = {"boolean": "true or false", "decimal": "decimal.Decimal objects", "date": "a date,"}
    words |= {"timedelta": "a duration,", "timedelta64": "a duration,"}
    return words.get(held, "text")


def check_whole(name: str, values: "pd.Series", problems: list[Problem]) -> None:
    """Add a problem where a grouping holds fractions: measured values are no identifiers."""
    import pandas as pd

    if not pd.api.types.is_float_dtype(values):
        return
    present = values.dropna().to_numpy(dtype=np.float64)
    fractions = present[present != np.floor(present)]
    if len(fractions):
        problems.append(
            Problem(f"the grouping {name} holds fractions, found {float(fractions[0])!r}",
                    where=name, allowed="identifiers or categories")
        )  # fmt: skip


def natural_order(labels: Sequence[str]) -> list[str]:
    """Labels as people sort them: `month 6` before `month 12`."""

    def key(label: str) -> list[tuple[int, int, str]]:
        parts = re.findall(r"\d+|\D+", label)
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]

    return sorted(labels, key=key)
