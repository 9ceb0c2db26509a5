"""What a night has to tell: how it ended and why, as data."""

import datetime
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

STOPPED = 130


class Night(IntEnum):
    """How a night ended, as its exit code; where several are true the greatest is given."""

    NOTHING_NEW = 0
    NEW_RESULTS = 10
    DATA_PROBLEMS = 11
    LOCKED_CHANGED = 12
    FAILED = 13
    BUSY = 14
    STOPPED = STOPPED


WORDS = {
    Night.NOTHING_NEW: "NOTHING NEW",
    Night.NEW_RESULTS: "NEW RESULTS",
    Night.DATA_PROBLEMS: "DATA PROBLEMS",
    Night.LOCKED_CHANGED: "LOCKED DATA OR PLAN CHANGED",
    Night.FAILED: "FAILED",
    Night.BUSY: "NOTHING DONE",
    Night.STOPPED: "STOPPED",
}
IN_PROGRESS = "IN PROGRESS"


@dataclass
class Summary:
    """What a night's page says.

    state, exit_code: how it ended; None while it has not. why: each thing that is true of it, the
    gravest first. previous: the last sealed run before, "" where there was none. results: of which
    run results/ is now: `new`, `as before`, `untouched`, `unfinished`, `unrecorded`, `none`.
    headline: the report's, of sealed results. files: hospital files by what became of them.
    findings: new ones, number by hospital (`-` for the trial), severity and rule. primary: of each
    primary endpoint its name, old and new estimate, and how far it moved in its old standard
    errors. problems: errors, in full.
    """

    trial: str
    began: str
    ended: str = ""
    state: str = IN_PROGRESS
    exit_code: int | None = None
    why: list[str] = field(default_factory=list)
    previous: str = ""
    results: str = "untouched"
    headline: str = ""
    jobs: int = 0
    files: dict[str, list[str]] = field(default_factory=dict)
    kept: list[dict[str, Any]] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    not_fetched: list[str] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    findings_gone: int = 0
    estimates: str = ""
    causes: list[str] = field(default_factory=list)
    primary: list[dict[str, Any]] = field(default_factory=list)
    verified: str = ""
    problems: str = ""
    head: str = ""
    _ends: list[tuple[Night, str]] = field(default_factory=list, repr=False)

    def tell(self, end: Night, why: str) -> None:
        """Something that is true of this night."""
        self._ends.append((end, why))

    def has(self, *ends: Night) -> bool:
        """Whether one of these is true of it."""
        return any(end in ends for end, _ in self._ends)

    def close(self) -> None:
        """The night is over: the greatest of what is true is its end."""
        gravest_first = sorted(self._ends, key=lambda told: -told[0])
        end = gravest_first[0][0] if gravest_first else Night.NOTHING_NEW
        self.state, self.exit_code = WORDS[end], int(end)
        self.why = [f"{WORDS[kind]}: {why}" for kind, why in gravest_first]
        self.ended = now_text()


def now() -> datetime.datetime:
    """By the clock, UTC."""
    return datetime.datetime.now(datetime.UTC)


def now_text() -> str:
    """By the clock, UTC, to the second."""
    return now().isoformat(timespec="seconds")
