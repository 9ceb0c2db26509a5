"""The site sheet: one line a hospital, which file holds it and how that file is written."""

import csv
import hashlib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from sitewise.errors import PlanError, Problem

COLUMNS = ("SITEID", "file", "encoding", "delimiter", "decimal", "unit", "sha256")
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
    """

    siteid: str
    file: str
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    decimal: str = "."
    unit: str = ""
    sha256: str = ""

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


def load_sheet(path: Path) -> SiteSheet:
    """Read and validate the site sheet; raises PlanError with every problem."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else str(error)
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
    sites: list[Site] = []
    for number, line in lines:
        site, found = _site(line, f"{path.name}, line {number}")
        problems += found
        if site:
            sites.append(site)
    problems += _repeated(sites, path.name)
    if not sites and not problems:
        problems.append(Problem("no hospital is listed", where=path.name, fix="add a line a file"))
    if problems:
        raise PlanError(f"The site sheet has {len(problems)} problem(s).", problems)
    return SiteSheet(tuple(sorted(sites, key=lambda site: site.siteid)))


def _header_problems(header: list[str], source: str) -> list[Problem]:
    allowed = ", ".join(COLUMNS)
    problems = [
        Problem(f"column {name} is missing", where=f"{source}, line 1", allowed=allowed)
        for name in REQUIRED
        if name not in header
    ]
    for name in sorted({n for n in header if header.count(n) > 1}):
        problems.append(Problem(f"column {name!r} stands twice", where=f"{source}, line 1"))
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
        return None, [Problem("more cells than columns", where=where, fix="remove the extra cells")]
    cells = {str(key): (value or "").strip() for key, value in line.items()}
    problems = []
    for name in REQUIRED:
        if not cells[name]:
            problems.append(Problem(f"{name} is empty", where=where))
    for name, options in (
        ("encoding", ENCODINGS),
        ("delimiter", tuple(DELIMITERS)),
        ("decimal", tuple(DECIMALS)),
    ):
        if cells.get(name) and cells[name] not in options:
            problems.append(
                Problem(f"unknown {name} {cells[name]!r}", where=where, allowed=", ".join(options))
            )
    if cells.get("sha256") and not _is_sha256(cells["sha256"]):
        problems.append(
            Problem(f"sha256 {cells['sha256']!r} is not 64 hexadecimal digits", where=where)
        )
    file = cells["file"].replace("\\", "/")
    pure = PurePosixPath(file)
    if file and (pure.is_absolute() or ".." in pure.parts or ":" in file):
        problems.append(
            Problem(
                f"file {file!r} leaves the data folder",
                where=where,
                allowed="a path inside the data folder",
            )
        )
    elif file and pure.suffix.lower() not in SUFFIXES:
        problems.append(
            Problem(f"file {file!r} has an unknown type", where=where, allowed=", ".join(SUFFIXES))
        )
    if problems:
        return None, problems
    return (
        Site(
            siteid=cells["SITEID"],
            file=file,
            encoding=cells.get("encoding") or "utf-8-sig",
            delimiter=DELIMITERS[cells.get("delimiter") or "comma"],
            decimal=DECIMALS[cells.get("decimal") or "point"],
            unit=cells.get("unit", ""),
            sha256=cells.get("sha256", "").lower(),
        ),
        [],
    )


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdefABCDEF" for c in text)


def _repeated(sites: list[Site], source: str) -> list[Problem]:
    problems = []
    for what, values in (
        ("SITEID", [site.siteid for site in sites]),
        ("file", [site.file for site in sites]),
    ):
        for value in sorted({v for v in values if values.count(v) > 1}):
            problems.append(
                Problem(
                    f"{what} {value!r} is listed {values.count(value)} times",
                    where=source,
                    allowed="one line a hospital, one hospital a file",
                )
            )
    return problems
