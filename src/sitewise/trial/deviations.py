"""The lock on data and plan, and the departures from it, as the report tells them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """One reason that was given. when: UTC; changed: in words, what differed from the lock."""

    when: str
    who: str
    reason: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class Deviations:
    """locked: whether plan and data of the trial are locked. changed: how this run's differ.

    unblinded: who lifted the blind, when and why, of a trial that was blinded; changed: what stood
    otherwise than one would wish.
    """

    locked: bool
    changed: tuple[str, ...]
    entries: tuple[Deviation, ...]
    unblinded: Deviation | None = None
