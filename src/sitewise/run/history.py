"""The records of a trial in lines: who did what when and why, and what a result was before."""

import os
from pathlib import Path

from sitewise.audit.ledger import (
    CLOSED,
    LOCKED,
    OPENED,
    SIGNED,
    UNLOCKED,
    Entry,
    Ledger,
    check_ledger,
)
from sitewise.audit.objects import object_path, read_json
from sitewise.errors import IntegrityError, Problem, RunError


def history(records: Path) -> list[str]:
    """One line a record. Raises IntegrityError where the ledger is not what was written."""
    return [f"{entry.seq:>5}  {entry.time}  {_line(entry)}" for entry in _sound(records).entries]


def history_of_file(records: Path, file: str) -> list[str]:
    """For each sealed run that changed `file` (inside results/<trial>): when, sha256, the copy.

    Raises RunError where no sealed run has such a file.
    """
    ledger = _sound(records)
    lines, last = [], None
    for entry in ledger.sealed():
        try:
            files = read_json(records, str(entry.body["manifest"]))["files"]
        except (OSError, ValueError):
            lines.append(f"{entry.seq:>5}  {entry.time}  the copy of the manifest is not sound")
            continue
        sha256 = files.get(file, {}).get("sha256")
        if sha256 != last:
            opened = ledger.opening(str(entry.body["run"]))
            who = opened.body.get("user") if opened else "?"
            where = (
                Path(os.path.relpath(object_path(records, sha256)))
                if sha256
                else "it was no longer part of the run"
            )
            lines.append(f"{entry.seq:>5}  {entry.time}  {who}  {where}")
            last = sha256
    if not lines:
        raise RunError(
            "No sealed run has this file.",
            [Problem(file, allowed="a path inside results/<trial>, as the manifest names it")],
        )
    return lines


def _sound(records: Path) -> Ledger:
    ledger, flaws = check_ledger(records)
    if flaws:
        problems = [Problem(str(flaw)) for flaw in flaws[:20]]
        raise IntegrityError("The ledger is not what was written.", problems)
    if not ledger.entries:
        raise RunError("There is no ledger.", [Problem("no records", where=str(records))])
    return ledger


def _line(entry: Entry) -> str:
    body = entry.body
    run = str(body.get("run", ""))[:8]
    reason = f': "{body["reason"]}"' if body.get("reason") else ""
    if entry.kind == OPENED:
        killed = (
            f"; killed before: {', '.join(k[:8] for k in body['killed'])}"
            if body.get("killed")
            else ""
        )
        blinded = " blinded" if body.get("blinded") else ""
        who = f"{body.get('user')} on {body.get('host')}"
        return f"run {run} opened{blinded} by {who}{reason}{killed}"
    if entry.kind == CLOSED:
        jobs = len(body.get("jobs") or ())
        manifest = str(body.get("manifest") or "")[:12]
        seal = f", seal {manifest}" if manifest else ""
        return f"run {run} closed: {body.get('status')}, {jobs} jobs{seal}"
    if entry.kind == LOCKED:
        return f"plan and data locked by {body.get('user')}{reason}"
    if entry.kind == UNLOCKED:
        return f"blind lifted by {body.get('user')}{reason}"
    if entry.kind == SIGNED:
        return f"record {body.get('signs')} signed by {body.get('signer')} as {body.get('meaning')}"
    return entry.kind
