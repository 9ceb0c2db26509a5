"""The header of a hospital file held against the columns that the plan names."""

from collections.abc import Iterator, Sequence

from sitewise.plan.sheet import DELIMITERS, Site
from sitewise.trial.likeness import difference, near_miss, plain
from sitewise.trial.raw import Fault, RawTable

LONGEST_HEADER = 200
NO_HEADER = "header missing"
DELIMITER = "delimiter"


def header_faults(table: RawTable, site: Site, columns: Sequence[str]) -> Iterator[Fault]:
    """Columns that stand twice or not at all; one fault where none of them is there."""
    header = _shown(table.header)
    missing = [name for name in columns if name not in table.header]
    if columns and len(missing) == len(columns):
        yield _other_header(table, site, columns)
        return
    for name in columns:
        number = table.header.count(name)
        if number > 1:
            yield Fault(
                "column twice",
                f"the column {name!r} stands {number} times in the header: {header}",
                "ask the hospital which one is meant, and remove the other",
                allowed="each column of the plan once",
                row=table.line,
                column=name,
                value=f"{number} times",
            )
    for name in missing:
        near = near_miss(name, [found for found in table.header if found not in columns])
        yield Fault(
            "column missing",
            f"the column {name!r} is missing{near}; the header has: {header}",
            "rename the column in the file, or correct its name in the plan"
            if near
            else "ask the hospital for the column, or correct its name in the plan",
            allowed=", ".join(dict.fromkeys(columns)),
            row=table.line,
            column=name,
        )


def _other_header(table: RawTable, site: Site, columns: Sequence[str]) -> Fault:
    """The fault of a first line that has none of the columns: another delimiter, or no header."""
    looks = [
        (name, mark)
        for name, mark in DELIMITERS.items()
        if mark != site.delimiter
        and any(mark in cell for cell in table.header)
        and any(column in _cells(table.header, mark, site) for column in columns)
    ]
    if looks:
        name, _ = looks[0]
        return Fault(
            DELIMITER,
            f"the cells look separated by {name}s, and the site sheet says"
            f" {_name(site.delimiter)}s; the first line is: {_shown(table.header)}",
            f"set the site's `delimiter` to `{name}` in the site sheet",
            allowed=", ".join(DELIMITERS),
            row=table.line,
        )
    return Fault(
        NO_HEADER,
        f"none of the plan's columns is in the first line: {_shown(table.header)}",
        "the first line of the file must name the columns: remove what stands above it, or correct"
        " the names of the columns in the plan",
        allowed=", ".join(dict.fromkeys(columns)),
        row=table.line,
    )


def header_doubts(table: RawTable, columns: Sequence[str]) -> Iterator[Fault]:
    """Columns that look like one of the plan's, which is there too: only the plan's is read."""
    names = {plain(name): name for name in columns if name in table.header}
    for other in dict.fromkeys(table.header):
        name = names.get(plain(other), other)
        if name == other or other in columns:
            continue
        yield Fault(
            "columns alike",
            f"the header has {name!r} and {other!r}, which differ only in"
            f" {difference(name, other)}",
            "ask the hospital which one is meant; if it is the other, correct its name in the plan",
            allowed="one column of that name",
            row=table.line,
            column=name,
        )


def absent_doubts(
    table: RawTable, columns: Sequence[str], wanted: Sequence[str]
) -> Iterator[Fault]:
    """Columns that a file may lack, which are not there once: nothing of them is read.

    columns: those that it must have; where it has none, that is what is said. wanted: those that it
    may lack.
    """
    if columns and not any(name in table.header for name in columns):
        return
    for name in wanted:
        number = table.header.count(name)
        if number == 1:
            continue
        near = near_miss(name, [found for found in table.header if found not in columns])
        what = f"stands {number} times" if number else f"is missing{near}"
        yield Fault(
            "column of reasons missing",
            f"the column {name!r}, with why patients left early, {what}; the header has:"
            f" {_shown(table.header)}",
            "rename the column in the file, or correct its name in the plan (leaving.column)"
            if near
            else "ask the hospital for the column once, or correct its name in the plan"
            " (leaving.column)",
            allowed=f"the column {name!r} once, as in the other hospitals' files",
            row=table.line,
            column=name,
            action="readings kept; no reason is known of this hospital's patients",
        )


def _cells(header: Sequence[str], mark: str, site: Site) -> list[str]:
    return [cell.strip().strip('"') for cell in site.delimiter.join(header).split(mark)]


def _name(delimiter: str) -> str:
    return next(name for name, mark in DELIMITERS.items() if mark == delimiter)


def _shown(header: Sequence[str]) -> str:
    text = ", ".join(header)
    if not text.isprintable():
        text = text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= LONGEST_HEADER else text[: LONGEST_HEADER - 3] + "..."
