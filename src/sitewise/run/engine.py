"""The workflow engine as a child process: started, followed, ended."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sitewise.audit.parent import ENGINE, this_process
from sitewise.errors import RunError, plural
from sitewise.run import forkserver, slurm
from sitewise.run.environment import variables
from sitewise.run.marker import VARIABLE, end_processes
from sitewise.run.profile import SLURM, Profile
from sitewise.run.submissions import refusal

_MESSAGE = re.compile(r"^\s*Job \d+: (.+)$")
_STEPS = re.compile(r"^(\d+) of (\d+) steps")
_TOTAL = re.compile(r"^total\s+(\d+)$")
# The engine looks through the locks of all trials; one that goes meanwhile is no fault of this one.
_RACED = re.compile(r"^FileNotFoundError: .*\.snakemake/locks/")
_PATIENCE = 20.0
_RESTARTS = 5


@dataclass(frozen=True)
class Progress:
    """Where the engine is: jobs done, jobs in all, and what a job that starts now does."""

    done: int
    total: int
    message: str = ""


@dataclass(frozen=True)
class Call:
    """One call of the engine.

    project: folder with the Snakefile. directory: where results/ lies. log: where all that the
    engine says goes. run_id: found again in the environment of every process of the run.
    """

    project: Path
    directory: Path
    plan: Path
    data: Path
    log: Path
    run_id: str
    profile: Profile
    cores: int | None = None


def run_engine(
    call: Call,
    follow: Callable[[Progress], None],
    tell: Callable[[str], None],
    watch: slurm.Watch | None = None,
) -> int:
    """Run the workflow; `follow` hears of each step, `tell` what a cluster says of its jobs.

    Gives the engine's exit code. watch: who sees that the engine waits for jobs that have ended; it
    is then started again. On KeyboardInterrupt the engine and its jobs are ended before the
    exception goes on.
    """
    for _ in range(_RESTARTS):
        stalled, raced = threading.Event(), threading.Event()
        code = _run_once(call, follow, tell, watch, (stalled, raced))
        if raced.is_set() and code:
            continue
        if not stalled.is_set():
            if code < 0:
                end_processes(call.run_id)  # one of them may be about to give Slurm a job
            if code:
                _clear_queue(call, tell)
            return code
        tell("The engine lost sight of its jobs, which have ended; it is started again.")
        for lock in locks_of(call.directory, call.log.parent.name):
            lock.unlink(missing_ok=True)
    return code


def _clear_queue(call: Call, tell: Callable[[str], None]) -> None:
    """Cancel what an engine that failed, or was killed, left in Slurm: nobody waits for it."""
    if call.profile.executor != SLURM:
        return
    try:
        left = slurm.cancel(call.run_id)
    except RunError as error:
        tell(f"{error} Jobs of this run may be left there; they will write nothing.")
        return
    if left:
        tell(f"Cancelled {plural(len(left), 'job')} that the workflow engine left in Slurm.")


def _run_once(
    call: Call,
    follow: Callable[[Progress], None],
    tell: Callable[[str], None],
    watch: slurm.Watch | None,
    happened: tuple[threading.Event, threading.Event],
) -> int:
    stalled, raced = happened
    with call.log.open("a", encoding="utf-8") as log, _forks(call, log) as more:
        child = _start(call, subprocess.PIPE, more)

        def wake() -> None:
            stalled.set()
            _interrupt(child)

        if watch is not None:
            watch.on_stall = wake
        try:
            for progress in _progress(child, log, tell, raced):
                follow(progress)
            return child.wait()
        except BaseException:
            _end(child, call)
            raise
        finally:
            if watch is not None:
                watch.on_stall = None


def _interrupt(child: "subprocess.Popen[str]") -> None:
    """End the engine as Ctrl-C would; at once where that does not help."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def locks_of(directory: Path, trial: str) -> list[Path]:
    """Locks of the engine on files of one trial: it works on them, or was killed there."""
    mine = f"results/{trial}/"
    found = []
    for path in sorted((directory / ".snakemake" / "locks").glob("*")):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue  # another trial's engine has ended just now
        if any(mine in line for line in text.splitlines()):
            found.append(path)
    return found


