"""The two records of a run in the ledger: opened before any work, closed with the result."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sitewise
from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import CLOSED, OPENED, Entry, append, read_ledger, require_whole
from sitewise.audit.locks import standing
from sitewise.audit.manifest import MANIFEST
from sitewise.audit.objects import clear_partial, keep_file, keep_text
from sitewise.audit.sealed import read_sealed
from sitewise.errors import IntegrityError, Problem, RunError, SitewiseError
from sitewise.run.blind import make_blind, require_blind
from sitewise.run.context import NO_FILE, Context
from sitewise.run.locking import require_reason
from sitewise.run.surroundings import commit, environment, user

COMPLETED, NOTHING, FAILED, STOPPED, REFUSED = (
    "completed",
    "nothing to do",
    "failed",
    "stopped",
    "refused",
)


@dataclass
class Record:
    """What a run says of itself while it goes on; `closed` carries it.

    jobs: the reason of each job that was to run. notes: what was told on the way.
    set_aside: sha256 of altered files that were moved away. head: the last record written.
    changed: what differs from the last sealed run, in a line.
    """

    records: Path
    opened: Entry
    run: str
    jobs: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    head: Entry | None = None
    changed: str = ""

    @property
    def line(self) -> str:
        """What a run says of its record at its end: changes, and the ledger's head."""
        entry = self.head or self.opened
        told = f"Ledger: record {entry.seq}, head {entry.sha256}"
        return f"{self.changed}\n{told}" if self.changed else told


@contextlib.contextmanager
def recorded_run(
    context: Context, results: Path, *, run: str, host: str, reason: str, rebuild: bool
) -> Iterator[Record]:
    """Append `opened`, go on, append `closed`: also when the run fails or is stopped.

    Raises RunError, and nothing runs, where `opened` can't be written, or where plan or data are
    not what was locked and no reason is given. On success copies of what the run read and wrote
    are kept; where that can't be done, the run has failed although its results are sealed.
    """
    assert context.records is not None
    records = context.records
    record, stand = _open(context, run=run, host=host, reason=reason, rebuild=rebuild)
    try:
        require_reason(stand, reason)
        require_blind(context)
        yield record
        made = _keep(context, records, results)
        files = _write_changes(record, made)
    except BaseException as error:
        _close_failed(record, error)
        raise
    status = COMPLETED if record.jobs else NOTHING
    try:
        copies = context.plan.records.raw_copies and not context.blinded
        record.head = _close(
            record, status, {"manifest": made, "raw_copies": copies, "files": files}
        )
    except OSError as error:
        raise _unwritten(
            records, error, "The results are complete and sealed, but not recorded."
        ) from error


def _open(context: Context, *, run: str, host: str, reason: str, rebuild: bool) -> Any:
    records = context.records
    assert records is not None
    try:
        ledger = read_ledger(records)
        begins = None
        try:
            require_whole(records, ledger)
        except IntegrityError:
            if not (rebuild and reason):
                raise
            begins = _set_ledger_aside(records)
            ledger = read_ledger(records)
        keep_text(records, context.plan_text)
        stand = standing(ledger, records, context.digests["plan"], context.raw)
        departs = bool(stand.changed and not stand.reasoned and reason)
        body = {
            "run": run,
            "user": user(),
            "host": host,
            "reason": reason,
            "deviation": list(stand.changed) if departs else None,
            "blinded": context.blinded,
            "killed": ledger.killed(),
            "trial": context.trial,
            "version": sitewise.__version__,
            **context.digests,
            "raw": ledger.shortened("raw", dict(context.raw)),
            "project": commit(context.project),
            "environment": ledger.shortened("environment", environment()),
            "seeds": context.plan.seeds.model_dump(mode="json"),
            **({"begins_anew": begins} if begins else {}),
        }
        return Record(records, append(records, OPENED, body), run), stand
    except OSError as error:
        raise _unwritten(records, error, "The run can't be recorded; nothing was done.") from error


