"""The declared design held against the data, and what the plan's models need to exist at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sitewise.errors import Problem, plural
from sitewise.terms import AVISIT, SITEID, TRT01P, Severity
from sitewise.trial.account import FateCount, FileRow
from sitewise.trial.cells import PATIENTS
from sitewise.trial.findings import Found, file_finding, records_frame
from sitewise.trial.rows import PARAMCD

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

FIRST = 5


def check_design(
    plan: "Plan", patients: "pd.DataFrame", cells: "pd.DataFrame"
) -> tuple[list[Found], list[Problem]]:
    """Hold `design` against the arms of each site.

    patients, cells: `count_patients` and `count_cells` of the analysed readings.
    cluster: one arm in each site. individual: several arms in at least one site; a site with one
    arm is a warning.
    """
    if patients.empty:
        return [], []
    counts = patients.pivot_table(
        index=SITEID, columns=TRT01P, values=PATIENTS, aggfunc="sum", fill_value=0
    )
    arms = (counts > 0).sum(axis=1)
    if plan.design == "cluster":
        mixed = counts[arms > 1]
        return [], [_mixed_sites(mixed, len(counts))] if len(mixed) else []
    if (arms == 1).all() and len(counts) > 1 and counts.shape[1] > 1:
        return [], [_constant_sites(counts)]
    single = counts.index[arms == 1] if counts.shape[1] > 1 else counts.index[:0]
    first = cells.drop_duplicates(SITEID)
    return [_single_arm(first[first[SITEID] == site], counts.loc[site]) for site in single], []


def _told(counts: "pd.DataFrame") -> str:
    """`03 (HIC 12, TASSH+HIC 1)`, the first few sites."""
    texts = [
        f"{site} ({', '.join(f'{arm} {n}' for arm, n in line.items() if n)})"
        for site, line in counts.head(FIRST).iterrows()
    ]
    more = len(counts) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def _mixed_sites(mixed: "pd.DataFrame", sites: int) -> Problem:
    return Problem(
        f"the plan declares `design: cluster`, but {len(mixed)} of {sites} sites have patients in"
        f" several arms; patients by site: {_told(mixed)}",
        where="design",
        allowed="one arm in each site",
        fix="if patients were randomised, declare `design: individual` and `randomised_unit:"
        " USUBJID`; if sites were, correct the arm of these patients",
    )


def _constant_sites(counts: "pd.DataFrame") -> Problem:
    return Problem(
        f"the plan declares `design: individual`, but in each of the {len(counts)} sites all"
        f" patients have the same arm; patients by site: {_told(counts)}",
        where="design",
        allowed="several arms within sites",
        fix="if whole sites were randomised, declare `design: cluster` and `randomised_unit:"
        " SITEID`: with the wrong design the standard errors are wrong",
    )


def _single_arm(first: "pd.DataFrame", counts: "pd.Series[int]") -> Found:
    arm, number = str(counts.idxmax()), int(counts.sum())
    who = f"all {number} patients of this site are" if number > 1 else "the site's only patient is"
    return Found(
        "site with one arm",
        Severity.WARNING,
        first,
        "",
        f"{who} in the arm {arm!r}, though patients were randomised",
        value=arm,
        allowed="several arms within a site",
        action="readings kept",
        advice="expected where a site has very few patients; otherwise check its arm codes",
        scope="site",
    )


def check_factors(left_out: Mapping[str, Sequence[str]]) -> "pd.DataFrame":
    """One finding a model and stratification factor that the model does not contain."""
    return records_frame(
        [
            file_finding(
                "", "", "stratification factor left out",
                f"randomisation was stratified by {factor}, and the model {model} does not contain"
                f" {factor}: its standard error of the treatment contrast is likely too large",
                severity=Severity.WARNING, column=f"models.{model}.formula",
                allowed="each stratification factor of the plan, in the fixed part or as the"
                " grouping of a random term",
                action="fitted as planned, with a caution in the report",
                advice=f"add + {f'(1 | {SITEID})' if factor == SITEID else factor} to the formula,"
                " or say beside the report why the factor is left out",
            )
            for model, factors in sorted(left_out.items())
            for factor in factors
        ]
    )  # fmt: skip


def check_present(
    plan: "Plan", fates: Iterable[FateCount], cells: "pd.DataFrame", files: Sequence[FileRow]
) -> Iterator[Problem]:
    """What must be there before any model of the plan can be built.

    fates: of all readings; cells: `count_cells` of those that reach the analysis.
    """
    bad = [f"{file.site} ({file.reason})" for file in files if file.status != "used"]
    aside = f"; sites set aside: {_few(bad, '; ')}" if bad else ""
    if cells.empty:
        yield Problem(
            "no reading is left to analyse" + _reasons(fates) + aside,
            where=plural(len(files), "hospital file"),
            allowed="readings of two arms at two sites or more",
            fix="see the findings: every reading has its reason there",
        )
        return
    sites = sorted(cells[SITEID].unique())
    if len(sites) == 1:
        yield Problem(
            f"only one site has readings to analyse: {sites[0]}{aside}",
            where="sites",
            allowed="two sites or more: with one there is no variance between sites to estimate",
            fix="add the other hospitals to the site sheet, or see why they were set aside",
        )
    here = set(cells[TRT01P].unique())
    absent = [arm for arm in plan.arms.levels if arm not in here]
    if absent:
        only = f" (only one arm is left: {', '.join(sorted(here))})" if len(here) == 1 else ""
        yield Problem(
            f"no reading in {_arms(absent)}{only}",
            where="arms",
            allowed="readings in each arm of the plan: " + _few(plan.arms.levels),
            fix="check the arms' codes in the plan; take an arm that was never given out of it",
        )
    yield from _absent_visits(plan, cells)
    if len(sites) > 1:
        yield from _lonely_endpoints(plan, cells)


def _few(texts: Sequence[str], mark: str = ", ") -> str:
    """The first few, and how many more."""
    more = len(texts) - FIRST
    return mark.join(texts[:FIRST]) + (f" and {more} more" if more > 0 else "")


def _reasons(fates: Iterable[FateCount]) -> str:
    """`: 72 set aside (unknown arm)`, the most frequent reasons first."""
    counts: dict[tuple[str, str], int] = {}
    for one in fates:
        if one.reason:
            key = (one.fate, one.reason)
            counts[key] = counts.get(key, 0) + one.readings
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{n} {fate} ({reason})" for (fate, reason), n in ordered]
    return f": {_few(told)}" if told else ""


def _lonely_endpoints(plan: "Plan", cells: "pd.DataFrame") -> Iterator[Problem]:
    """Endpoints with readings at one site only, or without any in an arm that others have."""
    for name, endpoint in plan.endpoints.items():
        part = cells[cells[PARAMCD] == name]
        sites = sorted(part[SITEID].unique())
        column = endpoint.column or endpoint.code
        if len(sites) == 1:
            yield Problem(
                f"{name} has readings at one site only: {sites[0]}",
                where=f"endpoints.{name}",
                allowed="two sites or more: with one there is no variance between sites to"
                " estimate",
                fix=f"ask the other hospitals for {column!r}, or take the endpoint out of the plan",
            )
            continue
        here = set(part[TRT01P].unique())
        absent = [arm for arm in plan.arms.levels if arm not in here and not part.empty]
        if absent and cells[TRT01P].nunique(dropna=False) > len(here):
            yield Problem(
                f"{name} has no reading in {_arms(absent)}, other endpoints have",
                where=f"endpoints.{name}",
                allowed="readings in each arm: " + _few(plan.arms.levels),
                fix=f"see why {column!r} is missing there, or take the endpoint out of the plan",
            )


def _arms(absent: Sequence[str]) -> str:
    return f"the {'arm' if len(absent) == 1 else 'arms'} {_few(absent)}"


def _absent_visits(plan: "Plan", cells: "pd.DataFrame") -> Iterator[Problem]:
    there = set(cells[[PARAMCD, AVISIT]].drop_duplicates().itertuples(index=False, name=None))
    visits = [visit.name for visit in plan.visits]
    for name in plan.endpoints:
        empty = [visit for visit in visits if (name, visit) not in there]
        if len(empty) == len(visits):
            yield Problem(
                f"no reading of {name} is left to analyse: all its outcomes are missing or set"
                " aside",
                where=f"endpoints.{name}",
                allowed=f"{name} readings of two arms at two sites or more",
                fix="check the endpoint's column or code and its limits; see the findings",
            )
        elif empty:
            yield Problem(
                f"no reading of {name} at {_few(empty)}, at any site",
                where="visits",
                allowed="readings at each visit of the plan: " + ", ".join(visits),
                fix="check the visits' codes in the plan; take a visit that did not take place yet"
                " out of it",
            )
