"""Jobs as forks of one process that has imported what they need.

A run is thirty short jobs, and most of such a job's time is imports. On Linux, where jobs run on
this machine, the door starts this process beside the workflow engine. It imports what the scripts
import; each job then is a fork of it. Whatever is in the way (another system, a package that
can't be imported), jobs begin as ever, by the program `forked.py`, which asks here first.

A job is ended by the kernel when this process ends, and by this process when the engine or the
job's place in it (a `forked.py`) has ended.
"""

import ast
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sitewise.audit.parent import end_with_parent

VARIABLE = "SITEWISE_FORKSERVER"
STARTED = b"+"
_ASK = Path(__file__).with_name("forked.py")
# What jobs import where they need it, in the order of the jobs. What the scripts import at their
# beginning is read from them.
LATER = (
    "snakemake.script",
    "pandas",
    "pyarrow.parquet",
    "dateutil.parser",
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
_HEAD, _STREAMS = 8, 3


@contextlib.contextmanager
def forkserver(
    scripts: Path, environment: Mapping[str, str], log: IO[str], later: Sequence[str] = LATER
) -> Iterator[dict[str, str]]:
    """Have such a process while the block lasts; gives what the engine's environment must add.

    scripts: the folder of the jobs' scripts. environment: what jobs see. log: where this process
    says what goes wrong with it. later: modules to import beyond those of the scripts. Where there
    can't be such a process, nothing is added.
    """
    if not (sys.platform.startswith("linux") and hasattr(os, "pidfd_open")):
        yield {}
        return
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")  # the kernel finds a name, which is gone with the socket: no file
        listening.listen(_BACKLOG)
        child = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listening.fileno()), str(scripts), *later],
            env={**environment, **_NO_THREADS},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
        name = listening.getsockname().decode("ascii").removeprefix("\0")
    try:
        yield {VARIABLE: name}
    finally:
        child.kill()
        child.wait()


def prefix() -> str:
    """What stands before the command of a job so that it may become a fork; else empty."""
    name = os.environ.get(VARIABLE, "")
    return f"{sys.executable} -I -S {_ASK} {name} " if name else ""


@dataclass(frozen=True)
class _Job:
    """What shall be run, and for whom.

    engine: process that started who asks. streams: file descriptors of the job's standard streams.
    asked: the connection to who asks, and waits.
    """

    script: str
    folder: str
    environment: dict[str, str]
    engine: int
    streams: list[int]
    asked: socket.socket


@dataclass
class _Server:
    """Who is waited for: by the file descriptor that becomes readable when it happens.

    modules: what is still to be imported, while nobody asks.
    """

    listening: socket.socket
    modules: list[str]
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    engines: dict[int, int] = field(default_factory=dict)

    def serve(self) -> _Job:
        """Fork for whoever asks; gives the job in each fork, and does not come back otherwise."""
        self.selector.register(self.listening, selectors.EVENT_READ)
        while True:
            events = self.selector.select(0 if self.modules else None)
            for key, _ in events:
                if key.fileobj is self.listening:
                    if job := self._asked():
                        return job
                elif key.fileobj in self.selector.get_map():
                    self._happened(key)
            if not events:
                self._import()

    def close(self) -> None:
        """Forget, in a fork, who is waited for."""
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self.selector.close()

    def _import(self) -> None:
        _import(self.modules.pop(0))
        if not self.modules:
            # Nothing of it is rubbish: forks need not look through it, nor copy its pages.
            gc.collect()
            gc.freeze()

    def _asked(self) -> _Job | None:
        """Fork for the next who asks; gives the job in the fork. Who is refused begins it alone."""
        asked, _ = self.listening.accept()
        job = _received(asked)
        if job is None:
            asked.close()
            return None
        child = self._fork(job)
        if child == 0:
            return job
        for stream in job.streams:
            os.close(stream)
        if child is None:
            asked.close()
            return None
        ended = os.pidfd_open(child)
        self.selector.register(ended, selectors.EVENT_READ, ("ended", child, asked))
        self.selector.register(asked, selectors.EVENT_READ, ("left", child))
        return None

    def _fork(self, job: _Job) -> int | None:
        """Give the fork's process id, 0 in the fork itself, None where there is none."""
        if not self._knows(job.engine) or not _single():
            return None
        try:
            return os.fork()
        except OSError:
            return None  # too many processes, or no memory

    def _knows(self, engine: int) -> bool:
        """Watch this engine; False where it has ended."""
        if engine not in self.engines:
            try:
                self.engines[engine] = os.pidfd_open(engine)
            except ProcessLookupError:
                return False
            self.selector.register(self.engines[engine], selectors.EVENT_READ, ("engine", engine))
        return True

    def _happened(self, key: selectors.SelectorKey) -> None:
        what, process, *rest = key.data
        self.selector.unregister(key.fileobj)
        if what == "engine":
            os._exit(0)  # its jobs end with this process
        elif what == "left":
            os.kill(
                process, signal.SIGKILL
            )  # not reaped before it is told ended: the id is its own
        else:
            os.close(key.fd)
            (asked,) = rest
            if asked in self.selector.get_map():
                self.selector.unregister(asked)
            _, status = os.waitpid(process, 0)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                asked.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            asked.close()


