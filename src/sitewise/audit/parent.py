"""Jobs that die with the process that started them.

On Linux the kernel sends a signal when a process's parent ends. A job asks for it, so that a
workflow engine that is killed leaves nobody behind who still writes. Elsewhere the next run finds
such processes by the run's id.
"""

import os
import signal
import socket
import sys

ENGINE = "SITEWISE_ENGINE"
_PR_SET_PDEATHSIG = 1


def announce_engine(*, by_door: bool) -> None:
    """Tell the jobs to come, by the environment, who starts them: host and process.

    by_door: the engine itself ends with the run that started it. One that a person started goes
    on when the terminal is closed, as they may have wanted.
    """
    if by_door:
        end_with_parent()
    os.environ[ENGINE] = this_process()


def this_process() -> str:
    """Host and process, as `ENGINE` names them."""
    return f"{socket.gethostname()} {os.getpid()}"


def end_with_parent() -> None:
    """Ask to be killed when the parent ends; ends at once where it has ended already."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return  # a kernel that does not know it
    host, _, pid = os.environ.get(ENGINE, "").rpartition(" ")
    if host == socket.gethostname() and not _exists(int(pid)):
        os._exit(1)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
