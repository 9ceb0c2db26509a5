"""Patient-level columns: parsed, and one value a patient."""

from typing import TYPE_CHECKING

from sitewise.terms import AVISITN, SITEID, SRCFILE, SRCROW, USUBJID, Severity
from sitewise.trial.findings import Found, quoted
from sitewise.trial.likeness import near_miss
from sitewise.trial.numbers import is_missing_number, parse_cells
from sitewise.trial.rows import DECIMAL, REASON, SITE_DISAGREES, TOTALS
from sitewise.trial.unread import MISSING_NUMBERS, why_no_number

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan
    from sitewise.plan.sections import Covariate


def settle_covariates(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Parse the covariates and give each patient one value (changes `rows`).

    Numbers become float, categories their level as text; null where missing or unreadable. The
    value of a patient is that of the earliest planned visit that has one.
    """
    found = []
    for name, covariate in plan.covariates.items():
        values, unread = _parsed(covariate, rows[name], rows[DECIMAL])
        unread &= rows[REASON] != TOTALS
        found.append(_unread(covariate, rows[unread], rows.loc[unread, name]))
        if covariate.type == "number":
            coded = values.isin(MISSING_NUMBERS)
            found.append(_coded(covariate, rows[coded], rows.loc[coded, name]))
        first, varying = one_a_patient(rows, values)
        found.append(_varying(covariate, rows[varying], rows.loc[varying, name], first[varying]))
        rows[name] = first
    return [item for item in found if len(item.rows)]


def _parsed(
    covariate: "Covariate", cells: "pd.Series[str]", decimals: "pd.Series[str]"
) -> "tuple[pd.Series[float] | pd.Series[str], pd.Series[bool]]":
    """Values, and which cells could not be read."""
    cells = cells.where(~cells.isin(covariate.missing_values)).astype("str")
    if covariate.type == "number":
        values = parse_cells(cells, decimals)
        unread = cells.notna() & values.isna()
        return values.where(~is_missing_number(values, covariate.missing_values)), unread
    if not covariate.codes:
        return cells, cells.isna() & False
    levels = cells.map(covariate.codes).astype("str")
    return levels, cells.notna() & levels.isna()


def _unread(covariate: "Covariate", rows: "pd.DataFrame", cells: "pd.Series[str]") -> Found:
    codes = ", ".join(covariate.codes)
    number = covariate.type == "number"
    what = "is not a number" if number else "is no code of the plan"
    near = {c: "" if number else near_miss(c, covariate.codes) for c in cells.unique()}
    told = [
        why_no_number(cell, mark)
        if number
        else (near[cell], "correct the cell, or add the code to the plan")
        for cell, mark in zip(cells, rows[DECIMAL], strict=True)
    ]
    return Found(
        "covariate unreadable",
        Severity.WARNING,
        rows,
        covariate.column,
        [
            f"{covariate.label} {quoted(cell)} {what}{hint}"
            for cell, (hint, _) in zip(cells, told, strict=True)
        ],
        value=cells.tolist(),
        allowed=f"a number in {covariate.unit or 'its unit'}" if number else codes,
        action=f"{covariate.label} treated as missing in this row, readings kept",
        advice=[advice for _, advice in told],
        scope="row",
    )


def _coded(covariate: "Covariate", rows: "pd.DataFrame", cells: "pd.Series[str]") -> Found:
    return Found(
        "covariate like a missing code",
        Severity.WARNING,
        rows,
        covariate.column,
        [
            f"{covariate.label} {quoted(cell)} looks like a code for a missing value"
            for cell in cells
        ],
        value=cells.tolist(),
        allowed=f"a number in {covariate.unit or 'its unit'}",
        action="used as a number, readings kept",
        advice="if it means missing, add it to the covariate's missing_values in the plan",
        scope="row",
    )


def one_a_patient(
    rows: "pd.DataFrame", values: "pd.Series[float] | pd.Series[str]"
) -> "tuple[pd.Series[float] | pd.Series[str], pd.Series[bool]]":
    """The patient's first value for every row, and the rows whose own value differs from it.

    values: one a row, null where there is none. First is the earliest planned visit that has one.
    """
    keys = [SITEID, USUBJID]
    own = rows[[*keys, AVISITN, SRCFILE, SRCROW]].assign(_value=values)
    own = own[own[USUBJID].notna() & own["_value"].notna() & (rows[REASON] != SITE_DISAGREES)]
    first = (
        own.sort_values([*keys, AVISITN, SRCFILE, SRCROW], na_position="last", kind="stable")
        .drop_duplicates(keys)
        .set_index(keys)["_value"]
    )
    broadcast = rows[keys].merge(first.reset_index(), on=keys, how="left")["_value"]
    broadcast.index = rows.index
    broadcast = broadcast.astype(values.dtype)
    return broadcast, values.notna() & broadcast.notna() & (values != broadcast)


def _varying(
    covariate: "Covariate",
    rows: "pd.DataFrame",
    cells: "pd.Series[str]",
    kept: "pd.Series[float] | pd.Series[str]",
) -> Found:
    return Found(
        "covariate varies",
        Severity.WARNING,
        rows,
        covariate.column,
        [
            f"{covariate.label} {quoted(cell)} differs from the {quoted(_plainly(first))} of the"
            " patient's first visit with a value"
            for cell, first in zip(cells, kept, strict=True)
        ],
        value=cells.tolist(),
        allowed="one value a patient",
        action="the first visit's value is used for the patient, readings kept",
        advice="correct the wrong one from the source document",
        scope="row",
    )


def _plainly(value: object) -> object:
    """A number without a fraction as hospitals write it: 73, not 73.0."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else value