def _close(record: Record, status: str, more: Mapping[str, Any]) -> Entry:
    body = {
        "run": record.run,
        "status": status,
        "jobs": record.jobs,
        "warnings": record.notes,
        "set_aside": record.set_aside,
        **more,
    }
    return append(record.records, CLOSED, body)


def _close_failed(record: Record, error: BaseException) -> None:
    """Record how a run failed; where that can't be written, the failure itself matters more."""
    if isinstance(error, KeyboardInterrupt):
        status, told = STOPPED, []
    elif isinstance(error, IntegrityError) or not record.jobs:
        status, told = REFUSED, _told(error)
    else:
        status, told = FAILED, _told(error)
    try:
        record.head = _close(record, status, {"manifest": None, "problems": told})
    except (OSError, IntegrityError) as unwritten:
        error.add_note(f"The end of this run could not be recorded: {unwritten}")


def _told(error: BaseException) -> list[str]:
    if isinstance(error, SitewiseError):
        return [error.title, *(str(problem) for problem in error.problems)]
    return [f"{type(error).__name__}: {error}"]


def _keep(context: Context, records: Path, results: Path) -> str:
    """Keep plan, raw files and results by their digests; gives the manifest's sha256."""
    manifest = file_sha256(results / MANIFEST)
    files = {
        name: entry["sha256"] for name, entry in read_sealed(results / MANIFEST)["files"].items()
    }
    try:
        clear_partial(records)
        keep_file(records, results / MANIFEST, manifest)
        for name, sha256 in files.items():
            keep_file(records, results / name, sha256)
        if context.plan.records.raw_copies:
            # They hold the arms: those of a blinded run lie with the arms until the unlock.
            place = make_blind(context) if context.blinded else records
            for name, sha256 in context.raw.items():
                if sha256 not in NO_FILE:
                    keep_file(place, context.data / name, sha256)
    except OSError as error:
        title = "The results are complete and sealed, but copies of them could not be kept."
        raise _unwritten(records, error, title) from error
    return manifest


def _write_changes(record: Record, manifest: str) -> dict[str, str]:
    """Tell what differs from the last sealed run, where anything does; gives the pages' sha256."""
    ledger = read_ledger(record.records)
    sealed = ledger.sealed()
    if not sealed or sealed[-1].body["manifest"] == manifest:
        return {}
    from sitewise.changes.page import as_html, as_json, summary
    from sitewise.run.differing import changes_between

    body = {"run": record.run, "manifest": manifest}
    opened = record.opened
    this = Entry(opened.seq + 1, CLOSED, opened.time, opened.sha256, body, "")
    try:
        changes = changes_between(record.records, ledger, sealed[-1], this)
        pages = {"changes.html": as_html(changes), "changes.json": as_json(changes)}
    except (RunError, KeyError, TypeError, ValueError) as error:
        # Copies that are gone, or of a version that wrote other fields: said, and no failure.
        record.notes.append(f"the differences from the last sealed run can't be told: {error}")
        return {}
    folder = record.records / "runs" / record.run
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        files[f"runs/{record.run}/{name}"] = file_sha256(folder / name)
    record.changed = f"Since {changes.before.name}: {summary(changes)} ({folder / 'changes.html'})"
    return files


def _set_ledger_aside(records: Path) -> dict[str, str]:
    """Move a damaged ledger and its HEAD away; gives where to, and its sha256."""
    from sitewise.audit.ledger import HEAD, LEDGER, now

    aside = records / "set-aside" / now().replace(":", "")
    aside.mkdir(parents=True)
    sha256 = file_sha256(records / LEDGER) if (records / LEDGER).is_file() else ""
    for name in (LEDGER, HEAD):
        if (records / name).exists():
            (records / name).rename(aside / name)
    return {"after": sha256, "kept_in": aside.relative_to(records).as_posix()}


def _unwritten(records: Path, error: OSError, title: str) -> RunError:
    return RunError(
        title,
        [
            Problem(
                f"{error.strerror or error}",
                where=str(error.filename or records),
                fix="make room on the disk, or give yourself write permission there; then run"
                " again: what was finished is kept",
            )
        ],
    )
