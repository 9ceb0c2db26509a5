"""The differences between two runs on the terminal."""

from rich.console import Console
from rich.table import Table

from sitewise.changes.page import numbers, summary
from sitewise.changes.result import Changes
from sitewise.run.attributing import Attribution

_SHOWN = 20


def show_changes(changes: Changes, console: Console) -> None:
    """Print who ran what, the estimates that moved, and every cause."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    for word, side in (("Before", changes.before), ("After", changes.after)):
        reason = f", reason: {side.reason}" if side.reason else ""
        say(f"{word}: {side.name}, {side.time}, {side.user}{reason}")
    say(summary(changes))
    if changes.moved:
        table = Table("Endpoint", "Model", "Contrast")
        for title in ("Old (SE)", "New (SE)", "Difference", "/ SE"):
            table.add_column(title, justify="right")
        for e in changes.moved[:_SHOWN]:
            table.add_row(e.endpoint, e.model, e.contrast, *numbers(e))
        console.print(table)
        if len(changes.moved) > _SHOWN:
            say(f"and {len(changes.moved) - _SHOWN} more: --json")
    for title, lines in (
        ("Data", changes.data),
        ("Plan", changes.plan),
        ("Code", changes.code),
        ("Environment", changes.environment),
        ("Lock", changes.lock),
    ):
        say(f"{title}: {'the same' if not lines else ''}".rstrip())
        for line in lines[:_SHOWN]:
            say(f"  {line}")
        if len(lines) > _SHOWN:
            say(f"  and {len(lines) - _SHOWN} more: --json")
    if changes.readings is None:
        say("Readings: no copies are kept, so they can't be compared")
        return
    say(f"Readings: {len(changes.readings) or 'none'} differ")
    for r in changes.readings[:_SHOWN]:
        place = f"{r.site} {r.patient} {r.endpoint} {r.visit} ({r.place})"
        values = f"{r.old} -> {r.new}" if r.what == "changed" else r.old or r.new
        say(f"  {r.what} {place}: {values}")
    if len(changes.readings) > _SHOWN:
        say(f"  and {len(changes.readings) - _SHOWN} more: --json")


def show_attribution(found: Attribution, console: Console) -> None:
    """Print what each kind alone makes of the estimates, and what is left."""
    for kind, why in found.unobtainable.items():
        console.print(f"{kind} can't be exchanged: {why}", markup=False, soft_wrap=True)
    if not found.shares:
        console.print("No estimate moved: there is nothing to attribute.")
        return
    kinds = list(found.shares[0].parts)
    table = Table("Endpoint", "Model", "Contrast")
    for title in ("Difference", *(f"{kind} alone" for kind in kinds), "together"):
        table.add_column(title, justify="right")
    for share in found.shares[:_SHOWN]:
        e = share.change
        cells = [e.difference, *(share.parts[kind] for kind in kinds), share.left]
        table.add_row(e.endpoint, e.model, e.contrast, *map(_signed, cells))
    console.print(table)


def _signed(value: float | None) -> str:
    return "not told" if value is None else f"{value:+.4g}"
