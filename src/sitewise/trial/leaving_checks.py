"""Why patients left the trial early: one reason a patient, and whether it goes with the readings.

The reason travels with the patient's rows as a covariate does, and is none: no model sees it, and
an empty cell is no missing value but says that none was given.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, DCSREAS, SITEID, SRCFILE, SRCROW, USUBJID, Severity
from sitewise.trial.covariate_checks import one_a_patient
from sitewise.trial.findings import Found, quoted
from sitewise.trial.likeness import near_miss
from sitewise.trial.rows import REASON, TOTALS

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


def settle_leaving(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Give each patient one reason for leaving early, or none (changes `rows`).

    DCSREAS becomes the reason as the plan names it; a cell that the plan doesn't know stays as it
    stands. It is that of the patient's earliest planned visit that has one.
    """
    column, codes = plan.leaving.column, plan.leaving.codes
    if column is None:
        return []
    cells = rows[DCSREAS].where(~rows[DCSREAS].isin(plan.leaving.stayed)).astype("str")
    told = cells.map(lambda cell: codes.get(cell, cell), na_action="ignore").astype("str")
    unknown = cells.notna() & ~cells.isin(list(codes)) & rows[REASON].ne(TOTALS)
    first, varying = one_a_patient(rows, told)
    reasons = first.astype("str")
    found = [
        *([_unknown(column, codes, _once(rows[unknown]))] if codes else []),
        _varying(column, _once(rows[varying]), reasons),
    ]
    rows[DCSREAS] = reasons
    return [item for item in found if len(item.rows)]


def _once(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The first of a patient's rows with each cell: the reason may stand in all of them."""
    ordered = rows.sort_values([SITEID, SRCFILE, SRCROW], kind="stable")
    return ordered.drop_duplicates([SITEID, USUBJID, DCSREAS])


def _unknown(column: str, codes: dict[str, str], rows: "pd.DataFrame") -> Found:
    cells = rows[DCSREAS].tolist()
    return Found(
        "unknown reason for leaving",
        Severity.WARNING,
        rows,
        column,
        [
            f"the plan knows no reason for leaving {quoted(cell)}{near_miss(cell, codes)}"
            for cell in cells
        ],
        value=cells,
        allowed=", ".join(codes),
        action="told as it stands, readings kept",
        advice="correct the cell, or add it to the plan: to leaving.codes, or to leaving.stayed if"
        " it says that the patient did not leave early",
        scope="patient row",
    )


def _varying(column: str, rows: "pd.DataFrame", first: "pd.Series[str]") -> Found:
    """first: the reason that is told of each row's patient."""
    cells = rows[DCSREAS].tolist()
    return Found(
        "reason for leaving varies",
        Severity.WARNING,
        rows,
        column,
        [
            f"the reason for leaving {quoted(cell)} is another than that of the patient's first"
            f" visit with one, {quoted(kept)}"
            for cell, kept in zip(cells, first[rows.index], strict=True)
        ],
        value=cells,
        allowed="one reason a patient",
        action="the first visit's reason is told of the patient, readings kept",
        advice="correct the wrong one from the source document",
        scope="patient row",
    )


def seen_after_leaving(plan: "Plan", analysed: "pd.DataFrame") -> Iterator[Found]:
    """Patients with a reason for leaving early who have a reading at the last visit.

    analysed: readings of whole patients that reach the analysis.
    """
    if plan.leaving.column is None:
        return
    last = plan.visits[-1].name
    seen = analysed[(analysed[AVISIT] == last) & analysed[DCSREAS].notna()]
    rows = seen.drop_duplicates([SITEID, USUBJID])
    cells = rows[DCSREAS].tolist()
    yield Found(
        "seen though said to have left",
        Severity.NOTE,
        rows,
        plan.leaving.column,
        [
            f"the patient is said to have left early ({cell}), and has a reading at {last}"
            for cell in cells
        ],
        value=cells,
        allowed="a reason for patients who left early, and none for the others",
        action="readings kept; not counted among the patients without a reading there",
        advice="find out from the source documents whether the patient left early, and correct the"
        " cell or the reading; cells that mean that a patient stayed belong to leaving.stayed",
        scope="patient row",
    )
