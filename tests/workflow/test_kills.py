"""Kills and faults: whatever ends a run, the next one completes it with the same bytes.

`make test-kills` kills 40 runs at random moments, an ordinary test run KILLS of them.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from sitewise.audit.ledger import CLOSED, check_ledger
from sitewise.run.marker import VARIABLE
from tests.workflow.conftest import ENDLESS, Trial, jobs

KILLS = int(os.environ.get("SITEWISE_KILLS", "5"))
SEED = int(os.environ.get("SITEWISE_SEED", str(20261122)))
# What is deleted before a run that is killed, as patterns inside results/three.
BEGINNINGS = {
    "nothing is there": ["*"],
    "the rows are there": ["data/adbp.parquet", "models"],
    "the fits are there": ["models/SYSBP/*.json", "tables", "figures"],
    "the pages are missing": ["report.*", "manifest.json"],
}
VICTIMS = ("the door", "the engine", "a job", "everything")


def forget(trial: Trial, patterns: list[str]) -> None:
    for pattern in patterns:
        for path in trial.results.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def family_of(run: "subprocess.Popen[str]") -> list[psutil.Process]:
    try:
        return psutil.Process(run.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def victims(run: "subprocess.Popen[str]", victim: str) -> list[int]:
    family = [process.pid for process in family_of(run)]
    return {
        "the door": [run.pid],
        "the engine": family[:1],
        "a job": family[-1:],
        "everything": [run.pid, *family],
    }[victim]


def alive_of(trial: Trial) -> list[psutil.Process]:
    """Processes of runs in this trial's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = VARIABLE in process.environ() and Path(process.cwd()) == trial.folder
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def start(trial: Trial) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        trial.command("run", str(trial.plan)),
        cwd=trial.folder,
        env=trial.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def sound(trial: Trial) -> None:
    verified = trial.sitewise("verify", "results/three")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture(scope="module")
def took() -> dict[str, float]:
    """How long a run from each beginning takes, in seconds, as far as it is known."""
    return {}


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_at_a_random_moment(trial: Trial, number: int, took: dict[str, float]) -> None:
    rng = random.Random(SEED + number)
    manifest = (trial.results / "manifest.json").read_bytes()
    beginning = rng.choice(list(BEGINNINGS))
    victim = rng.choice(VICTIMS)
    forget(trial, BEGINNINGS[beginning])
    longest = took.get(beginning, 8.0)
    while True:
        moment = rng.uniform(0, longest)
        run = start(trial)
        time.sleep(moment)
        if run.poll() is None:
            break
        took[beginning] = longest = moment  # it was quicker than thought
        forget(trial, BEGINNINGS[beginning])
    told = f"{victim} killed {moment:.1f} s after the start, when {beginning}"
    for pid in victims(run, victim) or [run.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    run.wait(timeout=ENDLESS)
    if sys.platform == "linux":  # children die with their parent
        end = time.monotonic() + 10
        while alive_of(trial) and time.monotonic() < end:
            time.sleep(0.1)
        assert alive_of(trial) == [], told
    done = trial.run()
    assert done.returncode == 0, f"{told}\n{done.stdout}{done.stderr}"
    assert (trial.results / "manifest.json").read_bytes() == manifest, told
    sound(trial)
    ledger, flaws = check_ledger(trial.folder / "records" / "three")
    assert flaws == [], told
    assert ledger.entries[-1].kind == CLOSED
    assert ledger.killed() == []


def test_a_disk_that_is_full(trial: Trial) -> None:
    """No file may grow beyond 100 kB: the pages can't be written."""
    before = trial.contents()
    forget(trial, BEGINNINGS["the pages are missing"])

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    stopped = subprocess.run(
        trial.command("run", str(trial.plan)),
        cwd=trial.folder,
        env=trial.environment,
        capture_output=True,
        text=True,
        timeout=ENDLESS,
        check=False,
        preexec_fn=limit,
    )
    assert stopped.returncode != 0
    assert "run again" in stopped.stderr
    assert not (trial.results / "manifest.json").exists()
    assert jobs(trial.run())
    assert trial.contents() == before
    sound(trial)


def test_files_from_the_future(trial: Trial) -> None:
    """As they seem after the clock was set back."""
    before = trial.contents()
    tomorrow = time.time() + 86400
    for path in trial.results.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    forget(trial, ["report.*", "manifest.json"])
    assert jobs(trial.run())
    assert trial.contents() == before
    assert jobs(trial.run()) == []
    sound(trial)


def test_two_trials_at_once_in_one_folder(trial: Trial) -> None:
    before = trial.contents()
    plan = yaml.safe_load(trial.plan.read_text())
    plan["trial"] = "other"
    second = trial.plan.with_name("other.yaml")
    second.write_text(yaml.safe_dump(plan, sort_keys=False, width=1000))
    forget(trial, ["models"])
    data = str(trial.folder / "data" / "three")
    runs = [
        subprocess.Popen(
            trial.command("run", str(path), "--data", data),
            cwd=trial.folder,
            env=trial.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for path in (trial.plan, second)
    ]
    for run in runs:
        said, _ = run.communicate(timeout=ENDLESS)
        assert run.returncode == 0, said
    assert trial.contents() == before
    for name in ("three", "other"):
        assert trial.sitewise("verify", f"results/{name}").returncode == 0
