"""Jobs as forks of one process that has imported what they need.

A run is thirty short jobs, and most of such a job's time is imports. On Linux, where jobs run on
this machine, the door starts that process (`forks`) beside the workflow engine. It imports what the
scripts import; each job then is a fork of it. The engine starts a job by the program `forked`,
which asks that process. Whatever is in the way (another system, a package that can't be imported),
jobs begin as ever.
"""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

VARIABLE = "SITEWISE_FORKSERVER"
_SERVE = "sitewise.run.forks"
_ASK = Path(__file__).with_name("forked.py")
# What jobs import where they need it: the first ones before any job, the others beside them. What
# the scripts import at their beginning is read from the scripts.
FIRST = ("snakemake.script", "pandas", "pyarrow.parquet", "dateutil.parser")
LATER = (
    "scipy.optimize",
    "scipy.stats",
    "threadpoolctl",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "statsmodels.regression.mixed_linear_model",
    "mixedlm",
    "pingouin",
    "yaml",
    "jinja2",
    "weasyprint",
)
# Arrow's second allocator starts a thread as it is loaded; a process with threads must not fork.
_NO_THREADS = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
_BACKLOG = 1024
# Seconds for forks that are being ended; one that waits for a disk can't be.
_PATIENCE = 10.0


@contextlib.contextmanager
def forkserver(
    scripts: Path,
    folder: Path,
    environment: Mapping[str, str],
    log: IO[str],
    *,
    first: Sequence[str] = FIRST,
    later: Sequence[str] = LATER,
) -> Iterator[dict[str, str]]:
    """Have such a process while the block lasts; gives what the engine's environment must add.

    scripts: the folder of the jobs' scripts. folder: where jobs run, which is where a library
    looks for settings as it is imported. environment: what jobs see. log: where the process says
    what goes wrong with it. first, later: modules to import beyond those of the scripts. Where
    there can't be such a process, nothing is added.
    """
    if not _possible():
        yield {}
        return
    held, holding = socket.socketpair()
    with held:
        with socket.socket(socket.AF_UNIX) as listening, holding:
            listening.bind("")  # the kernel finds a name, which is gone with the socket: no file
            listening.listen(_BACKLOG)
            child = subprocess.Popen(
                [
                    sys.executable,
                    "-P",  # a file of that folder named as a module is none
                    "-m",
                    _SERVE,
                    str(listening.fileno()),
                    str(scripts.absolute()),
                    *first,
                    "-",
                    *later,
                ],
                cwd=folder,
                env={**environment, **_NO_THREADS},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listening.fileno(), holding.fileno()],
                start_new_session=True,
            )
            name = listening.getsockname().decode("ascii").removeprefix("\0")
        try:
            yield {VARIABLE: name}
        finally:
            child.kill()
            child.wait()
            _wait_for_forks(held)


def _wait_for_forks(held: socket.socket) -> None:
    """Return when nobody holds the other end: the kernel ends the forks after their parent."""
    with contextlib.suppress(TimeoutError):
        held.settimeout(_PATIENCE)
        held.recv(1)


def _possible() -> bool:
    """Whether this system has what the process waits with: an old kernel, or a sandbox, may not."""
    if not (sys.platform.startswith("linux") and hasattr(os, "pidfd_open")):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def prefix() -> str:
    """What stands before the command of a job so that it may become a fork; else empty."""
    name = os.environ.get(VARIABLE, "")
    if not name:
        return ""
    # For a shell, which gets it from the engine, which fills in what stands in braces.
    words = shlex.join([sys.executable, "-I", "-S", str(_ASK), name])
    return words.replace("{", "{{").replace("}", "}}") + " "
