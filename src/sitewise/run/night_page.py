"""A night's summary as one page of text, and where it lies."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sitewise.errors import plural
from sitewise.run.night_summary import IN_PROGRESS, Summary

_SHOWN = 12
_LINES = 25
_RESULTS = {
    "new": "new",
    "as before": "as before",
    "untouched": "NOT MADE; what lies in results/{trial} is as it was before this night",
    "none": "NOT MADE; there are none",
    "unrecorded": "made and sealed, but not recorded when the night ended: the next one"
    " records them; don't use results/{trial} before",
    "unfinished": "NOT MADE; results/{trial} is unfinished and not sealed: don't use it",
}


def write_page(folder: Path, summary: Summary) -> Path:
    """Write the page and its data, under the night's time and as the latest; gives the page."""
    stem = summary.began.replace(":", "").replace("-", "").replace("+0000", "Z")
    fields = {name: value for name, value in asdict(summary).items() if name[0] != "_"}
    data = json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
    text = as_text(summary)
    names = ("latest",) if summary.exit_code is None else (stem, "latest")
    for name in names:
        for kind, content in (("json", data), ("txt", text)):
            draft = folder / f".{name}.{kind}"
            draft.write_text(content, encoding="utf-8")
            draft.replace(folder / f"{name}.{kind}")
    return folder / f"{stem}.txt"


def as_text(summary: Summary) -> str:
    """The page: what a person should know first stands first; long lists are cut, and say so."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(s: Summary) -> Iterator[str]:
    if s.state == IN_PROGRESS:
        yield f"{s.trial}: {s.state} since {_when(s.began)} UTC"
        yield "This page is written when the night ends. If no night runs now, this one was killed:"
        yield "the next one goes on."
        return
    yield from _head(s)
    if s.why:
        yield from ("", "Why", *_capped(s.why))
    if s.problems:
        lines = s.problems.splitlines()
        yield from ("", "What went wrong", *(f"  {line}" for line in lines[:_LINES]))
        if len(lines) > _LINES:
            yield f"  and {len(lines) - _LINES} more lines, in the .json beside"
    if s.files:
        yield from _files(s)
    for title, lines in (
        ("NOT FETCHED", s.not_fetched),
        ("LAST GOOD FILE KEPT", [one["told"] for one in s.kept]),
        ("HOSPITALS SET ASIDE", s.set_aside),
    ):
        if lines:
            yield from ("", title, *_capped(lines))
    if s.results == "new":
        yield from _new_results(s)
    yield from _foot(s)


def _head(s: Summary) -> Iterator[str]:
    yield f"{s.trial}: {s.state} (exit code {s.exit_code})"
    jobs = f", {plural(s.jobs, 'job')}" if s.results in ("new", "as before") else ""
    yield f"from {_when(s.began)} to {_when(s.ended)} UTC{jobs}"
    yield f"results: {_RESULTS[s.results].format(trial=s.trial)}"
    if s.previous:
        words = "compared with" if s.results == "new" else "the last sealed run before:"
        yield f"{words} {s.previous}"
    elif s.results == "new":
        yield "This is the first sealed run of the trial: there is no previous one to compare with."
    else:
        yield "The records tell of no sealed run: there is no previous one to compare with."


def _foot(s: Summary) -> Iterator[str]:
    if s.headline:
        yield from ("", "The report says", *(f"  {line}" for line in s.headline.splitlines()))
    if s.verified:
        yield from ("", f"Verified: {s.verified}")
    if s.head:
        yield f"Ledger's head, to be kept elsewhere: {s.head}"


def _when(time: str) -> str:
    return time[:16].replace("T", " ")


def _files(s: Summary) -> Iterator[str]:
    yield from ("", "What arrived")
    for kind in ("new", "changed", "gone"):
        if files := s.files.get(kind):
            yield f"  {len(files)} {kind}: {_some(files)}"
    yield f"  {len(s.files.get('same', ()))} the same as before"


def _new_results(s: Summary) -> Iterator[str]:
    yield from ("", "New findings by hospital" if s.previous else "Findings by hospital")
    told = [f"{f['hospital']}: {f['number']} {f['severity']}, {f['rule']}" for f in s.findings]
    yield from _capped(told) if told else ("  none",)
    if s.findings_gone:
        yield f"  {plural(s.findings_gone, 'earlier finding is', 'earlier findings are')} gone"
    if s.previous:
        yield from ("", "What changed", f"  {s.estimates}")
        for one in s.primary:
            yield from _primary(one)


def _primary(p: dict[str, Any]) -> Iterator[str]:
    yield f"  Primary estimate ({p['name']}): {_number(p['old'])} before, {_number(p['new'])} now"
    if p["moved_se"] is None:
        yield "  THE PRIMARY ESTIMATE CAN'T BE COMPARED: one of the two runs does not have it"
        return
    words = "BEYOND" if p["beyond"] else "within"
    yield (
        f"  It moved by {p['moved_se']:+.2f} of its earlier standard errors: {words} the"
        f" threshold of {p['threshold']:g} (nightly.moved)"
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _some(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _capped(lines: Sequence[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:_LINES])
    if len(lines) > _LINES:
        yield f"  and {len(lines) - _LINES} more, in the .json beside"
