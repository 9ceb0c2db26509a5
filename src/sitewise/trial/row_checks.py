"""Checks of whole rows: who, at which site, in which arm, at which visit."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, SITEID, TRT01P, USUBJID, Fate, Severity
from sitewise.trial.findings import Found, shown
from sitewise.trial.rows import (
    ARM,
    AVALC,
    FATE,
    PARAMCD,
    PARAMCELL,
    SITE_DISAGREES,
    SITECELL,
    VISIT,
    set_fate,
)
from sitewise.trial.schema import broken, row_schema

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

UNKNOWN_ARM, UNKNOWN_VISIT = "unknown arm", "unknown visit"


def settle_unasked(plan: "Plan", rows: "pd.DataFrame") -> None:
    """Fates that are nobody's fault: outside the plan, then not measured (changes `rows`)."""
    for code, part in rows[rows[PARAMCD].isna() & rows[PARAMCELL].notna()].groupby(PARAMCELL):
        reason = f"parameter {shown(code)} is not in the plan"
        set_fate(rows, part.index, Fate.OUTSIDE_PLAN, reason)
    for visit in plan.other_visits:
        index = rows.index[rows[VISIT] == visit]
        set_fate(rows, index, Fate.OUTSIDE_PLAN, f"visit {visit} is not analysed")
    empty = rows.index[rows[AVALC].isna() & rows[PARAMCD].notna()]
    set_fate(rows, empty, Fate.NOT_MEASURED, "no value in the file")


def check_rows_known(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Missing identifiers, unknown codes, a site column that disagrees: whole rows set aside."""
    asked = rows[rows[FATE].isna() | (rows[FATE] == Fate.NOT_MEASURED.value)]
    wrong = broken(row_schema(plan), asked)
    found = [*_missing(plan, asked, wrong), *_unknown_codes(plan, asked, wrong)]
    if plan.columns.site is not None:
        other = asked[asked[SITECELL].notna() & (asked[SITECELL] != asked[SITEID])]
        found.append(_other_site(plan.columns.site, other))
    return [item for item in found if len(item.rows)]


def _missing(plan: "Plan", asked: "pd.DataFrame", wrong: "dict[str, pd.Index]") -> Iterator[Found]:
    """Cells that every row needs and that are empty."""
    columns = plan.columns
    needed = [
        (USUBJID, columns.patient, USUBJID, "patient identifier"),
        (TRT01P, columns.arm, ARM, "treatment arm"),
        (AVISIT, columns.visit, VISIT, "visit name"),
        (PARAMCD, columns.parameter, PARAMCELL, "parameter code"),
        (SITECELL, columns.site, SITECELL, "site identifier"),
    ]
    for key, column, cell, what in needed:
        if key not in wrong or column is None:
            continue
        part = asked.loc[wrong[key]]
        part = part[part[cell].isna()]
        yield Found(
            f"missing {what}",
            Severity.ERROR,
            part,
            column,
            f"the {what} is missing",
            allowed=f"a {what} in every row",
            action="row set aside",
            advice="fill in the cell from the source document",
            fate=Fate.SET_ASIDE,
            scope="row",
        )


def _unknown_codes(
    plan: "Plan", asked: "pd.DataFrame", wrong: "dict[str, pd.Index]"
) -> Iterator[Found]:
    arms = [c for arm in plan.arms.order for c in (arm.codes or (arm.name,))]
    visits = [c for visit in plan.visits for c in (visit.codes or (visit.name,))]
    for key, rule, column, cell, codes, where in (
        (TRT01P, UNKNOWN_ARM, plan.columns.arm, ARM, arms, "arms"),
        (AVISIT, UNKNOWN_VISIT, plan.columns.visit, VISIT, [*visits, *plan.other_visits],
         "visits or other_visits"),
    ):  # fmt: skip
        if key not in wrong:
            continue
        part = asked.loc[wrong[key]]
        part = part[part[cell].notna()]
        yield Found(
            rule,
            Severity.ERROR,
            part,
            column,
            _told(part[cell], codes, rule.removeprefix("unknown ")),
            value=part[cell].tolist(),
            allowed=", ".join(codes),
            action="row set aside",
            advice=f"correct the cell, or add the code to the plan's {where}",
            fate=Fate.SET_ASIDE,
            reason=rule,
            scope="row",
        )


def _told(cells: "pd.Series[str]", codes: list[str], what: str) -> list[str]:
    """A sentence for each unknown code, with the near miss if there is one."""
    told = {cell: f"the plan knows no {what} {shown(cell)!r}{near_miss(cell, codes)}"
            for cell in cells.unique()}  # fmt: skip
    return [told[cell] for cell in cells]


def near_miss(cell: str, codes: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing; upper and lower case don't count as a difference."""
    folded = {code.casefold(): code for code in codes}
    near = get_close_matches(cell.casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _other_site(column: str, rows: "pd.DataFrame") -> Found:
    return Found(
        "site disagrees",
        Severity.ERROR,
        rows,
        column,
        [
            f"the row says site {shown(cell)!r}, the site sheet says that this file is of site"
            f" {site!r}"
            for cell, site in zip(rows[SITECELL], rows[SITEID], strict=True)
        ],
        value=rows[SITECELL].tolist(),
        allowed="the SITEID of the site sheet, character by character (01 is not 1)",
        action="row set aside",
        advice="find out whose rows these are; correct the cell, or the SITEID in the site sheet",
        fate=Fate.SET_ASIDE,
        reason=SITE_DISAGREES,
        scope="row",
    )
