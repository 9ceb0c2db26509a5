"""What a night says of results/ however it ends."""

import errno
import fcntl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sitewise.audit.manifest import MANIFEST
from sitewise.errors import RunError
from sitewise.plan.sheet import Site, SiteSheet
from sitewise.run import nightly
from sitewise.run.marker import InProgressError
from sitewise.run.night_page import as_text
from sitewise.run.night_summary import Night, Summary
from sitewise.run.nightly import _Night


def stopped(directory: Path, before: Callable[[Path], object]) -> Summary:
    """The summary of a night that does `before` in results/ and is then stopped."""

    class Ended(_Night):
        def _run(self) -> None:
            before(self.results)
            raise KeyboardInterrupt

    summary = Summary(trial="x", began="2026-01-05T02:00:00+00:00")
    request: Any = SimpleNamespace(directory=directory)
    console: Any = None
    with pytest.raises(KeyboardInterrupt):
        Ended(request, "x", console, summary).go()
    return summary


@pytest.mark.parametrize(
    ("act", "results", "told"),
    [
        (lambda folder: None, "untouched", "as it was before this night"),
        (lambda folder: (folder / MANIFEST).write_text("old"), "untouched", "as it was before"),
        (lambda folder: (folder / MANIFEST).write_text("new"), "unrecorded", "not recorded"),
        (lambda folder: (folder / MANIFEST).unlink(), "unfinished", "not sealed: don't use"),
    ],
)
def test_what_lies_in_results(
    tmp_path: Path, act: Callable[[Path], object], results: str, told: str
) -> None:
    folder = tmp_path / "results" / "x"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("old")
    (folder / "table.csv").write_text("1\n")
    summary = stopped(tmp_path, act)
    assert summary.results == results
    summary.close()
    assert told in as_text(summary)


def test_nothing_lies_there(tmp_path: Path) -> None:
    assert stopped(tmp_path, lambda folder: None).results == "none"


def test_nothing_is_fetched_while_somebody_runs_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That run reads the files which a fetch would replace."""
    monkeypatch.setattr(nightly, "fetch_files", lambda *_: pytest.fail("it was fetched"))
    records = tmp_path / "records" / "x"
    records.mkdir(parents=True)
    request: Any = SimpleNamespace(directory=tmp_path, data=tmp_path / "data")
    sheet = SiteSheet((Site("A", "a.csv", source="https://server/a.csv"),))
    night = _Night(request, "x", Console(), Summary("x", "2026-01-05T02:00:00+00:00"))
    with (records / "writer.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InProgressError):
            night._fetch(sheet, keep=False)


def test_a_page_that_can_not_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes the page, not what stands on it."""

    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "latest.txt"))

    monkeypatch.setattr(nightly, "write_page", full)
    summary = Summary(trial="x", began="2026-01-05T02:00:00+00:00")
    summary.tell(Night.FAILED, "the run failed; see below")
    summary.problems = "Fitting nested to SYSBP: the disk is full"
    summary.close()
    with pytest.raises(RunError) as error:
        nightly._write(tmp_path, summary, f"It says:\n{as_text(summary)}")
    said = str(error.value)
    assert "Fitting nested to SYSBP: the disk is full" in said
    assert "x: FAILED (exit code 13)" in said
    assert "latest.txt" in said
    assert "free some room" in said
