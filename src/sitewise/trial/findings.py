"""Findings: what the checks saw, in sentences that a hospital's data manager understands."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitewise.terms import AVISIT, SITEID, SRCFILE, SRCROW, USUBJID, Fate, Severity
from sitewise.trial.rows import PARAMCD, set_fate

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "RULE", "SEVERITY", SITEID, USUBJID, AVISIT, PARAMCD, SRCFILE, SRCROW, "COLUMN", "VALUE",
    "MESSAGE", "ALLOWED", "ACTION", "ADVICE",
)  # fmt: skip
# What one finding is about: the identifying columns that it carries.
SCOPES: dict[str, tuple[str, ...]] = {
    "reading": (SITEID, USUBJID, AVISIT, PARAMCD, SRCFILE, SRCROW),
    "row": (SITEID, USUBJID, AVISIT, SRCFILE, SRCROW),
    "patient": (SITEID, USUBJID, SRCFILE),
    "patient row": (SITEID, USUBJID, SRCFILE, SRCROW),
    "baseline": (SITEID, USUBJID, AVISIT, PARAMCD, SRCFILE, SRCROW),
    "site": (SITEID, SRCFILE),
    "trial": (),
}
LONGEST_VALUE = 60
SITE_ASIDE = "site set aside"  # what happened to the readings of a bad site


@dataclass(frozen=True)
class Found:
    """What one check found in the rows.

    rows: the readings concerned (a slice of the rows, index kept).
    column, value, message, advice: one text for all, or one a reading (same length as rows).
    action: what happened to the readings; "run stops" is said by the caller.
    fate, reason: what the readings become, where the check decides that.
    scope: whether there is one finding a reading, row, visit, patient or site.
    """

    rule: str
    severity: Severity
    rows: "pd.DataFrame"
    column: "str | Sequence[str]"
    message: "str | Sequence[str]"
    value: "str | Sequence[str]" = ""
    allowed: str = ""
    action: str = "kept"
    advice: "str | Sequence[str]" = ""
    fate: Fate | None = None
    reason: str = ""
    scope: str = "reading"


def empty_findings() -> "pd.DataFrame":
    """No findings, in the right columns and types."""
    return _none().copy()


@lru_cache(maxsize=1)
def _none() -> "pd.DataFrame":
    return _typed({name: [] for name in COLUMNS})


def findings_frame(found: Iterable[Found]) -> "pd.DataFrame":
    """All findings as one frame, sorted."""
    import pandas as pd

    frames = [_one(item) for item in found if len(item.rows)]
    return sort_findings(pd.concat(frames)) if frames else empty_findings()


def sort_findings(findings: "pd.DataFrame") -> "pd.DataFrame":
    """Findings by site, file, line, then rule: the same order whatever the batches were."""
    keys = [SITEID, SRCFILE, SRCROW, USUBJID, AVISIT, PARAMCD, "RULE", "COLUMN", "MESSAGE"]
    return findings.sort_values(keys, kind="stable", ignore_index=True, na_position="first")


def join_findings(frames: Sequence["pd.DataFrame"]) -> "pd.DataFrame":
    """Several frames of findings as one, sorted."""
    import pandas as pd

    filled = [frame for frame in frames if len(frame)]
    return sort_findings(pd.concat(filled)) if filled else empty_findings()


def read_findings(path: str | Path) -> "pd.DataFrame":
    """Read findings back from their CSV, every cell as text."""
    import pandas as pd

    return _typed(pd.read_csv(path, dtype="str", keep_default_na=False))


def file_finding(
    site: str, file: str, rule: str, message: str, *, severity: Severity = Severity.ERROR,
    row: int | None = None, column: str = "", value: str = "", allowed: str = "",
    action: str = SITE_ASIDE, advice: str = "",
) -> dict[str, object]:  # fmt: skip
    """One finding about a file as a whole, as a row for `records_frame`.

    site, file: both empty where it is about the trial.
    """
    return {
        "RULE": rule, "SEVERITY": severity.value, SITEID: site, USUBJID: "", AVISIT: "",
        PARAMCD: "", SRCFILE: file, SRCROW: row, "COLUMN": column, "VALUE": shown(value),
        "MESSAGE": message, "ALLOWED": allowed, "ACTION": action, "ADVICE": advice,
    }  # fmt: skip


def records_frame(records: Sequence[dict[str, object]]) -> "pd.DataFrame":
    """Findings given as records, sorted."""
    import pandas as pd

    if not records:
        return empty_findings()
    return sort_findings(_typed(pd.DataFrame(list(records), columns=list(COLUMNS))))


def apply_found(rows: "pd.DataFrame", found: Iterable[Found]) -> None:
    """Give the readings of each finding their fate, in the order of the findings."""
    for item in found:
        if item.fate is not None:
            set_fate(rows, item.rows.index, item.fate, item.reason or item.rule)


def lost_readings(
    rule: str,
    rows: "pd.DataFrame",
    column: "str | Sequence[str]",
    message: "str | Sequence[str]",
    *,
    value: "str | Sequence[str]",
    allowed: str,
    advice: "str | Sequence[str]",
    action: str = "reading set aside",
) -> Found:
    """An error that costs each of `rows` its place in the analysis."""
    return Found(
        rule, Severity.ERROR, rows, column, message, value=value, allowed=allowed, action=action,
        advice=advice, fate=Fate.SET_ASIDE,
    )  # fmt: skip


def shown(value: object) -> str:
    """A cell for people: control characters escaped, long text shortened."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    text = "" if missing else str(value)
    if not text.isprintable():
        text = text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def quoted(value: object) -> str:
    """A cell for people, in quotes; what is escaped in it is escaped once."""
    text = shown(value)
    mark = '"' if "'" in text else "'"
    return f"{mark}{text}{mark}"


def _one(found: Found) -> "pd.DataFrame":
    import pandas as pd

    keys = SCOPES[found.scope]
    cells: dict[str, object] = dict.fromkeys(COLUMNS, "")
    cells |= {
        "RULE": found.rule, "SEVERITY": found.severity.value, "ALLOWED": found.allowed,
        "ACTION": found.action, SRCROW: None,
    }  # fmt: skip
    cells |= {name: found.rows[name].to_numpy() for name in keys}
    for name, text in (("COLUMN", found.column), ("MESSAGE", found.message),
                       ("ADVICE", found.advice)):  # fmt: skip
        cells[name] = text if isinstance(text, str) else list(text)
    cells["VALUE"] = _each(found.value)
    frame = _typed(pd.DataFrame(cells, columns=list(COLUMNS), index=found.rows.index))
    return frame.drop_duplicates([*keys, "VALUE", "MESSAGE"] if keys else None)


def _each(value: "str | Sequence[str]") -> "str | list[str]":
    return shown(value) if isinstance(value, str) else [shown(cell) for cell in value]


def _typed(cells: Any) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.DataFrame(cells, columns=list(COLUMNS))
    line = pd.to_numeric(frame[SRCROW], errors="coerce").astype("Int64")
    texts = frame.drop(columns=SRCROW).astype("str").fillna("")
    texts.insert(COLUMNS.index(SRCROW), SRCROW, line)
    return texts
