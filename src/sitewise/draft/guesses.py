"""What the cells say of arms, visits, outcomes, covariates, units and the design."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sitewise.draft.leaving import LeavingGuess, guess_leaving
from sitewise.draft.reading import FILE, Folder, numbers
from sitewise.draft.roles import MOST_LEVELS, PRESSURES, Roles, is_constant, plain
from sitewise.errors import plural
from sitewise.plan.sheet import Site

if TYPE_CHECKING:
    import pandas as pd

_CONTROL = re.compile(
    r"pla[cz]ebo|contr[oóô]l|usual|usuel|standard|sham|untreated|kontroll|t[eé]moin|habitual",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(r"screen|unsched|early|terminat|retriev|withdraw|extra|ambul", re.IGNORECASE)
# Words for a week, a month, a day, a year, and how many weeks each has.
_UNITS = (
    (("week", "wk", "w", "woche", "semaine", "semana", "settimana"), 1.0),
    (("month", "mth", "m", "monat", "mois", "mes", "mese"), 52 / 12),
    (("day", "d", "tag", "jour", "giorno"), 1 / 7),
    (("year", "y", "jahr", "an", "anno"), 52.0),
)
_WEEKS = {word: weeks for words, weeks in _UNITS for word in words}
_WEEK = re.compile(
    rf"\b({'|'.join(sorted(_WEEKS, key=len, reverse=True))})[\s_.-]*(\d+(?:\.\d+)?)\b",
    re.IGNORECASE,
)
_BASELINE = re.compile(
    r"\bbase|\bbasal|\bbl\b|random|enrol|inclu[sz]ion|inclusi[oó]n|einschluss|aufnahme",
    re.IGNORECASE,
)
# Rarer than this share of the commonest visit and like another name: a misspelling.
_RARE = 0.2
_KPA_MEDIAN = 40.0


@dataclass(frozen=True)
class VisitGuess:
    """A planned visit; why: where its week comes from."""

    name: str
    week: float
    why: str


@dataclass(frozen=True)
class CovariateGuess:
    """A patient-level column: a number, or a category with its levels."""

    name: str
    column: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Guesses:
    """All that a first plan is written from; remarks: what somebody must look at."""

    roles: Roles
    sites: tuple[Site, ...]
    arms: tuple[str, ...]
    reference: str
    reference_why: str
    visits: tuple[VisitGuess, ...]
    other_visits: tuple[str, ...]
    covariates: tuple[CovariateGuess, ...]
    leaving: LeavingGuess | None
    ranges: dict[str, tuple[float, float]]
    design: str
    design_why: str
    ids: str
    replicated: bool
    remarks: tuple[str, ...]


def guess(folder: Folder, roles: Roles) -> Guesses:
    """Look at the cells; nothing is decided that the plan's reader can't see marked."""
    remarks = [f"{file} is left out of the site sheet: {why}" for file, why in folder.unread]
    rows, columns = folder.rows, roles.columns
    patient = columns["patient"]
    sites = _named(folder, columns.get("site"), remarks)
    arms = _common(rows, columns["arm"], patient)
    control = [arm for arm in arms if _CONTROL.search(arm)]
    control += [arm for arm in arms if all(arm in other for other in arms)]
    visits, others = _visits(folder, roles, remarks)
    remarks += _odd_cells(rows, columns, arms, [*(v.name for v in visits), *others])
    by_site = rows[rows[columns["arm"]].isin(arms)].groupby(FILE)[columns["arm"]]
    mixed = (by_site.agg(lambda cells: cells.value_counts(normalize=True).iloc[0]) < 0.95).sum()
    cluster = mixed == 0 and len(sites) > 1
    remarks += _suspected_kpa(folder, roles, sites)
    remarks += _day_zero(folder, columns.get("day"))
    owners = rows[rows[patient] != ""].groupby(patient)[FILE].nunique()
    shared = float((owners > 1).mean())
    moment = [FILE, patient, columns["visit"], *_keys(roles)]
    planned = rows[rows[columns["visit"]].isin([v.name for v in visits])]
    return Guesses(
        roles=roles,
        sites=sites,
        arms=tuple(arms),
        reference=control[0] if control else arms[-1],
        reference_why="by its name" if control else "the rarest; any could be meant",
        visits=visits,
        other_visits=tuple(others),
        covariates=tuple(_covariates(folder, roles)),
        leaving=guess_leaving(folder, roles),
        ranges={
            code: _range(_values(folder, roles, name)) for code, name in roles.outcomes.items()
        },
        design="cluster" if cluster else "individual",
        design_why=(
            "each hospital has patients of one arm only"
            if cluster
            else f"{mixed} of {len(sites)} hospitals have patients of several arms"
        ),
        ids="site" if shared > 0.3 else "trial",
        replicated=bool(planned.duplicated(moment).mean() > 0.2),
        remarks=tuple(remarks),
    )


def _keys(roles: Roles) -> list[str]:
    return [roles.columns["parameter"]] if roles.layout == "readings" else []


def _named(folder: Folder, column: str | None, remarks: list[str]) -> tuple[Site, ...]:
    """SITEID from the site column where each file has its own, else from the files' names."""
    names: dict[str, str] = {}
    if column is not None:
        filled = folder.rows[folder.rows[column] != ""]
        names = {
            str(file): str(cells.value_counts().index[0])
            for file, cells in filled.groupby(FILE)[column]
        }
    files = [site.file for site in folder.sites]
    if len(set(names.values())) != len(files):
        if column is not None:
            remarks.append(f"the column {column!r} does not tell the files apart: names were taken")
        stems = [re.sub(r"\.\w+$", "", file) for file in files]
        start, end = _shared_ends(stems)
        names = {f: s[start : len(s) - end] or s for f, s in zip(files, stems, strict=True)}
    return tuple(replace(site, siteid=names[site.file]) for site in folder.sites)


