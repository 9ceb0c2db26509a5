"""Data that stop a run, together with what the checks found in them."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitewise.errors import DataError, Problem, plural
from sitewise.terms import SITEID, SRCFILE, SRCROW
from sitewise.trial.findings import SITE_ASIDE
from sitewise.trial.patient_checks import TWO_ARMS, TWO_SITES
from sitewise.trial.row_checks import UNKNOWN_ARM, UNKNOWN_VISIT

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

FIRST = 5
# Findings by rule that a key of the plan's `rules` can make a stop; `bad_site` has many rules.
KEYS = {
    UNKNOWN_ARM: "unknown_arm",
    UNKNOWN_VISIT: "unknown_visit",
    TWO_SITES: "patient_at_two_sites",
    TWO_ARMS: "arm_changes",
}


class StoppedError(DataError):
    """The checks were done, and what they found stops the run.

    findings: all of them, in the columns of `findings.COLUMNS`. rows: the readings with their
    fates, where they were held in memory.
    """

    def __init__(
        self,
        title: str,
        problems: Iterable[Problem],
        findings: "pd.DataFrame",
        rows: "pd.DataFrame | None" = None,
    ) -> None:
        self.findings = findings
        self.rows = rows
        super().__init__(title, problems)

    def __reduce__(self) -> tuple[type["StoppedError"], tuple[object, ...]]:  # type: ignore[override]
        """Pickle with the frames."""
        return type(self), (self.title, self.problems, self.findings, self.rows)

    def with_rows(self, rows: "pd.DataFrame") -> "StoppedError":
        """The same error with the readings."""
        return StoppedError(self.title, self.problems, self.findings, rows)

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


def rule_stops(plan: "Plan", findings: "pd.DataFrame") -> Iterator[Problem]:
    """What the plan's rules set to `stop` make of the findings of all hospitals.

    One problem a bad site's fault; of the others one a rule, with the first few places.
    """
    if plan.rules.bad_site == "stop":
        bad = findings[findings["ACTION"] == SITE_ASIDE]
        yield from (_bad_site(line) for line in bad.to_dict("records"))
    for rule, key in KEYS.items():
        same = findings[findings["RULE"] == rule]
        if len(same) and getattr(plan.rules, key) == "stop":
            yield _many(rule, same.to_dict("records"), key)


def _bad_site(line: Mapping[Any, Any]) -> Problem:
    return Problem(
        str(line["MESSAGE"]),
        where=f"site {line[SITEID]}, {_place(line)}",
        allowed=str(line["ALLOWED"]),
        fix=f"{line['ADVICE']} (the plan's rules.bad_site is `stop`;"
        " `set aside` would go on without the site)",
    )


def _many(rule: str, lines: list[dict[Any, Any]], key: str) -> Problem:
    told = "; ".join(f"{_place(line)}, {line['MESSAGE']}" for line in lines[:FIRST])
    more = f" (and {len(lines) - FIRST} more)" if len(lines) > FIRST else ""
    return Problem(
        f"{rule}, {plural(len(lines), 'time')}: {told}{more}",
        allowed=str(lines[0]["ALLOWED"]),
        fix=f"{lines[0]['ADVICE']} (the plan's rules.{key} is `stop`; `set aside` would go on"
        " without)",
    )


def _place(line: Mapping[Any, Any]) -> str:
    row = line[SRCROW]
    return f"{line[SRCFILE]} line {row}" if isinstance(row, int) else str(line[SRCFILE])
