"""Hospital files from the servers that the site sheet names, into the data folder.

A file takes its place when all of it is there, and not before; what could not be had leaves the
earlier one where it is, and is named. Nothing here reads what a file says.
"""

import contextlib
import importlib.util
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from sitewise.audit.hashing import file_sha256
from sitewise.audit.parent import ENGINE, this_process
from sitewise.errors import Problem, RunError, plural
from sitewise.plan.sheet import Site, SiteSheet, leaves_folder
from sitewise.plan.source import PLUGINS
from sitewise.run.alone import alone
from sitewise.run.storage import MODULE

_SERVERS = 8  # asked at the same time
_PATIENCE = 120.0
_DRAFTS = ".fetching"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Unfetched:
    """A hospital's file that could not be had. reason: in the words of the library that tried."""

    site: str
    file: str
    source: str
    reason: str

    def __str__(self) -> str:
        """A line."""
        return f"hospital {self.site}: {self.source} was not fetched: {self.reason}"


@dataclass(frozen=True)
class Fetched:
    """What a fetch did. changed, same: files that are new or another, and those that are as before.

    failed: what could not be had.
    """

    changed: tuple[str, ...]
    same: tuple[str, ...]
    failed: tuple[Unfetched, ...]

    def require_all(self) -> None:
        """Raise RunError where a file could not be had."""
        if not self.failed:
            return
        fix = "fetch again when the server answers: nothing was read half, and what came is kept"
        raise RunError(
            f"{plural(len(self.failed), 'hospital file')} could not be fetched.",
            [Problem(f"hospital {f.site}: {f.reason}", f.source, fix=fix) for f in self.failed],
        )


def fetch_files(sheet: SiteSheet, folder: Path, patience: float = _PATIENCE) -> Fetched:
    """Fetch every file of the sheet that has a `source`, server by server.

    patience: seconds without a byte after which a server is given up. Raises RunError where a
    plugin is not installed, or somebody else fetches into this folder.
    """
    asked = [site for site in sheet.sites if site.source]
    _require_plugins(asked)
    folder.mkdir(parents=True, exist_ok=True)
    with _drafts(folder) as drafts:
        servers = _by_server(asked, drafts)
        told = _from_servers(servers, patience)
        errors = {name: error for found in told for name, error in found.items()}
        places = {site.file: server.draft(site) for server in servers for site in server.sites}
        return _settle(asked, errors, places, folder)


@dataclass(frozen=True)
class _Server:
    """Files of one server. folder: for drafts."""

    plugin: str
    sites: tuple[Site, ...]
    folder: Path

    def draft(self, site: Site) -> Path:
        return self.folder / Path(site.file).with_name(f"{Path(site.file).name}.part")

    @property
    def order(self) -> str:
        """As `sitewise.run.storage` reads it."""
        files = [
            {"name": s.file, "source": s.source, "sha256": s.sha256, "draft": str(self.draft(s))}
            for s in self.sites
        ]
        return json.dumps({"plugin": self.plugin, "folder": str(self.folder), "files": files})


def _by_server(sites: Sequence[Site], drafts: Path) -> list[_Server]:
    servers: dict[tuple[str, str], list[Site]] = {}
    for site in sites:
        parts = urlsplit(site.source)
        servers.setdefault((PLUGINS[parts.scheme], parts.netloc), []).append(site)
    return [
        _Server(plugin, tuple(own), drafts / str(number))
        for number, ((plugin, _), own) in enumerate(sorted(servers.items()))
    ]


def _require_plugins(sites: Sequence[Site]) -> None:
    wanted = {PLUGINS[urlsplit(site.source).scheme]: site for site in reversed(sites)}
    problems = [
        Problem(
            f"hospital {site.siteid} has the source {site.source}, and the package"
            f" {MODULE.replace('_', '-')}{plugin} is not installed",
            fix='pip install "sitewise[storage]" (docs/storage.md), or put the files into the data'
            " folder yourself and run without fetching",
        )
        for plugin, site in sorted(wanted.items())
        if importlib.util.find_spec(MODULE + plugin) is None
    ]
    if problems:
        raise RunError("Hospital files can't be fetched.", problems)


