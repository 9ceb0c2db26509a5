"""The differences between two sealed runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Side:
    """One run, as its records and kept copies tell.

    name: how the run is called; run: its id; time: UTC; reason: as given. files: kept copies by
    their path in results/<trial>, absent where no copy is kept. raw: sha256 by hospital file.
    plan: `plan` and `sites` as plain data, None where its text is not kept. environment: as the
    ledger holds it. commit: git's, "" where unknown. blinded: whether it knew no arms.
    """

    name: str
    run: str
    time: str
    user: str
    reason: str
    files: Mapping[str, Path]
    raw: Mapping[str, str]
    plan: Mapping[str, Any] | None
    environment: Mapping[str, Any]
    commit: str
    blinded: bool = False


@dataclass(frozen=True)
class EstimateChange:
    """One contrast of arms in two runs; None where a run does not have it.

    difference: new - old, in units of the outcome. relative: difference / SE of the old estimate,
    without unit. primary: it is the trial's primary contrast.
    """

    endpoint: str
    model: str
    contrast: str
    primary: bool
    old: float | None
    old_se: float | None
    new: float | None
    new_se: float | None

    @property
    def difference(self) -> float | None:
        """New minus old."""
        return None if self.old is None or self.new is None else self.new - self.old

    @property
    def relative(self) -> float | None:
        """Difference in units of the old standard error."""
        if self.difference is None or not self.old_se:
            return None
        return self.difference / self.old_se


@dataclass(frozen=True)
class ReadingChange:
    """One reading that was added, removed or changed; old and new: value, arm and fate in words."""

    what: str
    site: str
    patient: str
    endpoint: str
    visit: str
    place: str
    old: str
    new: str


@dataclass(frozen=True)
class Changes:
    """What differs, and the kinds of causes.

    data: hospital files, in words. readings: None where a run's readings are not kept.
    plan: keys with values, in words. code: parts by the rules that run them. environment: packages,
    libraries, processor, in words. lock: that the report tells another lock, or other reasons; it
    moves no estimate. same: every result of the two runs has the same bytes.
    """

    before: Side
    after: Side
    same: bool
    estimates: tuple[EstimateChange, ...]
    data: tuple[str, ...]
    readings: tuple[ReadingChange, ...] | None
    plan: tuple[str, ...]
    code: tuple[str, ...]
    environment: tuple[str, ...]
    lock: tuple[str, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """The kinds of causes that there are."""
        kinds = ("data", "plan", "code", "environment", "lock")
        return tuple(kind for kind in kinds if getattr(self, kind))

    @property
    def moved(self) -> tuple[EstimateChange, ...]:
        """The estimates that are not the same number in both runs."""
        return tuple(e for e in self.estimates if e.old != e.new or e.old_se != e.new_se)
