"""Processes that a test waits for."""

import time
from collections.abc import Callable, Iterable

import psutil


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more; its end may still have to be taken note of by its parent."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def going_on(family: Iterable[psutil.Process], seconds: float = 10) -> list[psutil.Process]:
    """Who of them still runs. A process that sees its server end needs a moment to end itself."""
    end = time.monotonic() + seconds
    while (left := [one for one in family if not ended(one)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def wait_until(holds: Callable[[], object], seconds: float = 600) -> None:
    """Return when it holds; fail where it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
