"""The site sheet: one line a hospital, which file holds it and how that file is written."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from sitewise.errors import PlanError, Problem, in_number
from sitewise.plan.repeated import repeated_lines
from sitewise.plan.source import source_problems
from sitewise.plan.text import UnreadableError, read_text

COLUMNS = ("SITEID", "file", "encoding", "delimiter", "decimal", "unit", "sha256", "source")
REQUIRED = ("SITEID", "file")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DECIMALS = {"point": ".", "comma": ","}
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Site:
    """One line of the site sheet.

    file: path inside the data folder, with forward slashes.
    unit: unit of the blood-pressure values where it is not the endpoint's own (`kPa`), or "".
    sha256: the expected digest of the file, or "".
    source: the address that `sitewise fetch` brings it from, or "".
    """

    siteid: str
    file: str
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    decimal: str = "."
    unit: str = ""
    sha256: str = ""
    source: str = ""

    @property
    def reading(self) -> dict[str, str]:
        """All that the rows of the file depend on: not where it was fetched from."""
        return {name: value for name, value in vars(self).items() if name != "source"}

    @property
    def line(self) -> dict[str, str]:
        """Its line of the sheet, for the plan's digest."""
        return self.reading | ({"source": self.source} if self.source else {})

    def batch(self, batches: int) -> int:
        """The batch of this hospital, 1..batches; adding a hospital moves no other."""
        return int(hashlib.sha256(self.siteid.encode()).hexdigest()[:8], 16) % batches + 1


@dataclass(frozen=True)
class SiteSheet:
    """All hospitals of a trial, sorted by SITEID."""

    sites: tuple[Site, ...] = field(default_factory=tuple)

    def batches(self, count: int) -> dict[str, tuple[Site, ...]]:
        """Hospitals by batch name (`01`, `02`, ...); batches without a hospital are left out."""
        width = max(2, len(str(count)))
        grouped: dict[str, list[Site]] = {}
        for site in self.sites:
            grouped.setdefault(f"{site.batch(count):0{width}d}", []).append(site)
        return {name: tuple(grouped[name]) for name in sorted(grouped)}


def leaves_folder(folder: Path, file: str) -> bool:
    """Whether a symbolic link on the way to `file` leads out of the data folder."""
    try:
        return not (folder / file).resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # links that lead to each other (Python before 3.13): opening says so
        return False


def unlisted_files(folder: Path, listed: Sequence[str]) -> list[str]:
    """Hospital files that no line of the sheet names, as paths inside `folder`, sorted.

    Looked for in the folders that hold a listed file; hidden files don't count.
    """
    known = {PurePosixPath(file) for file in listed}
    found = set()
    for inner in {file.parent for file in known}:
        place = folder / inner
        entries = place.iterdir() if place.is_dir() else ()
        found |= {
            (inner / entry.name).as_posix()
            for entry in entries
            if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")
            if inner / entry.name not in known and entry.is_file()
        }
    return sorted(found)


def load_sheet(path: Path) -> SiteSheet:
    """Read and validate the site sheet; raises PlanError with every problem."""
    try:
        text = read_text(path, "the site sheet in the plan's key sites.sheet")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        lines = [(reader.line_num, line) for line in reader]
    except (UnreadableError, csv.Error) as error:
        raise PlanError(
            "The site sheet can't be read.",
            [
                Problem(
                    str(error).replace("unexpected end of data", "a quote is opened, never closed"),
                    where=path.name,
                    allowed="a CSV in UTF-8 beside the plan, named by the plan's key sites.sheet",
                    fix=getattr(error, "fix", "mend the quotes in it: a cell is quoted as a whole"),
                )
            ],
        ) from error
    problems = _header_problems(header, path.name)
    if problems:
        raise PlanError("The site sheet can't be used.", problems)
    sites: dict[int, Site] = {}
    for number, line in lines:
        site, found = _site(line, f"{path.name}, line {number}")
        problems += found
        if site:
            sites[number] = site
    problems += repeated_lines(sites, path.name)
    if not sites and not problems:
        problems.append(
            Problem(
                "no hospital is listed",
                where=path.name,
                allowed="a line a hospital below the header",
                fix="add a line for each hospital's file",
            )
        )
    if problems:
        raise PlanError(f"The site sheet {path.name} has {in_number(problems)}.", problems)
    return SiteSheet(tuple(sorted(sites.values(), key=lambda site: site.siteid)))


