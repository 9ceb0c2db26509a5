"""The ledger of a trial: who did what when, one line of JSON a record, never rewritten.

`records/<trial>/ledger.jsonl` is append-only. A record is one line of canonical JSON, ended by a
line feed; it holds its number (`seq`), its `kind`, its `time` (UTC) and, as `previous`, the sha256
of the line before, so that a change of any earlier byte shows in every later record. The sha256 of
the last line, the *head*, stands in `records/<trial>/HEAD`.

A write that a kill or a full disk cut short leaves a torn line. It stays: the next record carries
its length and sha256 under `torn`. What the chain can't show is whole records removed from the end
together with HEAD: that takes a signature, or a head kept elsewhere.
"""

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import canonical_json
from sitewise.audit.manifest import CHANGED, EXTRA, MISSING, Difference
from sitewise.errors import IntegrityError, Problem

LEDGER, HEAD = "ledger.jsonl", "HEAD"
OPENED, CLOSED, LOCKED, SIGNED = "opened", "closed", "locked", "signed"
UNLOCKED = "unlocked"  # the blind, not the lock
AS_IN = "as_in_record"
_SHOWN = 5


@dataclass(frozen=True)
class Entry:
    """One record. sha256: of its line without the line feed. body: what its kind says."""

    seq: int
    kind: str
    time: str
    previous: str
    body: Mapping[str, Any]
    sha256: str


@dataclass(frozen=True)
class Ledger:
    """What a ledger file holds.

    flaws: what is not as it was written. tail: bytes after the last whole record, as a killed
    write leaves them.
    """

    entries: tuple[Entry, ...] = ()
    flaws: tuple[Difference, ...] = ()
    tail: bytes = b""

    @property
    def head(self) -> Entry | None:
        """The last record."""
        return self.entries[-1] if self.entries else None

    def of(self, kind: str) -> tuple[Entry, ...]:
        """The records of one kind."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def fact(self, entry: Entry, name: str) -> Any:
        """A value of a record's body, also where it says that an earlier record holds it."""
        return self._holder(entry, name).body.get(name)

    def shortened(self, name: str, value: Any) -> Any:
        """Refer to the record that holds the same value in full, if the last one that names it."""
        last = next((entry for entry in reversed(self.entries) if name in entry.body), None)
        if last is None or self.fact(last, name) != value:
            return value
        return {AS_IN: self._holder(last, name).seq}

    def _holder(self, entry: Entry, name: str) -> Entry:
        """The record that holds a value in full."""
        value = entry.body.get(name)
        refers = isinstance(value, Mapping) and set(value) == {AS_IN}
        return self._by_seq.get(value[AS_IN], entry) if refers else entry  # type: ignore[index]

    @cached_property
    def _by_seq(self) -> dict[int, Entry]:
        return {entry.seq: entry for entry in self.entries}

    def closed_by_run(self) -> dict[str, Entry]:
        """The `closed` records by run id."""
        return {str(entry.body.get("run")): entry for entry in self.of(CLOSED)}

    def killed(self) -> list[str]:
        """Ids of runs that were opened and never closed, and that no later record names yet."""
        closed = self.closed_by_run()
        named = {run for entry in self.of(OPENED) for run in entry.body.get("killed", ())}
        opened = [str(entry.body.get("run")) for entry in self.of(OPENED)]
        return [run for run in opened if run not in closed and run not in named]

    def sealed(self) -> tuple[Entry, ...]:
        """The `closed` records that bind a manifest, in order."""
        return tuple(entry for entry in self.of(CLOSED) if entry.body.get("manifest"))

    def opening(self, run: str) -> Entry | None:
        """The `opened` record of a run."""
        return next((e for e in self.of(OPENED) if e.body.get("run") == run), None)


def read_ledger(records: Path) -> Ledger:
    """Read a trial's ledger and hold every line against its successor; flaws are data."""
    path = records / LEDGER
    content = path.read_bytes() if path.is_file() else b""
    *lines, tail = content.split(b"\n")
    entries: list[Entry] = []
    flaws: list[Difference] = []
    pending: list[tuple[int, bytes]] = []
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        if entry is None:
            pending.append((number, line))
            continue
        flaws += _flaws(entry, entries[-1] if entries else None, number, pending)
        entries.append(entry)
        pending = []
    rest = b"\n".join([line for _, line in pending] + [tail]) if pending else tail
    return Ledger(tuple(entries), tuple(flaws), rest)


def check_ledger(records: Path) -> tuple[Ledger, list[Difference]]:
    """Read the ledger, and give all that is not in order with it and with HEAD."""
    ledger = read_ledger(records)
    found = list(ledger.flaws)
    if ledger.tail:
        detail = f"{len(ledger.tail)} bytes after the last record are no whole record"
        found.append(Difference(LEDGER, EXTRA, detail))
    found += _head_flaws(records, ledger, strict=True)
    return ledger, found


