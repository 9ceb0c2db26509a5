"""Read one hospital file as text, with the line of each record; what can't be read is a Fault."""

import csv
import errno
import hashlib
import io
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from pathlib import Path

from sitewise.errors import DataError, Problem, plural
from sitewise.plan.sheet import Site, leaves_folder
from sitewise.trial.decoding import decode, describe_text, doubts, without_mark
from sitewise.trial.header import NO_HEADER, absent_doubts, header_doubts, header_faults
from sitewise.trial.likeness import plain
from sitewise.trial.parquet_source import read_parquet
from sitewise.trial.raw import Fault, RawTable

# A measured cell is short; this only keeps a file without line ends from being one giant cell.
LONGEST_CELL = 131072
csv.field_size_limit(LONGEST_CELL)
TRIES = 3
# What the reader of CSV says, in other words.
_QUOTES = {
    "unexpected end of data": "a quote is opened there and never closed",
    "',' expected after '\"'": "something stands between a closing quote and the next comma",
}


@dataclass(frozen=True)
class Source:
    """One file: the digest of its bytes ("" if there is none), its table, and what is wrong.

    table is None where the records could not be told apart at all. faults: each sets the site
    aside. doubts: said, the file is used. written: how the file is written, for people.
    """

    sha256: str
    table: RawTable | None
    faults: tuple[Fault, ...]
    doubts: tuple[Fault, ...] = ()
    written: str = ""


def read_source(
    folder: Path,
    site: Site,
    columns: Sequence[str],
    listed: Sequence[str] | None = None,
    wanted: Sequence[str] = (),
) -> Source:
    """Read the file of one site; `columns` must be in it. Never raises for a bad file.

    listed: the files of all sites; where one is missing, none of the others' is suggested. wanted:
    columns that may be absent, which is said.
    Raises DataError where the file is being written to: what is in it is not known yet.
    """
    path = folder / site.file
    if leaves_folder(folder, site.file):
        return Source("", None, (_elsewhere(path),))
    try:
        data = _bytes_at_rest(path, site)
    except OSError as error:
        return Source("", None, (_unreadable(path, folder, error, listed),))
    digest = hashlib.sha256(data).hexdigest()
    faults = list(_digest_fault(site, digest))
    doubted: tuple[Fault, ...] = ()
    written = "Parquet"
    read: RawTable | Fault
    if path.suffix.lower() == ".parquet":
        read = read_parquet(data, site)
    else:
        text = _text(data, site)
        if isinstance(text, Fault):
            return Source(digest, None, (*faults, text))
        doubted, written = doubts(data, text, site), describe_text(data, text, site)
        read = _records(without_mark(text), site.delimiter)
    if isinstance(read, Fault):
        return Source(digest, None, (*faults, read), doubted, written)
    faults += header_faults(read, site, columns)
    doubted += tuple(header_doubts(read, (*columns, *wanted)))
    doubted += tuple(absent_doubts(read, columns, wanted))
    if not read.lines and not read.ragged and NO_HEADER not in (fault.rule for fault in faults):
        faults.append(
            Fault(
                "no rows",
                "the file has a header and no rows",
                "ask the hospital for the rows, or take the site out of the site sheet",
                allowed="at least one row below the header",
            )
        )
    return Source(digest, read, tuple(faults), doubted, written + _padding(read))


def _elsewhere(path: Path) -> Fault:
    """What a link leads to is nobody's delivery, and may be any file of this machine."""
    return Fault(
        "file elsewhere",
        f"{path.name!r} is, or lies behind, a symbolic link that leads out of the data folder",
        "put the file itself into the data folder",
        allowed="a file inside the data folder, or a link to one inside it",
    )


def _bytes_at_rest(path: Path, site: Site) -> bytes:
    """The file's bytes, read while nobody wrote to it; raises DataError where somebody does."""
    for _ in range(TRIES):
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):  # a pipe would be waited for for ever
            kind = "a folder" if stat.S_ISDIR(before.st_mode) else "a pipe or a device"
            raise OSError(errno.EINVAL, f"it is {kind}, not a file")
        data = path.read_bytes()
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return data
    raise DataError(
        "A hospital file is being written to.",
        [
            Problem(
                f"the file of site {site.siteid} changed each of the {TRIES} times that it was"
                " read, so what it holds is not known yet",
                where=site.file,
                allowed="files that stay as they are while they are read",
                fix="wait until the file is complete, then run again",
            )
        ],
    )


