"""Jobs that begin as forks are as jobs that begin alone, but for their imports."""

import contextlib
import errno
import importlib.util
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sitewise.audit.parent import ENGINE, this_process
from sitewise.run import forks
from sitewise.run import forkserver as room
from sitewise.run.environment import variables
from sitewise.run.forkserver import FIRST, LATER, VARIABLE, forkserver, prefix

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="only Linux has what the process waits with"
)
_PATIENCE = 60.0
FORKED = Path(room.__file__).with_name("forked.py")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of scripts that import something."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "one.py").write_text("import wave\n")
    return folder


@contextlib.contextmanager
def serving(
    folder: Path,
    later: tuple[str, ...] = (),
    first: tuple[str, ...] = (),
    place: Path | None = None,
    path: Path | str = "",
) -> Iterator[tuple[psutil.Process, Start]]:
    """The process, and how a job is begun by it, in `place`, as the workflow engine does.

    path: where Python looks for modules, too.
    """
    place = place or folder
    environment = {**os.environ, **variables(), ENGINE: this_process()}
    looked = [str(path), os.environ.get("PYTHONPATH", "")]
    if any(looked):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, looked))
    with (
        (place / "log").open("w") as log,
        forkserver(folder, place, environment, log, first=first, later=later) as more,
    ):
        assert list(more) == [VARIABLE]
        (server,) = psutil.Process().children()

        jobs: list[subprocess.Popen[str]] = []

        def start(*command: str, **others: str) -> "subprocess.Popen[str]":
            words = [sys.executable, "-I", "-S", str(FORKED)]
            job = subprocess.Popen(
                [*words, more[VARIABLE], *command],
                env={**environment, **more, **others},
                cwd=place,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            jobs.append(job)
            return job

        yield server, start
        for job in jobs:
            job.communicate(timeout=_PATIENCE)


def script(folder: Path, text: str) -> tuple[str, str]:
    """The command of a job that runs this text."""
    path = folder / "job.py"
    path.write_text(text)
    return sys.executable, str(path)


def wait_until(holds: Callable[[], bool]) -> None:
    """Return when it holds; fail where it never does."""
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


_TELL = """
import json, os, sys
print(json.dumps({
    "parent": os.getppid(), "folder": os.getcwd(), "word": os.environ.get("WORD"),
    "names": sorted(os.environ), "argv": sys.argv, "name": __name__, "wave": "wave" in sys.modules,
    "path": sys.path,
    "open": sorted(os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in range(20)
                   if os.path.lexists(f"/proc/self/fd/{n}")), "said": sys.stdin.read(),
}))
print("aside", file=sys.stderr)
sys.exit(7)
"""


def test_a_fork_is_the_job_with_its_imports_done(scripts: Path) -> None:
    command = script(scripts.parent, _TELL)
    with serving(scripts) as (server, start):
        job = start(*command, WORD="a b")
        out, err = job.communicate("words")
        alone = subprocess.run(
            command, env={**os.environ, **variables(), "WORD": "a b"}, input="words", cwd=scripts,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    told, other = json.loads(out), json.loads(alone.stdout)
    assert told.pop("parent") == server.pid != other.pop("parent")
    assert told.pop("wave")
    assert not other.pop("wave")
    assert {VARIABLE, ENGINE} <= set(told["names"])
    assert {*told.pop("names")} - {*other.pop("names")} == {VARIABLE, ENGINE}
    assert told == other
    assert (job.returncode, err) == (alone.returncode, alone.stderr) == (7, "aside\n")


# Jobs of a shell's background ignore Ctrl-C, and this test may be one.
_INTERRUPTED = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("pass", 0),
        ("raise ValueError('no')", 1),
        ("raise SystemExit(257)", 1),
        ("raise SystemExit", 0),
        ("raise SystemExit('no')", 1),
        ("import os; os._exit(200)", 200),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        (_INTERRUPTED, -signal.SIGINT),
    ],
)
def test_it_ends_as_the_job_does(scripts: Path, text: str, code: int) -> None:
    command = script(scripts.parent, text)
    with serving(scripts) as (_, start):
        forked = start(*command)
        _, told = forked.communicate()
    alone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert forked.returncode == alone.returncode == code
    # Another two frames of Python's own stand between.
    assert told.splitlines()[-1:] == alone.stderr.splitlines()[-1:]


