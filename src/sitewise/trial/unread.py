"""Why a cell is no number, and what to do about it: hints for people, nothing is repaired."""

import math
import re
import unicodedata

from sitewise.trial.numbers import parse_number

_NUMBER = r"[+-]?\d+(?:[.,]\d+)?"
_MISSING_WORDS = frozenset(
    "na n/a n.a. #n/a nan null none nil nd n.d. missing unknown unk ? - -- --- . x"
    " not_done not_measured not_available".replace("_", "-").split()
)
_DATES = (
    (re.compile(r"\d{4}([/.-])\d{1,2}\1\d{1,2}([T ].*)?", re.ASCII), "year-month-day"),
    (re.compile(r"\d{4}-?W\d{2}(-?\d)?", re.ASCII), "year-week-day"),
    (re.compile(r"[^\W\d_]{3,9}\.? \d{1,2},? \d{2,4}"), "month day year"),
    (re.compile(r"\d{1,2}([/.-])\d{1,2}\1\d{2,4}", re.ASCII), "day and month in an unknown order"),
    (re.compile(r"\d{1,2}[- ./]?[^\W\d_]{3,9}[- ./]?\d{2,4}"), "day month year"),
)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,.'\u2019 \u00a0\u2009\u202f])\d{3}(\1\d{3})*([.,]\d+)?")
_TWO = re.compile(rf"({_NUMBER})\s*/\s*({_NUMBER})")
_LIMIT = re.compile(rf"[<>\u2264\u2265~]=?\s*{_NUMBER}")
_WITH_UNIT = re.compile(rf"({_NUMBER})\s*(?![eE]\d|_)([^\d\s.,:;/+-].*)")
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2})?", re.ASCII)
_UNSEEN = ("Cf", "Cc", "Zl", "Zp")
_MARKS = {".": "point", ",": "comma"}

CORRECT = "correct the cell from the source document"
# Numbers that data entry systems write where nothing was measured.
MISSING_NUMBERS = frozenset({-9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0})


def why_no_number(cell: str, decimal: str) -> tuple[str, str]:
    """What a cell looks like that is no number in a file of this decimal mark; what to do.

    Gives `; it looks like ...` (or nothing) and the advice.
    """
    if re.sub(r"\s", "-", cell.casefold()) in _MISSING_WORDS:
        return (
            "; it looks like a word for a missing value",
            "if it means missing, add it to the plan's missing_values; else correct the cell",
        )
    if style := date_style(cell):
        return f"; it looks like a date ({style})", f"{CORRECT}; spreadsheets turn 3-4 into a date"
    if _TIME.fullmatch(cell):
        return "; it looks like a time of day", CORRECT
    if told := _strange(cell, decimal):
        return told
    if told := _separated(cell, decimal):
        return told
    if _TWO.fullmatch(cell):
        return "; it looks like two numbers in one cell", f"{CORRECT}: one number a cell"
    if _LIMIT.fullmatch(cell):
        return "; it looks like a limit, not a measured value", CORRECT
    if match := _WITH_UNIT.fullmatch(cell):
        number, tail = match.groups()
        return (
            f"; it looks like {number} followed by {tail!r}",
            "take everything but the number out of the cell; another unit of the whole site is"
            " declared in the site sheet",
        )
    return "", f"{CORRECT}; if it means missing, add it to the plan's missing_values"


def date_style(cell: str) -> str:
    """How a cell that looks like a date is written, in words; "" for any other cell."""
    return next((style for pattern, style in _DATES if pattern.fullmatch(cell)), "")


def _strange(cell: str, decimal: str) -> tuple[str, str] | None:
    """A number with characters that no one sees, or that only look like those of a number."""
    seen = "".join(c for c in cell if unicodedata.category(c) not in _UNSEEN)
    written = unicodedata.normalize("NFKC", seen).replace("\u2212", "-").replace("\u2013", "-")
    plain = "".join(str(unicodedata.decimal(c, c)) for c in written)
    if math.isnan(parse_number(plain, decimal)):
        return None
    if seen != cell:
        return "; it has characters that no one sees", "type the number anew"
    return "; it has signs that are not the digits 0 to 9 or the minus -", "type the number anew"


def _separated(cell: str, decimal: str) -> tuple[str, str] | None:
    """A number with another decimal mark, with thousands separators, or with either."""
    other = "," if decimal == "." else "."
    commas = other in cell and not math.isnan(parse_number(cell, other))
    thousands = bool(_THOUSANDS.fullmatch(cell))
    sheet = f"the site sheet says that this file's decimal mark is a {_MARKS[decimal]}"
    declare = (
        f"if the whole file is written so, set the site's `decimal` to `{_MARKS[other]}` in the"
        f" site sheet; else {CORRECT}"
    )
    plainly = "write the number without thousands separators"
    if commas and thousands:
        return (
            f"; it may have a thousands separator or a decimal {_MARKS[other]}, and {sheet}",
            f"{declare}, without thousands separators",
        )
    if commas:
        return f"; it looks like a number with a decimal {_MARKS[other]}, and {sheet}", declare
    if thousands:
        return "; it looks like a number with thousands separators", plainly
    return None
