"""The arm split off from the readings, for as long as a trial is blinded.

What stays says of each row whether its arm is one of the plan, is not, or is missing, and whether
it is that of the patient's first row: enough to find the rows that will be set aside, and no more.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sitewise.terms import SITEID, SRCFILE, SRCROW, TRT01P, USUBJID
from sitewise.trial.row_checks import TOTALS_WORDS
from sitewise.trial.rows import ARM

if TYPE_CHECKING:
    import pandas as pd

# All arms as one; another arm than that of the patient's first row; an arm's cell that is no arm.
POOLED = "All arms"
ANOTHER = "another arm"
WITHHELD = "(withheld)"
ANY_CODE = "an arm's code of the plan"
COLUMNS = (SITEID, USUBJID, TRT01P, ARM, SRCFILE, SRCROW)


@dataclass(frozen=True)
class Split:
    """rows: readings whose TRT01P and ARM tell no arm. arms: `COLUMNS`, one row a raw row."""

    rows: "pd.DataFrame" = field(repr=False)
    arms: "pd.DataFrame" = field(repr=False)


def split_arms(rows: "pd.DataFrame") -> Split:
    """Take the arms out of the readings of `ingest_batch`; row order and other columns stay."""
    import pandas as pd

    arms = rows.loc[:, list(COLUMNS)].drop_duplicates([SRCFILE, SRCROW], ignore_index=True)
    known = rows[TRT01P].notna()
    first = rows[TRT01P].groupby([rows[SITEID], rows[USUBJID]], dropna=False).transform("first")
    told = pd.Series(POOLED, index=rows.index).where(rows[TRT01P] == first, ANOTHER)
    cell = rows[ARM].where(rows[ARM].isna() | _totals(rows[ARM]), WITHHELD).where(~known, POOLED)
    masked = rows.assign(**{TRT01P: told.where(known).astype("str"), ARM: cell.astype("str")})
    return Split(masked, arms)


def _totals(cells: "pd.Series[str]") -> "pd.Series[bool]":
    """Cells that give a row of totals away, and so no patient's arm."""
    return cells.str.strip(" :").str.casefold().isin(TOTALS_WORDS)
