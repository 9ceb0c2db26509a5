"""The process that forks for jobs; see `sitewise.run.forkserver`.

    python -m sitewise.run.forks SOCKET SCRIPTS [FIRST ...] - [LATER ...]

SOCKET: descriptor of a listening socket. It imports the modules FIRST and what the scripts in the
folder SCRIPTS import, then forks for whoever asks, a program `forked` each. A fork of it, the heir,
imports the modules LATER meanwhile, and then takes its place.

A job is ended by the kernel when this process ends, and by this process when the engine or the
job's `forked` has ended. All of them hold the socket by whose end the door knows that all have.
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
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sitewise.audit.parent import end_with_parent

_STARTED = b"+"
_HEAD, _STREAMS = 8, 3


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

    engines: descriptors by process. pid: of this process, the parent of its forks.
    """

    listening: socket.socket
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    engines: dict[int, int] = field(default_factory=dict)
    pid: int = 0

    def raise_heir(self, modules: list[str]) -> None:
        """Fork a process that imports the modules, then serves; who asks then is served by it."""
        ready, tell = os.pipe()
        parent = os.getpid()
        if os.fork() != 0:
            os.close(tell)
            self.selector.register(ready, selectors.EVENT_READ, ("heir", 0))
            return
        end_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        os.close(ready)
        self.selector = selectors.DefaultSelector()  # the other is the parent's, kernel and all
        for name in modules:
            _import(name)
        _settle()
        os.write(tell, _STARTED)
        os.close(tell)

    def serve(self) -> _Job:
        """Fork for whoever asks; gives the job in each fork, and does not come back otherwise."""
        self.selector.register(self.listening, selectors.EVENT_READ)
        self.pid = os.getpid()
        # The heir listens to the same: it may have answered who was seen to ask.
        self.listening.setblocking(False)
        while True:
            for seen, _ in self.selector.select():
                # What happened before may have ended this one, and another may have its number.
                if (key := self.selector.get_map().get(seen.fd)) is not seen:
                    continue
                if key.fileobj is self.listening:
                    if job := self._asked():
                        return job
                else:
                    self._happened(key)

    def close(self) -> None:
        """Forget, in a fork, who is waited for."""
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self.selector.close()

    def _asked(self) -> _Job | None:
        """Fork for the next who asks; gives the job in the fork. Who is refused begins it alone."""
        try:
            asked, _ = self.listening.accept()
        except BlockingIOError:
            return None
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
        elif what == "heir":
            if os.read(key.fd, 1):  # it serves now; else it was killed, and this process goes on
                self.selector.unregister(self.listening)
                self.listening.close()
            os.close(key.fd)
        elif what == "left":
            # Its id is still its own: it is not reaped before it is told that it ended.
            os.kill(process, signal.SIGKILL)
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
    except (OSError, ValueError, TypeError):
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
    sys.path.insert(0, str(Path(job.script).parent.resolve()))
    with job.asked:
        job.asked.sendall(_STARTED)


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
    """Import a module. One that can't be, whyever, is its job's affair, which says so."""
    with contextlib.suppress(Exception):  # a library of the system that is missing: OSError
        importlib.import_module(name)


def _settle() -> None:
    """Nothing that was imported is rubbish: forks need not look through it, nor copy its pages."""
    gc.collect()
    gc.freeze()


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
    """End at once: Python would take all modules apart first, which takes longer than most jobs.

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
    modules = sys.argv[3:]
    first, later = modules[: modules.index("-")], modules[modules.index("-") + 1 :]
    for name in [*first, *sorted(_imported(Path(sys.argv[2])))]:
        _import(name)
    _settle()
    server = _Server(listening)
    if later and _single():
        server.raise_heir(later)
    job = server.serve()
    server.close()
    _become(job, server.pid)
    _run(job.script, code)


if __name__ == "__main__":
    _main()
