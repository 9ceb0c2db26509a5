"""The arm split off from the readings, for as long as a trial is blinded.

What stays says of each row whether its arm is one of the plan, is not, or is missing, and whether
it is that of the patient's first row: enough to find the rows that will be set aside, and no more.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sitewise.terms import SITEID, SRCFILE, SRCROW, TRT01P, USUBJID, Fate
from sitewise.trial.row_checks import TOTALS_WORDS
from sitewise.trial.rows import ANOTHER, ARM, FATE, POOLED

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

# An arm's cell that is no arm; what stands for the codes that the plan knows.
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


def pool_arms(plan: "Plan", readings: "pd.DataFrame") -> None:
    """Give the readings that a blinded trial analyses their one arm (changes `readings`).

    A patient's first row may be one that speaks against no other, as a row of another site.
    """
    if plan.arms.levels == (POOLED,):
        taken = readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])
        readings[TRT01P] = readings[TRT01P].mask(taken, POOLED)


def _totals(cells: "pd.Series[str]") -> "pd.Series[bool]":
    """Cells that give a row of totals away, and so no patient's arm."""
    return cells.str.strip(" :").str.casefold().isin(TOTALS_WORDS)
