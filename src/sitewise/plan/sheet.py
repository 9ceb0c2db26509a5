"""The site sheet: one line a hospital, which file holds it and how that file is written."""

import csv
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from sitewise.errors import PlanError, Problem
from sitewise.plan.source import source_problems

COLUMNS = ("SITEID", "file", "encoding", "delimiter", "decimal", "unit", "sha256", "source")
REQUIRED = ("SITEID", "file")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252")
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
    return not (folder / file).resolve().is_relative_to(folder.resolve())


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
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = str(error)
        if isinstance(error, FileNotFoundError):
            what = "no such file"
        elif isinstance(error, IsADirectoryError):
            what = "it is a folder"
        raise PlanError(
            "The site sheet can't be read.",
            [
                Problem(
                    what,
                    where=path.name,
                    allowed="a CSV in UTF-8 beside the plan, named by the plan's key sites.sheet",
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
    problems += _repeated(sites, path.name)
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
        raise PlanError(f"The site sheet has {len(problems)} problem(s).", problems)
    return SiteSheet(tuple(sorted(sites.values(), key=lambda site: site.siteid)))


def _header_problems(header: list[str], source: str) -> list[Problem]:
    allowed = ", ".join(COLUMNS)
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
    problems = []
    for name in REQUIRED:
        if not cells[name]:
            problems.append(
                Problem(
                    f"{name} is empty",
                    where=where,
                    allowed=f"a {name} in every line",
                    fix="fill it in, or remove the line",
                )
            )
    for name, options in (
        ("encoding", ENCODINGS),
        ("delimiter", tuple(DELIMITERS)),
        ("decimal", tuple(DECIMALS)),
    ):
        if cells.get(name) and cells[name] not in options:
            problems.append(
                Problem(
                    f"unknown {name} {cells[name]!r}",
                    where=where,
                    allowed=", ".join(options),
                    fix="write one of these, or nothing",
                )
            )
    if cells.get("sha256") and not _is_sha256(cells["sha256"]):
        problems.append(
            Problem(
                f"sha256 {cells['sha256']!r} is not 64 hexadecimal digits",
                where=where,
                allowed="64 digits 0-9, a-f; or nothing",
                fix="copy it again from what the hospital sent",
            )
        )
    file = cells["file"].replace("\\", "/")
    pure = PurePosixPath(file)
    if file and (pure.is_absolute() or ".." in pure.parts or ":" in file):
        problems.append(
            Problem(
                f"file {file!r} leaves the data folder",
                where=where,
                allowed="a path inside the data folder: no `..`, no path from the root, no drive",
                fix="put the file into the data folder, and name it from there",
            )
        )
    elif file and pure.suffix.lower() not in SUFFIXES:
        problems.append(
            Problem(
                f"file {file!r} has an unknown type",
                where=where,
                allowed=", ".join(SUFFIXES),
                fix="save it as CSV or Parquet, and name that file",
            )
        )
    problems += source_problems(cells.get("source", ""), where)
    if problems:
        return None, problems
    return (
        Site(
            siteid=cells["SITEID"],
            file=str(pure),
            encoding=cells.get("encoding") or "utf-8-sig",
            delimiter=DELIMITERS[cells.get("delimiter") or "comma"],
            decimal=DECIMALS[cells.get("decimal") or "point"],
            unit=cells.get("unit", ""),
            sha256=cells.get("sha256", "").lower(),
            source=cells.get("source", ""),
        ),
        [],
    )


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdefABCDEF" for c in text)


def _repeated(sites: dict[int, Site], source: str) -> list[Problem]:
    """SITEIDs and files that stand in several lines, as they are or in another writing."""
    problems = []
    for what, values, fix in (
        ("SITEID", {n: site.siteid for n, site in sites.items()},
         "give each hospital its own SITEID; one that sends two files needs them joined"),
        ("file", {n: site.file for n, site in sites.items()},
         "name each hospital's own file, or remove the line that is too many"),
    ):  # fmt: skip
        lines: dict[str, list[int]] = {}
        for number, value in values.items():
            lines.setdefault(_plain(value) if what == "SITEID" else value, []).append(number)
        for numbers in lines.values():
            if len(numbers) < 2:
                continue
            names = list(dict.fromkeys(values[number] for number in numbers))
            told = f"{what} {names[0]!r} is listed {len(numbers)} times"
            if len(names) > 1:
                alike = " and ".join(repr(name) for name in names)
                told = f"the SITEIDs {alike} differ only by case, blanks or accents"
            problems.append(
                Problem(
                    told,
                    where=f"{source}, lines {', '.join(map(str, numbers))}",
                    allowed="one line a hospital, one hospital a file",
                    fix=fix,
                )
            )
    return problems


def _plain(name: str) -> str:
    """Equal for names that a reader takes for the same."""
    marked = unicodedata.normalize("NFKD", name.casefold())
    return "".join(
        c for c in marked if c.isprintable() and not c.isspace() and not unicodedata.combining(c)
    )