def _digest_fault(site: Site, digest: str) -> list[Fault]:
    if not site.sha256 or site.sha256 == digest:
        return []
    return [
        Fault(
            "file digest",
            f"the file is not the one that the site sheet expects: its sha256 is {digest}",
            "ask the hospital which delivery is right, then correct the file or the sheet",
            allowed=site.sha256,
            column="sha256",
            value=digest,
        )
    ]


def _padding(table: RawTable) -> str:
    """What is said of cells with blanks around them: they don't count, but that is no secret."""
    # files repeat their values: each distinct cell is looked at once
    odd = {cell for cell in set(chain.from_iterable(table.cells)) if cell != cell.strip()}
    padded = sum(cell in odd for record in table.cells for cell in record) if odd else 0
    return f", blanks around {plural(padded, 'cell')} not counted" if padded else ""


def _unreadable(path: Path, folder: Path, error: OSError, listed: Sequence[str] | None) -> Fault:
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return Fault(
            "file missing",
            f"{path.name!r} is a link to a file that is not there",
            "put the file itself into the data folder",
            allowed="a file inside the data folder, or a link to one inside it",
        )
    if isinstance(error, FileNotFoundError):
        near = _near_file(path, folder, listed)
        hint = f"; a file {near!r} is there" if near else ""
        return Fault(
            "file missing",
            f"there is no file {path.name!r} in the data folder{hint}",
            "put the file there, or correct its name in the site sheet",
            allowed="the file that the site sheet names, inside the data folder",
        )
    return Fault(
        "file unreadable",
        f"the file can't be opened: {error.strerror or type(error).__name__}",
        "check that it is a file and that it may be read",
        allowed="a file that may be read",
    )


def _near_file(path: Path, folder: Path, listed: Sequence[str] | None) -> str:
    """The name of a file that may be the missing one, or nothing.

    Where the other sites' files are not known (a batch sees its own sites), only a name that
    differs in case, blanks and marks alone: anything else may belong to another hospital.
    """
    if not path.parent.is_dir():
        return ""
    names = sorted(entry.name for entry in path.parent.iterdir())
    taken = {folder / name for name in listed or ()}
    names = [name for name in names if path.parent / name not in taken]
    alike = [name for name in names if _bare(name) == _bare(path.name)]
    if alike or listed is None:
        return next(iter(alike), "")
    return next(iter(get_close_matches(path.name, names, n=1)), "")


def _bare(name: str) -> str:
    return "".join(letter for letter in plain(name) if letter.isalnum())


def _text(data: bytes, site: Site) -> str | Fault:
    if not data.strip():
        return Fault(
            "file empty",
            "the file is empty",
            "ask the hospital to send it again",
            allowed="a header line and rows",
        )
    return decode(data, site)


def _giant_cell(line: int) -> Fault:
    return Fault(
        "giant cell",
        f"the record that starts at line {line} has a cell of more than {LONGEST_CELL} characters",
        "look at that line of the file: line ends may be missing, or something was pasted into the"
        " cell; ask the hospital to send it again",
        allowed=f"cells of at most {LONGEST_CELL} characters",
        row=line,
    )


def _records(text: str, delimiter: str) -> RawTable | Fault:
    # strict: a quote that is never closed would otherwise swallow the rows behind it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: tuple[str, ...] | None = None
    start, blank, first, trailing = 1, 0, 1, 0
    lines: list[int] = []
    cells: list[list[str]] = []
    ragged: list[tuple[int, int]] = []
    try:
        for record in reader:
            line, start = start, reader.line_num + 1
            if not "".join(record).strip():
                blank += 1
            elif header is None:
                header, first = tuple(cell.strip() for cell in record), line
            elif len(record) == len(header):
                lines.append(line)
                cells.append(record)
            else:
                ragged.append((line, len(record)))
                trailing += len(record) == len(header) + 1 and not record[-1].strip()
    except csv.Error as error:
        if "field limit" in str(error):
            return _giant_cell(start)
        return Fault(
            "quotes",
            f"the record that starts at line {start} can't be read:"
            f" {_QUOTES.get(str(error), error)}",
            'mend the quotes there: a cell is quoted as a whole, and a quote in it is doubled ("")',
            allowed="cells without quotes, or quoted as a whole",
            row=start,
        )
    if header is None:
        return Fault(
            "file empty",
            "the file has blank lines only",
            "ask the hospital to send it again",
            allowed="a header line and rows",
        )
    return RawTable(header, lines, cells, ragged, trailing, blank, first)