@contextlib.contextmanager
def _drafts(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the files, empty; one fetch at a time."""
    drafts = folder / _DRAFTS
    drafts.mkdir(exist_ok=True)
    lock = drafts / "lock"
    fix = "wait until it has ended"
    taken = RunError(
        "Somebody else is fetching these files.", [Problem("it holds the lock", str(lock), fix=fix)]
    )
    with alone(lock, lambda: taken):
        for left in drafts.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
        yield drafts
        shutil.rmtree(drafts)


def _from_servers(servers: Sequence[_Server], patience: float) -> list[dict[str, str]]:
    """Errors by file for each server, some at a time; who stops us waits for none of them."""
    stop = threading.Event()
    with ThreadPoolExecutor(_SERVERS) as pool:
        try:
            return list(pool.map(lambda server: _from_server(server, patience, stop), servers))
        except BaseException:
            stop.set()
            raise


def _from_server(server: _Server, patience: float, stop: threading.Event) -> dict[str, str]:
    """Errors by file, "" where all of it came. stop: set where nobody waits for it any more."""
    if stop.is_set():
        return {}
    server.folder.mkdir()
    command = [sys.executable, "-m", "sitewise.run.storage"]
    pipe = subprocess.PIPE
    mine = {**os.environ, ENGINE: this_process()}  # it ends with us; see storage
    with (
        (server.folder / "words").open("w+", encoding="utf-8") as words,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=words, text=True, env=mine
        ) as child,
    ):
        assert child.stdin is not None and child.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(server.order)
                child.stdin.close()
            found = dict(_answers(child.stdout, server.folder, patience, stop))
            child.wait(0.5 if len(found) < len(server.sites) else _PATIENCE)
        except subprocess.TimeoutExpired:
            pass  # it is ended below
        finally:
            by_itself = child.poll()
            child.kill()
            child.wait()
        words.seek(0)
        why = _why(by_itself, words.read(), patience)
    return {site.file: found.get(site.file, why) for site in server.sites}


def _why(code: int | None, words: str, patience: float) -> str:
    """Why files did not come that nothing was said of. code: None of a process that we ended."""
    if code is None:
        return f"nothing came for {patience:.0f} s"
    if code < 0:
        name = signal.strsignal(-code) or "unknown"
        return f"the process that fetched it was ended from outside: signal {-code} ({name})"
    last = words.strip().splitlines()[-1:]
    return last[0] if last else f"the process that fetched it ended with code {code}"


def _answers(
    out: IO[str], drafts: Path, patience: float, stop: threading.Event
) -> Iterator[tuple[str, str]]:
    """What the process says of each file, until it ends or nothing comes for too long."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in out:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    last, size = time.monotonic(), 0
    while time.monotonic() - last < patience and not stop.is_set():
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=min(1.0, patience))
            if not line:
                return
            said = json.loads(line)
            if "error" in said:
                yield said["name"], said["error"]
            last = time.monotonic()
        now = sum(path.stat().st_size for path in drafts.rglob("*.part"))
        if now != size:
            last, size = time.monotonic(), now


def _settle(
    sites: Sequence[Site], errors: dict[str, str], places: dict[str, Path], folder: Path
) -> Fetched:
    """Put whole files into their places."""
    changed, same, failed = [], [], []
    for site in sites:
        reason, target = errors[site.file], folder / site.file
        if not reason and leaves_folder(folder, site.file):
            reason = "its place is a symbolic link out of the data folder"
        if reason:
            failed.append(Unfetched(site.siteid, site.file, site.source, reason))
            continue
        draft = places[site.file]
        if target.is_file() and file_sha256(target) == file_sha256(draft):
            same.append(site.file)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        os.utime(draft)  # a server's time says nothing here
        with draft.open("rb") as handle:
            os.fsync(handle.fileno())
        draft.replace(target)
        changed.append(site.file)
    return Fetched(tuple(changed), tuple(same), tuple(failed))
