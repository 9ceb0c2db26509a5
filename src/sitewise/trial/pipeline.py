"""The whole data path in one process, for `sitewise check` and notebooks."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import Problem
from sitewise.plan.sheet import SiteSheet
from sitewise.trial.account import Account, FileRow
from sitewise.trial.checks import check_readings
from sitewise.trial.derive import derive_rows
from sitewise.trial.ingest import read_batch
from sitewise.trial.stopped import StoppedError
from sitewise.trial.trial_checks import check_whole

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


@dataclass(frozen=True)
class CheckedTrial:
    """Readings with their fates, findings, account, and the analysis rows."""

    readings: "pd.DataFrame"
    findings: "pd.DataFrame"
    account: Account
    adbp: "pd.DataFrame"


def check_data(plan: "Plan", sheet: SiteSheet, folder: Path) -> CheckedTrial:
    """Read, check and derive all hospitals of a trial; nothing is fitted or written.

    The same functions in the same batches as the workflow. Raises StoppedError, a DataError, with
    every problem that would stop the run, whichever stage finds it, and with all findings.
    """
    problems: list[Problem] = []
    rows: list[pd.DataFrame] = []
    findings: list[pd.DataFrame] = []
    files: list[FileRow] = []
    listed = [site.file for site in sheet.sites]
    for sites in sheet.batches(plan.sites.batches).values():
        ingested, found = read_batch(plan, sites, folder, listed)
        problems += found
        checked, found = check_readings(plan, ingested.rows)
        problems += found
        rows.append(checked.rows)
        findings += [ingested.findings, checked.findings]
        files += ingested.files
    readings, said, account, found = check_whole(plan, rows, files, findings)
    problems += found
    if problems:
        title = f"The hospital files have {len(problems)} problem(s)."
        raise StoppedError(title, problems, said, readings)
    return CheckedTrial(readings, said, account, derive_rows(plan, readings))