def other_engines(directory: Path) -> list[int]:
    """Process ids of engines that somebody runs in `directory` without this door."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            engine = "snakemake" in " ".join(process.cmdline())
            if engine and Path(process.cwd()) == directory and VARIABLE not in process.environ():
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue  # it has ended, or is another user's
    return found


def _options(call: Call) -> list[str]:
    """How many jobs at a time; on a cluster also what their names begin with."""
    if call.profile.is_local:
        return ["--cores", str(call.cores) if call.cores else "all"]
    options = ["--jobs", str(call.cores)] if call.cores else []
    if call.profile.executor == SLURM:
        options += ["--slurm-jobname-prefix", slurm.prefix_of(call.run_id)]
    return options


def _forks(call: Call, log: IO[str]) -> contextlib.AbstractContextManager[dict[str, str]]:
    """Jobs of this machine begin with their imports done."""
    if not call.profile.is_local:
        return contextlib.nullcontext({})
    scripts = call.project / "workflow" / "scripts"
    return forkserver.forkserver(scripts, call.directory, _environment(os.environ, call), log)


def _start(call: Call, stdout: int | IO[str], more: Mapping[str, str]) -> "subprocess.Popen[str]":
    command = [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(call.project / "Snakefile")),
        *("--workflow-profile", str(call.profile.folder)),
        *("--directory", str(call.directory)),
        *_options(call),
        *("--config", f"plan={call.plan}", f"data={call.data}"),
    ]
    return subprocess.Popen(
        command,
        cwd=call.directory,
        env={**_environment(os.environ, call), **more},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        # Ctrl-C reaches this process alone, which then ends the others in order.
        start_new_session=True,
    )


def _environment(outer: Mapping[str, str], call: Call) -> dict[str, str]:
    """What the child sees: settings of the engine that a user keeps elsewhere don't count here.

    Nor does the process that forks for another run, of which this one may be a job.
    """
    kept = {
        name: value
        for name, value in outer.items()
        if not name.startswith("SNAKEMAKE_") and name != forkserver.VARIABLE
    }
    own = {VARIABLE: call.run_id, ENGINE: this_process(), "PYTHONUNBUFFERED": "1"}
    if call.profile.executor != SLURM:
        # The engine's Slurm plugin asks the controller as it is loaded, needed or not, and waits
        # ten seconds for one that does not answer: here there is none to ask.
        own["SLURM_CONF"] = os.devnull
    return {**kept, **variables(), **own}


def _progress(
    child: "subprocess.Popen[str]", log: IO[str], tell: Callable[[str], None],
    raced: threading.Event,
) -> Iterator[Progress]:  # fmt: skip
    """Read the engine's words; what is not understood only lacks in the progress."""
    done, total = 0, 0
    assert child.stdout is not None
    for line in child.stdout:
        log.write(line)
        log.flush()
        if _RACED.match(line):
            raced.set()
        if trouble := refusal(line):
            tell(f"{trouble}.")
        if match := _TOTAL.match(line):
            # The engine counts its final target as a job.
            total = int(match.group(1)) - 1
            yield Progress(done, total)
        elif match := _STEPS.match(line):
            done = min(int(match.group(1)), total)
            yield Progress(done, total)
        elif match := _MESSAGE.match(line):
            yield Progress(done, total, match.group(1).strip())


@contextlib.contextmanager
def _unhurried() -> Iterator[None]:
    """A second Ctrl-C does not cut the ending short: jobs would be left running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(child: "subprocess.Popen[str]", call: Call) -> None:
    """End the engine as Ctrl-C would, then whatever is left of the run."""
    with _unhurried():
        if child.poll() is None:
            _interrupt(child)
        if call.profile.executor == SLURM:
            slurm.cancel(call.run_id)
        end_processes(call.run_id)