def _received(asked: socket.socket) -> _Job | None:
    """What the other end wants run; None where it is another user's, or has ended meanwhile."""
    streams: list[int] = []
    try:
        return _read(asked, streams)
    except (OSError, ValueError):
        for stream in streams:
            os.close(stream)
        return None


def _read(asked: socket.socket, streams: list[int]) -> _Job:
    told = asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", told)[1] != os.getuid():
        raise ValueError("another user")
    head, descriptors, _, _ = socket.recv_fds(asked, _HEAD, _STREAMS)
    streams.extend(descriptors)
    text = b""
    while len(text) < int.from_bytes(head, "little") and (more := asked.recv(1 << 20)):
        text += more
    if len(streams) != _STREAMS or not text:
        raise ValueError("not all came")
    return _Job(**json.loads(text), streams=streams, asked=asked)


def _become(job: _Job, parent: int) -> None:
    """Be the process that the job would have begun with; ends where `parent` has ended already."""
    os.environ.clear()
    os.environ.update(job.environment)
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    os.chdir(job.folder)
    for target, stream in enumerate(job.streams):
        os.dup2(stream, target)
        os.close(stream)
    sys.argv = [job.script]
    with job.asked:
        job.asked.sendall(STARTED)


def _imported(scripts: Path) -> set[str]:
    """What the scripts import at their beginning."""
    found: set[str] = set()
    for script in scripts.glob("*.py"):
        for node in ast.parse(script.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
            elif isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
    return found


def _import(name: str) -> None:
    """Import a module. One that can't be is its job's affair, which says so."""
    with contextlib.suppress(ImportError):
        importlib.import_module(name)


def _single() -> bool:
    """Whether this process has one thread: another's locks would stay locked in a fork."""
    return len(list(Path("/proc/self/task").iterdir())) == 1


def _run(script: str, code: list[int]) -> None:
    """Run the script; `code` is what the process shall end with, where that is plain."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as stop:
        if not isinstance(stop.code, int):
            raise
        code.append(stop.code)
    else:
        code.append(0)


def _leave(code: list[int]) -> None:
    """End at once: to take all modules apart, as Python does at its end, takes longer than most jobs.

    Registered before the imports, so that all else that shall happen at the end has happened.
    """
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code[0] & 0xFF)


def _main() -> None:
    code: list[int] = []
    atexit.register(_leave, code)
    listening = socket.socket(fileno=int(sys.argv[1]))
    end_with_parent()
    me = os.getpid()
    for name in sorted(_imported(Path(sys.argv[2]))):
        _import(name)
    server = _Server(listening, sys.argv[3:])
    job = server.serve()
    server.close()
    _become(job, me)
    _run(job.script, code)


if __name__ == "__main__":
    _main()
