"""Readings of two runs, held against each other."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitewise.changes.result import ReadingChange
from sitewise.store.frames import read_frame
from sitewise.terms import AVISIT, PARAMCD, SITEID, SRCFILE, SRCROW, TRT01P, USUBJID

if TYPE_CHECKING:
    import pandas as pd

ARM = "ARM"
READINGS = "data/readings.parquet"
_KEY = (SITEID, USUBJID, PARAMCD, "VISIT", "ATPT")
_NOT_COMPARED = (SRCROW, SRCFILE, "STUDYID", "AVISITN", AVISIT)  # named, or follow from others


def reading_changes(before: Path, after: Path, *, arms: bool = True) -> tuple[ReadingChange, ...]:
    """Added, removed and changed readings; before, after: `readings.parquet` of two runs.

    A reading is known by hospital, patient, endpoint, visit and time point; where there are several
    of the same, by their order. arms: False where one of the runs was blinded, and knew none.
    """
    frames = [read_frame(path) for path in (before, after)]
    if not arms:
        frames = [frame.assign(**{TRT01P: None, ARM: None}) for frame in frames]
    old, new = map(_by_key, frames)
    return tuple(_changes(old, new))


def _changes(
    old: Mapping[tuple[str, ...], dict[str, Any]], new: Mapping[tuple[str, ...], dict[str, Any]]
) -> Iterator[ReadingChange]:
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None and now is not None:
            yield _change("added", key, now, "", _shown(now))
        elif now is None and was is not None:
            yield _change("removed", key, was, _shown(was), "")
        elif was is not None and now is not None:
            names = [
                n for n in {**was, **now} if n not in _NOT_COMPARED and was.get(n) != now.get(n)
            ]
            if names:
                texts = [
                    ", ".join(f"{n} {side.get(n) or '-'}" for n in names) for side in (was, now)
                ]
                yield _change("changed", key, now, *texts)


def _change(
    what: str, key: tuple[str, ...], row: Mapping[str, Any], old: str, new: str
) -> ReadingChange:
    site, patient, endpoint, visit = key[:4]
    place = f"{row[SRCFILE]}:{row[SRCROW]}"
    return ReadingChange(what, site, patient, endpoint, visit, place, old, new)


def _shown(row: Mapping[str, Any]) -> str:
    return f"{row['AVALC'] or '-'}, {row[TRT01P] or '-'}, {row['FATE']}"


def _named(row: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name} {row.get(name) or '-'}" for name in names)


def _by_key(frame: "pd.DataFrame") -> dict[tuple[str, ...], dict[str, Any]]:
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    seen: dict[tuple[str, ...], int] = {}
    plain = frame.astype(object).where(frame.notna(), None)
    for row in plain.to_dict("records"):
        stem = tuple(str(row.get(name) or "") for name in _KEY)
        seen[stem] = seen.get(stem, 0) + 1
        found[(*stem, f"{seen[stem]:06d}")] = {str(name): value for name, value in row.items()}
    return found
