"""Checks of whole rows: who, at which site, in which arm, at which visit."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, SITEID, TRT01P, USUBJID, Fate, Severity
from sitewise.trial.findings import Found, quoted, shown
from sitewise.trial.likeness import near_miss
from sitewise.trial.rows import (
    ARM,
    AVALC,
    FATE,
    PARAMCD,
    PARAMCELL,
    SITE_DISAGREES,
    SITECELL,
    TOTALS,
    VISIT,
    set_fate,
)
from sitewise.trial.schema import known_values, unknown_rows

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

UNKNOWN_ARM, UNKNOWN_VISIT = "unknown arm", "unknown visit"
# What stands in a totals row where a patient, a visit or a site should be.
TOTALS_WORDS = (
    *("total", "totals", "totaux", "totale", "gesamt", "insgesamt", "summe", "sum", "sums"),
    *("somme", "suma", "mean", "means", "average", "moyenne", "mittelwert", "media", "median"),
    *("std", "sd", "n", "count", "min", "max", "subtotal", "grand total", "total general"),
    *("total général", "gesamtsumme", "gesamtergebnis", "zwischensumme", "mittel"),
)


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


def check_totals(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Rows that are no patient's: the header again, a word like `Total`, nobody and no visit."""
    # A row whose arm and visit are both the plan's is a patient's: most rows need no closer look.
    known = rows[TRT01P].fillna("").ne("") & rows[AVISIT].fillna("").ne("")
    left = rows[rows[FATE].isna() & ~known]
    lines = left[[SITEID, SITECELL, USUBJID, ARM, VISIT, TRT01P, AVISIT]].drop_duplicates()
    signs = {
        line: sign
        for line in lines.itertuples(index=False, name=None)
        if (sign := _totals_sign(plan, line))
    }
    if not signs:
        return []
    own = [signs.get(line) for line in left[lines.columns].itertuples(index=False, name=None)]
    part = left[[sign is not None for sign in own]]
    told = [sign for sign in own if sign is not None]
    found = Found(
        TOTALS,
        Severity.ERROR,
        part,
        [column for column, _ in told],
        [_totals_told(column, cell) for column, cell in told],
        value=[cell for _, cell in told],
        allowed="a patient's visit in every row",
        action="row set aside",
        advice="nothing to do if it is no patient's row; else fill in patient, arm and visit",
        fate=Fate.SET_ASIDE,
        scope="row",
    )
    return [found]


def _totals_told(column: str, cell: str) -> str:
    if not cell:
        return "the row has neither patient nor arm nor visit: it looks like totals or a remark"
    if cell == column:
        return f"the row has {cell!r} in the column {column!r}: it is the header once more"
    return f"the row has {quoted(cell)} in the column {column!r}: it looks like a row of totals"


def _totals_sign(plan: "Plan", line: tuple[object, ...]) -> tuple[str, str] | None:
    """The column and the word that give a row of totals away, ("", "") for one without names."""
    site, sitecell, subject, arm, visit, known_arm, known_visit = (
        cell if isinstance(cell, str) else "" for cell in line
    )
    columns = plan.columns
    patient = subject
    if columns.patient_ids == "site":
        patient = subject.removeprefix(f"{site}-")
    if known_arm and known_visit:
        return None
    if (patient, arm, visit) == (columns.patient, columns.arm, columns.visit):
        return columns.patient, patient
    cells = ((columns.site, sitecell), (columns.patient, patient), (columns.arm, arm),
             (columns.visit, visit))  # fmt: skip
    for column, cell in cells:
        if column and cell.strip(" :").casefold() in TOTALS_WORDS:
            return column, cell
    return None if patient or arm or visit else (columns.patient, "")


def check_rows_known(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Missing identifiers, unknown codes, a site column that disagrees: whole rows set aside."""
    asked = rows[rows[FATE].isna() | (rows[FATE] == Fate.NOT_MEASURED.value)]
    wrong = unknown_rows(known_values(plan), asked)
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
            allowed=f"a {what} in every row" + _means_missing(plan),
            action="row set aside",
            advice="fill in the cell from the source document",
            fate=Fate.SET_ASIDE,
            scope="row",
        )


def _means_missing(plan: "Plan") -> str:
    """What else counts as empty, since it may be a name that only looks like a code."""
    codes = [repr(code) for code in plan.missing_values if code]
    return f"; {', '.join(codes)} count as missing (missing_values)" if codes else ""


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
    told = {cell: f"the plan knows no {what} {quoted(cell)}{near_miss(cell, codes)}"
            for cell in cells.unique()}  # fmt: skip
    return [told[cell] for cell in cells]


def _other_site(column: str, rows: "pd.DataFrame") -> Found:
    return Found(
        "site disagrees",
        Severity.ERROR,
        rows,
        column,
        [
            f"the row says site {quoted(cell)}, the site sheet says that this file is of site"
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
