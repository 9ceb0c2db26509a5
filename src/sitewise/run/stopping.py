"""Ctrl-C and SIGTERM, held back while what they stop could not tell of it.

A command that leaves a page of how it ended holds them back from its first line, and lets them
through where the page is there to tell. One that comes before is not lost: it stops the work as
soon as it is let through.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM)


def hold_stops() -> None:
    """Hold Ctrl-C and SIGTERM back; SIGTERM then stops like Ctrl-C. For the main thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    signal.signal(signal.SIGTERM, _as_interrupt)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let them through, as KeyboardInterrupt; afterwards they are held back as before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
