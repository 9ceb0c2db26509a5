"""What goes wrong when hospitals write down a trial: one kind a hospital, each on record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sitewise.simulate.hospitals import Hospital
from sitewise.simulate.rows import Row, cell

if TYPE_CHECKING:
    import numpy as np

Files = Mapping[str, list[Row]]

# Shares of the rows of the troubled hospital: swapped; both cells doubted; units in both cells.
TROUBLE = (0.30, 0.35, 0.10)


@dataclass(frozen=True)
class Wart:
    """One thing that is wrong, or unusual, in the files.

    kind: see `KINDS`. rows: the rows concerned; empty where it is the whole file. readings: how
    many can't be used because of it (one reading: one pressure in one row).
    """

    kind: str
    siteid: str
    rows: tuple[Row, ...]
    readings: int


KINDS: dict[str, str] = {
    "kPa": "the hospital measures in kPa, and its line in the site sheet says so",
    "decimal comma": "the hospital writes semicolons and decimal commas; the site sheet says so",
    "identifiers like 007": "identifiers with leading zeros are text, not numbers",
    "identifiers like 1001E3": "identifiers that read as numbers in a spreadsheet are text",
    "swapped": "systolic and diastolic pressure stand in each other's column",
    "row twice": "a visit was entered twice, with the same values",
    "row twice, different": "a visit was entered twice, with different values",
    "misspelt visit": "the visit's name is misspelt",
    "two hospitals": "a patient moved: the last visits stand in another hospital's file",
    "digit too many": "a digit was typed twice",
    "no baseline": "the pressures at baseline were not written down",
    "trouble": "most readings of the hospital are swapped, doubted, or have units in the cell",
}


def spoil(
    files: Files, hospitals: Mapping[str, Hospital], rng: "np.random.Generator"
) -> list[Wart]:
    """Change the rows of the files in place; says what was done, in the order of hospitals."""
    warts = [
        Wart("kPa", "004", (), 0),
        Wart("identifiers like 007", "007", (), 0),
        Wart("identifiers like 1001E3", "010", (), 0),
        Wart("decimal comma", "012", (), 0),
        _swapped(files["002"], rng),
        _two_hospitals(files, "003", "011", rng),
        _row_twice(files["005"], rng),
        _digit_too_many(files["006"], rng),
        _misspelt(files["008"], rng),
        _row_twice_different(files["009"], hospitals["009"], rng),
        _trouble(files["013"], rng),
        _no_baseline(files["014"], rng),
    ]
    return sorted(warts, key=lambda wart: wart.siteid)


def _pick(rows: list[Row], rng: "np.random.Generator", meets: Callable[[Row], bool]) -> Row:
    """One row in which both pressures were taken and that meets the condition."""
    fitting = [row for row in rows if row.measured and meets(row)]
    return fitting[int(rng.integers(len(fitting)))]


def _late(row: Row) -> bool:
    return row.visit != "Baseline"


def _swapped(rows: list[Row], rng: "np.random.Generator") -> Wart:
    first = _pick(rows, rng, _late)
    second = _pick(rows, rng, lambda row: _late(row) and row.subject != first.subject)
    for row in (first, second):
        row.sbp, row.dbp = row.dbp, row.sbp
    return Wart("swapped", first.hospital, (first, second), 4)


def _two_hospitals(files: Files, left: str, entered: str, rng: "np.random.Generator") -> Wart:
    counts: dict[str, int] = {}
    for row in files[left]:
        counts[row.subject] = counts.get(row.subject, 0) + (1 if row.measured else -10)
    stayed = [subject for subject, count in counts.items() if count == max(counts.values())]
    patient = stayed[int(rng.integers(len(stayed)))]
    rows = [row for row in files[left] if row.subject == patient]
    for row in rows[-2:]:
        files[left].remove(row)
        row.hospital = entered
        files[entered].append(row)
    return Wart("two hospitals", left, tuple(rows), 2 * len(rows))


def _row_twice(rows: list[Row], rng: "np.random.Generator") -> Wart:
    row = _pick(rows, rng, _late)
    again = replace(row)
    rows.insert(rows.index(row) + 1, again)
    return Wart("row twice", row.hospital, (row, again), 2)


def _row_twice_different(rows: list[Row], hospital: Hospital, rng: "np.random.Generator") -> Wart:
    row = _pick(rows, rng, _late)
    again = replace(
        row, sbp=cell(float(row.sbp) + 12, hospital), dbp=cell(float(row.dbp) + 6, hospital)
    )
    rows.insert(rows.index(row) + 1, again)
    return Wart("row twice, different", row.hospital, (row, again), 4)


def _digit_too_many(rows: list[Row], rng: "np.random.Generator") -> Wart:
    row = _pick(rows, rng, _late)
    row.sbp += row.sbp[-1]
    return Wart("digit too many", row.hospital, (row,), 1)


def _misspelt(rows: list[Row], rng: "np.random.Generator") -> Wart:
    row = _pick(rows, rng, lambda row: row.visit == "Week 8")
    row.visit = "Wek 8"
    return Wart("misspelt visit", row.hospital, (row,), 2)


def _no_baseline(rows: list[Row], rng: "np.random.Generator") -> Wart:
    again = {row.subject for row in rows if row.measured and _late(row)}
    row = _pick(rows, rng, lambda row: not _late(row) and row.subject in again)
    row.sbp = row.dbp = ""
    return Wart("no baseline", row.hospital, (row,), 0)


def _trouble(rows: list[Row], rng: "np.random.Generator") -> Wart:
    swapped, doubted, units = TROUBLE
    for row in rows:
        if not row.measured:
            continue
        kind = rng.random()
        if kind < swapped:
            row.sbp, row.dbp = row.dbp, row.sbp
        elif kind < swapped + doubted:
            row.sbp, row.dbp = f"{row.sbp}?", f"{row.dbp}?"
        elif kind < swapped + doubted + units:
            row.sbp, row.dbp = f"{row.sbp} mmHg", f"{row.dbp} mmHg"
    readings = sum(bool(row.sbp) + bool(row.dbp) for row in rows)
    return Wart("trouble", rows[0].hospital, (), readings)
