"""What is read of the workflow engine's words, and of its failures."""

import contextlib
import io
import json
import os
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sitewise.audit.parent import ENGINE
from sitewise.errors import DataError
from sitewise.run import engine, forkserver
from sitewise.run.engine import Progress, _environment, _progress
from sitewise.run.environment_check import departures, locked_versions, main_packages
from sitewise.run.failures import clear_failures, engine_failure
from sitewise.run.profile import Profile
from sitewise.run.slurm import Queued

SAID = """Job stats:
job            count
-----------  -------
fit                2
all                1
total              3

[Sun Nov 22 20:08:46 2026]
Job 3: Fitting the models to SYSBP
Reason: Missing output files: results/three/x
a line of a script
[Sun Nov 22 20:08:47 2026]
Finished jobid: 3 (Rule: fit)
1 of 3 steps (33%) done
3 of 3 steps (100%) done
"""


def test_progress_is_read_and_everything_is_logged() -> None:
    log = io.StringIO()
    child: Any = SimpleNamespace(stdout=io.StringIO(SAID))
    raced = threading.Event()
    found = list(_progress(child, log, print, raced))
    assert not raced.is_set()
    assert found == [
        Progress(0, 2),
        Progress(0, 2, "Fitting the models to SYSBP"),
        Progress(1, 2),
        Progress(2, 2),
    ]
    assert log.getvalue() == SAID


RACED = """  File "snakemake/persistence.py", line 1, in locked
FileNotFoundError: [Errno 2] No such file or directory: '/a/.snakemake/locks/0.input.lock'
"""


def test_an_engine_that_fell_over_another_trials_lock_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [RACED, SAID]
    starts: list[int] = []

    def start(call: Any, stdout: Any, more: Any) -> Any:
        code = 1 if said[0] is RACED else 0
        starts.append(code)
        return SimpleNamespace(stdout=io.StringIO(said.pop(0)), wait=lambda: code)

    monkeypatch.setattr(engine, "_start", start)
    monkeypatch.setattr(engine, "_forks", lambda *_: contextlib.nullcontext({}))
    call: Any = SimpleNamespace(log=tmp_path / "log", run_id="run-1")
    seen: list[Progress] = []
    assert engine.run_engine(call, seen.append, print) == 0
    assert starts == [1, 0]
    assert seen[-1] == Progress(2, 2)


def local(run_id: str, executor: str = "") -> Any:
    """A call as far as the environment of the engine asks."""
    return SimpleNamespace(run_id=run_id, profile=SimpleNamespace(executor=executor))


def test_a_local_run_asks_no_slurm() -> None:
    """Loaded, the engine's plugin waits ten seconds for a controller that does not answer."""
    assert _environment({}, local("run-1"))["SLURM_CONF"] == os.devnull
    outer = {"SLURM_CONF": "/etc/slurm/slurm.conf"}
    assert _environment(outer, local("run-1", "slurm"))["SLURM_CONF"] == "/etc/slurm/slurm.conf"


def test_the_engine_knows_who_started_it() -> None:
    assert _environment({}, local("run-1"))[ENGINE] == f"{socket.gethostname()} {os.getpid()}"


def test_settings_of_the_engine_that_a_user_keeps_do_not_count() -> None:
    outer = {"SNAKEMAKE_PROFILE": "slurm", "PATH": "/bin", "TZ": "X"}
    found = _environment(outer, local("run-1"))
    assert "SNAKEMAKE_PROFILE" not in found
    assert found["PATH"] == "/bin"
    assert found["TZ"] == "UTC"
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["SITEWISE_RUN_ID"] == "run-1"


def record(logs: Path, job: str, code: int) -> None:
    (logs / "errors").mkdir(exist_ok=True)
    problem = {"what": "SBP 1500", "where": "a.csv:3", "allowed": "50 to 300", "fix": "ask"}
    told = {"job": job, "title": "Bad files.", "problems": [problem], "exit_code": code, "log": "l"}
    (logs / "errors" / f"{job}.json").write_text(json.dumps(told))


def test_failed_jobs_are_told_in_their_own_words(tmp_path: Path) -> None:
    record(tmp_path, "ingest 01", DataError.exit_code)
    record(tmp_path, "ingest 02", DataError.exit_code)
    error = engine_failure(1, tmp_path, tmp_path)
    assert error.exit_code == DataError.exit_code
    assert "ingest 01: Bad files." in str(error)
    assert "a.csv:3: SBP 1500" in str(error)
    assert "2 jobs failed" in str(error)
    clear_failures(tmp_path)
    assert list((tmp_path / "errors").iterdir()) == []


def test_an_engine_that_failed_by_itself_shows_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "snakemake.log").write_text("first\nlast words\n")
    assert "last words" in str(engine_failure(1, tmp_path, tmp_path))
    assert "signal 9" in str(engine_failure(-9, tmp_path, tmp_path))
    (tmp_path / "snakemake.log").write_text("died with <Signals.SIGKILL: 9>\n")
    assert "memory" in str(engine_failure(1, tmp_path, tmp_path))


def test_the_lock_and_what_is_installed(root: Path, tmp_path: Path) -> None:
    pinned = locked_versions(root / "requirements.lock")
    assert set(main_packages()) <= set(pinned)
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "pandas==0.1 \\\n    --hash=sha256:00\nmixedlm==0.2 ; python_version < '3.12'\n"
    )
    found = [entry.partition("==")[0] for entry in departures(lock)]
    assert found == ["mixedlm", "pandas"]


def test_what_a_killed_engine_left_in_slurm_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [Queued("7", "RUNNING", "None", "rule_fit")]
    asked: list[str] = []
    monkeypatch.setattr(engine.slurm, "cancel", lambda run: asked.append(run) or left)
    monkeypatch.setattr(engine, "end_processes", lambda run: asked.append(run) or [])
    monkeypatch.setattr(engine, "_run_once", lambda *_: -9)
    told: list[str] = []
    for executor in ("slurm", "local"):
        call: Any = SimpleNamespace(run_id="r1", profile=SimpleNamespace(executor=executor))
        assert engine.run_engine(call, print, told.append) == -9
    assert told == ["Cancelled 1 job that the workflow engine left in Slurm."]
    assert asked == ["r1"] * 3


def test_a_run_does_not_ask_the_process_that_forks_for_another() -> None:
    outer = {forkserver.VARIABLE: "0a1b2", "SNAKEMAKE_PROFILE": "mine", "PATH": "/bin"}
    seen = _environment(outer, local("run-1"))
    assert "PATH" in seen
    assert not {forkserver.VARIABLE, "SNAKEMAKE_PROFILE"} & set(seen)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="jobs are forks on Linux alone")
def test_jobs_of_this_machine_are_forks_and_those_of_a_cluster_are_not(
    root: Path, tmp_path: Path
) -> None:
    for executor, given in (("local", [forkserver.VARIABLE]), ("slurm", [])):
        profile = Profile(root / "profiles" / "default", executor)
        call: Any = SimpleNamespace(run_id="r1", profile=profile, project=root, directory=tmp_path)
        with (tmp_path / "log").open("w") as log, engine._forks(call, log) as more:
            assert list(more) == given
    assert "exec {prefix()}" in (root / "Snakefile").read_text()
