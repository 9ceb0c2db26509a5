"""Hospital files to canonical readings, still unchecked (rule ingest)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem, plural
from sitewise.plan.sheet import Site
from sitewise.terms import SITEID, Severity
from sitewise.trial.account import FileRow
from sitewise.trial.findings import file_finding, records_frame
from sitewise.trial.header import DELIMITER, NO_HEADER
from sitewise.trial.mapping import RawRows, canonical_rows, needed_columns, wanted_columns
from sitewise.trial.ragged import ragged_records
from sitewise.trial.raw import Fault
from sitewise.trial.rows import SITE_SET_ASIDE
from sitewise.trial.source import Source, read_source
from sitewise.trial.units import sheet_units

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

DIGEST = 64  # hexadecimal digits of a sha256
SHOWN = 12


@dataclass(frozen=True)
class Ingested:
    """One batch as read.

    rows: canonical readings (see docs/architecture.md) and the columns `rows.INTERNAL`; AVAL in
        the unit of the file, covariates as text. files: one a site. findings: about whole files
        and ragged rows.
    """

    rows: "pd.DataFrame"
    files: tuple[FileRow, ...]
    findings: "pd.DataFrame"


def ingest_batch(
    plan: "Plan", sites: Sequence[Site], folder: Path, listed: Sequence[str] | None = None
) -> Ingested:
    """Read the files of `sites` from `folder`; a site that can't be used is set aside and said.

    listed: the files of the whole site sheet, where they are known. Raises DataError where the
    folder is missing.
    """
    if not folder.is_dir():
        raise DataError(
            "The hospital files can't be read.",
            [Problem("no such folder", where=str(folder), fix="name it with --data FOLDER")],
        )
    columns, wanted = needed_columns(plan), wanted_columns(plan)
    raw = RawRows((*columns, *wanted))
    records: list[dict[str, object]] = []
    read: dict[str, Source] = {}
    for site in sorted(sites, key=lambda site: site.siteid):
        source = read_source(folder, site, columns, listed, wanted)
        faults = (*source.faults, *_unit_fault(plan, site))
        source = read[site.siteid] = replace(source, faults=faults)
        reason = f"{SITE_SET_ASIDE}: {faults[0].rule}" if faults else ""
        if source.table is not None:
            raw.add(site, source.table, reason)
        records += _file_records(site, source)
    rows = canonical_rows(plan, raw)
    counts = rows[SITEID].value_counts()
    files = tuple(
        _file_row(site, read[site.siteid], int(counts.get(site.siteid, 0)))
        for site in sorted(sites, key=lambda site: site.siteid)
    )
    return Ingested(rows, files, records_frame(records))


def hold_against(files: Sequence[FileRow], raw: Sequence[str]) -> None:
    """Hold the files as read against what the run began with.

    raw: `file:sha256` each, or `file:` and a word where there was no such file. Raises DataError
    where a file has changed since: results would be recorded under the digest of another content.
    """
    began = dict(text.rsplit(":", 1) for text in raw)
    changed = [
        Problem(
            f"the file of site {file.site} changed after the run began: its sha256 was"
            f" {_short(began[file.file])}, when it was read it was {_short(file.sha256)}",
            where=file.file,
            allowed="files that stay as they are while a run is in progress",
            fix="wait until the file is complete, then run again: what was finished is kept",
        )
        for file in files
        if file.file in began and file.sha256 != _digest(began[file.file])
    ]
    if changed:
        raise DataError("Hospital files changed while they were read.", changed)


def _digest(text: str) -> str:
    """The digest, or "" where there was none, as `Source` has it."""
    return text if len(text) == DIGEST else ""


def _short(digest: str) -> str:
    return f"{digest[:SHOWN]}..." if len(digest) == DIGEST else "none: it could not be read"


def _unit_fault(plan: "Plan", site: Site) -> tuple[Fault, ...]:
    allowed = sheet_units(plan)
    if not site.unit or site.unit in allowed:
        return ()
    return (
        Fault(
            "unit of the site sheet",
            f"the site sheet declares the unit {site.unit!r}, which no endpoint can be read in",
            "correct the unit in the site sheet, or leave it empty for the plan's own units",
            allowed=", ".join(allowed),
            column="unit",
            value=site.unit,
        ),
    )


def _file_records(site: Site, source: Source) -> list[dict[str, object]]:
    """The findings of one file."""
    records = [
        file_finding(
            site.siteid, site.file, fault.rule, fault.message, row=fault.row, column=fault.column,
            value=fault.value, allowed=fault.allowed, advice=fault.advice,
        )
        for fault in source.faults
    ]  # fmt: skip
    records += [
        file_finding(
            site.siteid, site.file, doubt.rule, doubt.message, severity=Severity.WARNING,
            row=doubt.row, column=doubt.column, allowed=doubt.allowed,
            action=doubt.action or "kept as it was read", advice=doubt.advice,
        )
        for doubt in source.doubts
    ]  # fmt: skip
    table = source.table
    if table is None or any(fault.rule in (DELIMITER, NO_HEADER) for fault in source.faults):
        return records  # what the first line is not, no row can be held against
    records += ragged_records(site, table)
    if table.blank:
        records.append(
            file_finding(
                site.siteid, site.file, "blank lines",
                f"{plural(table.blank, 'line was', 'lines were')} skipped, without any content",
                severity=Severity.NOTE, action="skipped: no reading in them",
                advice="nothing to do, unless a row is missing there",
            )
        )  # fmt: skip
    return records


def _file_row(site: Site, source: Source, readings: int) -> FileRow:
    table = source.table
    return FileRow(
        site=site.siteid,
        file=site.file,
        sha256=source.sha256,
        rows=0 if table is None else len(table.lines) + len(table.ragged),
        readings=readings,
        status="set aside" if source.faults else "used",
        reason="; ".join(fault.message for fault in source.faults),
        written=source.written,
    )
