"""What happens on a real Slurm to a run and to its jobs."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.conftest import Start
from tests.cluster.one_node import OneNode, has_cgroups
from tests.workflow.conftest import ENDLESS, Trial

KILLS = int(os.environ.get("SITEWISE_KILLS", "10"))
SEED = 20261123
Profiles = Callable[..., Path]
TOO_LITTLE = {"derive": {"mem_mb": "60 if attempt == 1 else 1000"},
              "check_trial": {"mem_mb": "60 if attempt == 1 else 1000"}}  # fmt: skip


def lacked_memory(said: str, rule: str) -> bool:
    """Whether a run said that a job, or one of a group in whatever order, needed more memory."""
    told = [
        line for line in said.splitlines() if "needed more memory than it had asked for" in line
    ]
    return any(rule in line.split(" needed ")[0].split(", ") for line in told)


def forget(trial: Trial, *patterns: str) -> None:
    for pattern in patterns:
        for path in trial.results.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def short(trial: Trial) -> None:
    """Leave the last few jobs to be done."""
    forget(trial, "tables/description.json", "report.*", "manifest.json")


def wait_for(what: str, is_so: Callable[[], Any], seconds: float = ENDLESS) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.2)


def ended(run: "subprocess.Popen[bytes]", log: Path) -> str:
    run.wait(timeout=ENDLESS)
    return log.read_text()


def running(node: OneNode) -> list[str]:
    return [number for number, state, *_ in node.queue() if state == "RUNNING"]


def sound(trial: Trial, before: dict[str, bytes]) -> None:
    assert trial.contents() == before
    assert trial.sitewise("verify", "results/three").returncode == 0


def test_a_job_without_enough_memory_comes_back_with_more(
    node: OneNode, trial: Trial, changed_profile: Profiles
) -> None:
    before = trial.contents()
    forget(trial, "data/adbp.parquet", "report.*", "manifest.json")
    done = trial.run("--profile", str(changed_profile(TOO_LITTLE)))
    assert done.returncode == 0, done.stdout + done.stderr
    asked = [line for line in node.history().values() if "derive" in line]
    assert any("MinMemoryNode=1000M" in line for line in asked)
    if has_cgroups():
        assert lacked_memory(done.stdout, "derive")
        assert any("JobState=OUT_OF_MEMORY" in line for line in asked)
    sound(trial, before)


def test_a_whole_run_by_the_profile_as_it_is_gives_the_same_bytes(
    node: OneNode, trial: Trial
) -> None:
    before = trial.contents()
    forget(trial, "*")
    done = trial.run("--profile", "slurm")
    assert done.returncode == 0, done.stdout + done.stderr
    sound(trial, before)
    assert len(node.history()) > 5
    assert not list((trial.folder / "logs" / "slurm").rglob("*.log")), "logs of what succeeded"


def test_a_job_that_takes_too_long(
    node: OneNode, trial: Trial, changed_profile: Profiles, start: Start
) -> None:
    """Slurm counts whole minutes, so the job is suspended and its minute runs out."""
    before = trial.contents()
    short(trial)
    profile = changed_profile({"describe": {"runtime": "1 if attempt == 1 else 60"}})
    log = trial.folder / "run.log"
    run = start(trial, profile, log)
    wait_for(
        "the job to run",
        lambda: [j for j in node.queue() if "describe" in j[3] and j[1] == "RUNNING"],
    )
    number = next(j[0] for j in node.queue() if "describe" in j[3])
    for process in processes_of(number):
        process.suspend()
    said = ended(run, log)
    assert run.returncode == 0, said
    assert "describe took longer than it had asked for" in said
    sound(trial, before)


def processes_of(number: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SLURM_JOB_ID") == number and "python" in process.name():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_node_that_is_drained_or_fails_under_a_job(
    node: OneNode, trial: Trial, changed_profile: Profiles, start: Start
) -> None:
    before = trial.contents()
    short(trial)
    log = trial.folder / "run.log"
    run = start(trial, changed_profile(), log)
    wait_for("a job", lambda: running(node))
    try:
        node.drain()
        wait_for("the run to say so", lambda: "no node can take it" in log.read_text())
        node.resume()
        wait_for("a job", lambda: running(node))
        node.fail()
        wait_for("jobs to end", lambda: not running(node))
    finally:
        node.resume()
    said = ended(run, log)
    assert run.returncode == 0, said
    assert "was on a node that failed" in said
    sound(trial, before)


def test_a_job_that_somebody_cancels(
    node: OneNode, trial: Trial, changed_profile: Profiles, start: Start
) -> None:
    before = trial.contents()
    short(trial)
    log = trial.folder / "run.log"
    run = start(trial, changed_profile(), log)
    wait_for("a job", lambda: running(node))
    subprocess.run(["scancel", running(node)[0]], check=True)
    said = ended(run, log)
    assert run.returncode == 0, said
    assert "was cancelled by somebody" in said
    sound(trial, before)


def test_a_controller_that_is_restarted(
    node: OneNode, trial: Trial, changed_profile: Profiles, start: Start
) -> None:
    before = trial.contents()
    short(trial)
    log = trial.folder / "run.log"
    run = start(trial, changed_profile(), log)
    wait_for("a job", lambda: running(node))
    node.stop_controller()
    time.sleep(15)
    node.start_controller()
    said = ended(run, log)
    assert run.returncode == 0, said
    sound(trial, before)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"mem_mb": 9_000_000}, "Requested node configuration is not available"),
        ({"runtime": 100_000}, "PartitionTimeLimit"),
    ],
)
def test_a_job_that_no_node_can_run_is_named(
    node: OneNode,
    trial: Trial,
    changed_profile: Profiles,
    resources: dict[str, int],
    said: str,
) -> None:
    short(trial)
    done = trial.run("--profile", str(changed_profile({"describe": resources}, retries=0)))
    assert done.returncode == 5, done.stdout + done.stderr
    assert said in done.stderr, done.stdout + done.stderr
    if "runtime" in resources:
        assert "describe" in done.stderr
    assert node.queue() == []


def kill(run: "subprocess.Popen[bytes]", victim: str, rng: random.Random, node: OneNode) -> None:
    family = psutil.Process(run.pid).children(recursive=True)
    if victim == "a job" and (numbers := running(node)):
        victims = [process.pid for process in processes_of(rng.choice(numbers))]
    elif victim == "the engine":
        victims = [process.pid for process in family[:1]]
    else:
        victims = [run.pid]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_at_a_random_moment(
    node: OneNode, trial: Trial, changed_profile: Profiles, start: Start, number: int
) -> None:
    """What a killed run left in Slurm is cancelled by the next one, which completes it."""
    before = trial.contents()
    rng = random.Random(SEED + number)
    forget(trial, *rng.choice([["data/adbp.parquet", "models"], ["tables", "report.*"]]))
    profile, log = changed_profile(), trial.folder / "run.log"
    run = start(trial, profile, log)
    victim = rng.choice(["the door", "the engine", "a job"])
    begun, moment = rng.randrange(5), rng.uniform(0, 10)
    wait_for("progress", lambda: run.poll() is not None or steps(log) >= begun)
    time.sleep(moment)
    told = f"{victim} killed {moment:.1f} s after step {begun}"
    assert run.poll() is None, f"the run ended before {told}"
    kill(run, victim, rng, node)
    run.wait(timeout=ENDLESS)
    left = {number for number, *_ in node.queue()}
    done = trial.run()  # on this machine: nobody of the killed run may still write
    assert done.returncode == 0, f"{told}\n{done.stdout}{done.stderr}"
    assert node.queue() == [], told
    jobs = node.history()
    if any("JobState=CANCELLED" in jobs[number] for number in left):  # others had ended
        assert "that it left in Slurm" in done.stdout, told
    sound(trial, before)


def steps(log: Path) -> int:
    """How many steps a run has begun, by what it has said."""
    return sum(line.startswith("[") for line in log.read_text().splitlines())


def test_jobs_of_a_killed_run_are_cancelled_by_its_id(
    node: OneNode, trial: Trial, changed_profile: Profiles, start: Start
) -> None:
    before = trial.contents()
    short(trial)
    other = subprocess.run(
        ["sbatch", "--parsable", "--mem", "100", "--job-name", "sitewise_of_somebody_else",
         "--wrap", "sleep 600"],
        check=True, capture_output=True, text=True, cwd=trial.folder,
    ).stdout.strip()  # fmt: skip
    try:
        run = start(trial, changed_profile(), trial.folder / "run.log")

        def halted() -> bool:  # its job must not end by itself before it is looked for
            own = [number for number in running(node) if number != other]
            return any(
                subprocess.run(["scontrol", "suspend", number], check=False).returncode == 0
                for number in own
            )

        wait_for("a job of its own", halted)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        done = trial.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "that it left in Slurm" in done.stdout
        assert [number for number, *_ in node.queue()] == [other]
    finally:
        subprocess.run(["scancel", other], check=True)
    sound(trial, before)


def files_of(results: Path) -> dict[str, bytes]:
    found = (path for path in results.rglob("*") if path.is_file())
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in found}


@pytest.mark.cluster_short
def test_a_whole_trial_with_a_job_out_of_memory_gives_the_bytes_of_a_local_run(
    node: OneNode, root: Path, tmp_path: Path, changed_profile: Profiles
) -> None:
    """The Ghana trial; where its files are absent the generated one of three hospitals."""
    data, name = root.parent / "shared" / "data" / "ghana", "ghana"
    if not data.is_dir():
        from sitewise.simulate.three import write_trial

        data, name = tmp_path / "data", "three"
        write_trial(data)
    profile = changed_profile(TOO_LITTLE, **{"slurm-init-seconds-before-status-checks": 2})
    plan = str(root / "config" / f"{name}.yaml")

    def run(place: str, *options: str) -> tuple[str, dict[str, bytes]]:
        folder = tmp_path / place
        folder.mkdir()
        done = Trial(root, folder).sitewise("run", plan, "--data", str(data), *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, files_of(folder / "results" / name)

    with ThreadPoolExecutor() as side_by_side:  # Slurm's jobs mostly wait
        local = side_by_side.submit(run, "here")
        said, on_slurm = run("slurm", "--profile", str(profile))
        here = local.result()[1]
    if has_cgroups():
        assert lacked_memory(said, "derive")
    assert on_slurm.keys() == here.keys()
    assert [file for file, content in here.items() if on_slurm[file] != content] == []
    assert node.queue() == []
