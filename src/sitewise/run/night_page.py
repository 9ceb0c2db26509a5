"""A night's summary as one page of text."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sitewise.run.nightly import Summary

_SHOWN = 12
_LINES = 25


def as_text(summary: "Summary") -> str:
    """The page: what a person should know first stands first; long lists are cut, and say so."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(s: "Summary") -> Iterator[str]:
    yield f"{s.trial}: {s.state} (exit code {s.exit_code})"
    yield f"from {s.began} to {s.ended}; {s.jobs} job(s); results: {s.results}"
    if s.previous:
        yield f"compared with {s.previous}"
    else:
        yield "This is the first sealed run of the trial: there is no previous one to compare with."
    if s.problems:
        lines = s.problems.splitlines()
        yield from ("", "What went wrong", *(f"  {line}" for line in lines[:_LINES]))
        if len(lines) > _LINES:
            yield f"  and {len(lines) - _LINES} more lines, in the .json beside"
    yield from ("", "What arrived")
    for kind in ("new", "changed", "gone"):
        if files := s.files.get(kind):
            yield f"  {len(files)} {kind}: {_some(files)}"
    yield f"  {len(s.files.get('same', ()))} the same as before"
    if s.not_fetched:
        yield from ("", "NOT FETCHED", *_capped(s.not_fetched))
    if s.kept:
        yield from ("", "LAST GOOD FILE KEPT", *_capped([one["told"] for one in s.kept]))
    if s.set_aside:
        yield from ("", "HOSPITALS SET ASIDE", *_capped(s.set_aside))
    if s.results == "new":
        yield from _new_results(s)
    if s.verified:
        yield from ("", f"Verified: {s.verified}")
    if s.head:
        yield f"Ledger's head, to be kept elsewhere: {s.head}"


def _new_results(s: "Summary") -> Iterator[str]:
    yield from ("", "New findings by hospital" if s.previous else "Findings by hospital")
    told = [f"{f['hospital']}: {f['number']} {f['severity']}, {f['rule']}" for f in s.findings]
    yield from _capped(told) if told else ("  none",)
    if s.findings_gone:
        yield f"  {s.findings_gone} earlier finding(s) are gone"
    if s.previous:
        yield from ("", "What changed", f"  {s.estimates}")
        yield from _primary(s)


def _primary(s: "Summary") -> Iterator[str]:
    p = s.primary
    if not p:
        return
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
