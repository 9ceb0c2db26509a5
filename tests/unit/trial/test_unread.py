"""What a cell looks like that is no number."""

import pytest

from sitewise.trial.numbers import parse_number
from sitewise.trial.unread import why_no_number


@pytest.mark.parametrize(
    ("cell", "decimal", "told"),
    [
        ("142,5", ".", "a decimal comma, and the site sheet says that this file's decimal mark is"),
        ("142.5", ",", "a decimal point, and the site sheet says that this file's decimal mark is"),
        ("1,234", ".", "a thousands separator or a decimal comma"),
        ("1.234", ",", "a thousands separator or a decimal point"),
        ("1.234,5", ",", "with thousands separators"),
        ("12'345", ".", "with thousands separators"),
        ("1\u202f234", ".", "with thousands separators"),
        ("1,234,567", ".", "with thousands separators"),
        ("142mmHg", ".", "142 followed by 'mmHg'"),
        ("36.5 \u00b0C", ".", "36.5 followed by '\u00b0C'"),
        ("142*", ".", "142 followed by '*'"),
        ("120 / 80", ".", "two numbers in one cell"),
        ("<= 60", ".", "a limit, not a measured value"),
        ("Not done", ".", "a word for a missing value"),
        ("#N/A", ".", "a word for a missing value"),
        ("2024-3-1", ".", "a date (year-month-day)"),
        ("2024-03-01T10:00", ".", "a date (year-month-day)"),
        ("1.3.2024", ".", "a date (day and month in an unknown order)"),
        ("1 mars 2024", ".", "a date (day month year)"),
        ("\uff11\uff12\uff10", ".", "signs that are not the digits"),
    ],
)
def test_a_cell_is_told_by_what_it_looks_like(cell: str, decimal: str, told: str) -> None:
    said, advice = why_no_number(cell, decimal)
    assert told in said
    assert advice


@pytest.mark.parametrize("cell", ["abc", "--5", "1e999", "", "e", "1_40"])
def test_nothing_is_said_where_nothing_is_known(cell: str) -> None:
    assert why_no_number(cell, ".")[0] == ""


@pytest.mark.parametrize("cell", ["142", "142.5", "-3", "1e2", ".5"])
def test_what_is_a_number_is_never_asked_about(cell: str) -> None:
    assert parse_number(cell, ".") == float(cell)
