"""An earlier file in place of a bad one is told in the report by the data cut, not by the clock."""

import datetime
from pathlib import Path

import pytest

from sitewise.run.kept import Kept, kept_in, write_note

CUT = datetime.date(2026, 1, 31)


def note(folder: Path, since: str) -> None:
    write_note(folder, [Kept("A", "a.csv", "no header", "ab" * 32, since, 3)])


@pytest.mark.parametrize(
    ("since", "age"),
    [
        ("2026-01-21T23:59:59+00:00", "on 2026-01-21, 10 days before the data cut of 2026-01-31"),
        ("2026-01-31T00:00:01+00:00", "on 2026-01-31, on the day of the data cut"),
        ("2026-02-01T00:00:01+00:00", "on 2026-02-01, 1 day after the data cut"),
    ],
)
def test_the_age_is_by_the_data_cut(tmp_path: Path, since: str, age: str) -> None:
    note(tmp_path, since)
    (told,) = kept_in(tmp_path, {"a.csv": "ab" * 32}, CUT)
    assert (told["site"], told["file"]) == ("A", "a.csv")
    assert age in told["told"]
    assert "no header" in told["told"]


def test_a_file_that_is_not_the_one_of_the_note_is_none_of_its(tmp_path: Path) -> None:
    assert kept_in(tmp_path, {"a.csv": "ab" * 32}, CUT) == ()
    note(tmp_path, "2026-01-21T00:00:00+00:00")
    assert kept_in(tmp_path, {"a.csv": "cd" * 32}, CUT) == ()
