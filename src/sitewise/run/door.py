"""The one door to a run: what is there is held against its receipts, then the engine starts."""

import datetime
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

import sitewise
from sitewise.audit.fence import OPEN_RUN
from sitewise.audit.hashing import file_sha256, params_digests
from sitewise.audit.receipts import DRAFTS, FOLDER, receipt_path
from sitewise.audit.state import Expected, State, Verdict, examine
from sitewise.draft.marks import unsettled
from sitewise.errors import IntegrityError, Problem, RunError, plural
from sitewise.inference.plan_models import model_notes
from sitewise.plan.limits import limits_of
from sitewise.run.accounting import account_lines
from sitewise.run.blind import forget_unsplit
from sitewise.run.context import Context, find_project, load_context
from sitewise.run.engine import Call, locks_of, other_engines, run_engine
from sitewise.run.environment_check import departures
from sitewise.run.failures import clear_failures, engine_failure
from sitewise.run.jobs import MANIFEST, jobs_of
from sitewise.run.marker import only_run
from sitewise.run.params import job_params
from sitewise.run.profile import DEFAULT, read_profile
from sitewise.run.progress import shown
from sitewise.run.readiness import data_folder, make_folders, read_plan
from sitewise.run.reasons import job_reasons, summary
from sitewise.run.recording import Record, recorded_run

_SHOWN = 20
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    data: None for data/<trial>. directory: where results/, records/, logs/ lie. reason: why the run
    goes on where plan or data are not as locked. profile: see run.profile. notes: for the ledger.
    """

    plan: Path
    directory: Path
    data: Path | None = None
    cores: int | None = None
    rebuild: bool = False
    dry_run: bool = False
    reason: str = ""
    profile: str = DEFAULT
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A finished run. jobs: how many were to be run, 0 when all was current. pages: PDF, HTML.

    account: what became of hospitals and readings, in lines; what a reader of the headline must
    not miss. ledger: the ledger's head after the run, in a line.
    """

    jobs: int
    pages: tuple[Path, ...]
    headline: str
    account: tuple[str, ...] = ()
    ledger: str = ""


def run_trial(request: Request, console: Console) -> Outcome:
    """Run one trial to its sealed report; raises SitewiseError where that can't be."""
    plan, sheet = read_plan(request.plan)
    data = data_folder(plan, sheet, request.data)
    directory = request.directory.resolve()
    make_folders(directory, plan.trial)
    records = directory / "records" / plan.trial
    context = load_context(
        plan, sheet, data, find_project(request.plan),
        limits=limits_of(plan, request.plan.parent), records=records, marks=unsettled(request.plan),
    )  # fmt: skip
    logs = directory / "logs" / plan.trial
    tell = _teller(console, logs / "run.log")
    profile = read_profile(request.profile, context.project)
    profile.require()
    with only_run(records / OPEN_RUN, tell, profile.executor) as me:
        (logs / "snakemake.log").write_text("", encoding="utf-8")
        call = Call(
            project=context.project,
            directory=directory,
            plan=request.plan.resolve(),
            data=data,
            log=logs / "snakemake.log",
            run_id=me.run_id,
            profile=profile,
            cores=request.cores,
        )
        if request.dry_run:
            return _Run(request, context, call, console, tell, None).go()
        results = directory / "results" / plan.trial
        with recorded_run(
            context, results,
            run=me.run_id, host=me.host, reason=request.reason, rebuild=request.rebuild,
        ) as record:  # fmt: skip
            outcome = _Run(request, context, call, console, tell, record).go()
        return replace(outcome, ledger=record.line)