_AT_EXIT = """
import atexit, threading, time
atexit.register(print, "at the end")
threading.Thread(target=lambda: (time.sleep(0.2), print("a thread"))).start()
print("first", end=" ")
"""


def test_what_shall_happen_at_the_end_of_a_job_happens(scripts: Path) -> None:
    with serving(scripts) as (_, start):
        assert start(*script(scripts.parent, _AT_EXIT)).communicate()[0] == (
            "first a thread\nat the end\n"
        )


def test_jobs_do_not_see_each_other(scripts: Path) -> None:
    """What one changes in its modules another does not find; they work side by side."""
    text = "import sys, wave; sys.stdin.read(); assert not hasattr(wave, 'seen'); wave.seen = 1"
    command = script(scripts.parent, text)
    with serving(scripts) as (server, start):
        jobs = [start(*command) for _ in range(5)]
        wait_until(lambda: len(server.children()) == len(jobs))
        assert [job.communicate("")[1] for job in jobs] == [""] * 5
        assert [job.returncode for job in jobs] == [0] * 5
        assert not server.children()


_SLEEP = "import time; print('sleeping', flush=True); time.sleep(600)"


def test_a_job_ends_with_its_place_in_the_engine(scripts: Path) -> None:
    with serving(scripts) as (server, start):
        job = start(*script(scripts.parent, _SLEEP))
        assert job.stdout is not None
        job.stdout.readline()
        job.kill()
        wait_until(lambda: not server.children())
        job.communicate()
        assert start(*script(scripts.parent, "pass")).wait() == 0  # the process goes on


def test_jobs_end_with_the_process_and_say_that_they_were_killed(scripts: Path) -> None:
    with serving(scripts) as (server, start):
        job = start(*script(scripts.parent, _SLEEP))
        assert job.stdout is not None
        job.stdout.readline()
        (fork,) = server.children()
        server.kill()
        assert job.wait(_PATIENCE) == -signal.SIGKILL
        wait_until(lambda: not fork.is_running() or fork.status() == psutil.STATUS_ZOMBIE)
        job.communicate()
        # Who comes now begins alone.
        assert start(*script(scripts.parent, "raise SystemExit(3)")).wait() == 3


_ENGINE = """
import os, subprocess, sys
os.environ["SITEWISE_ENGINE"] = f"{os.uname().nodename} {os.getpid()}"
subprocess.Popen(sys.argv[1:])
sys.stdin.read()
"""


