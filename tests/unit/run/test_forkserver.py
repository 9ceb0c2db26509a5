"""Jobs that begin as forks are as jobs that begin alone, but for their imports."""

import errno
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sitewise.audit.parent import ENGINE
from sitewise.run import forkserver as room
from sitewise.run.environment import variables
from sitewise.run.forkserver import FIRST, LATER, VARIABLE, forkserver, prefix
from tests.processes import wait_until
from tests.unit.run.forking import DONE, PATIENCE, script, serving

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="only Linux has what the process waits with"
)


_TELL = """
import json, os, sys
print(json.dumps({
    "parent": os.getppid(), "folder": os.getcwd(), "word": os.environ.get("WORD"),
    "names": sorted(os.environ), "argv": sys.argv, "name": __name__, "wave": "wave" in sys.modules,
    "path": sys.path,
    "open": sorted(os.readlink(f"/proc/self/fd/{n}").partition(":")[0]
                   for n in os.listdir("/proc/self/fd")
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
    told["open"].remove("socket")  # by which the door knows that it has ended
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


def test_what_jobs_import_later_is_there() -> None:
    """A name that a new version lost would cost each job its imports, and nobody would know."""
    for name in (*FIRST, *LATER):
        assert importlib.util.find_spec(name), name


def test_all_imports_of_the_jobs_leave_one_thread(root: Path, tmp_path: Path) -> None:
    """Else every job would import for itself again."""
    folder = root / "workflow" / "scripts"
    with serving(folder, LATER, FIRST, tmp_path) as (server, start):
        end = time.monotonic() + PATIENCE
        while (told := start(*script(tmp_path, DONE)).communicate()[0].split())[1] != "True":
            assert time.monotonic() < end
            assert int(told[0]) == server.pid  # which serves until the heir is ready
            time.sleep(0.2)
        (heir,) = server.children()
        assert int(told[0]) == heir.pid


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
