"""A run that nobody watches: run, verify, and say on one page what a person should know."""

import json
import shutil
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from sitewise.audit.fence import OPEN_RUN
from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import Entry, Ledger, read_ledger
from sitewise.audit.manifest import MANIFEST
from sitewise.errors import DataError, PlanError, Problem, RunError, SitewiseError, plural
from sitewise.plan.sheet import SiteSheet
from sitewise.run.alone import alone
from sitewise.run.blind import make_blind
from sitewise.run.context import Context, find_project, load_context
from sitewise.run.delivery import (
    all_used,
    arrived,
    bad_files,
    copies_of,
    keeps,
    last_good,
    with_kept,
)
from sitewise.run.door import Request, run_trial
from sitewise.run.fetching import fetch_files
from sitewise.run.kept import Kept
from sitewise.run.locking import LockedError
from sitewise.run.marker import InProgressError, only_run
from sitewise.run.night_changes import tell_estimates, tell_findings
from sitewise.run.night_page import as_text, write_page
from sitewise.run.night_summary import Night, Summary, now, now_text
from sitewise.run.readiness import data_folder, make_folders, read_plan, trial_of
from sitewise.run.stopping import stoppable
from sitewise.run.verifying import verify_trial
from sitewise.store.trouble import storage_error

FOLDER = "nightly"
_ACCOUNT = "findings/account.json"
_HEADLINE = "tables/headline.txt"
_RUN_FAILED = "the run failed; see below"


class NightInProgressError(RunError):
    """Another night of the trial is in progress."""


def run_night(request: Request, console: Console) -> tuple[Summary, Path]:
    """One night; gives the summary and the file that its text is in.

    Raises SitewiseError where nobody can tell which trial it is, the page has no place, or another
    night is in progress; every other end is told in the summary, KeyboardInterrupt before it goes
    on.
    """
    directory = request.directory.resolve()
    trial = trial_of(request.plan, directory / "records")
    make_folders(directory, trial)
    folder = directory / "records" / trial / FOLDER
    folder.mkdir(exist_ok=True)
    with alone(folder / "lock", lambda: _other_night(folder / "lock")):
        summary = Summary(trial, now_text())
        # Not that of another night, where this one is killed.
        _write(folder, summary, "The night's page can't be written; nothing was done.")
        try:
            _Night(replace(request, directory=directory), trial, console, summary).go()
        finally:
            summary.close()
            told = as_text(summary)
            page = _write(folder, summary, f"The night's page can't be written; it says:\n{told}")
        return summary, page


def _write(folder: Path, summary: Summary, unwritten: str) -> Path:
    """Write the page; raises RunError with the title `unwritten` where that can't be."""
    try:
        return write_page(folder, summary)
    except OSError as error:
        told = storage_error(error, str(folder))
        raise RunError(
            unwritten,
            told.problems if told else [Problem(str(error), where=str(folder))],
        ) from error


def _other_night(lock: Path) -> NightInProgressError:
    return NightInProgressError(
        "Another night of this trial is in progress; this one did nothing.",
        [
            Problem(
                "it holds the lock",
                where=str(lock),
                fix="nothing, if it is merely slow; if each night meets the one before, run more"
                " rarely or on more cores",
            )
        ],
    )


