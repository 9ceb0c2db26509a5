"""One run at a time, and what a killed one leaves."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sitewise.errors import RunError
from sitewise.run.marker import VARIABLE, end_processes, only_run, start_of


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "records" / "three" / "open-run.json"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the run `killed-run`."""
    command = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]
    environment = {**os.environ, VARIABLE: "killed-run"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def left_behind(marker: Path, **changes: object) -> None:
    """The marker of another run."""
    marker.parent.mkdir(parents=True, exist_ok=True)
    run = {"run_id": "killed-run", "pid": 2**22 + 1, "started": "1", "host": socket.gethostname()}
    marker.write_text(json.dumps({**run, **changes}))


def test_the_marker_stands_while_a_run_is_open(marker: Path) -> None:
    said: list[str] = []
    with only_run(marker, said.append) as me:
        assert json.loads(marker.read_text())["run_id"] == me.run_id
        with pytest.raises(RunError, match="in progress"), only_run(marker, said.append):
            pass
        assert marker.exists(), "the second run must not take the first one's marker away"
    assert not marker.exists()
    assert said == []


def test_the_marker_goes_also_after_a_failure(marker: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_run(marker, print):
        raise ZeroDivisionError
    assert [path.name for path in marker.parent.iterdir()] == ["writer.lock"]


def test_a_dead_run_and_its_orphans_are_cleared_away(
    marker: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    left_behind(marker)
    said: list[str] = []
    with only_run(marker, said.append):
        assert not psutil.pid_exists(sleeper.pid)
    assert "ended 1 process" in said[0]


def test_a_process_id_that_came_again_is_another_process(marker: Path) -> None:
    left_behind(marker, pid=os.getpid(), started=f"{start_of(os.getpid())}0")
    with only_run(marker, lambda _: None):
        pass


def test_a_run_on_another_host_is_left_alone(marker: Path) -> None:
    left_behind(marker, host="elsewhere")
    with pytest.raises(RunError) as stopped, only_run(marker, print):
        pass
    assert "elsewhere" in str(stopped.value)
    assert str(marker) in str(stopped.value)
    assert marker.exists()


def test_a_marker_that_can_not_be_read(marker: Path) -> None:
    left_behind(marker)
    marker.write_text("{")
    with pytest.raises(RunError, match="delete the file"), only_run(marker, print):
        pass


def test_only_processes_of_the_run_are_ended(sleeper: subprocess.Popen[bytes]) -> None:
    assert end_processes("another-run") == []
    assert sleeper.poll() is None
    assert end_processes("killed-run") == [sleeper.pid]


def test_a_live_run_is_known_by_its_marker_alone(
    marker: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    """As where the file system has no locks."""
    left_behind(marker, pid=sleeper.pid, started=start_of(sleeper.pid))
    with pytest.raises(RunError, match="in progress") as stopped, only_run(marker, print):
        pass
    assert str(sleeper.pid) in str(stopped.value)
    assert sleeper.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux tells the start of a process")
def test_the_start_of_a_process_does_not_depend_on_the_clock(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = start_of(sleeper.pid)
    # What psutil adds to the ticks moves when somebody sets the clock.
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 0.0)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert start_of(sleeper.pid) == before != ""


def test_two_processes_that_find_the_same_dead_run(marker: Path, tmp_path: Path) -> None:
    """Both clear it away; only one may go on."""
    left_behind(marker)
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from sitewise.run.marker import only_run\n"
        "with only_run(Path(sys.argv[1]), print):\n"
        "    print('in', flush=True)\n    time.sleep(1.5)\n"
    )
    command = [sys.executable, "-c", code, str(marker)]
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [racer.communicate(timeout=60) for racer in racers]
    assert sum("in\n" in out for out, _ in said) == 1, said
    assert sum("in progress" in err for _, err in said) == 3
