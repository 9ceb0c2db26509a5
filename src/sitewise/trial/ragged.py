"""Rows that are longer or shorter than the header: one finding each, or one a file."""

from collections import Counter

from sitewise.errors import plural
from sitewise.plan.sheet import Site
from sitewise.trial.findings import file_finding
from sitewise.trial.raw import RawTable
from sitewise.trial.rows import RAGGED

# So many rows of one length, and more than half of the file's, are how the file is written.
FEWEST_ALIKE = 3


def ragged_records(site: Site, table: RawTable) -> list[dict[str, object]]:
    """Findings of the rows whose cells can't be told apart.

    Most of a file's rows with the same number of cells share one, at the first of them: then the
    fault lies in the file, often in its header.
    """
    lengths = Counter(count for _, count in table.ragged)
    rows = len(table.lines) + len(table.ragged)
    shared = {n for n, alike in lengths.items() if alike >= FEWEST_ALIKE and 2 * alike > rows}
    width = len(table.header)
    records = [
        _record(
            site,
            width,
            row,
            message=f"the row has {plural(row[1], 'cell')}, the header has {width}: its cells"
            " can't be told apart",
            action="row set aside",
            advice="correct the row (a delimiter within a cell needs quotes around the cell)",
        )
        for row in table.ragged
        if row[1] not in shared
    ]
    for number in shared:
        looks, advice = _whole_file(table, number, lengths[number])
        cells = plural(number, "cell")
        told = f"{lengths[number]} of {rows} rows have {cells}, the header has {width}"
        records.append(
            _record(
                site,
                width,
                next(row for row in table.ragged if row[1] == number),
                message=f"{told}: their cells can't be told apart{looks}",
                action=f"{lengths[number]} rows set aside",
                advice=advice,
            )
        )
    return records


def _record(
    site: Site, width: int, row: tuple[int, int], *, message: str, action: str, advice: str
) -> dict[str, object]:
    """One finding at `row`, a line of the file and its number of cells."""
    return file_finding(
        site.siteid, site.file, RAGGED, message, row=row[0], value=plural(row[1], "cell"),
        allowed=f"{plural(width, 'cell')}, as the header", action=action, advice=advice,
    )  # fmt: skip


def _whole_file(table: RawTable, count: int, alike: int) -> tuple[str, str]:
    """What most rows of a file look like, and what to do."""
    width = len(table.header)
    ask = "ask the hospital for the file"
    if count == width + 1 and table.trailing == alike:
        return (
            "; they end with a delimiter, the header does not",
            f"{ask} with the delimiter at the end of every line or of none",
        )
    if count == width - 1 and not table.header[-1]:
        return (
            "; the header ends with a delimiter, they do not",
            f"{ask} with the delimiter at the end of every line or of none",
        )
    if count == width + 1:
        return (
            "; a column without a name may stand in them, such as numbers of rows",
            f"{ask} with a name for every column",
        )
    return "", f"see whether the header is that of these rows; {ask} with a name for every column"
