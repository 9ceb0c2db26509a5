"""Whether what is installed is what the lock says."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_REQUIRED = re.compile(r"^[A-Za-z0-9._-]+")


def locked_versions(lock: Path) -> dict[str, list[str]]:
    """Versions by package name, as the lock pins them: several where they depend on Python's."""
    found: dict[str, list[str]] = {}
    for name, pinned in _LOCKED.findall(lock.read_text(encoding="utf-8")):
        found.setdefault(_plain(name), []).append(pinned)
    return found


def main_packages() -> list[str]:
    """Return the packages that this one names as its own requirements, sorted."""
    entries = [entry for entry in requires("sitewise") or [] if "extra ==" not in entry]
    return sorted(_plain(match.group()) for e in entries if (match := _REQUIRED.match(e)))


def installed_versions() -> dict[str, str]:
    """Installed versions of the main packages; `absent` where one is missing."""
    return {name: _version(name) for name in main_packages()}


def departures(lock: Path) -> list[str]:
    """Main packages installed in another version than the lock pins, as `name==version`."""
    pinned = locked_versions(lock)
    found = installed_versions().items()
    return [f"{name}=={have}" for name, have in found if have not in pinned.get(name, [have])]


@cache
def _version(name: str) -> str:
    """What is installed does not change while a process runs; asking reads every package's file."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
