"""A hospital's earlier file in place of a bad one, and the note beside the files that says so.

The note lies in the data folder of such a run (`NOTE`): every job finds it there, on whatever
machine, and the report tells it. Ages are by the plan's data cut, never by the clock.
"""

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

NOTE = ".sitewise-kept.json"


@dataclass(frozen=True)
class Kept:
    """A hospital's earlier file that is used in place of the one delivered last.

    reason: what is wrong with the last one. sha256: of the earlier one. since: when a run first had
    it, UTC. days: its age by that, tonight.
    """

    site: str
    file: str
    reason: str
    sha256: str
    since: str
    days: int

    def __str__(self) -> str:
        """A line for tonight's page."""
        return (
            f"hospital {self.site}: {self.file} can't be used ({self.reason}); the last good file,"
            f" of {self.since[:10]} ({_days(self.days)} old, sha256 {self.sha256[:12]}), is used in"
            " its place"
        )


def write_note(folder: Path, kept: Iterable[Kept]) -> None:
    """Say beside the files which of them are earlier ones."""
    text = json.dumps([asdict(one) for one in kept], indent=1, ensure_ascii=False)
    (folder / NOTE).write_text(text + "\n", encoding="utf-8")


def kept_in(
    folder: Path, raw: Mapping[str, str], data_cut: datetime.date
) -> tuple[dict[str, str], ...]:
    """What the note in a data folder says, as `site`, `file`, `told`; () without a note.

    raw: sha256 by file: a file that is not the one of the note is none of its.
    """
    note = folder / NOTE
    if not note.is_file():
        return ()
    found = [Kept(**fields) for fields in json.loads(note.read_text(encoding="utf-8"))]
    return tuple(
        {"site": one.site, "file": one.file, "told": _by_data_cut(one, data_cut)}
        for one in sorted(found, key=lambda one: one.file)
        if raw.get(one.file) == one.sha256
    )


def _by_data_cut(kept: Kept, data_cut: datetime.date) -> str:
    """A line for the report: the same whenever it is made."""
    since = datetime.date.fromisoformat(kept.since[:10])
    days = (data_cut - since).days
    age = f"{_days(abs(days))} {'before' if days > 0 else 'after'}" if days else "on the day of"
    return (
        f"an earlier file is used: the one delivered last can't be ({kept.reason}). The earlier one"
        f" was first used on {since}, {age} the data cut of {data_cut}; its sha256 begins with"
        f" {kept.sha256[:12]}"
    )


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"
