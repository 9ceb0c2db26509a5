"""The whole data path in one process, for `sitewise check` and notebooks."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.plan.factors import factors_left_out
from sitewise.plan.parts import part_data, read_part
from sitewise.plan.sheet import SiteSheet, unlisted_files
from sitewise.trial.account import Account, FileRow
from sitewise.trial.blinding import split_arms
from sitewise.trial.checks import check_batch
from sitewise.trial.derive import derive_rows
from sitewise.trial.ingest import ingest_batch
from sitewise.trial.trial_checks import check_trial

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


RULES = ("ingest", "check_batch", "check_trial", "derive")


@dataclass(frozen=True)
class CheckedTrial:
    """Readings with their fates, findings, account, and the analysis rows."""

    readings: "pd.DataFrame"
    findings: "pd.DataFrame"
    account: Account
    adbp: "pd.DataFrame"


def check_data(
    plan: "Plan", sheet: SiteSheet, folder: Path, *, written: "Plan | None" = None
) -> CheckedTrial:
    """Read, check and derive all hospitals of a trial; nothing is fitted or written.

    The same functions in the same batches as the workflow, each with its rule's part of the plan.
    written: the plan as written, where `plan` is the blinded one made of it.
    Raises StoppedError, a DataError, with every problem that would stop the run and all findings.
    """
    part = {rule: read_part(part_data(plan, rule)) for rule in RULES}
    if written is not None:
        part["ingest"] = read_part(part_data(written, "ingest"))
    rows: list[pd.DataFrame] = []
    findings: list[pd.DataFrame] = []
    files: list[FileRow] = []
    listed = [site.file for site in sheet.sites]
    for sites in sheet.batches(plan.sites.batches).values():
        ingested = ingest_batch(part["ingest"], sites, folder, listed)
        read = split_arms(ingested.rows).rows if plan.blinded else ingested.rows
        checked = check_batch(part["check_batch"], read)
        rows.append(checked.rows)
        findings += [ingested.findings, checked.findings]
        files += ingested.files
    readings, said, account = check_trial(
        part["check_trial"],
        rows,
        files,
        findings,
        factors_left_out(plan),
        unlisted=unlisted_files(folder, listed),
    )
    return CheckedTrial(readings, said, account, derive_rows(part["derive"], readings))