def append(records: Path, kind: str, body: Mapping[str, Any]) -> Entry:
    """Append one record; on the disk, with HEAD, when this returns.

    The caller holds the trial's lock. Raises IntegrityError where the ledger is not as written,
    OSError where it can't be written.
    """
    ledger = read_ledger(records)
    require_whole(records, ledger)
    line = _line(ledger, kind, body)
    # A torn line stays; the record that follows begins on a line of its own.
    start = b"\n" if ledger.tail and not ledger.tail.endswith(b"\n") else b""
    _write(records / LEDGER, start + line + b"\n")
    entry = _entry(line)
    assert entry is not None
    write_head(records, entry)
    return entry


def require_whole(records: Path, ledger: Ledger) -> None:
    """Raise IntegrityError where earlier records are not as written; a torn end is allowed."""
    found = [*ledger.flaws, *_head_flaws(records, ledger, strict=False)]
    if not found:
        return
    problems = [Problem(str(difference), where=str(records)) for difference in found[:_SHOWN]]
    problems.append(
        Problem(
            "nothing was computed, nothing was changed",
            fix="put the ledger back from a copy; if there is none, run with --rebuild and"
            " --reason: the damaged ledger is kept in set-aside, and a new one begins that"
            " names it",
        )
    )
    raise IntegrityError("The ledger is not what was written.", problems)


def write_head(records: Path, entry: Entry) -> None:
    """Write HEAD, whole or not at all."""
    head = {"seq": entry.seq, "sha256": entry.sha256, "time": entry.time}
    partial = records / f".{HEAD}.partial"
    with partial.open("wb") as handle:
        handle.write(canonical_json(head).encode() + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(records / HEAD)


def read_head(records: Path) -> dict[str, Any] | None:
    """HEAD as it stands: None where there is none; raises ValueError where it can't be read."""
    path = records / HEAD
    if not path.is_file():
        return None
    content = path.read_bytes()
    head = json.loads(content)
    if content != canonical_json(head).encode() + b"\n" or set(head) != {"seq", "sha256", "time"}:
        raise ValueError("it is not as it was written")
    return dict(head)


def now() -> str:
    """The time in UTC, to the millisecond."""
    text = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _line(ledger: Ledger, kind: str, body: Mapping[str, Any]) -> bytes:
    time, head = now(), ledger.head
    record: dict[str, Any] = {
        **body,
        "seq": head.seq + 1 if head else 1,
        "kind": kind,
        "time": time,
        "previous": head.sha256 if head else "",
    }
    if head and time < head.time:
        record["clock_set_back"] = True  # the order of the records is that of their numbers
    tail = ledger.tail.removesuffix(b"\n")
    if ledger.tail:
        record["torn"] = {"length": len(tail), "sha256": sha256(tail).hexdigest()}
    return canonical_json(record).encode()


def _entry(line: bytes) -> Entry | None:
    """Read one line; None where it is no record."""
    try:
        record = json.loads(line)
        if canonical_json(record).encode() != line:
            return None
        own = {name: record.pop(name) for name in ("seq", "kind", "time", "previous")}
        typed = isinstance(own["seq"], int) and all(
            isinstance(own[name], str) for name in ("kind", "time", "previous")
        )
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    return Entry(**own, body=record, sha256=sha256(line).hexdigest()) if typed else None


def _flaws(
    entry: Entry, before: Entry | None, number: int, pending: list[tuple[int, bytes]]
) -> Iterator[Difference]:
    """What is wrong between a record and the one before it."""
    place = f"{LEDGER} line {number}"
    torn = entry.body.get("torn")
    fragment = b"\n".join(line for _, line in pending)
    told = {"length": len(fragment), "sha256": sha256(fragment).hexdigest()}
    if pending and torn != told:
        first = pending[0][0]
        yield Difference(f"{LEDGER} line {first}", CHANGED, "it is not a record as written")
    elif torn and not pending:
        yield Difference(place, MISSING, "the torn line before it is gone")
    if entry.seq != (before.seq + 1 if before else 1):
        after = f"record {before.seq}" if before else "nothing"
        yield Difference(place, MISSING, f"record {entry.seq} follows {after}")
    if entry.previous != (before.sha256 if before else ""):
        what = f"record {before.seq}" if before else "the record before"
        detail = f"{what} is not the one that record {entry.seq} was appended to"
        yield Difference(f"{LEDGER} line {number - 1}", CHANGED, detail)


def _head_flaws(records: Path, ledger: Ledger, *, strict: bool) -> list[Difference]:
    """Hold HEAD against the chain. strict: also where it is absent or behind, as a kill leaves."""
    try:
        head = read_head(records)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        return [Difference(HEAD, CHANGED, str(error))]
    last = ledger.head
    if head is None:
        return [Difference(HEAD, MISSING)] if strict and last else []
    named = next((e for e in ledger.entries if e.seq == head["seq"]), None)
    if named is None:
        return [
            Difference(LEDGER, MISSING, f"record {head['seq']}, which HEAD names, is not there")
        ]
    if (named.sha256, named.time) != (head["sha256"], head["time"]):
        return [Difference(HEAD, CHANGED, f"record {named.seq} is not the one that HEAD names")]
    if strict and last and named.seq != last.seq:
        detail = f"it names record {named.seq}, the ledger ends with record {last.seq}"
        return [Difference(HEAD, CHANGED, detail)]
    return []


def _write(path: Path, content: bytes) -> None:
    """Append bytes and wait until they are on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