def _header_problems(header: list[str], source: str) -> list[Problem]:
    allowed = ", ".join(COLUMNS)
    if len(header) == 1 and "SITEID" in header[0].replace(";", " ").replace("\t", " ").split():
        mark = "semicolons" if ";" in header[0] else "tabs"
        return [
            Problem(
                f"the cells are separated by {mark}: {header[0].replace(chr(9), ' ')}",
                where=f"{source}, line 1",
                allowed="a CSV with commas",
                fix="save the sheet with commas between the cells",
            )
        ]
    problems = [
        Problem(
            f"column {name} is missing",
            where=f"{source}, line 1",
            allowed=allowed,
            fix=f"add it; the header has: {', '.join(header) or 'nothing'}",
        )
        for name in REQUIRED
        if name not in header
    ]
    for name in sorted({n for n in header if header.count(n) > 1}):
        problems.append(
            Problem(
                f"column {name!r} stands {header.count(name)} times",
                where=f"{source}, line 1",
                allowed="each column once",
                fix="remove the one that is not meant",
            )
        )
    for name in header:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1)
            problems.append(
                Problem(
                    f"unknown column {name!r}",
                    where=f"{source}, line 1",
                    allowed=allowed,
                    fix=f"did you mean {near[0]}?" if near else "remove it",
                )
            )
    return problems


def _site(line: dict[str | None, str | None], where: str) -> tuple[Site | None, list[Problem]]:
    if None in line:
        extra = Problem(
            "more cells than columns",
            where=where,
            allowed="a cell a column, separated by commas",
            fix="remove the extra cells",
        )
        return None, [extra]
    cells = {str(key): (value or "").strip() for key, value in line.items()}
    file = cells["file"].replace("\\", "/")
    problems = [
        *_required_problems(cells, where),
        *_option_problems(cells, where),
        *_file_problems(file, where),
        *source_problems(cells.get("source", ""), where),
    ]
    if problems:
        return None, problems
    return (
        Site(
            siteid=cells["SITEID"],
            file=str(PurePosixPath(file)),
            encoding=cells.get("encoding") or "utf-8-sig",
            delimiter=DELIMITERS[cells.get("delimiter") or "comma"],
            decimal=DECIMALS[cells.get("decimal") or "point"],
            unit=cells.get("unit", ""),
            sha256=cells.get("sha256", "").lower(),
            source=cells.get("source", ""),
        ),
        [],
    )


def _required_problems(cells: Mapping[str, str], where: str) -> Iterator[Problem]:
    for name in REQUIRED:
        if not cells[name].isprintable():
            yield Problem(
                f"{name} {cells[name]!r} has a character that no one sees",
                where=where,
                allowed="letters, digits, marks and blanks",
                fix="type it anew",
            )
        if not cells[name]:
            yield Problem(
                f"{name} is empty",
                where=where,
                allowed=f"a {name} in every line",
                fix="fill it in, or remove the line",
            )


def _option_problems(cells: Mapping[str, str], where: str) -> Iterator[Problem]:
    for name, options in (
        ("encoding", ENCODINGS),
        ("delimiter", tuple(DELIMITERS)),
        ("decimal", tuple(DECIMALS)),
    ):
        if cells.get(name) and cells[name] not in options:
            yield Problem(
                f"unknown {name} {cells[name]!r}",
                where=where,
                allowed=", ".join(options),
                fix="write one of these, or nothing",
            )
    if cells.get("sha256") and not _is_sha256(cells["sha256"]):
        yield Problem(
            f"sha256 {cells['sha256']!r} is not 64 hexadecimal digits",
            where=where,
            allowed="64 digits 0-9, a-f; or nothing",
            fix="copy it again from what the hospital sent",
        )


def _file_problems(file: str, where: str) -> Iterator[Problem]:
    path = PurePosixPath(file)
    if file and (path.is_absolute() or ".." in path.parts or ":" in file):
        yield Problem(
            f"file {file!r} leaves the data folder",
            where=where,
            allowed="a path inside the data folder: no `..`, no path from the root, no drive",
            fix="put the file into the data folder, and name it from there",
        )
    elif file and path.suffix.lower() not in SUFFIXES:
        yield Problem(
            f"file {file!r} has an unknown type",
            where=where,
            allowed=", ".join(SUFFIXES),
            fix="save it as CSV or Parquet, and name that file",
        )


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdefABCDEF" for c in text)
