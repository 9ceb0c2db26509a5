"""Which column holds what: by its name, then by what stands in it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sitewise.draft.reading import FILE, LINE, Folder, numbers
from sitewise.errors import DataError, Problem

if TYPE_CHECKING:
    import pandas as pd

# Names without case, accents and marks, in the order of preference. ADaM and SDTM names come first,
# then English ones, then those of other languages.
LEAVING = "leaving"
NAMES: dict[str, tuple[str, ...]] = {
    "patient": ("usubjid", "subjid", "subjectid", "subject", "patientid", "patient", "patid",
                "pid", "participant", "participantid", "id", "patientennummer", "patientennr",
                "patnr", "npatient", "nodupatient", "paciente", "paziente", "sujet", "sujeto"),
    "arm": ("trt01p", "arm", "treatment", "trt", "treatmentarm", "allocation", "group", "armcd",
            "randomisedto", "randomizedto", "gruppe", "behandlung", "therapiearm", "studienarm",
            "bras", "groupe", "traitement", "brazo", "grupo", "tratamiento", "braccio", "gruppo"),
    "visit": ("avisit", "visit", "visitname", "event", "redcapeventname", "visite", "visita",
              "zeitpunkt", "timepoint"),
    "site": ("siteid", "site", "hospital", "hospitalid", "centre", "center", "clinic", "sitecode",
             "zentrum", "klinik", "krankenhaus", "etablissement", "hopital", "centro", "ospedale"),
    "day": ("ady", "vsdy", "studyday", "day", "visitday", "studientag", "tag", "jour"),
    "timepoint": ("atpt", "vstpt", "tpt", "timepoint", "position"),
    "parameter": ("paramcd", "vstestcd", "testcd", "parameter", "test"),
    "value": ("aval", "vsstresn", "result", "value", "vsorres", "wert", "valeur", "valor"),
    "unit": ("avalu", "vsstresu", "units", "unit", "vsorresu", "einheit", "unite", "unidad"),
    # no key of `columns`: it has a section of its own
    LEAVING: ("dcsreas", "dcreascd", "dcreas", "eosreas", "reasonleft", "reasonforleaving",
              "reasonleaving", "leavingreason", "leftreason", "discontinuationreason",
              "reasonfordiscontinuation", "reasondiscontinued", "withdrawalreason",
              "reasonforwithdrawal", "reasonwithdrawn", "dropoutreason", "reasonfordropout",
              "abbruchgrund", "ausscheidegrund", "motifarret", "motifdarret", "motifsortie",
              "motivoabandono", "motivoretirada", "motivoritiro"),
}  # fmt: skip
PRESSURES = {
    "SYSBP": ("sysbp", "sbp", "systolic", "systolicbp", "bpsys", "sys", "systolicbloodpressure",
              "rrsys", "rrsyst", "systolisch", "pas", "systolique", "tas", "sistolica"),
    "DIABP": ("diabp", "dbp", "diastolic", "diastolicbp", "bpdia", "dia",
              "diastolicbloodpressure", "rrdia", "rrdiast", "diastolisch", "pad", "diastolique",
              "tad", "diastolica"),
}  # fmt: skip
MOST_LEVELS = 8


@dataclass(frozen=True)
class Roles:
    """Column by role (the keys of `NAMES`; some in layout `readings` only), and why.

    outcomes: column, or code in layout `readings`, by PARAMCD.
    """

    layout: str
    columns: dict[str, str]
    why: dict[str, str]
    outcomes: dict[str, str] = field(default_factory=dict)


def plain(name: str) -> str:
    """A name without case, accents, blanks and marks."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", name.casefold()))


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
    if "visit" in absent and (wide := _one_outcome_many_columns(header)):
        raise DataError("The hospital files can't be understood.", [_wide(wide)])
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


def _one_outcome_many_columns(header: Sequence[str]) -> list[str]:
    """Columns whose names differ in a number alone, as `sbp_w0`, `sbp_w4`, `sbp_w12`."""
    stems: dict[str, list[str]] = {}
    for name in header:
        if re.search(r"\d", name):
            stems.setdefault(re.sub(r"\d+(\.\d+)?", "#", plain(name)), []).append(name)
    return next((names for names in stems.values() if len(names) > 1), [])


def _wide(names: Sequence[str]) -> Problem:
    return Problem(
        "no column holds the visit; one outcome seems to stand in several columns, one a visit:"
        f" {', '.join(names)}",
        allowed="a row a patient and visit, with a column that names the visit; or a row a reading",
        fix="ask for the files with a row a visit (in R reshape or pivot_longer, in pandas"
        " wide_to_long), and keep the files as they came beside them",
    )


def _by_content(
    rows: "pd.DataFrame", header: Sequence[str], columns: dict[str, str], why: dict[str, str]
) -> None:
    """Fill patient, arm and visit where no name gave them."""
    counts = {name: rows[name].nunique() for name in header if name not in columns.values()}
    files = rows[FILE].nunique()
    named = [n for n in counts if files > 2 and counts[n] == files and _one_a_file(rows, n)]
    if "site" not in columns and named:
        columns["site"], why["site"] = named[0], "each file has a value of its own"
    repeated = {n: c for n, c in counts.items() if 1 < c <= len(rows) / 1.5 and n not in named}
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


def _one_a_file(rows: "pd.DataFrame", name: str) -> bool:
    """Whether every file has one value of a column, and no other file has it."""
    pairs = rows.loc[rows[name] != "", [FILE, name]].drop_duplicates()
    return len(pairs) == pairs[FILE].nunique() == pairs[name].nunique()


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
