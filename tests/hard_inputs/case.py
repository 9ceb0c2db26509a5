"""One hard input: what is changed in the small trial, and what must be said of it."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitewise.errors import SitewiseError
from sitewise.terms import Fate
from sitewise.trial.findings import quoted
from sitewise.trial.pipeline import CheckedTrial
from sitewise.trial.stopped import StoppedError
from tests.small_trial import Trial, small_trial

ROOT = Path(__file__).resolve().parents[2]
PLAIN = "utf-8, line ends LF, delimiter comma, decimal point"
READINGS = 72


@dataclass(frozen=True)
class Case:
    """A change of the small trial and its answer.

    shown: the input in words, for docs/inputs.md. spoil: changes the trial in place. says: what the
    answer must have in it, written by hand. fates: readings by fate, of all that came in; empty
    where the run is refused before any file is read.
    """

    name: str
    shown: str
    spoil: Callable[[Trial], None]
    says: tuple[str, ...] = ()
    fates: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What was said, as people read it, and how many readings came to which fate."""

    text: str
    fates: Mapping[str, int]


def answer_of(case: Case) -> Answer:
    """Run the case in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        trial = small_trial(ROOT, Path(folder))
        try:
            case.spoil(trial)
            checked = trial.check()
        except StoppedError as error:
            stop = f"The run stops: {SitewiseError.__str__(error)}"
            lines = [*_findings(error.findings), stop]
            return Answer(_clean("\n".join(lines), folder), _fates(error.rows))
        except SitewiseError as error:
            return Answer(_clean(f"The run stops: {error}", folder), {})
        return Answer(_clean(_said(checked), folder), _fates(checked.readings))


def _said(checked: CheckedTrial) -> str:
    lines = [*_findings(checked.findings)]
    for file in checked.account.files:
        if file.written not in ("", PLAIN):
            lines.append(f"read as: {file.file}: {file.written}")
        if file.status != "used":
            lines.append(f"hospital {file.site} is {file.status}: {file.reason}")
    if not lines:
        lines = ["nothing: it is read as it stands"]
    return "\n".join(lines)


def _findings(findings: Any) -> list[str]:
    """The first finding of each kind with all its parts, and how many more there are."""
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in findings.to_dict("records"):
        # sentences that differ in the value alone are of one kind
        kind = row["RULE"], row["MESSAGE"].replace(row["VALUE"] or "\0", "")
        kinds.setdefault(kind, []).append(row)
    lines = []
    for rows in kinds.values():
        row = rows[0]
        place = " ".join(
            text
            for text in (
                row["SRCFILE"],
                f"line {row['SRCROW']}" if isinstance(row["SRCROW"], int) else "",
            )
            if text
        )
        column = f"column {row['COLUMN']!r}" if row["COLUMN"] else ""
        found = f"found {quoted(row['VALUE'])}" if row["VALUE"] else ""
        where = ", ".join(text for text in (place, column, found) if text)
        more = f" (and {len(rows) - 1} more of this kind)" if len(rows) > 1 else ""
        lines.append(f"{row['SEVERITY']}: {where or 'the trial'}: {row['MESSAGE']}{more}")
        for label, name in (("allowed", "ALLOWED"), ("done", "ACTION"), ("to do", "ADVICE")):
            if row[name]:
                lines.append(f"    {label + ':':<8} {row[name]}")
    return lines


def _fates(readings: Any) -> dict[str, int]:
    counts = readings["FATE"].fillna("without a fate").value_counts()
    order = [*(fate.value for fate in Fate), "without a fate"]
    return {fate: int(counts[fate]) for fate in order if fate in counts}


def _clean(text: str, folder: str) -> str:
    return text.replace(folder, "FOLDER")


# What the cases change with.


def cell(patient: str, visit: str, /, **cells: str) -> Callable[[Trial], None]:
    """Put cells into one row; the patient's first letter is the site."""

    def spoil(trial: Trial) -> None:
        trial.row(patient[0], patient, visit).update(cells)

    return spoil


def column(site: str, /, **cells: str) -> Callable[[Trial], None]:
    """Put cells into every row of a site."""

    def spoil(trial: Trial) -> None:
        for row in trial.files[f"{site}.csv"]:
            row.update(cells)

    return spoil


def content(
    name: str, change: Callable[[bytes], bytes | None], **sheet: str
) -> Callable[[Trial], None]:
    """Change the bytes of a file; sheet: what its line of the site sheet says."""

    def spoil(trial: Trial) -> None:
        trial.bytes_changed.append((name, change))
        if sheet:
            trial.sites[name.removesuffix(".csv")] = sheet

    return spoil


def together(*spoils: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """Several changes, one after the other."""

    def spoil(trial: Trial) -> None:
        for one in spoils:
            one(trial)

    return spoil
