"""Two sealed runs of a trial, found in its records and compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sitewise.audit.ledger import Entry, Ledger, check_ledger
from sitewise.audit.locks import changes as changes_in_words
from sitewise.audit.objects import object_path, read_json
from sitewise.changes.compare import compare
from sitewise.changes.result import Changes, Side
from sitewise.errors import IntegrityError, Problem, RunError


def diff_runs(records: Path, before: str = "", after: str = "") -> Changes:
    """Compare two sealed runs.

    before, after: a run's id or its beginning, or the number of one of its records; empty: the last
    sealed run, and the last one before it that sealed other results. Raises RunError where there is
    no such run, IntegrityError where the ledger is not what was written.
    """
    ledger, flaws = check_ledger(records)
    if flaws:
        raise IntegrityError(
            "The ledger is not what was written.", [Problem(str(flaw)) for flaw in flaws[:20]]
        )
    last = find_run(ledger, after, records) if after else _last(ledger, records)
    if before:
        first = find_run(ledger, before, records)
    else:
        others = [e for e in ledger.sealed() if e.body["manifest"] != last.body["manifest"]]
        first = next((e for e in reversed(others) if e.seq < last.seq), last)
    return changes_between(records, ledger, first, last)


def changes_between(records: Path, ledger: Ledger, first: Entry, last: Entry) -> Changes:
    """Compare the runs of two `closed` records that bind a manifest."""
    sides, digests, states = [], [], []
    for entry in (first, last):
        opened = ledger.opening(str(entry.body["run"]))
        assert opened is not None
        files = _files(records, str(entry.body["manifest"]))
        raw = dict(ledger.fact(opened, "raw") or {})
        sides.append(_side(records, ledger, entry, opened, files))
        digests.append(files)
        states.append((str(opened.body["plan"]), raw))
    words = list(changes_in_words(records, states[0], states[1]))
    return compare(
        sides[0],
        sides[1],
        (digests[0], digests[1]),
        plan=tuple(w.removeprefix("plan ") for w in words if not w.startswith("data ")),
        data=tuple(w.removeprefix("data ") for w in words if w.startswith("data ")),
    )


def find_run(ledger: Ledger, name: str, records: Path) -> Entry:
    """The `closed` record of a sealed run by its id or a record's number."""
    sealed = ledger.sealed()
    by_number = {str(e.seq): str(e.body.get("run")) for e in ledger.entries if e.body.get("run")}
    run = by_number.get(name, name)
    found = [entry for entry in sealed if str(entry.body["run"]).startswith(run)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{e.body['run'][:8]} (record {e.seq})" for e in sealed[-5:])
    what = f"{len(found)} sealed runs are called {name}" if found else f"no sealed run {name}"
    raise RunError(
        "There is no such run.",
        [Problem(what, where=str(records), allowed=f"the last ones are {known or 'none'}")],
    )


def _last(ledger: Ledger, records: Path) -> Entry:
    sealed = ledger.sealed()
    if sealed:
        return sealed[-1]
    raise RunError(
        "No run of this trial was sealed yet.",
        [Problem("the ledger has no such record", where=str(records), fix="sitewise run PLAN")],
    )


def _files(records: Path, manifest: str) -> dict[str, str]:
    """Sha256 of every result of a run by its path."""
    try:
        files: Mapping[str, Any] = read_json(records, manifest)["files"]
    except (OSError, ValueError) as error:
        raise RunError(
            "The earlier values are not readable.",
            [Problem(f"no sound copy of the manifest is kept: {error}", where=str(records))],
        ) from error
    return {name: str(entry["sha256"]) for name, entry in files.items()}


def _side(
    records: Path,
    ledger: Ledger,
    closed: Entry,
    opened: Entry,
    files: Mapping[str, str],
) -> Side:
    kept = {name: object_path(records, sha256) for name, sha256 in files.items()}
    try:
        plan = read_json(records, str(opened.body["plan"]))
    except (OSError, ValueError):
        plan = None
    return Side(
        name=f"run {str(closed.body['run'])[:8]}, record {closed.seq}",
        run=str(closed.body["run"]),
        time=closed.time,
        user=str(opened.body.get("user", "")),
        reason=str(opened.body.get("reason") or ""),
        files={name: path for name, path in kept.items() if path.is_file()},
        raw=dict(ledger.fact(opened, "raw") or {}),
        plan=plan,
        environment=ledger.fact(opened, "environment") or {},
        blinded=bool(opened.body.get("blinded")),
        commit=str((opened.body.get("project") or {}).get("commit") or ""),
    )
