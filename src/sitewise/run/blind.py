"""The folder of a blinded trial, and the lifting of the blind.

`blind/<trial>` holds what tells the arms: `<batch>.arms.parquet`, written by `ingest`, and copies
of the hospital files by sha256. Only its owner may read it, and no rule does.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sitewise.audit.blind import unlocked, was_blinded
from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import (
    OPENED,
    UNLOCKED,
    Entry,
    Ledger,
    append,
    read_ledger,
    require_whole,
)
from sitewise.audit.locks import standing
from sitewise.audit.objects import OBJECTS, keep_file, keep_text
from sitewise.errors import Problem, RunError
from sitewise.run.context import Context, blind_folder, find_project, load_context
from sitewise.run.marker import only_run
from sitewise.run.readiness import data_folder, make_folders, read_plan
from sitewise.run.surroundings import user


@dataclass(frozen=True)
class Lifted:
    """What `sitewise unlock` did. entry: the ledger's record."""

    entry: Entry

    @property
    def lines(self) -> tuple[str, ...]:
        """For the terminal: what was lifted, and what stood otherwise than one would wish."""
        body = self.entry.body
        told = [
            f"The blind of {body['trial']} is lifted at {self.entry.time}: the next run is by arm."
        ]
        told += [f"Note: {note}" for note in body["notes"]]
        return (*told, f"Ledger: record {self.entry.seq}, head {self.entry.sha256}")


def lift_blind(plan_file: Path, data: Path | None, directory: Path, reason: str) -> Lifted:
    """Record who lifts the blind of a trial, when and why; later runs are by arm.

    What lay apart moves into the trial's records. Raises RunError where the trial is not blinded,
    or no longer.
    """
    plan, sheet = read_plan(plan_file)
    folder = data_folder(plan, sheet, data)
    directory = directory.resolve()
    make_folders(directory, plan.trial)
    records = directory / "records" / plan.trial
    context = load_context(plan, sheet, folder, find_project(plan_file), records=records)
    with only_run(records / "open-run.json", lambda _: None):
        ledger = read_ledger(records)
        require_whole(records, ledger)
        _require_blinded(context, ledger, records)
        keep_text(records, context.plan_text)
        body = {
            "trial": plan.trial,
            "user": user(),
            "reason": reason,
            "plan": context.digests["plan"],
            "data": context.digests["data"],
            "raw": ledger.shortened("raw", dict(context.raw)),
            "notes": _notes(context, ledger),
            "arms": _move(directory / blind_folder(plan.trial), records),
        }
        entry = append(records, UNLOCKED, body)
        shutil.rmtree(directory / blind_folder(plan.trial), ignore_errors=True)
    return Lifted(entry)


def _require_blinded(context: Context, ledger: Ledger, records: Path) -> None:
    if context.blinded:
        return
    entry = unlocked(ledger)
    what = (
        f"{entry.body.get('user')} lifted it at {entry.time} ({entry.body.get('reason')})"
        if entry
        else "neither its plan nor an earlier run is blinded"
    )
    raise RunError(
        "There is no blind to lift.",
        [
            Problem(
                what,
                where=str(records),
                allowed="once, for a trial whose plan says `blinded: true`",
                fix="run the trial",
            )
        ],
    )


def _notes(context: Context, ledger: Ledger) -> list[str]:
    """What a reader of the unlock should know: no lock, no blinded run, other data than it had."""
    assert context.records is not None
    stand = standing(ledger, context.records, context.digests["plan"], context.raw)
    notes = []
    if stand.lock is None:
        notes.append("plan and data were not locked when the blind was lifted")
    elif stand.changed:
        notes.append("plan or data were not those that were locked when the blind was lifted")
    opened = [e for e in ledger.of(OPENED) if e.body.get("blinded")]
    if not opened:
        notes.append("no run of the trial was blinded before")
    elif dict(ledger.fact(opened[-1], "raw") or {}) != dict(context.raw):
        notes.append("the hospital files are not those of the last blinded run")
    return notes


def _move(blind: Path, records: Path) -> dict[str, str]:
    """Keep what lay apart among the trial's copies; gives sha256 of the arms by batch."""
    arms = {}
    for path in sorted(blind.glob("*.arms.parquet")):
        arms[path.name] = file_sha256(path)
        keep_file(records, path, arms[path.name])
    for path in sorted((blind / OBJECTS).glob("*/*")):
        if not path.name.startswith("."):
            keep_file(records, path, path.parent.name + path.name)
    return arms


def make_blind(context: Context) -> Path:
    """Make the folder of a blinded trial beside its records; its owner alone may look in."""
    assert context.records is not None
    folder = context.records.parents[1] / blind_folder(context.trial)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def require_blind(context: Context) -> None:
    """Raise RunError where the plan forgot that the trial is blinded."""
    assert context.records is not None
    written = context.written or context.plan
    ledger = read_ledger(context.records)
    if not context.blinded or (context.written and written.blinded) or not was_blinded(ledger):
        return
    raise RunError(
        "The trial is blinded; nothing was computed.",
        [
            Problem(
                "the plan does not say `blinded: true`, an earlier run was blinded, and nobody"
                " lifted that",
                where="blinded",
                allowed="true, until the blind is lifted",
                fix="sitewise unlock PLAN --reason '...', which the report tells; or set it back",
            )
        ],
    )


def forget_unsplit(context: Context, results: Path) -> None:
    """Have `ingest` do again the batches whose arms are not where they were put."""
    if not context.blinded:
        return
    for batch in context.batches:
        if not (make_blind(context) / f"{batch}.arms.parquet").is_file():
            (results / "data" / "batches" / f"{batch}.files.json").unlink(missing_ok=True)
