"""One run of a trial at a time, and what a killed run leaves behind.

`records/<trial>/open-run.json` stands while a run is open: its id, process and host. The id is
also in the environment of every process of the run (SITEWISE_RUN_ID), so that the next run can
find those that a killed one left behind, and nobody else's.
"""

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sitewise.errors import Problem, RunError

VARIABLE = "SITEWISE_RUN_ID"
_PATIENCE = 5.0


@dataclass(frozen=True)
class OpenRun:
    """Who runs: `started` is the process's start in seconds, since process ids come again."""

    run_id: str
    pid: int
    started: float
    host: str


@contextlib.contextmanager
def only_run(marker: Path, tell: Callable[[str], None]) -> Iterator[OpenRun]:
    """Hold the marker of this run, after clearing away what a killed one left.

    Raises RunError while another run of the trial is in progress.
    """
    import psutil

    me = OpenRun(uuid.uuid4().hex, os.getpid(), psutil.Process().create_time(), _host())
    marker.parent.mkdir(parents=True, exist_ok=True)
    while not _claimed(marker, me):
        _clear_dead(marker, tell)
    try:
        yield me
    finally:
        marker.unlink(missing_ok=True)


def end_processes(run_id: str) -> list[int]:
    """End all processes of a run but this one, first gently; gives their process ids."""
    import psutil

    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(VARIABLE) == run_id:
                left.append(process)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=_PATIENCE)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(alive, timeout=_PATIENCE)
    return [process.pid for process in left]


def _claimed(marker: Path, me: OpenRun) -> bool:
    """Create the marker, whole, unless there is one."""
    draft = marker.with_name(f".{marker.name}.{me.run_id}")
    draft.write_text(json.dumps(asdict(me), indent=1) + "\n", encoding="utf-8")
    try:
        os.link(draft, marker)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _clear_dead(marker: Path, tell: Callable[[str], None]) -> None:
    """Remove the marker of a run that is dead, and its processes; else raise RunError."""
    try:
        other = OpenRun(**json.loads(marker.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return  # it ended just now
    except (ValueError, TypeError) as error:
        raise RunError(
            "The marker of an earlier run can't be read.",
            [
                Problem(
                    f"{type(error).__name__}: {error}",
                    where=str(marker),
                    fix="if no run of this trial is in progress, delete the file and run again",
                )
            ],
        ) from error
    if other.host != _host():
        raise RunError(
            "Another run of this trial is open on another computer.",
            [
                Problem(
                    f"run {other.run_id[:8]} was started on {other.host} (process {other.pid})",
                    where=str(marker),
                    fix=f"wait for it; if {other.host} no longer runs it, delete the file and"
                    " run again",
                )
            ],
        )
    if _alive(other):
        raise RunError(
            "Another run of this trial is in progress.",
            [
                Problem(
                    f"process {other.pid} works on it",
                    where=str(marker),
                    fix="wait until it has finished, or stop it with Ctrl-C where it runs",
                )
            ],
        )
    ended = end_processes(other.run_id)
    orphans = f"; ended {len(ended)} process(es) that it left" if ended else ""
    tell(f"An earlier run was killed before its end{orphans}. It is completed now.")
    marker.unlink(missing_ok=True)


def _alive(other: OpenRun) -> bool:
    import psutil

    try:
        process = psutil.Process(other.pid)
        started = process.create_time()
        zombie = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return not zombie and abs(started - other.started) < 1.0


def _host() -> str:
    return socket.gethostname()
