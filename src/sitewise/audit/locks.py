"""The lock on data and plan of a trial, and the reasons for which runs departed from it.

A lock is a record of the ledger; so is every reason. A *state* is the digest of the plan and the
digests of the raw files by name. A run is free on the locked state and on every state that a
reason was given for since; on another one it needs a reason of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitewise.audit.blind import unlocked
from sitewise.audit.ledger import LOCKED, OPENED, Entry, Ledger
from sitewise.audit.objects import read_json

_SHORT = 8


@dataclass(frozen=True)
class Standing:
    """Where a run stands towards the lock.

    lock: the latest lock, if there is one. changed: in words, what differs from it.
    reasoned: a reason for exactly this state was given earlier.
    """

    lock: Entry | None
    changed: tuple[str, ...]
    reasoned: bool

    @property
    def free(self) -> bool:
        """Whether a run needs no (further) reason."""
        return not self.changed or self.reasoned


def standing(ledger: Ledger, records: Path, plan: str, raw: Mapping[str, str]) -> Standing:
    """Hold a state against the latest lock.

    plan: the plan as canonical JSON text is kept under this sha256. raw: sha256 by file.
    """
    locks = ledger.of(LOCKED)
    if not locks:
        return Standing(None, (), reasoned=False)
    lock = locks[-1]
    changed = tuple(changes(records, _state(ledger, lock), (plan, raw)))
    since = [e for e in ledger.of(OPENED) if e.seq > lock.seq and e.body.get("deviation")]
    reasoned = any(_state(ledger, entry) == (plan, dict(raw)) for entry in since)
    return Standing(lock, changed, reasoned)


def deviations(ledger: Ledger) -> list[dict[str, Any]]:
    """Reasons given since the first lock: departures from it, and later locks.

    Each: `when` (UTC), `who`, `reason`, `changed` (in words); the only place where a person or a
    time of day may go from the records into the results.
    """
    found = []
    locks = ledger.of(LOCKED)
    for entry in ledger.entries:
        if locks and entry.kind == OPENED and entry.body.get("deviation"):
            changed = list(entry.body["deviation"])
        elif entry in locks[1:]:
            changed = ["data and plan were locked anew", *entry.body.get("changed", ())]
        else:
            continue
        found.append(_said(entry, changed))
    return found


def lifted(ledger: Ledger) -> dict[str, Any] | None:
    """Who lifted the blind, when and why, as one of `deviations`; None where nobody did."""
    entry = unlocked(ledger)
    return _said(entry, list(entry.body.get("notes") or ())) if entry else None


def _said(entry: Entry, changed: list[str]) -> dict[str, Any]:
    reason, who = entry.body.get("reason") or "", entry.body.get("user") or ""
    when = f"{entry.time[:19]}Z".replace("T", " ").replace("Z", " UTC")
    return {"when": when, "who": who, "reason": reason, "changed": changed}


def changes(
    records: Path, before: tuple[str, Mapping[str, str]], now: tuple[str, Mapping[str, str]]
) -> Iterator[str]:
    """In words, what differs between two states."""
    if before[0] != now[0]:
        try:
            plans = read_json(records, before[0]), read_json(records, now[0])
        except (OSError, ValueError):
            yield "the plan changed (its earlier text is not kept, so the keys can't be named)"
        else:
            found = [f"plan {path}: {_text(a)} -> {_text(b)}" for path, a, b in leaves(*plans)]
            yield from found or ["plan: the order of its keys changed"]
    for file in sorted(before[1].keys() | now[1].keys()):
        old, new = before[1].get(file), now[1].get(file)
        if old != new:
            yield f"data {file}: {_file(old, new)}"


def leaves(before: Any, now: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Paths at which two plain values differ, with both values (None where there is none)."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            inner = f"{path}.{key}" if path else str(key)
            yield from leaves(before.get(key), now.get(key), inner)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (old, new) in enumerate(zip(before, now, strict=True), start=1):
            yield from leaves(old, new, f"{path}[{i}]")
    elif before != now:
        yield path, before, now


def _state(ledger: Ledger, entry: Entry) -> tuple[str, dict[str, str]]:
    return str(entry.body.get("plan")), dict(ledger.fact(entry, "raw") or {})


def _text(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _file(old: str | None, new: str | None) -> str:
    if old in (None, "absent"):
        return "it is new"
    if new in (None, "absent"):
        return "it is gone"
    return f"it changed ({old[:_SHORT]} -> {new[:_SHORT]})"
