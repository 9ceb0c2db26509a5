"""Data and plan of a trial: frozen by a lock, left only for a stated reason."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from sitewise.audit.fence import OPEN_RUN
from sitewise.audit.ledger import LOCKED, Entry, Ledger, append, read_ledger, require_whole
from sitewise.audit.locks import Standing, standing
from sitewise.audit.objects import keep_text
from sitewise.errors import Problem, RunError, plural
from sitewise.run.context import Context, find_project, load_context
from sitewise.run.delivery import all_used, bad_files, copies_of, copy_of, keeps, last_good
from sitewise.run.marker import only_run
from sitewise.run.readiness import data_folder, make_folders, read_plan
from sitewise.run.surroundings import user

_SHOWN = 20


class LockedError(RunError):
    """Plan or data are not what was locked, and nobody says why."""


@dataclass(frozen=True)
class Locked:
    """What `sitewise lock` did. entry: the ledger's record. files: how many raw files it holds."""

    entry: Entry
    files: int


def lock_trial(plan_file: Path, data: Path | None, directory: Path, reason: str) -> Locked:
    """Freeze plan and data of a trial; later runs on others need a reason.

    Raises RunError where they are locked as they are already, or where a file would be locked in
    whose place nights analyse an earlier one.
    """
    plan, sheet = read_plan(plan_file)
    folder = data_folder(plan, sheet, data)
    directory = directory.resolve()
    make_folders(directory, plan.trial)
    records = directory / "records" / plan.trial
    context = load_context(plan, sheet, folder, find_project(plan_file), records=records)
    with only_run(records / OPEN_RUN, lambda _: None):
        ledger = read_ledger(records)
        require_whole(records, ledger)
        keep_text(records, context.plan_text)
        _require_analysed(context, ledger)
        stand = standing(ledger, records, context.digests["plan"], context.raw)
        if stand.lock and not stand.changed:
            raise RunError(
                "Plan and data are locked already, as they are.",
                [Problem(f"by record {stand.lock.seq} of {stand.lock.time}", where=str(records))],
            )
        body = {
            "user": user(),
            "reason": reason,
            "plan": context.digests["plan"],
            "data": context.digests["data"],
            "raw": ledger.shortened("raw", dict(context.raw)),
            "changed": list(stand.changed),
        }
        entry = append(records, LOCKED, body)
    return Locked(entry, len(context.raw))


def _require_analysed(context: Context, ledger: Ledger) -> None:
    """Raise RunError where the plan keeps last good files and one of these is not what it keeps.

    The lock would be on a file that no night analyses, and every night would depart from it.
    """
    assert context.records is not None
    if not keeps(context.plan) or all_used(context.records, ledger, context.digests, context.raw):
        return
    copies, bad = copies_of(context), bad_files(context)
    now = datetime.datetime.now(datetime.UTC)
    kept = last_good(copies, ledger, bad, now, context.raw)
    if not kept:
        return
    problems = [
        Problem(
            f"hospital {one.site}: it can't be used ({one.reason}); nights analyse that of"
            f" {one.since[:10]} in its place",
            where=str(context.data / one.file),
            fix=f"have the hospital send a good one, or put in its place what is analysed:"
            f" {copy_of(copies, one.sha256)}",
        )
        for one in kept[:_SHOWN]
    ]
    if len(kept) > _SHOWN:
        problems.append(Problem(f"and {len(kept) - _SHOWN} more"))
    problems.append(
        Problem(
            "the plan says `nightly.bad_delivery: keep last good`",
            allowed="a lock on the files that are analysed",
            fix="with `as the rules say` such a file is locked as it is, and `rules.bad_site`"
            " decides on its hospital",
        )
    )
    told = plural(len(kept), "hospital file is", "hospital files are")
    raise RunError(f"{told} not what is analysed; nothing was locked.", problems)


def require_reason(stand: Standing, reason: str) -> None:
    """Raise LockedError where plan or data are not as locked and nobody says why."""
    if stand.free or reason or stand.lock is None:
        return
    lock = stand.lock
    problems = [Problem(change) for change in stand.changed[:_SHOWN]]
    if len(stand.changed) > _SHOWN:
        problems.append(Problem(f"and {len(stand.changed) - _SHOWN} more"))
    problems.append(
        Problem(
            f"locked by {lock.body.get('user')} at {lock.time} ({lock.body.get('reason')})",
            allowed="the plan and the data that were locked",
            fix="put them back; or state why they changed: run again with --reason '...', which"
            " the report lists as a deviation",
        )
    )
    raise LockedError("Plan or data are not what was locked; nothing was computed.", problems)
