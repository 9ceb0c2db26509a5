"""Text cells to numbers: plain decimal notation only, nothing guessed."""

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = {
    ".": re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?", re.ASCII),
}


def parse_number(cell: str, decimal: str) -> float:
    """The number that a cell holds, NaN if it holds anything else (a unit, 1,234.5, inf)."""
    if not _PLAIN[decimal].fullmatch(cell):
        return math.nan
    number = float(cell.replace(",", "."))
    return number if math.isfinite(number) else math.nan


def parse_cells(cells: "pd.Series[str]", decimals: "pd.Series[str]") -> "pd.Series[float]":
    """Numbers of a column, shape and index of `cells`; decimals: the decimal mark of each row."""
    import pandas as pd

    out = pd.Series(math.nan, index=cells.index, dtype="float64")
    for mark in _PLAIN:
        part = cells[(decimals == mark) & cells.notna()]
        # files repeat their values: each distinct text is parsed once
        known = {cell: parse_number(cell, mark) for cell in part.unique()}
        out[part.index] = part.map(known).astype("float64")
    return out


def is_missing_number(values: "pd.Series[float]", codes: Iterable[str]) -> "pd.Series[bool]":
    """Which numbers are missing-value codes: `0` also means 0.0."""
    numbers = [parse_number(code, ".") for code in codes]
    return values.isin([number for number in numbers if not math.isnan(number)])
