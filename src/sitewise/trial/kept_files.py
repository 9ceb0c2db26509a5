"""Earlier files of hospitals in place of ones that can't be used (`nightly.bad_delivery`)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sitewise.terms import Severity
from sitewise.trial.account import FileRow
from sitewise.trial.findings import file_finding, records_frame

if TYPE_CHECKING:
    import pandas as pd

RULE = "earlier file kept"


def with_kept(files: Sequence[FileRow], kept: Sequence[Mapping[str, str]]) -> list[FileRow]:
    """Say of each file that is an earlier one that it is. kept: `file` and `told` each."""
    told = {one["file"]: one["told"] for one in kept}
    return [replace(file, kept=told.get(file.file, "")) for file in files]


def kept_findings(files: Sequence[FileRow]) -> "pd.DataFrame":
    """One warning for each file that is an earlier one."""
    return records_frame(
        [
            file_finding(
                file.site, file.file, RULE, file.kept,
                severity=Severity.WARNING, allowed="the file that the hospital delivered last",
                action="read in its place",
                advice="ask the hospital for a corrected file; what it recorded since is not here",
            )
            for file in files if file.kept
        ]
    )  # fmt: skip
