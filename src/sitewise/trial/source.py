"""Read one hospital file as text, with the line of each record; what can't be read is a Fault."""

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from sitewise.plan.sheet import DELIMITERS, ENCODINGS, Site

# A measured cell is short; this only keeps a file without line ends from being one giant cell.
csv.field_size_limit(131072)


@dataclass(frozen=True)
class Fault:
    """Why a hospital file can't be used. row: line in the file, if it lies in one."""

    rule: str
    message: str
    advice: str
    allowed: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""


@dataclass(frozen=True)
class RawTable:
    """The records of one file as text.

    lines: physical line at which each record starts (the header is line 1). cells: one list a
    record, as long as the header. ragged: (line, number of cells) of records of another length,
    whose cells can't be told apart and are not in `cells`. blank: records without any content.
    """

    header: tuple[str, ...]
    lines: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    ragged: list[tuple[int, int]] = field(default_factory=list)
    blank: int = 0


@dataclass(frozen=True)
class Source:
    """One file: the digest of its bytes ("" if there is none), its table, and what is wrong.

    table is None where the records could not be told apart at all.
    """

    sha256: str
    table: RawTable | None
    faults: tuple[Fault, ...]


def read_source(
    folder: Path, site: Site, columns: Sequence[str], listed: Sequence[str] | None = None
) -> Source:
    """Read the file of one site; `columns` must be in it. Never raises for a bad file.

    listed: the files of all sites; where one is missing, none of the others' is suggested.
    """
    path = folder / site.file
    try:
        data = path.read_bytes()
    except OSError as error:
        return Source("", None, (_unreadable(path, folder, error, listed),))
    digest = hashlib.sha256(data).hexdigest()
    faults = []
    if site.sha256 and site.sha256 != digest:
        faults.append(
            Fault(
                "file digest",
                f"the file is not the one that the site sheet expects: its sha256 is {digest}",
                "ask the hospital which delivery is right, then correct the file or the sheet",
                allowed=site.sha256,
                column="sha256",
                value=digest,
            )
        )
    read = _parquet(data, site) if path.suffix.lower() == ".parquet" else _csv(data, site)
    if isinstance(read, Fault):
        return Source(digest, None, (*faults, read))
    faults += _header_faults(read, site, columns)
    if not read.lines and not read.ragged:
        faults.append(
            Fault(
                "no rows",
                "the file has a header and no rows",
                "ask the hospital for the rows, or take the site out of the site sheet",
                allowed="at least one row below the header",
            )
        )
    return Source(digest, read, tuple(faults))


def _unreadable(path: Path, folder: Path, error: OSError, listed: Sequence[str] | None) -> Fault:
    if isinstance(error, FileNotFoundError):
        near = _near_file(path, folder, listed)
        hint = f"; a file {near!r} is there" if near else ""
        return Fault(
            "file missing",
            f"there is no file {path.name!r} in the data folder{hint}",
            "put the file there, or correct its name in the site sheet",
        )
    return Fault(
        "file unreadable",
        f"the file can't be opened: {error.strerror or type(error).__name__}",
        "check that it is a file and that it may be read",
    )