@dataclass(frozen=True)
class _Run:
    """One run that holds the marker."""

    request: Request
    context: Context
    call: Call
    console: Console
    tell: Tell
    record: Record | None

    @property
    def results(self) -> Path:
        return self.call.directory / "results" / self.context.trial

    @property
    def logs(self) -> Path:
        return self.call.log.parent

    def go(self) -> Outcome:
        """Hold what is there against what should be; make what is wanting."""
        for told in self.request.notes:
            self._note(told)
        for departure in departures(self.context.project / "requirements.lock"):
            self._note(f"{departure} is installed; the lock names another version.")
        for note in model_notes(self.context.plan):
            self._note(f"{note.where}: {note.what}")
        if self.record is not None:
            forget_unsplit(self.context, self.results)
        expected = expected_of(self.context)
        states = examine(self.results, expected)
        _stop_if_altered(states, self.results, self.request.rebuild)
        reasons = job_reasons(states)
        self._say_why(reasons, states)
        if self.record is None:
            return Outcome(len(reasons), (), "")
        self.record.jobs.update(reasons)
        self._clear(states, self.record)
        if reasons:
            self._compute(len(reasons))
            self._hold_against(expected)
        return _outcome(self.results, len(reasons))

    def _note(self, text: str) -> None:
        """Say what a reader should know, and keep it in the ledger."""
        self.tell(f"Note: {text}")
        if self.record is not None:
            self.record.notes.append(text)

    def _say_why(self, reasons: Mapping[str, str], states: list[State]) -> None:
        if not reasons and all(state.verdict is Verdict.CURRENT for state in states):
            self.tell(f"Nothing to do: all {len(states)} results are current.")
        for line in summary(dict(reasons)):
            self.tell(line)
        for state in states:
            if state.verdict is Verdict.LEFT_OVER:
                self.tell(f"{state.file} is no longer part of the run and is removed")
        with (self.logs / "run.log").open("a", encoding="utf-8") as log:
            log.writelines(f"    {job}: {reason}\n" for job, reason in reasons.items())

    def _clear(self, states: list[State], record: Record) -> None:
        """Take away what must not be used: altered aside; stale, unfinished and left over gone."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.call.directory / "records" / self.context.trial / "set-aside" / now
        for state in states:
            if state.verdict is Verdict.ALTERED:
                for path in _with_receipt(self.results, state.file):
                    inside = path.relative_to(self.results)
                    target = aside / inside
                    record.set_aside[inside.as_posix()] = file_sha256(path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(path, target)
                self.tell(f"{state.file} is set aside in {aside}")
            elif state.verdict in (Verdict.STALE, Verdict.UNFINISHED, Verdict.LEFT_OVER):
                for path in _with_receipt(self.results, state.file):
                    path.unlink()
                    _remove_empty(path.parent, self.results)
        _settle_times(self.results)
        if any(state.verdict is not Verdict.CURRENT for state in states):
            # Results that are about to change are not sealed.
            (self.results / MANIFEST).unlink(missing_ok=True)

    def _compute(self, jobs: int) -> None:
        clear_failures(self.logs)
        locks = locks_of(self.call.directory, self.context.trial)
        if locks:
            others = other_engines(self.call.directory)
            if others:
                raise RunError(
                    "Somebody else runs a workflow in this folder.",
                    [
                        Problem(
                            f"snakemake, process {', '.join(map(str, others))}",
                            where=str(self.call.directory),
                            fix="wait until it has finished, or stop it",
                        )
                    ],
                )
            for lock in locks:
                lock.unlink(missing_ok=True)
            self.tell("Removed the lock of a workflow that was killed.")
        watch = self.call.profile.watch(self.call.run_id, self.tell)
        with watch, shown(self.console, jobs) as follow:
            code = run_engine(self.call, follow, self.tell, watch.of_queue)
        shutil.rmtree(self.results / DRAFTS, ignore_errors=True)
        if code:
            raise engine_failure(code, self.logs, self.call.directory, watch.lost)

    def _hold_against(self, expected: Mapping[str, Expected]) -> None:
        """After the engine: every result is there, and is what it should be."""
        odd = [s for s in examine(self.results, expected) if s.verdict is not Verdict.CURRENT]
        if odd:
            told = summary(job_reasons(odd)) or [f"{s.file}: {s.verdict}" for s in odd[:_SHOWN]]
            raise RunError(
                "The run ended, but its results are not what they should be.",
                [
                    Problem(
                        line,
                        where=f"results/{self.context.trial}",
                        allowed="files, plan and code that stay as they are while a run is in"
                        " progress",
                        fix="run again when nothing changes any more: what is current is kept",
                    )
                    for line in told
                ],
            )


def expected_of(context: Context) -> dict[str, Expected]:
    """What each output of a run should have been made by and from; makers before readers."""
    expected = {}
    for job in jobs_of(context):
        params = params_digests(job_params(context, job.rule, job.wildcards))
        for output in job.outputs:
            expected[output] = Expected(job.rule, job.wildcards, params)
    return expected


def _stop_if_altered(states: list[State], results: Path, rebuild: bool) -> None:
    altered = [state for state in states if state.verdict is Verdict.ALTERED]
    if not altered or rebuild:
        return
    told = [(f"results/{results.name}/{state.file}", state.detail) for state in altered[:_SHOWN]]
    if (more := len(altered) - _SHOWN) > 0:
        told.append(("", f"and {more} more"))
    fix = (
        "put back what was changed; or run again with --rebuild, which moves these files to"
        f" records/{results.name}/set-aside and makes them anew"
    )
    raise IntegrityError(
        f"{plural(len(altered), 'file was', 'files were')} altered in {results};"
        " nothing was computed or changed.",
        [
            Problem(what, where=where, fix=fix if number == len(told) else "")
            for number, (where, what) in enumerate(told, start=1)
        ],
    )


def _with_receipt(results: Path, file: str) -> list[Path]:
    """Return the file and its receipt (or the receipt and its file), where they exist."""
    if file.startswith(f"{FOLDER}/"):
        paths = [
            results / file,
            results / file.removeprefix(f"{FOLDER}/").removesuffix(".json"),
        ]
    else:
        paths = [results / file, receipt_path(results, file)]
    return [path for path in paths if path.is_file() or path.is_symlink()]


def _remove_empty(folder: Path, top: Path) -> None:
    """Remove a folder and those above it, below `top`, while they are empty."""
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _settle_times(results: Path) -> None:
    """Give files that seem to come from the future, as after the clock was set back, the present.

    The engine refuses to make anything from them. What they are worth their receipts have said.
    """
    now = time.time()
    for path in results.rglob("*"):
        if path.is_file() and path.stat().st_mtime > now:
            os.utime(path, (now, now))


def _outcome(results: Path, jobs: int) -> Outcome:
    headline = results / "tables" / "headline.txt"
    text = headline.read_text(encoding="utf-8") if headline.is_file() else ""
    pages = (results / "report.pdf", results / "report.html")
    return Outcome(jobs, pages, text.rstrip("\n"), account_lines(results))


def _teller(console: Console, log: Path) -> Tell:
    """Say a line on the terminal and keep it in the log, which begins anew in this run's place."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with log.open("a", encoding="utf-8") as handle:
        handle.write(f"\n{now} sitewise {sitewise.__version__}\n")

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        with log.open("a", encoding="utf-8") as handle:
            handle.write(f"{line}\n")

    return tell
