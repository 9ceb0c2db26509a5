"""Data that stop a run, together with what the checks found in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem

if TYPE_CHECKING:
    import pandas as pd


class StoppedError(DataError):
    """The checks were done, and what they found stops the run.

    findings: all of them, in the columns of `findings.COLUMNS`. rows: the readings with their
    fates so far.
    """

    def __init__(
        self,
        title: str,
        problems: Iterable[Problem],
        findings: "pd.DataFrame",
        rows: "pd.DataFrame",
    ) -> None:
        self.findings = findings
        self.rows = rows
        super().__init__(title, problems)

    def __reduce__(self) -> tuple[type["StoppedError"], tuple[object, ...]]:  # type: ignore[override]
        """Pickle with the frames."""
        return type(self), (self.title, self.problems, self.findings, self.rows)

    def keep_findings(self, path: str | Path) -> "StoppedError":
        """Write the findings to `path` as CSV; the same error, its last problem naming them."""
        from sitewise.store.frames import write_csv

        write_csv(path, self.findings)
        number = len(self.findings)
        told = Problem(
            f"{number} finding{'s' if number != 1 else ''} of the checks"
            f" {'are' if number != 1 else 'is'} kept, each with file, line, cell and advice",
            where=Path(path).as_posix(),
            fix="open it to see which cells and rows are meant",
        )
        return StoppedError(self.title, (*self.problems, told), self.findings, self.rows)