def _near_file(path: Path, folder: Path, listed: Sequence[str] | None) -> str:
    """The name of a file that may be the missing one, or nothing.

    Where the other sites' files are not known (a batch sees its own sites), only a name that
    differs in case, spaces and marks alone: anything else may belong to another hospital.
    """
    if not path.parent.is_dir():
        return ""
    names = sorted(entry.name for entry in path.parent.iterdir())
    if listed is None:
        plain = _plain(path.name)
        names = [name for name in names if _plain(name) == plain]
    else:
        taken = {folder / name for name in listed}
        names = [name for name in names if path.parent / name not in taken]
    return next(iter(get_close_matches(path.name, names, n=1)), "")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _csv(data: bytes, site: Site) -> RawTable | Fault:
    if not data.strip():
        return Fault(
            "file empty",
            "the file is empty",
            "ask the hospital to send it again",
            allowed="a header line and rows",
        )
    try:
        text = data.decode(site.encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Fault(
            "encoding",
            f"the file is not written in {site.encoding}: byte {data[error.start]:#04x} at line"
            f" {line} does not belong to it",
            _encoding_advice(data),
            allowed=", ".join(ENCODINGS),
            row=line,
        )
    except UnicodeError as error:  # utf-16 without its byte-order mark
        return Fault(
            "encoding",
            f"the file is not written in {site.encoding}: {error}",
            _encoding_advice(data),
            allowed=", ".join(ENCODINGS),
        )
    return _records(text.removeprefix("\ufeff"), site.delimiter)


def _encoding_advice(data: bytes) -> str:
    """The encodings to try first; the bytes alone can't tell the one-byte encodings apart."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        likely = "`utf-16`, as the file's first two bytes say"
    elif b"\0" not in data and _decodes(data, "utf-8"):
        likely = "`utf-8`, in which the file can be read"
    else:
        likely = (
            "`cp1252` (usual for files from Excel)" if _decodes(data, "cp1252") else "`latin-1`"
        )
    return (
        f"set the site's `encoding` in the site sheet to {likely}, and see whether its names and"
        " marks then read right; or ask for the file in UTF-8"
    )


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _records(text: str, delimiter: str) -> RawTable | Fault:
    # strict: a quote that is never closed would otherwise swallow the rows behind it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    table: RawTable | None = None
    start, blank = 1, 0
    lines: list[int] = []
    cells: list[list[str]] = []
    ragged: list[tuple[int, int]] = []
    try:
        for record in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in record):
                blank += 1
            elif table is None:
                table = RawTable(tuple(cell.strip() for cell in record))
            elif len(record) == len(table.header):
                lines.append(line)
                cells.append(record)
            else:
                ragged.append((line, len(record)))
    except csv.Error as error:
        return Fault(
            "quotes",
            f"the record that starts at line {start} can't be read: {error}",
            'mend the quotes there: a cell is quoted as a whole, and a quote in it is doubled ("")',
            row=start,
        )
    if table is None:
        return Fault("file empty", "the file has blank lines only", "ask for it again")
    return RawTable(table.header, lines, cells, ragged, blank)


def _parquet(data: bytes, site: Site) -> RawTable | Fault:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not data:
        return Fault("file empty", "the file is empty", "ask the hospital to send it again")
    try:
        table = pq.read_table(io.BytesIO(data), use_threads=False)
        columns = [_texts(column.to_pylist(), site.decimal) for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Fault(
            "file unreadable",
            f"the file is not a readable Parquet file: {first}",
            "ask the hospital to write it again, as Parquet or as CSV",
        )
    header = tuple(str(name).strip() for name in table.column_names)
    cells = [list(record) for record in zip(*columns, strict=True)]
    kept = [(i + 2, record) for i, record in enumerate(cells) if any(c.strip() for c in record)]
    return RawTable(
        header, [n for n, _ in kept], [c for _, c in kept], blank=len(cells) - len(kept)
    )


def _texts(values: list[object], decimal: str) -> list[str]:
    """Typed cells as the text that a CSV of this site would have."""
    return [_text(value, decimal) for value in values]


def _text(value: object, decimal: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        # 1001.0 is an identifier or a count that went through a float column
        text = str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        return text.replace(".", decimal)
    return str(value)


def _header_faults(table: RawTable, site: Site, columns: Sequence[str]) -> Iterator[Fault]:
    header = ", ".join(table.header)
    for name in columns:
        if name in table.header:
            if table.header.count(name) > 1:
                yield Fault(
                    "column twice",
                    f"the column {name!r} stands {table.header.count(name)} times in the header",
                    "ask the hospital which one is meant, and remove the other",
                    row=1,
                    column=name,
                )
            continue
        near = get_close_matches(name, table.header, n=1)
        advice = _delimiter_advice(table, site) or (
            f"rename the column {near[0]!r} if that is meant" if near else "add the column"
        )
        yield Fault(
            "column missing",
            f"the column {name!r} is missing; the header has: {header[:200]}",
            advice,
            allowed=", ".join(dict.fromkeys(columns)),
            row=1,
            column=name,
        )


def _delimiter_advice(table: RawTable, site: Site) -> str:
    """Said where the whole header ended up in one cell."""
    if len(table.header) > 1:
        return ""
    for name, mark in DELIMITERS.items():
        if mark != site.delimiter and mark in table.header[0]:
            return (
                f"the header looks separated by {name}s: set the site's `delimiter` to `{name}` in"
                " the site sheet"
            )
    return ""
