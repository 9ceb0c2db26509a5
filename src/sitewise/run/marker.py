"""One run of a trial at a time, and what a killed run leaves behind.

`records/<trial>/open-run.json` stands while a run is open: its id, process and host. The id is
also in the environment of every process of the run (SITEWISE_RUN_ID), so that the next run can
find those that a killed one left behind, and nobody else's. Beside it the operating system's lock
on `writer.lock` is held, which ends with its process and which two can't take at once.
"""

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sitewise.audit import fence
from sitewise.errors import Problem, RunError, plural
from sitewise.run import slurm
from sitewise.run.alone import alone

VARIABLE = fence.VARIABLE
_PATIENCE = 5.0


class InProgressError(RunError):
    """Another run of the trial is in progress on this machine."""


@dataclass(frozen=True)
class OpenRun:
    """Who runs. started: when the process did, since process ids come again; see `start_of`.

    executor: who runs the jobs; those of a killed run are ended there.
    """

    run_id: str
    pid: int
    started: str
    host: str
    executor: str = "local"


@contextlib.contextmanager
def only_run(
    marker: Path, tell: Callable[[str], None], executor: str = "local"
) -> Iterator[OpenRun]:
    """Hold the marker of this run, after clearing away what a killed one left.

    Raises RunError while another run of the trial is in progress.
    """
    me = OpenRun(uuid.uuid4().hex, os.getpid(), start_of(os.getpid()), _host(), executor)
    marker.parent.mkdir(parents=True, exist_ok=True)
    with alone(marker.with_name("writer.lock"), lambda: _in_progress(marker)):
        while not _claimed(marker, me):
            _clear_dead(marker, tell)
        try:
            yield me
        finally:
            marker.unlink(missing_ok=True)


def start_of(pid: int) -> str:
    """When a process started, as a text that stays the same when the clock is set.

    On Linux the boot's id and the clock ticks since; elsewhere the time in whole seconds. Empty
    where there is no such process, or only its remains.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        boot, stat = Path("/proc/sys/kernel/random/boot_id"), Path(f"/proc/{pid}/stat")
        if boot.is_file() and stat.is_file():
            # Field 22, counted after the name, which may hold blanks and parentheses.
            ticks = stat.read_text(errors="replace").rpartition(")")[2].split()[19]
            return f"{boot.read_text().strip()} {ticks}"
        return str(int(process.create_time()))
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return ""


def _in_progress(marker: Path) -> InProgressError:
    try:
        other = json.loads(marker.read_text(encoding="utf-8"))
        who = f"process {other['pid']} on {other['host']} works on it"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process has just begun or is about to end"
    return InProgressError(
        "Another run of this trial is in progress.",
        [
            Problem(
                who,
                where=str(marker),
                fix="wait until it has finished, or stop it with Ctrl-C where it runs",
            )
        ],
    )


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
    for left in marker.parent.glob(f".{marker.name}.*"):
        left.unlink(missing_ok=True)  # of a run that was killed right here
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
                    fix=f"wait for it; if {other.host} no longer runs it, {_by_hand(other)}delete"
                    " the file and run again",
                )
            ],
        )
    if other.started and start_of(other.pid) == other.started:
        raise _in_progress(marker)
    cancelled = slurm.cancel(other.run_id) if other.executor == "slurm" else []
    ended = end_processes(other.run_id)
    orphans = (
        f"; cancelled {plural(len(cancelled), 'job')} that it left in Slurm" if cancelled else ""
    )
    orphans += f"; ended {plural(len(ended), 'process', 'processes')} that it left" if ended else ""
    tell(f"An earlier run was killed before its end{orphans}. It is completed now.")
    marker.unlink(missing_ok=True)


def _by_hand(other: OpenRun) -> str:
    """How to cancel what a run that can't be looked after may have left on a cluster."""
    if other.executor == "local":
        return ""
    return f"cancel its jobs (their names begin with {slurm.prefix_of(other.run_id)}), "


def _host() -> str:
    return socket.gethostname()
