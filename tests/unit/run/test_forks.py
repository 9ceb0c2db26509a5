"""Who ends with whom where jobs are forks, and who is served."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sitewise.run import forks
from tests.processes import ended, wait_until
from tests.unit.run.forking import DONE, PATIENCE, script, serving

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="only Linux has what the process waits with"
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
        assert job.wait(PATIENCE) == -signal.SIGKILL
        wait_until(lambda: ended(fork))
        job.communicate()
        # Who comes now begins alone.
        assert start(*script(scripts.parent, "raise SystemExit(3)")).wait() == 3


# The fork of a job is ended by nobody: it stands for one whose end takes its time.
_LATE = """
import os, pathlib, time
if os.fork() == 0:
    time.sleep(2)
    pathlib.Path("late").touch()
    os._exit(0)
print("forked", flush=True)
time.sleep(600)
"""


def test_the_door_goes_on_when_no_fork_works_any_more(scripts: Path) -> None:
    with serving(scripts) as (_, start):
        job = start(*script(scripts.parent, _LATE))
        start.jobs.clear()  # its end is waited for here, below
        assert job.stdout is not None
        job.stdout.readline()
    late = (scripts / "late").exists()
    assert job.wait(PATIENCE) == -signal.SIGKILL
    job.communicate()
    assert late


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
        words = [*start.asking, *script(scripts.parent, _SLEEP)]
        process = subprocess.Popen(
            [sys.executable, str(engine), *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "sleeping\n"
        (fork,) = server.children()
        process.kill()
        # The pipe ends when the job and its place have ended: nobody holds it any more.
        assert process.communicate(timeout=PATIENCE)[0] == ""
        wait_until(lambda: ended(fork))


def test_who_sends_nonsense_is_refused_and_the_others_are_served(scripts: Path) -> None:
    with serving(scripts) as (server, start):
        name = start.asking[-1]
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


def test_jobs_are_served_whatever_becomes_of_the_heir(scripts: Path) -> None:
    (scripts.parent / "slow.py").write_text("import time; time.sleep(600)\n")
    (scripts.parent / "quick.py").write_text("")
    with serving(scripts, ("quick",), path=scripts.parent) as (server, start):
        wait_until(lambda: len(server.children()) == 1)
        (heir,) = server.children()
        ours = script(scripts.parent, DONE)
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
        assert job.wait(PATIENCE) == 3
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
