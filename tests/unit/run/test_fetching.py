"""Hospital files from real servers on loopback, with a wire that breaks in mid-file."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sitewise.errors import RunError
from sitewise.plan.sheet import Site, SiteSheet
from sitewise.run import fetching
from sitewise.run.fetching import Fetched, fetch_files
from tests.servers import Wire, can_serve_sftp, put_object, s3_server, sftp_server, web_server

LARGE = 2_000_000
BUCKET = "trial-incoming"


@dataclass
class Hospital:
    """A server with two files, the wire to it, and what to call it."""

    wire: Wire
    scheme: str
    offered: Path
    data: Path
    port: int

    def offer(self, name: str, content: bytes) -> None:
        """Put a file on the server."""
        (self.offered / name).write_bytes(content)
        if self.scheme == "s3":
            put_object(self.port, BUCKET, name, content)
        else:
            os.utime(self.offered / name, (0, 0))  # an old time stamp hides nothing

    def sheet(self, *names: str) -> SiteSheet:
        server = BUCKET if self.scheme == "s3" else f"127.0.0.1:{self.wire.port}"
        base = f"{self.scheme}://{server}"
        path = self.offered if self.scheme == "sftp" else Path("/")
        return SiteSheet(
            tuple(Site(name[0].upper(), name, source=f"{base}{path / name}") for name in names)
        )

    def fetch(self, *names: str, patience: float = 60) -> Fetched:
        return fetch_files(self.sheet(*names), self.data, patience)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.data.rglob("*")}


@pytest.fixture(params=["http", "sftp", "s3"])
def hospital(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hospital]:
    scheme = request.param
    if fetching.importlib.util.find_spec(f"snakemake_storage_plugin_{scheme}") is None:
        pytest.skip("the extra `storage` is not on the path: `make test-storage`")
    if scheme == "sftp" and not can_serve_sftp():
        pytest.skip("no OpenSSH server that we may start")
    offered, home = tmp_path / "offered", tmp_path / "home" / ".ssh"
    offered.mkdir()
    home.mkdir(parents=True)
    rng = random.Random(1)
    with _server(scheme, offered, home) as port, Wire(port) as wire:
        if scheme == "sftp":
            key = (home / "host_key.pub").read_text()
            (home / "known_hosts").write_text(f"[127.0.0.1]:{wire.port} {key}")
            monkeypatch.setenv("HOME", str(home.parent))
            monkeypatch.setenv("SNAKEMAKE_STORAGE_SFTP_USERNAME", "root")
        if scheme == "s3":
            put_object(port, BUCKET)
            endpoint = f"http://127.0.0.1:{wire.port}"
            monkeypatch.setenv("SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", endpoint)
            monkeypatch.setenv("SNAKEMAKE_STORAGE_S3_RETRIES", "1")
            for name in ("ACCESS_KEY", "SECRET_KEY"):
                monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", "of the test")
        hospital = Hospital(wire, scheme, offered, tmp_path / "data", port)
        hospital.offer("a.csv", rng.randbytes(1000))
        hospital.offer("b.csv", rng.randbytes(LARGE))
        yield hospital


def _server(scheme: str, offered: Path, home: Path) -> AbstractContextManager[int]:
    if scheme == "s3":
        return s3_server(home / "s3.log")
    return web_server(offered) if scheme == "http" else sftp_server(home)


def test_whole_files_take_their_places(hospital: Hospital) -> None:
    first = hospital.fetch("a.csv", "b.csv")
    assert (first.changed, first.same, first.failed) == (("a.csv", "b.csv"), (), ())
    first.require_all()
    offered = {path.name: path.read_bytes() for path in hospital.offered.iterdir()}
    assert hospital.files() == offered, "and nothing beside them"
    hospital.offer("a.csv", b"another")
    second = hospital.fetch("a.csv", "b.csv")
    assert (second.changed, second.same) == (("a.csv",), ("b.csv",))
    assert hospital.files()["a.csv"] == b"another"


def test_a_connection_that_breaks_in_mid_file(hospital: Hospital) -> None:
    """Nothing is read half, other files come, the earlier file stays, the next fetch goes on."""
    hospital.data.mkdir()
    (hospital.data / "b.csv").write_bytes(b"last week's")
    hospital.wire.cut_after = LARGE // 2
    broken = hospital.fetch("a.csv", "b.csv")
    assert broken.changed == ("a.csv",)
    assert [one.site for one in broken.failed] == ["B"]
    assert hospital.files()["b.csv"] == b"last week's"
    assert sorted(hospital.files()) == ["a.csv", "b.csv"]
    with pytest.raises(RunError) as told:
        broken.require_all()
    assert "hospital B" in str(told.value)
    assert hospital.sheet("b.csv").sites[0].source in str(told.value)
    hospital.wire.cut_after = None
    again = hospital.fetch("a.csv", "b.csv")
    assert (again.changed, again.same) == (("b.csv",), ("a.csv",))
    assert hospital.files()["b.csv"] == (hospital.offered / "b.csv").read_bytes()


def test_a_server_from_which_nothing_comes_any_more(hospital: Hospital) -> None:
    hospital.wire.cut_after, hospital.wire.stall = LARGE // 2, True
    stalled = hospital.fetch("a.csv", "b.csv", patience=6)
    assert stalled.changed == ("a.csv",)
    assert "nothing came for 6 s" in str(stalled.failed[0])
    assert sorted(hospital.files()) == ["a.csv"]


def test_who_stops_a_fetch_does_not_wait_for_a_silent_server(hospital: Hospital) -> None:
    hospital.wire.cut_after, hospital.wire.stall = LARGE // 2, True
    # A job in the background of a shell ignores it, as do the processes that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            hospital.fetch("b.csv", patience=600)
        assert time.monotonic() - began < 300
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (hospital.data / "b.csv").exists()


def test_a_fetch_that_is_killed_leaves_nobody_behind(hospital: Hospital) -> None:
    hospital.wire.cut_after, hospital.wire.stall = LARGE // 2, True
    site = hospital.sheet("b.csv").sites[0]
    program = (
        "import sys; from pathlib import Path; from sitewise.plan.sheet import Site, SiteSheet;"
        "from sitewise.run.fetching import fetch_files;"
        "fetch_files(SiteSheet((Site('B', 'b.csv', source=sys.argv[1]),)), Path(sys.argv[2]))"
    )
    begun = subprocess.Popen([sys.executable, "-c", program, site.source, str(hospital.data)])
    while not list(hospital.data.rglob("b.csv.part*")):
        assert begun.poll() is None
        time.sleep(0.1)
    (child,) = psutil.Process(begun.pid).children()
    begun.kill()
    begun.wait()
    child.wait(60)
    hospital.wire.cut_after = None
    assert hospital.fetch("b.csv").changed == ("b.csv",)


def test_a_process_that_is_killed_is_told_so(hospital: Hospital) -> None:
    hospital.wire.cut_after, hospital.wire.stall = LARGE // 2, True

    def kill() -> None:
        while not list(hospital.data.rglob("b.csv.part*")):
            time.sleep(0.1)
        for child in psutil.Process().children():
            if "sitewise.run.storage" in child.cmdline():
                child.kill()

    threading.Thread(target=kill, daemon=True).start()
    found = hospital.fetch("a.csv", "b.csv", patience=600)
    assert found.changed == ("a.csv",)
    assert "ended from outside: signal 9 (Killed)" in found.failed[0].reason


def test_a_file_that_the_server_does_not_have(hospital: Hospital) -> None:
    found = hospital.fetch("a.csv", "c.csv")
    assert found.changed == ("a.csv",)
    assert "no such file" in found.failed[0].reason
    assert sorted(hospital.files()) == ["a.csv"]


def test_a_plugin_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.importlib.util, "find_spec", lambda _: None)
    sheet = SiteSheet((Site("A", "a.csv", source="sftp://server/a.csv"), Site("B", "b.csv")))
    with pytest.raises(RunError) as told:
        fetch_files(sheet, tmp_path / "data")
    assert "snakemake-storage-plugin-sftp is not installed" in str(told.value)
    assert 'pip install "sitewise[storage]"' in str(told.value)
