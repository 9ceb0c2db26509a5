"""Which column holds what: by its name, then by what stands in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sitewise.draft.reading import FILE, LINE, Folder, numbers
from sitewise.errors import DataError, Problem

if TYPE_CHECKING:
    import pandas as pd

# Names without case and marks, in the order of preference. ADaM and SDTM names come first.
NAMES: dict[str, tuple[str, ...]] = {
    "patient": ("usubjid", "subjid", "subjectid", "subject", "patientid", "patient", "patid",
                "pid", "participant", "participantid", "id"),
    "arm": ("trt01p", "arm", "treatment", "trt", "treatmentarm", "allocation", "group", "armcd"),
    "visit": ("avisit", "visit", "visitname", "event", "redcapeventname"),
    "site": ("siteid", "site", "hospital", "hospitalid", "centre", "center", "clinic", "sitecode"),
    "day": ("ady", "vsdy", "studyday", "day", "visitday"),
    "timepoint": ("atpt", "vstpt", "tpt", "timepoint", "position"),
    "parameter": ("paramcd", "vstestcd", "testcd", "parameter", "test"),
    "value": ("aval", "vsstresn", "result", "value", "vsorres"),
    "unit": ("avalu", "vsstresu", "units", "unit", "vsorresu"),
}  # fmt: skip
PRESSURES = {
    "SYSBP": ("sysbp", "sbp", "systolic", "systolicbp", "bpsys", "sys", "systolicbloodpressure"),
    "DIABP": ("diabp", "dbp", "diastolic", "diastolicbp", "bpdia", "dia",
              "diastolicbloodpressure"),
}  # fmt: skip
MOST_LEVELS = 8


@dataclass(frozen=True)
class Roles:
    """Column by role (the keys of `NAMES`; the last three in layout `readings` only), and why.

    outcomes: column, or code in layout `readings`, by PARAMCD.
    """

    layout: str
    columns: dict[str, str]
    why: dict[str, str]
    outcomes: dict[str, str] = field(default_factory=dict)


def plain(name: str) -> str:
    """A name without case, blanks and marks."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def guess_roles(folder: Folder) -> Roles:
    """Guess the roles; raises DataError naming those that no column can be guessed for."""
    rows = folder.rows
    header = [name for name in rows.columns if name not in (FILE, LINE)]
    columns: dict[str, str] = {}
    why: dict[str, str] = {}
    for role, known in NAMES.items():
        for name in known:
            match = [column for column in header if plain(column) == name]
            if match and match[0] not in columns.values():
                columns[role], why[role] = match[0], "by its name"
                break
    layout = "readings" if {"parameter", "value"} <= columns.keys() else "visits"
    if layout == "visits":
        for role in ("parameter", "value", "unit"):
            columns.pop(role, None)
    _by_content(rows, header, columns, why)
    absent = [role for role in ("patient", "arm", "visit") if role not in columns]
    if absent:
        raise DataError(
            "The hospital files can't be understood.",
            [
                Problem(
                    f"no column looks like the {role}",
                    where=f"columns {', '.join(header)}",
                    allowed=f"a column named like one of: {', '.join(NAMES[role])}",
                    fix="rename it in the files, or write the plan from config/demo.yaml",
                )
                for role in absent
            ],
        )
    outcomes = _outcomes(folder, header, layout, columns)
    return Roles(layout, columns, why, outcomes)


def _by_content(
    rows: "pd.DataFrame", header: Sequence[str], columns: dict[str, str], why: dict[str, str]
) -> None:
    """Fill patient, arm and visit where no name gave them."""
    counts = {name: rows[name].nunique() for name in header if name not in columns.values()}
    repeated = {n: c for n, c in counts.items() if 1 < c <= len(rows) / 1.5}
    few = [name for name, count in repeated.items() if 1 < count <= 30]
    if "patient" not in columns:
        many = sorted(
            (n for n in repeated if repeated[n] > MOST_LEVELS), key=lambda n: -repeated[n]
        )
        own = [n for n in many if any(is_constant(rows, n, other) for other in few if other != n)]
        if not own:
            return
        columns["patient"] = own[0]
        why["patient"] = "the most different values that repeat, each with one value elsewhere"
    for role, constant, most in (("arm", True, 6), ("visit", False, 30)):
        fitting = [
            name
            for name in few
            if name not in columns.values()
            and repeated[name] <= most
            and is_constant(rows, columns["patient"], name) == constant
            and not rows[name].str.fullmatch(r"[\d.,]*").all()
        ]
        if role not in columns and fitting:
            columns[role] = fitting[0]
            why[role] = f"a few values, {'one' if constant else 'several'} a patient"


def is_constant(rows: "pd.DataFrame", patient: str, name: str) -> bool:
    """Whether nearly every patient has one value of a column (blanks aside)."""
    filled = rows[rows[name] != ""]
    if filled.empty:
        return False
    single = filled.groupby([FILE, patient])[name].nunique() == 1
    return bool(single.mean() > 0.95)


def _outcomes(
    folder: Folder, header: Sequence[str], layout: str, columns: dict[str, str]
) -> dict[str, str]:
    """Blood pressures by name; otherwise the first few numbers that change within patients."""
    rows = folder.rows
    if layout == "readings":
        names = rows[columns["parameter"]].value_counts().index.tolist()
    else:
        names = [name for name in header if name not in columns.values()]
    found = {
        code: match[0]
        for code, known in PRESSURES.items()
        if (match := [name for name in names if plain(name) in known])
    }
    if found:
        return found
    if layout == "visits":
        names = [
            name
            for name in names
            if numbers(rows, name, folder.sites).notna().mean() > 0.5
            and not is_constant(rows, columns["patient"], name)
        ]
    made = {}
    for name in names[:4]:
        code = re.sub(r"[^A-Z0-9]", "", str(name).upper())[:8] or "VALUE"
        made[code if code[0].isalpha() else f"P{code}"] = name
    if not made:
        raise DataError(
            "The hospital files can't be understood.",
            [
                Problem(
                    "no column of numbers changes from visit to visit: none can be an outcome",
                    where=f"columns {', '.join(header)}",
                    fix="check that the folder holds one row a visit, or one row a reading",
                )
            ],
        )
    return made
