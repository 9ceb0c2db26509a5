"""A run that nobody watches: run, verify, and say on one page what a person should know."""

import contextlib
import datetime
import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

from rich.console import Console

from sitewise.audit.hashing import file_sha256
from sitewise.audit.ledger import Entry, Ledger, read_ledger
from sitewise.audit.manifest import MANIFEST
from sitewise.audit.objects import object_path, read_json
from sitewise.errors import DataError, Problem, RunError, SitewiseError
from sitewise.plan.model import Plan
from sitewise.plan.sheet import SiteSheet
from sitewise.run.context import raw_digests
from sitewise.run.delivery import arrived, bad_files, last_good, with_kept
from sitewise.run.door import Request, run_trial
from sitewise.run.fetching import fetch_files
from sitewise.run.kept import Kept
from sitewise.run.locking import LockedError
from sitewise.run.readiness import data_folder, make_folders, read_plan
from sitewise.run.verifying import verify_trial

FOLDER = "nightly"
_FINDINGS = "findings/findings.csv"
_ACCOUNT = "findings/account.json"


BUSY = 14  # another night is in progress: nothing was done, and nothing can be said


class Night(IntEnum):
    """How a night ended, as its exit code; where several are true the greatest is given."""

    NOTHING_NEW = 0
    NEW_RESULTS = 10
    DATA_PROBLEMS = 11
    LOCKED_CHANGED = 12
    FAILED = 13


WORDS = {
    Night.NOTHING_NEW: "NOTHING NEW",
    Night.NEW_RESULTS: "NEW RESULTS",
    Night.DATA_PROBLEMS: "DATA PROBLEMS",
    Night.LOCKED_CHANGED: "LOCKED DATA OR PLAN CHANGED",
    Night.FAILED: "FAILED",
}


class NightInProgressError(RunError):
    """Another night of the trial is in progress."""


@dataclass
class Summary:
    """What a night's page says.

    previous: the last sealed run before, "" where there was none. results: of which run results/
    is now: `new`, `as before`, or `not made`. files: hospital files by what became of them.
    findings: new ones, number by hospital (`-` for the trial), severity and rule. primary: name,
    old and new estimate, and how far it moved in its old standard errors. problems: errors, in
    full.
    """

    trial: str
    began: str
    ended: str = ""
    state: str = ""
    exit_code: int = 0
    previous: str = ""
    results: str = "not made"
    jobs: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    not_fetched: list[str] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    findings_gone: int = 0
    estimates: str = ""
    causes: list[str] = field(default_factory=list)
    primary: dict[str, Any] = field(default_factory=dict)
    verified: str = ""
    problems: str = ""
    head: str = ""


def run_night(request: Request, console: Console) -> tuple[Summary, Path]:
    """One night; gives the summary and the file that its text is in.

    Raises SitewiseError where there is no plan to have a trial, or another night is in progress;
    every other end is told in the summary.
    """
    plan, _ = read_plan(request.plan)
    directory = request.directory.resolve()
    make_folders(directory, plan.trial)
    folder = directory / "records" / plan.trial / FOLDER
    folder.mkdir(exist_ok=True)
    with _alone(folder / "lock"):
        summary = _Night(replace(request, directory=directory), plan, console).go()
        return summary, _write(folder, summary)


