"""Analysed readings counted by site, arm, endpoint and visit: what checks over all hospitals need.

Counts of batches stand below one another: a batch holds whole hospitals.
"""

from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, SITEID, SRCFILE, SRCROW, TRT01P, USUBJID
from sitewise.trial.rows import PARAMCD

if TYPE_CHECKING:
    import pandas as pd

PATIENTS = "PATIENTS"
CELL = [SITEID, TRT01P, PARAMCD, AVISIT]


def count_cells(analysed: "pd.DataFrame") -> "pd.DataFrame":
    """One row a cell that has a reading, in the order of the readings.

    analysed: readings that reach the analysis. Columns: CELL, PATIENTS with such a reading, and
    USUBJID, SRCFILE, SRCROW of the first of them.
    """
    first = analysed.drop_duplicates([*CELL, USUBJID])
    sizes = first.groupby(CELL, sort=False)[USUBJID].transform("size")
    cells = first.assign(**{PATIENTS: sizes}).drop_duplicates(CELL)
    return cells[[*CELL, PATIENTS, USUBJID, SRCFILE, SRCROW]]


def count_patients(analysed: "pd.DataFrame") -> "pd.DataFrame":
    """SITEID, TRT01P and the number of PATIENTS with any analysed reading."""
    patients = analysed[[SITEID, USUBJID, TRT01P]].drop_duplicates()
    return patients.groupby([SITEID, TRT01P]).size().rename(PATIENTS).reset_index()