def _shared_ends(texts: Sequence[str]) -> tuple[int, int]:
    """Characters that all texts begin and end with, digits next to the rest not counted."""
    if len(texts) < 2:
        return 0, 0
    head = _common_start(texts)
    tail = _common_start([text[::-1] for text in texts])
    return head, min(tail, min(map(len, texts)) - head)


def _common_start(texts: Sequence[str]) -> int:
    """How many characters all begin with; digits belong to the rest, and no word is cut."""
    shared = 0
    while shared < len(texts[0]) and all(t.startswith(texts[0][: shared + 1]) for t in texts):
        shared += 1
    start = texts[0][:shared].rstrip("0123456789")
    if not all(text[len(start) :][:1].isdigit() for text in texts):
        start = re.sub(r"[^\W_]+$", "", start)
    return len(start)


def _common(rows: "pd.DataFrame", column: str, patient: str) -> list[str]:
    """Values that more than one in a hundred patients has, the commonest first."""
    pairs = rows[rows[column] != ""][[FILE, patient, column]].drop_duplicates()
    counts = pairs[column].value_counts()
    return [str(value) for value, n in counts.items() if n > 0.01 * len(pairs)]


def _visits(
    folder: Folder, roles: Roles, remarks: list[str]
) -> tuple[tuple[VisitGuess, ...], list[str]]:
    """Planned visits with their weeks, in order; names of visits outside the plan."""
    column, day = roles.columns["visit"], roles.columns.get("day")
    rows = folder.rows[folder.rows[column] != ""]
    patients = rows.drop_duplicates([FILE, roles.columns["patient"], column])
    counts = {str(name): int(n) for name, n in patients[column].value_counts().items()}
    most = max(counts.values())
    common = {name: n for name, n in counts.items() if n >= _RARE * most}
    others = [name for name in counts if _OUTSIDE.search(name)]
    for name in [n for n in counts if n not in common and n not in others]:
        near = get_close_matches(name, list(common), n=1, cutoff=0.75)
        if not near or _week(name) is not None:
            common[name] = counts[name]
    days = {}
    if day is not None:
        found = numbers(rows, day, folder.sites)
        days = {str(n): float(m) for n, m in found.groupby(rows[column]).median().items()}
    guesses = []
    for name in common:
        if name in others:
            continue
        week = _week(name)
        if week is not None:
            guesses.append(VisitGuess(name, week, "from its name"))
        elif _BASELINE.search(name):
            guesses.append(VisitGuess(name, 0.0, "from its name"))
        elif name in days and days[name] == days[name]:
            guesses.append(VisitGuess(name, round((days[name] - 1) / 7, 1), "from its study days"))
        else:
            guesses.append(VisitGuess(name, float(len(guesses)), "NO IDEA: only the order of rows"))
    guesses.sort(key=lambda visit: visit.week)
    kept: list[VisitGuess] = []
    for visit in guesses:
        if kept and visit.week <= kept[-1].week:
            others.append(visit.name)
            remarks.append(
                f"the visits {kept[-1].name!r} and {visit.name!r} seem to share a week: the second"
                " is listed under other_visits"
            )
        else:
            kept.append(visit)
    return tuple(kept), others


