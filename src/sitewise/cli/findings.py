"""What `sitewise check` shows: findings as a table, then the account of the readings."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitewise.errors import Problem, RunError, plural
from sitewise.terms import Fate

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from sitewise.trial.account import Account
    from sitewise.trial.pipeline import CheckedTrial

_PER_RULE = 3
_ORDER = {"error": 0, "warning": 1, "note": 2}
_STYLE = {"error": "red", "warning": "yellow", "note": ""}


def show_check(
    checked: "CheckedTrial", console: "Console", *, show_all: bool, csv: Path | None
) -> None:
    """Print the findings (the first of each kind, or all) and the account; write all to `csv`."""
    show_findings(checked.findings, console, show_all=show_all, csv=csv)
    for line in account_lines(checked.account):
        console.print(line, markup=False, highlight=False)


def show_findings(
    findings: "pd.DataFrame", console: "Console", *, show_all: bool, csv: Path | None
) -> None:
    """Print the findings, the first of each kind or all; write all to `csv`.

    Raises RunError where `csv` can't be written.
    """
    rows: list[dict[Any, Any]] = findings.to_dict("records")
    rows.sort(key=lambda row: (_ORDER.get(str(row["SEVERITY"]), len(_ORDER)), str(row["RULE"])))
    shown = rows if show_all else list(_first_of_each(rows))
    if shown:
        console.print(_table(shown, len(rows)))
    hidden = len(rows) - len(shown)
    if hidden:
        console.print(
            f"{plural(hidden, 'more finding')} of the kinds shown:"
            f" --all shows {'it' if hidden == 1 else 'them'}, --csv FILE writes all."
        )
    if csv is not None:
        _write(csv, findings)
        told = f"All {len(rows)} findings are" if len(rows) != 1 else "The finding is"
        console.print(f"{told} in {csv}.", markup=False)


def refuse_listing(csv: Path) -> None:
    """Raise RunError where a listing can't be at `csv`: before any time is spent."""
    if csv.is_dir():
        raise _no_listing(csv, "is a folder, not a file")
    if not csv.parent.is_dir():
        raise _no_listing(csv, f"there is no folder {str(csv.parent)!r}")


def _write(csv: Path, findings: "pd.DataFrame") -> None:
    from sitewise.store.frames import write_csv

    try:
        write_csv(csv, findings)
    except OSError as error:
        raise _no_listing(csv, f"can't be written: {error.strerror or error}") from error


def _no_listing(csv: Path, what: str) -> RunError:
    return RunError(
        "The findings can't be written.",
        [
            Problem(
                what,
                where=str(csv),
                allowed="a file in a folder that is there and may be written",
                fix="name another file with --csv, or make the folder first",
            )
        ],
    )


def account_lines(account: "Account") -> Iterator[str]:
    """Say where every reading went, in as many lines as there are fates."""
    aside = [file for file in account.files if file.status != "used"]
    yield (
        f"{account.rows} rows, {account.readings} readings in {len(account.files)} hospital files,"
        f" {len(aside)} of them set aside:"
    )
    present = {count.fate for count in account.counts}
    for fate in [fate.value for fate in Fate if fate.value in present]:
        counts = [count for count in account.counts if count.fate == fate]
        by_endpoint: dict[str, int] = {}
        for count in counts:
            by_endpoint[count.endpoint] = by_endpoint.get(count.endpoint, 0) + count.readings
        parts = ", ".join(f"{endpoint} {n}" for endpoint, n in sorted(by_endpoint.items()))
        yield f"  {sum(by_endpoint.values()):6d} {fate} ({parts})"
    yield from _written(account)
    for file in aside:
        unread = "" if file.rows else "; no row of it could be read"
        yield f"  site {file.site} is {file.status}: {file.reason}{unread}"
    errors = sum(found.findings for found in account.findings if found.severity == "error")
    warnings = sum(found.findings for found in account.findings if found.severity == "warning")
    yield f"{plural(errors, 'error')}, {plural(warnings, 'warning')}; nothing that stops a run."


def _written(account: "Account") -> Iterator[str]:
    """How the hospital files were read, a line for each way of writing them."""
    ways: dict[str, list[str]] = {}
    for file in account.files:
        if file.written:
            ways.setdefault(file.written, []).append(file.file)
    for way, files in ways.items():
        more = len(files) - _PER_RULE
        names = ", ".join(files[:_PER_RULE]) + (f" and {more} more" if more > 0 else "")
        yield f"  read as {way}: {names}"


def _first_of_each(rows: list[dict[Any, Any]]) -> Iterator[dict[Any, Any]]:
    seen: dict[str, int] = {}
    for row in rows:
        rule = str(row["RULE"])
        seen[rule] = seen.get(rule, 0) + 1
        if seen[rule] <= _PER_RULE:
            yield row


def _table(rows: list[dict[Any, Any]], total: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"Findings: {len(rows)} of {total}", title_justify="left", show_lines=True)
    table.add_column("", no_wrap=True)
    table.add_column("where", overflow="fold", ratio=3)
    table.add_column("what", overflow="fold", ratio=7)
    for row in rows:
        severity = _cell(row["SEVERITY"])
        table.add_row(
            Text(severity, style=_STYLE.get(severity, "")),
            Text(_where(row)),
            Text(_what(row)),
        )
    return table


def _where(row: dict[Any, Any]) -> str:
    """File and line, then site, patient and visit."""
    place = ":".join(filter(None, (_cell(row["SRCFILE"]), _cell(row["SRCROW"]))))
    who = ", ".join(filter(None, (_cell(row[name]) for name in ("SITEID", "USUBJID", "AVISIT"))))
    return "\n".join(filter(None, (place, who)))


def _what(row: dict[Any, Any]) -> str:
    """The message, the cell as it stands in the file, then what a Problem says too."""
    found = " = ".join(filter(None, (_cell(row["COLUMN"]), _cell(row["VALUE"]))))
    more = {"done": row["ACTION"], "allowed": row["ALLOWED"], "to do": row["ADVICE"]}
    lines = [f"{name}: {_cell(said)}" for name, said in more.items() if _cell(said)]
    return "\n".join(filter(None, (_cell(row["MESSAGE"]), found, *lines)))


def _cell(value: Any) -> str:
    """A cell as text; missing ones (None, NaN, NA) are empty."""
    text = "" if value is None else str(value)
    if not text.isprintable():  # an identifier may hold what a terminal would obey
        text = text.encode("unicode_escape").decode("ascii")
    return "" if text in ("nan", "<NA>", "NaT", "None") else text.removesuffix(".0")
