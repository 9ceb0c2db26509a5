"""Hospital files to canonical readings, still unchecked (rule ingest)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem
from sitewise.plan.sheet import Site
from sitewise.terms import SITEID, Severity
from sitewise.trial.account import FileRow
from sitewise.trial.findings import file_finding, records_frame
from sitewise.trial.mapping import RawRows, canonical_rows, needed_columns
from sitewise.trial.rows import RAGGED, SITE_SET_ASIDE
from sitewise.trial.source import Fault, Source, read_source
from sitewise.trial.units import sheet_units

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


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
    columns = needed_columns(plan)
    raw = RawRows(columns)
    records: list[dict[str, object]] = []
    read: dict[str, Source] = {}
    for site in sorted(sites, key=lambda site: site.siteid):
        source = read_source(folder, site, columns, listed)
        faults = (*source.faults, *_unit_fault(plan, site))
        source = read[site.siteid] = Source(source.sha256, source.table, faults)
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
    table = source.table
    if table is None:
        return records
    width = len(table.header)
    records += [
        file_finding(
            site.siteid, site.file, RAGGED,
            f"the row has {count} cells, the header has {width}: its cells can't be told apart",
            row=line, value=f"{count} cells", allowed=f"{width} cells", action="row set aside",
            advice="correct the row (a delimiter within a cell needs quotes around the cell)",
        )
        for line, count in table.ragged
    ]  # fmt: skip
    if table.blank:
        records.append(
            file_finding(
                site.siteid, site.file, "blank lines",
                f"{table.blank} line(s) without any content were skipped",
                severity=Severity.NOTE, action="skipped: no reading in them",
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
    )