@dataclass(frozen=True)
class _Night:
    request: Request
    trial: str
    console: Console
    summary: Summary

    @property
    def records(self) -> Path:
        return self.request.directory / "records" / self.trial

    @property
    def results(self) -> Path:
        return self.request.directory / "results" / self.trial

    def go(self) -> None:
        """Run, and tell every end; nobody watches, so that faults of the program are told too."""
        sealed = self._sealed()
        try:
            self._tell_end_of(self._run)
            if self._sealed() and not self.summary.has(Night.FAILED, Night.BUSY):
                self._tell_end_of(self._verify)  # also where nothing was computed
        finally:
            now_sealed = self._sealed()
            if now_sealed is None:
                found = any(path.is_file() for path in self.results.rglob("*"))
                self.summary.results = "unfinished" if found else "none"
            elif self.summary.results == "untouched" and now_sealed != sealed:
                self.summary.results = "unrecorded"

    def _tell_end_of(self, step: Callable[[], None]) -> None:
        try:
            with stoppable():
                step()
        except KeyboardInterrupt:
            self.summary.tell(Night.STOPPED, "by Ctrl-C or SIGTERM; the next night goes on")
            raise
        except LockedError as error:
            self._went_wrong(Night.LOCKED_CHANGED, error, "nothing was computed; see below")
        except InProgressError as error:
            self._went_wrong(Night.BUSY, error, "somebody runs this trial now")
        except PlanError as error:
            self._went_wrong(Night.FAILED, error, "the plan can't be read; see below")
        except SitewiseError as error:
            data = isinstance(error, DataError) or error.exit_code == DataError.exit_code
            end = Night.DATA_PROBLEMS if data else Night.FAILED
            self._went_wrong(
                end, error, "the data stop the run; see below" if data else _RUN_FAILED
            )
        except Exception as error:  # noqa: BLE001
            told = storage_error(error) if isinstance(error, OSError) else None
            self._went_wrong(Night.FAILED, told or traceback.format_exc(), _RUN_FAILED)

    def _sealed(self) -> str | None:
        manifest = self.results / MANIFEST
        return file_sha256(manifest) if manifest.is_file() else None

    def _went_wrong(self, end: Night, error: object, why: str) -> None:
        self.summary.tell(end, why)
        self.summary.problems = "\n".join(filter(None, (self.summary.problems, str(error))))

    def _run(self) -> None:
        summary = self.summary
        before = read_ledger(self.records)
        previous = before.sealed()[-1] if before.sealed() else None
        if previous:
            summary.previous = f"run {str(previous.body['run'])[:8]} of {previous.time[:16]}Z"
        plan, sheet = read_plan(self.request.plan)
        unfetched = self._fetch(sheet, keep=keeps(plan))
        data = data_folder(plan, sheet, self.request.data)
        context = load_context(
            plan, sheet, data, find_project(self.request.plan), records=self.records
        )
        opened = before.opening(str(previous.body["run"])) if previous else None
        earlier = dict(before.fact(opened, "raw") or {}) if opened else {}
        summary.files = arrived(earlier, context.raw)
        place = (make_blind(context) if context.blinded else self.records / FOLDER) / "delivery"
        try:
            notes: tuple[str, ...] = ()
            if keeps(plan):
                data, notes = self._keep(before, context, unfetched, place)
            outcome = run_trial(replace(self.request, data=data, notes=notes), self.console)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        summary.jobs = outcome.jobs
        self._tell_results(previous, plan.nightly.moved)

    def _fetch(self, sheet: SiteSheet, *, keep: bool) -> dict[str, tuple[str, str]]:
        """Bring what has a source; gives site and reason by file that could not be had.

        Raises RunError for them where the plan does not keep earlier files: what lies in the folder
        is then not what hospitals have, and nobody said that it may stand for it.
        """
        if not any(site.source for site in sheet.sites):
            return {}
        with only_run(self.records / OPEN_RUN, self.console.print):  # a run reads these files
            fetched = fetch_files(sheet, self.request.data or Path("data", self.trial))
        self.summary.not_fetched = [str(one) for one in fetched.failed]
        if not keep:
            fetched.require_all()
        if fetched.failed:
            number = len(fetched.failed)
            self.summary.tell(Night.DATA_PROBLEMS, f"{plural(number, 'hospital file')} not fetched")
        return {one.file: (one.site, "it could not be fetched") for one in fetched.failed}

    def _keep(
        self,
        before: Ledger,
        context: Context,
        unfetched: dict[str, tuple[str, str]],
        place: Path,
    ) -> tuple[Path, tuple[str, ...]]:
        """Last good files for bad ones; gives the folder to run on, and what the ledger notes."""
        data, copies = context.data, copies_of(context)
        if not unfetched and all_used(self.records, before, context.digests, context.raw):
            return data, ()
        bad = bad_files(context) | unfetched
        refused = {file: context.raw[file] for file in bad.keys() - unfetched.keys()}
        kept: list[Kept] = last_good(copies, before, bad, now(), refused)
        self.summary.kept = [{**asdict(one), "told": str(one)} for one in kept]
        if kept:
            told = f"{plural(len(kept), 'hospital')} with the last good file in place of tonight's"
            self.summary.tell(Night.DATA_PROBLEMS, told)
        return with_kept(data, copies, kept, place, without=unfetched), tuple(map(str, kept))

    def _tell_results(self, previous: Entry | None, moved: float) -> None:
        summary = self.summary
        manifest = file_sha256(self.results / MANIFEST)
        same = previous is not None and previous.body["manifest"] == manifest
        summary.results = "as before" if same else "new"
        summary.headline = (self.results / _HEADLINE).read_text(encoding="utf-8").strip()
        account = json.loads((self.results / _ACCOUNT).read_text(encoding="utf-8"))
        summary.set_aside = [
            f"hospital {f['site']}: {f['file']}: {f['reason']}"
            for f in account["files"]
            if f["status"] != "used"
        ]
        if summary.set_aside:
            summary.tell(
                Night.DATA_PROBLEMS, f"{plural(len(summary.set_aside), 'hospital')} set aside"
            )
        if same:
            return
        since = f"other than those of {summary.previous}" if previous else "the trial's first"
        summary.tell(Night.NEW_RESULTS, since)
        tell_findings(summary, self.results, self.records, previous)
        if previous is not None:
            tell_estimates(summary, self.records, moved)

    def _verify(self) -> None:
        found = verify_trial(self.results, self.records)
        self.summary.verified = f"all {found.files} files are as sealed and recorded"
        if found.differences:
            self.summary.tell(Night.FAILED, "what was sealed does not verify")
            self.summary.verified = "NO; " + "; ".join(map(str, found.differences[:20]))
        self.summary.head = found.head.sha256 if found.head else ""
