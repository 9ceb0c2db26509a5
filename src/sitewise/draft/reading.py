"""Hospital files as they are found in a folder: how each is written, its rows as text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem, plural
from sitewise.plan.sheet import DELIMITERS, SUFFIXES, Site
from sitewise.trial.decoding import likely_utf_16
from sitewise.trial.raw import RawTable
from sitewise.trial.source import Source, read_source

if TYPE_CHECKING:
    import pandas as pd

FILE, LINE = "_FILE", "_LINE"
_ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")


@dataclass(frozen=True)
class Folder:
    """The hospital files below one folder.

    sites: one a file that could be read, SITEID still its file's name. rows: all their cells as
    text without surrounding blanks, with FILE and LINE; a cell that its file has no column for is
    "". unread: file and reason of those left out: unreadable, or with other columns.
    """

    sites: tuple[Site, ...]
    rows: "pd.DataFrame" = field(repr=False)
    unread: tuple[tuple[str, str], ...]


def read_folder(folder: Path) -> Folder:
    """Read every CSV and Parquet file below `folder`; raises DataError where there is none."""
    import pandas as pd

    if not folder.is_dir():
        raise DataError(
            "The hospital files can't be read.",
            [
                Problem(
                    "it is a file" if folder.exists() else "no such folder",
                    where=str(folder),
                    fix="name the folder with the files",
                )
            ],
        )
    # pipes and links that lead nowhere too: what can't be read is told
    paths = sorted(p for p in folder.rglob("*") if not p.is_dir() and p.suffix.lower() in SUFFIXES)
    tables: list[tuple[Site, RawTable]] = []
    unread: list[tuple[str, str]] = []
    for path in paths:
        site = _written(path, path.relative_to(folder).as_posix())
        source = read_source(folder, site, ())
        if source.table is None or not source.table.cells:
            unread.append((site.file, _why_unread(source)))
        else:
            tables.append((site, source.table))
    usual = Counter(name for _, table in tables for name in table.header)
    sites, frames = [], []
    for site, table in tables:
        strange = [name for name in table.header if usual[name] < len(tables) / 2]
        if len(tables) > 2 and len(strange) > len(table.header) / 4:
            unread.append((site.file, f"its columns are not the others': {strange[0]}, ..."))
            continue
        keep = [i for i, name in enumerate(table.header) if name not in ("", *table.header[:i])]
        cells = {table.header[i]: [row[i].strip() for row in table.cells] for i in keep}
        frame = pd.DataFrame(cells, dtype="str")
        sites.append(replace(site, decimal=_decimal(frame, site.delimiter)))
        frame[FILE], frame[LINE] = site.file, table.lines
        frames.append(frame)
    if not frames:
        raise DataError(
            "No hospital file was found.",
            [
                Problem(
                    "; ".join(f"{file}: {why}" for file, why in unread[:3])
                    or "the folder holds no .csv or .parquet file",
                    where=str(folder),
                    allowed="one file a hospital, .csv or .parquet, with a header line",
                    fix="name the folder that holds them",
                )
            ],
        )
    rows = pd.concat(frames, ignore_index=True).fillna("")
    return Folder(tuple(sites), rows, tuple(unread))


def _why_unread(source: Source) -> str:
    told = "; ".join(fault.message for fault in source.faults)
    if source.table is not None and source.table.ragged:
        cells = source.table.ragged[0][1]
        told = f"its rows have {plural(cells, 'cell')}, its header has {len(source.table.header)}"
    return told or "no rows"


def _written(path: Path, file: str) -> Site:
    """How a file is written: encoding by trial, delimiter by the header's marks."""
    if path.suffix.lower() == ".parquet" or not path.is_file():
        return Site(siteid=file, file=file)
    try:
        data = path.read_bytes()
    except OSError:  # why, `read_source` says
        return Site(siteid=file, file=file)
    encoding = likely_utf_16(data) or next(name for name in _ENCODINGS if _decodes(data, name))
    text = data.decode(encoding, errors="replace")
    head = next((line for line in text.splitlines() if line.strip()), "")
    marks = Counter({mark: head.count(mark) for mark in DELIMITERS.values()})
    mark, count = marks.most_common(1)[0]
    return Site(siteid=file, file=file, encoding=encoding, delimiter=mark if count else ",")


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _decimal(frame: "pd.DataFrame", delimiter: str) -> str:
    """A comma where some column's numbers have one and none has a point."""
    if delimiter == ",":
        return "."
    commas = points = 0
    for name in frame.columns:
        commas += int(frame[name].str.fullmatch(r"[+-]?\d+,\d+").sum())
        points += int(frame[name].str.fullmatch(r"[+-]?\d+\.\d+").sum())
    return "," if commas > points else "."


def numbers(rows: "pd.DataFrame", column: str, sites: Sequence[Site]) -> "pd.Series[float]":
    """The cells of a column as numbers; NaN where they are none."""
    import pandas as pd

    comma = {site.file for site in sites if site.decimal == ","}
    cells = rows[column].where(~rows[FILE].isin(comma), rows[column].str.replace(",", "."))
    plain = cells.where(cells.str.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)"))
    return pd.to_numeric(plain, errors="coerce")