def test_jobs_end_with_an_engine_that_is_killed(scripts: Path) -> None:
    engine = scripts.parent / "engine.py"
    engine.write_text(_ENGINE)
    with serving(scripts) as (server, start):
        unforked = start("-c", "pass")
        unforked.wait()
        words = [*unforked.args[:5], *script(scripts.parent, _SLEEP)]  # type: ignore[index]
        process = subprocess.Popen(
            [sys.executable, str(engine), *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "sleeping\n"
        (fork,) = server.children()
        process.kill()
        # The pipe ends when the job and its place have ended: nobody holds it any more.
        assert process.communicate(timeout=_PATIENCE)[0] == ""
        wait_until(lambda: not fork.is_running() or fork.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("words", [["/bin/echo", "said"], [sys.executable, "-c", "print('said')"]])
def test_another_command_runs_as_it_stands(scripts: Path, words: list[str]) -> None:
    with serving(scripts) as (_, start):
        job = start(*words)
        assert job.communicate()[0] == "said\n"


def test_a_module_that_cannot_be_imported_is_the_jobs_affair(scripts: Path) -> None:
    (scripts / "two.py").write_text("import nowhere_to_be_found\n")
    with serving(scripts, ("wave", "nowhere_else")) as (_, start):
        job = start(*script(scripts.parent, "import nowhere_to_be_found"))
        assert "No module named 'nowhere_to_be_found'" in job.communicate()[1]
        assert job.returncode == 1


def test_a_process_with_threads_does_not_fork(scripts: Path) -> None:
    """Another thread's locks would stay locked in the fork."""
    (scripts / "threaded.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=[600], daemon=True).start()\n"
    )
    (scripts / "one.py").write_text("import threaded\n")
    text = "import os; print(os.getppid())"
    with serving(scripts, path=scripts) as (server, start):
        wait_until(lambda: server.num_threads() > 1)
        assert int(start(*script(scripts.parent, text)).communicate()[0]) == os.getpid()


def test_who_sends_nonsense_is_refused_and_the_others_are_served(scripts: Path) -> None:
    with serving(scripts) as (server, start):
        unforked = start("-c", "pass")
        unforked.wait()
        name = unforked.args[4]  # type: ignore[index]
        words = (b"", b"x", b"\x05" + bytes(7), b"\x02" + bytes(7) + b"[]")
        for sent, streams in [*((word, []) for word in words), (words[-1], [0, 1, 2])]:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(f"\0{name}")
                if sent:
                    socket.send_fds(connection, [sent], streams)
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(1) == b""
        job = start(*script(scripts.parent, "import os; print(os.getppid())"))
        assert int(job.communicate()[0]) == server.pid


def test_what_jobs_import_later_is_there() -> None:
    """A name that a new version lost would cost each job its imports, and nobody would know."""
    for name in (*FIRST, *LATER):
        assert importlib.util.find_spec(name), name


_DONE = "import os, sys; print(os.getppid(), 'weasyprint' in sys.modules)"


def test_all_imports_of_the_jobs_leave_one_thread(root: Path, tmp_path: Path) -> None:
    """Else every job would import for itself again."""
    folder = root / "workflow" / "scripts"
    with serving(folder, LATER, FIRST, tmp_path) as (server, start):
        end = time.monotonic() + _PATIENCE
        while (told := start(*script(tmp_path, _DONE)).communicate()[0].split())[1] != "True":
            assert time.monotonic() < end
            assert int(told[0]) == server.pid  # which serves until the heir is ready
            time.sleep(0.2)
        (heir,) = server.children()
        assert int(told[0]) == heir.pid


def test_jobs_are_served_whatever_becomes_of_the_heir(scripts: Path) -> None:
    (scripts.parent / "slow.py").write_text("import time; time.sleep(600)\n")
    (scripts.parent / "quick.py").write_text("")
    with serving(scripts, ("quick",), path=scripts.parent) as (server, start):
        wait_until(lambda: len(server.children()) == 1)
        (heir,) = server.children()
        ours = script(scripts.parent, _DONE)
        wait_until(lambda: start(*ours).communicate()[0].startswith(f"{heir.pid} "))
        heir.kill()
        wait_until(lambda: start(*ours).communicate()[0].startswith(f"{os.getpid()} "))
    with serving(scripts, ("slow",), path=scripts.parent) as (server, start):
        wait_until(lambda: len(server.children()) == 1)
        (heir,) = server.children()
        heir.kill()
        for _ in range(5):
            assert start(*ours).communicate()[0].startswith(f"{server.pid} ")


def test_who_asks_while_the_heir_takes_over_is_served(scripts: Path) -> None:
    """Both were seen at once: that the heir is ready, and that somebody asks."""
    flag, done = scripts.parent / "flag", scripts.parent / "done"
    (scripts.parent / "waits.py").write_text(
        f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)\n"
        f"open({str(done)!r}, 'w').close()\n"
    )
    with serving(scripts, ("waits",), path=scripts.parent) as (server, start):
        wait_until(lambda: len(server.children()) == 1)
        (heir,) = server.children()
        sleeping = start(*script(scripts.parent, _SLEEP))
        assert sleeping.stdout is not None
        sleeping.stdout.readline()
        server.suspend()
        flag.touch()
        wait_until(done.exists)
        time.sleep(1)  # it says that it is ready
        heir.suspend()
        job = start(*script(scripts.parent, "raise SystemExit(3)"))
        wait_until(lambda: psutil.Process(job.pid).status() == psutil.STATUS_SLEEPING)
        time.sleep(0.5)
        server.resume()
        time.sleep(0.5)
        heir.resume()
        assert job.wait(_PATIENCE) == 3
        assert server.is_running()
        assert sleeping.poll() is None
        sleeping.kill()


def test_a_job_that_ends_as_its_place_does_ends_no_other(scripts: Path) -> None:
    with serving(scripts) as (server, start):
        jobs = []
        for _ in range(2):
            jobs.append(start(*script(scripts.parent, _SLEEP)))
            assert jobs[-1].stdout is not None
            jobs[-1].stdout.readline()
        last = max(server.children(), key=lambda child: child.pid)
        server.suspend()
        last.kill()
        wait_until(lambda: last.status() == psutil.STATUS_ZOMBIE)
        jobs[1].kill()
        jobs[1].wait()
        server.resume()
        wait_until(lambda: not last.is_running())
        assert (
            start(*script(scripts.parent, "import os; print(os.getppid())")).communicate()[0]
            == f"{server.pid}\n"
        )
        jobs[0].kill()


def test_who_was_seen_may_have_been_answered_by_the_heir() -> None:
    """Two processes listen: the slower of them must not wait for the next who asks."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")
        listening.listen()
        listening.setblocking(False)
        assert forks._Server(listening)._asked() is None


def test_jobs_import_no_file_that_lies_where_they_run(scripts: Path) -> None:
    (scripts.parent / "yaml.py").write_text("raise SystemExit('a file of the user')")
    here = scripts.parent
    text = "import os, sys, yaml; print(os.getppid(), yaml.__file__)"
    folder = here / "jobs"
    folder.mkdir()
    with serving(scripts, first=("yaml",), place=here) as (server, start):
        parent, file = start(*script(folder, text)).communicate()[0].split()
    assert int(parent) == server.pid
    assert Path(file).parent != here


def test_a_library_reads_its_settings_where_jobs_run(scripts: Path, tmp_path: Path) -> None:
    (tmp_path / "asks.py").write_text("import os; where = os.getcwd()")
    place = tmp_path / "place"
    place.mkdir()
    text = "import asks; print(asks.where)"
    with serving(scripts, first=("asks",), place=place, path=tmp_path) as (_, start):
        assert start(*script(tmp_path, text)).communicate()[0] == f"{place}\n"


def test_a_library_that_breaks_as_it_is_imported_is_the_jobs_affair(scripts: Path) -> None:
    """One that lacks a library of the system raises OSError."""
    (scripts.parent / "broken.py").write_text("raise OSError('no such library')")
    text = "import os; print(os.getppid())"
    with serving(scripts, first=("broken",), path=scripts.parent) as (server, start):
        assert int(start(*script(scripts.parent, text)).communicate()[0]) == server.pid


def test_a_path_may_hold_what_a_shell_or_the_engine_would_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "0a1b2")
    monkeypatch.setattr(room, "_ASK", Path("/my project/{x} $HOME/forked.py"))
    assert shlex.split(prefix().format())[3] == "/my project/{x} $HOME/forked.py"


def test_a_kernel_that_cannot_watch_processes_forks_for_nobody(
    scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(room.os, "pidfd_open", unknown)
    with (
        (scripts / "log").open("w") as log,
        forkserver(scripts, scripts, os.environ, log) as more,
    ):
        assert more == {}


def test_without_it_nothing_stands_before_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert prefix() == ""
    monkeypatch.setenv(VARIABLE, "0a1b2")
    assert prefix().split()[1:] == [
        "-I",
        "-S",
        str(Path(room.__file__).with_name("forked.py")),
        "0a1b2",
    ]


def test_elsewhere_jobs_begin_alone(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.sys, "platform", "darwin")
    with (scripts / "log").open("w") as log, forkserver(scripts, scripts, os.environ, log) as more:
        assert more == {}