@dataclass
class _Night:
    request: Request
    plan: Plan
    console: Console
    ends: set[Night] = field(default_factory=set)

    @property
    def records(self) -> Path:
        return self.request.directory / "records" / self.plan.trial

    @property
    def results(self) -> Path:
        return self.request.directory / "results" / self.plan.trial

    def go(self) -> Summary:
        summary = Summary(self.plan.trial, _now().isoformat(timespec="seconds"))
        before = read_ledger(self.records)
        previous = before.sealed()[-1] if before.sealed() else None
        if previous:
            summary.previous = f"run {str(previous.body['run'])[:8]} of {previous.time[:16]}Z"
        try:
            self._run(summary, before, previous)
        except LockedError as error:
            self._went_wrong(summary, Night.LOCKED_CHANGED, error)
        except SitewiseError as error:
            data = isinstance(error, DataError) or error.exit_code == DataError.exit_code
            self._went_wrong(summary, Night.DATA_PROBLEMS if data else Night.FAILED, error)
        except OSError as error:
            self._went_wrong(summary, Night.FAILED, error)
        end = max(self.ends, default=Night.NOTHING_NEW)
        summary.state, summary.exit_code = WORDS[end], int(end)
        summary.ended = _now().isoformat(timespec="seconds")
        return summary

    def _went_wrong(self, summary: Summary, end: Night, error: Exception) -> None:
        self.ends.add(end)
        summary.problems = str(error)

    def _run(self, summary: Summary, before: Ledger, previous: Entry | None) -> None:
        _, sheet = read_plan(self.request.plan)
        unfetched = self._fetch(summary, sheet)
        data = data_folder(self.plan, sheet, self.request.data)
        now = raw_digests(data, [site.file for site in sheet.sites])
        opened = before.opening(str(previous.body["run"])) if previous else None
        was = dict(before.fact(opened, "raw") or {}) if opened else {}
        summary.files = arrived(was, now)
        kept: list[Kept] = []
        if self._keeps:
            bad = bad_files(self.plan, sheet, data) | unfetched
            kept = last_good(self.records, before, bad, _now())
            place = self.records / FOLDER / "delivery"
            data = with_kept(data, self.records, kept, place, without=unfetched)
        summary.kept = [{**asdict(one), "told": str(one)} for one in kept]
        if kept:
            self.ends.add(Night.DATA_PROBLEMS)
        notes = tuple(map(str, kept))
        try:
            outcome = run_trial(replace(self.request, data=data, notes=notes), self.console)
        finally:
            shutil.rmtree(self.records / FOLDER / "delivery", ignore_errors=True)
        summary.jobs = outcome.jobs
        self._tell_results(summary, previous)
        found = verify_trial(self.results, self.records)
        summary.verified = f"all {found.files} files are as sealed and recorded"
        if found.differences:
            self.ends.add(Night.FAILED)
            summary.verified = "; ".join(map(str, found.differences[:20]))
        summary.head = found.head.sha256 if found.head else ""

    @property
    def _keeps(self) -> bool:
        # Copies of a blinded trial's files hold the arms and are not among the records.
        return self.plan.nightly.bad_delivery == "keep last good" and not self.plan.blinded

    def _fetch(self, summary: Summary, sheet: SiteSheet) -> dict[str, tuple[str, str]]:
        """Bring what has a source; gives site and reason by file that could not be had.

        Raises RunError for them where the plan does not keep earlier files: what lies in the folder
        is then not what hospitals have, and nobody said that it may stand for it.
        """
        if not any(site.source for site in sheet.sites):
            return {}
        fetched = fetch_files(sheet, self.request.data or Path("data", self.plan.trial))
        summary.not_fetched = [str(one) for one in fetched.failed]
        if not self._keeps:
            fetched.require_all()
        if fetched.failed:
            self.ends.add(Night.DATA_PROBLEMS)
        return {one.file: (one.site, "it could not be fetched") for one in fetched.failed}

    def _tell_results(self, summary: Summary, previous: Entry | None) -> None:
        manifest = file_sha256(self.results / MANIFEST)
        same = previous is not None and previous.body["manifest"] == manifest
        summary.results = "as before" if same else "new"
        account = json.loads((self.results / _ACCOUNT).read_text(encoding="utf-8"))
        summary.set_aside = [
            f"hospital {f['site']}: {f['file']}: {f['reason']}"
            for f in account["files"]
            if f["status"] != "used"
        ]
        if summary.set_aside:
            self.ends.add(Night.DATA_PROBLEMS)
        if same:
            return
        self.ends.add(Night.NEW_RESULTS)
        old = _old_findings(self.records, previous)
        new = _findings(self.results / _FINDINGS)
        summary.findings = _by_hospital(new - old)
        summary.findings_gone = (old - new).total()
        if any(line["severity"] == "error" for line in summary.findings):
            self.ends.add(Night.DATA_PROBLEMS)
        if previous is not None:
            self._tell_changes(summary)

    def _tell_changes(self, summary: Summary) -> None:
        from sitewise.changes.page import summary as in_a_line
        from sitewise.run.differing import diff_runs

        try:
            changes = diff_runs(self.records)
        except (SitewiseError, KeyError, TypeError, ValueError) as error:
            summary.estimates = f"the differences from the last sealed run can't be told: {error}"
            return
        summary.estimates, summary.causes = in_a_line(changes), list(changes.causes)
        first = next((e for e in changes.estimates if e.primary), None)
        if first is not None:
            relative = first.relative
            summary.primary = {
                "name": f"{first.endpoint}, {first.model}: {first.contrast}",
                "old": first.old,
                "new": first.new,
                "moved_se": relative,
                "threshold": self.plan.nightly.moved,
                "beyond": relative is None or abs(relative) > self.plan.nightly.moved,
            }


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NightInProgressError(
                "Another night of this trial is in progress; this one did nothing.",
                [
                    Problem(
                        "it holds the lock",
                        where=str(lock),
                        fix="nothing, if it is merely slow; if each night meets the one before, run"
                        " more rarely or on more cores",
                    )
                ],
            ) from None
        yield


def _findings(path: Path) -> Counter[tuple[str, ...]]:
    """Findings without the line of the file, which moves when rows are added before it."""
    import csv

    with path.open(encoding="utf-8", newline="") as handle:
        return Counter(
            (row["SITEID"], row["SEVERITY"], row["RULE"], *(
                row[name] for name in ("USUBJID", "AVISIT", "PARAMCD", "COLUMN", "VALUE", "SRCFILE")
            ))
            for row in csv.DictReader(handle)
        )  # fmt: skip


def _old_findings(records: Path, previous: Entry | None) -> Counter[tuple[str, ...]]:
    if previous is None:
        return Counter()
    try:
        files = read_json(records, str(previous.body["manifest"]))["files"]
        return _findings(object_path(records, files[_FINDINGS]["sha256"]))
    except (OSError, ValueError, KeyError):
        return Counter()


def _by_hospital(findings: Counter[tuple[str, ...]]) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for (site, severity, rule, *_), number in findings.items():
        counts[site or "-", severity, rule] += number
    names = ("hospital", "severity", "rule")
    return [{**dict(zip(names, key, strict=True)), "number": counts[key]} for key in sorted(counts)]


def _write(folder: Path, summary: Summary) -> Path:
    from sitewise.run.night_page import as_text

    stem = summary.began.replace(":", "").replace("-", "").replace("+0000", "Z")
    data = json.dumps(asdict(summary), indent=1, ensure_ascii=False) + "\n"
    text = as_text(summary)
    for name in (stem, "latest"):
        (folder / f"{name}.json").write_text(data, encoding="utf-8")
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder / f"{stem}.txt"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
