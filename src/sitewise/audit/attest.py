"""Results held against the records of their trial, from the file to the first record.

manifest.json binds the results; the `closed` record of the run that made them binds the manifest;
each record binds the one before it; HEAD, a signature or a head kept elsewhere binds the last.
"""

from collections.abc import Iterator
from pathlib import Path

from sitewise.audit.hashing import canonical_json, file_sha256, text_sha256
from sitewise.audit.ledger import LEDGER, LOCKED, OPENED, SIGNED, UNLOCKED, Entry, Ledger
from sitewise.audit.manifest import CHANGED, EXTRA, MANIFEST, MISSING, Difference
from sitewise.audit.objects import read_json
from sitewise.audit.sealed import BrokenSealError, read_sealed

UNSEALED = "nothing is sealed: the last run did not end, or the file was removed"
DIGESTS = ("plan", "data", "code", "lock")


def binding(ledger: Ledger, results: Path) -> tuple[Entry | None, list[Difference]]:
    """Find the `closed` record that binds the manifest as it stands, and what is wrong with it."""
    path = results / MANIFEST
    sealed = ledger.sealed()
    if not path.is_file():
        return None, [Difference(MANIFEST, MISSING, UNSEALED)]
    sha256 = file_sha256(path)
    bound = next((e for e in reversed(sealed) if e.body["manifest"] == sha256), None)
    if bound is None:
        detail = f"no closed record binds it (sha256 {sha256[:12]}...)"
        return None, [Difference(MANIFEST, CHANGED, detail)]
    found = []
    if bound is not sealed[-1]:
        last = sealed[-1]
        detail = (
            f"it is that of record {bound.seq} ({bound.time}); record {last.seq} ({last.time})"
            " sealed others since"
        )
        found.append(Difference(MANIFEST, CHANGED, detail))
    found += _digests(ledger, bound, path)
    return bound, found


def _digests(ledger: Ledger, bound: Entry, manifest: Path) -> Iterator[Difference]:
    """The digests of the manifest are those of the run that made it, and fit its raw files."""
    opened = ledger.opening(str(bound.body.get("run")))
    if opened is None:
        yield Difference(LEDGER, MISSING, f"the opened record of the run of record {bound.seq}")
        return
    try:
        digests = read_sealed(manifest)["digests"]
    except (BrokenSealError, KeyError):
        return  # told with the files
    for name in DIGESTS:
        if digests.get(name) != opened.body.get(name):
            detail = f"its digest of the {name} is not that of record {opened.seq}"
            yield Difference(MANIFEST, CHANGED, detail)
    raw = ledger.fact(opened, "raw") or {}
    if text_sha256(canonical_json(raw)) != opened.body.get("data"):
        detail = f"record {opened.seq}: the digest of the data is not that of its raw files"
        yield Difference(LEDGER, CHANGED, detail)


def wanted_objects(records: Path, ledger: Ledger) -> dict[str, str]:
    """What records/<trial>/objects must hold by now: what each digest is a copy of, in words."""
    wanted: dict[str, str] = {}
    for entry in ledger.entries:
        if entry.kind in (OPENED, LOCKED, UNLOCKED) and entry.body.get("plan"):
            wanted.setdefault(str(entry.body["plan"]), f"the plan of record {entry.seq}")
        for name, sha256 in (entry.body.get("arms") or {}).items():
            wanted.setdefault(str(sha256), f"{name}, split off until record {entry.seq}")
    for entry in ledger.sealed():
        manifest = str(entry.body["manifest"])
        wanted.setdefault(manifest, f"{MANIFEST} of record {entry.seq}")
        try:
            files = read_json(records, manifest)["files"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # told as missing or damaged
        for name, told in files.items():
            wanted.setdefault(told["sha256"], f"{name} of record {entry.seq}")
        opened = ledger.opening(str(entry.body.get("run")))
        if opened is not None and entry.body.get("raw_copies"):
            for name, sha256 in (ledger.fact(opened, "raw") or {}).items():
                if sha256 not in ("absent", "unreadable"):
                    wanted.setdefault(sha256, f"{name}, read by the run of record {opened.seq}")
    return wanted


def attached_files(records: Path, ledger: Ledger) -> Iterator[Difference]:
    """Files beside the ledger whose sha256 a record holds: signatures, pages of differences."""
    told: dict[str, tuple[str, int]] = {}
    for entry in ledger.entries:
        for name, sha256 in (entry.body.get("files") or {}).items():
            told[name] = (sha256, entry.seq)
    for name, (sha256, seq) in sorted(told.items()):
        path = records / name
        if not path.is_file():
            yield Difference(name, MISSING, f"written by record {seq}")
        elif file_sha256(path) != sha256:
            yield Difference(name, CHANGED, f"written by record {seq}")
    for folder in ("signatures", "runs"):
        for path in sorted((records / folder).rglob("*")):
            name = path.relative_to(records).as_posix()
            if not path.is_dir() and name not in told:
                yield Difference(name, EXTRA, "no record names it")


def runs_in_words(ledger: Ledger) -> list[str]:
    """Notes that are no discrepancies: killed runs, clocks set back, ledgers begun anew."""
    notes = []
    closed = ledger.closed_by_run()
    for entry in ledger.of(OPENED):
        run = str(entry.body.get("run"))
        if run not in closed:
            notes.append(f"record {entry.seq} ({entry.time}): {_without_end(ledger, run)}")
        if entry.body.get("begins_anew"):
            kept = entry.body["begins_anew"].get("kept_in")
            notes.append(f"record {entry.seq} begins the ledger anew; the damaged one is in {kept}")
    for entry in ledger.entries:
        if entry.body.get("clock_set_back"):
            notes.append(f"record {entry.seq} ({entry.time}): the clock had been set back")
        if entry.body.get("torn"):
            length = entry.body["torn"]["length"]
            notes.append(f"record {entry.seq}: {length} bytes of a torn write stand before it")
    return notes


def _without_end(ledger: Ledger, run: str) -> str:
    """Of a run that was opened and never closed: what later records prove to have become of it.

    A run that names it as killed held the trial's lock, so that it was over by then; a seal after
    that is of the whole trial.
    """
    named = next((e for e in ledger.of(OPENED) if run in e.body.get("killed", ())), None)
    if named is None:
        return "the run was killed, or still goes on"
    past = f"the run was killed, as record {named.seq} found ({named.time})"
    done = next((e for e in ledger.sealed() if e.seq > named.seq), None)
    if done is None:
        return f"{past}; no run has sealed the results since"
    return (
        f"history: {past}; run {str(done.body.get('run'))[:8]} completed and sealed the results"
        f" since (record {done.seq}, {done.time})"
    )


def signed_entries(ledger: Ledger) -> tuple[Entry, ...]:
    """The records of signatures."""
    return ledger.of(SIGNED)
