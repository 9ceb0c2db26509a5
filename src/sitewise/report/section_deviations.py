"""Lock and deviations: whether plan and data were frozen, and every reason given for a change."""

from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.layout import Table, row, table


@dataclass(frozen=True)
class Lock:
    """text: where this run stands towards the lock. table: the deviations, if there are any."""

    text: str
    table: Table | None


def lock(e: Evidence) -> Lock:
    """Build the part on lock and deviations."""
    entries = e.deviations.entries
    columns = [(title, "text") for title in ("When", "Who", "Reason", "What differed")]
    rows = [row(entry.when, entry.who, entry.reason, "; ".join(entry.changed)) for entry in entries]
    made = table("tbl-deviations", "Deviations from the lock", columns, rows, size="small")
    return Lock(_text(e), made if entries else None)


def _text(e: Evidence) -> str:
    return " ".join(filter(None, (_blind(e), _lock(e))))


def _blind(e: Evidence) -> str:
    """That the trial is blinded, or who lifted the blind, when and why."""
    if e.plan.blinded:
        return "The trial is blinded, and nobody has lifted the blind."
    done = e.deviations.unblinded
    if done is None:
        return ""
    notes = f" ({'; '.join(done.changed)})" if done.changed else ""
    return (
        f"The trial was blinded until {done.when}, when {done.who} lifted the blind:"
        f" {done.reason}{notes}."
    )


def _lock(e: Evidence) -> str:
    found = e.deviations
    if not found.locked:
        return "Plan and data of this trial are not locked: nothing froze them before this run."
    given = plural(len(found.entries), "deviation")
    listed = f" {given} since the lock: see the table." if found.entries else ""
    if not found.changed:
        return f"Plan and data of this run are those that were locked.{listed}"
    return (
        "Plan or data of this run are not those that were locked:"
        f" {'; '.join(found.changed)}.{listed}"
    )