def _week(name: str) -> float | None:
    """Weeks from a name like `Week 4`, `month 6`, `DAY 28`."""
    match = _WEEK.search(name.replace("_", " "))
    if match is None:
        return None
    weeks, n = _WEEKS[match[1].casefold()], float(match[2])
    if weeks < 1:
        return round(max(n - 1, 0) / 7, 1)
    return float(round(weeks * n))


def _odd_cells(
    rows: "pd.DataFrame", columns: dict[str, str], arms: Sequence[str], visits: Sequence[str]
) -> list[str]:
    """Rare arms and visits that the plan leaves out, so that their rows are set aside."""
    remarks = []
    for role, known in (("arm", arms), ("visit", visits)):
        cells = rows[columns[role]]
        odd = cells[(cells != "") & ~cells.isin(known)].value_counts()
        for value, n in odd.head(10).items():
            near = get_close_matches(str(value), known, n=1)
            hint = f"; {near[0]!r} misspelt?" if near else ""
            remarks.append(
                f"{role} {value!r} stands in {plural(n, 'row')} and is not in the plan{hint}"
            )
    return remarks


def _values(folder: Folder, roles: Roles, name: str) -> "pd.Series[float]":
    if roles.layout == "visits":
        return numbers(folder.rows, name, folder.sites)
    found = numbers(folder.rows, roles.columns["value"], folder.sites)
    return found.where(folder.rows[roles.columns["parameter"]] == name)


def _range(values: "pd.Series[float]") -> tuple[float, float]:
    """The range of the middle 98 per cent."""
    low, high = values.quantile([0.01, 0.99])
    return float(low), float(high)


def _suspected_kpa(folder: Folder, roles: Roles, sites: Sequence[Site]) -> list[str]:
    """Hospitals whose systolic pressures can't be mmHg; a unit is never declared by a guess."""
    if "SYSBP" not in roles.outcomes:
        return []
    medians = _values(folder, roles, roles.outcomes["SYSBP"]).groupby(folder.rows[FILE]).median()
    return [
        f"{site.file}: the median systolic pressure is {medians[site.file]:.4g}, which looks like"
        " kPa; if the hospital says so, put kPa into its `unit` in the site sheet"
        for site in sites
        if medians.get(site.file, 100.0) < _KPA_MEDIAN
    ]


def _day_zero(folder: Folder, day: str | None) -> list[str]:
    """Study days that begin with 0, where there is no day 0: each would be a warning."""
    zeros = 0 if day is None else int((numbers(folder.rows, day, folder.sites) == 0).sum())
    if not zeros:
        return []
    return [
        f"{day!r} is 0 in {plural(zeros, 'row')}: study days count from 1, so that it is missing"
        " there; where all are counted from 0, take `day` out of `columns`"
    ]


def _covariates(folder: Folder, roles: Roles) -> "list[CovariateGuess]":
    """Columns that are constant within patients and differ between them."""
    rows, patient = folder.rows, roles.columns["patient"]
    used = {FILE, "_LINE", *roles.columns.values(), *roles.outcomes.values()}
    pressures = {name for known in PRESSURES.values() for name in known}
    found = []
    for column in rows.columns:
        if column in used or plain(column) in pressures or not is_constant(rows, patient, column):
            continue
        if any(column not in folder.rows or (rows.loc[rows[FILE] == s.file, column] == "").all()
               for s in folder.sites):  # fmt: skip
            continue  # a column that some file lacks would set that hospital aside
        filled = rows.loc[rows[column] != "", column]
        levels = sorted(filled.unique().tolist())
        number = numbers(rows, column, folder.sites).notna().sum() > 0.9 * len(filled)
        name = re.sub(r"[^A-Za-z0-9]", "", column).upper()[:20]
        if not name or not name[0].isalpha() or len(levels) < 2:
            continue
        if number and len(levels) > MOST_LEVELS:
            found.append(CovariateGuess(name, column, ()))
        elif len(levels) <= MOST_LEVELS:
            found.append(CovariateGuess(name, column, tuple(levels)))
    return found
