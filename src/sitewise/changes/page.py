"""The differences as a page and as data."""

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sitewise.changes.result import Changes, EstimateChange

MOST = 500
_STYLE = (
    "body{font:15px/1.45 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{border-bottom:1px solid #bbb;"
    "padding:.2rem .7rem;text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}"
)


def as_json(changes: Changes) -> str:
    """The differences as JSON, without the copies' places."""
    record: dict[str, Any] = {
        "before": _side(changes, "before"),
        "after": _side(changes, "after"),
        "same": changes.same,
        "causes": list(changes.causes),
        "estimates": [
            {**asdict(e), "difference": e.difference, "relative": e.relative}
            for e in changes.estimates
        ],
        "data": list(changes.data),
        "readings": None
        if changes.readings is None
        else [asdict(reading) for reading in changes.readings],
        "plan": list(changes.plan),
        "code": list(changes.code),
        "environment": list(changes.environment),
        "lock": list(changes.lock),
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def as_html(changes: Changes) -> str:
    """The differences as one self-contained page."""
    before, after = changes.before, changes.after
    parts = [
        "<h1>What changed between two runs</h1>",
        f"<p>Before: {_text(before.name)}, {_text(before.time)}, {_text(before.user)}.<br>"
        f"After: {_text(after.name)}, {_text(after.time)}, {_text(after.user)}"
        f"{', reason: ' + _text(after.reason) if after.reason else ''}.</p>",
        f"<p><b>{_text(summary(changes))}</b></p>",
        "<h2>Estimates</h2>",
        _table(
            ("Endpoint", "Model", "Contrast", "Old", "New", "Difference", "Difference / SE"),
            [(e.endpoint, e.model, e.contrast, *numbers(e)) for e in changes.moved],
        ),
    ]
    for title, lines in (
        ("Data", changes.data),
        ("Plan", changes.plan),
        ("Code", changes.code),
        ("Environment", changes.environment),
        ("Lock", changes.lock),
    ):
        items = "".join(f"<li>{_text(line)}</li>" for line in lines)
        parts += [f"<h2>{title}</h2>", f"<ul>{items}</ul>" if lines else "<p>The same.</p>"]
    parts.append("<h2>Readings</h2>")
    if changes.readings is None:
        parts.append("<p>No copies of the readings are kept: they can't be compared.</p>")
    else:
        shown = changes.readings[:MOST]
        rows = [
            (r.what, r.site, r.patient, r.endpoint, r.visit, r.place, r.old, r.new) for r in shown
        ]
        titles = ("", "Site", "Patient", "Endpoint", "Visit", "File and row", "Old", "New")
        parts.append(_table(titles, rows))
        if len(changes.readings) > MOST:
            parts.append(f"<p>{len(changes.readings) - MOST} more are in changes.json.</p>")
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>What changed</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def summary(changes: Changes) -> str:
    """One sentence: whether anything differs, and what for."""
    if changes.same:
        return "Every result of the two runs has the same bytes."
    due = " and ".join(changes.causes) or "none of data, plan, code, environment and lock"
    number = len(changes.moved)
    plural = "" if number == 1 else "s"
    return f"{number} estimate{plural} of {len(changes.estimates)} moved; what differs: {due}."


def numbers(e: EstimateChange) -> tuple[str, str, str, str]:
    """Old, new, difference, difference in standard errors, as text."""
    return (
        _number(e.old, e.old_se),
        _number(e.new, e.new_se),
        "-" if e.difference is None else f"{e.difference:+.4g}",
        "-" if e.relative is None else f"{e.relative:+.3f}",
    )


def _number(value: float | None, se: float | None) -> str:
    return "-" if value is None else f"{value:.4f} ({'-' if se is None else f'{se:.4f}'})"


def _side(changes: Changes, which: str) -> dict[str, str]:
    side = getattr(changes, which)
    return {name: getattr(side, name) for name in ("name", "time", "user", "reason", "commit")}


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    lines = ["".join(f"<td>{_text(cell)}</td>" for cell in row) for row in rows]
    if not lines:
        return "<p>None.</p>"
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _text(value: str) -> str:
    return html.escape(str(value))
