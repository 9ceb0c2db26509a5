"""The canonical readings: their columns, their types, and how a reading gets its fate."""

from typing import TYPE_CHECKING

from sitewise.terms import (
    ADY,
    AVAL,
    AVISIT,
    AVISITN,
    DCSREAS,
    SITEID,
    SRCFILE,
    SRCROW,
    STUDYID,
    TRT01P,
    USUBJID,
    Fate,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from sitewise.plan.model import Plan

PARAMCD = "PARAMCD"
ATPT = "ATPT"
AVALC = "AVALC"
UNIT = "UNIT"
VISIT = "VISIT"
ARM = "ARM"
FATE = "FATE"
REASON = "REASON"

# Between ingest and check_batch only: the raw cells of site, parameter code and study day, and how
# the site sheet says that the file is written.
SITECELL = "SITECELL"
PARAMCELL = "PARAMCELL"
DAYCELL = "DAYCELL"
DECIMAL = "DECIMAL"
SHEETUNIT = "SHEETUNIT"
INTERNAL = (SITECELL, PARAMCELL, DAYCELL, DECIMAL, SHEETUNIT)

FLOATS = (AVISITN, ADY, AVAL)

# Of a blinded trial: all arms as one, and another arm than that of the patient's first row.
POOLED = "All arms"
ANOTHER = "another arm"

# Reasons that other checks ask for; the account groups readings by these words.
SITE_SET_ASIDE = "site set aside"
SITE_DISAGREES = "site column disagrees with the site sheet"
RAGGED = "ragged row"
TOTALS = "totals row"


def reading_columns(plan: "Plan") -> tuple[str, ...]:
    """Columns of the readings, in the order of the file."""
    return (
        STUDYID, SITEID, USUBJID, TRT01P, PARAMCD, AVISIT, AVISITN, ATPT, ADY, AVAL, AVALC, UNIT,
        VISIT, ARM, *plan.covariates, *leaving_columns(plan), SRCFILE, SRCROW, FATE, REASON,
    )  # fmt: skip


def leaving_columns(plan: "Plan") -> tuple[str, ...]:
    """DCSREAS where the plan names the column of the reasons for leaving, otherwise nothing."""
    return () if plan.leaving.column is None else (DCSREAS,)


def arrange(plan: "Plan", frame: "pd.DataFrame", extra: tuple[str, ...] = ()) -> "pd.DataFrame":
    """Readings in canonical types, column order and row order.

    Text columns are pandas `str` (null where unknown), AVISITN, ADY and AVAL float, SRCROW int64;
    covariates are left as they are. Rows are sorted by site, file, line and endpoint of the plan.
    """
    import numpy as np
    import pandas as pd

    columns = [*reading_columns(plan), *extra]
    frame = frame.loc[:, columns].copy()
    for name in columns:
        if name in FLOATS:
            frame[name] = frame[name].astype("float64")
        elif name == SRCROW:
            frame[name] = frame[name].astype("int64")
        elif name not in plan.covariates:
            frame[name] = frame[name].astype("str")
    place = {code: i for i, code in enumerate(plan.endpoints)}
    endpoint = frame[PARAMCD].map(place).astype("float64").fillna(len(place))
    site, file = (pd.factorize(frame[name], sort=True)[0] for name in (SITEID, SRCFILE))
    order = np.lexsort((endpoint, frame[SRCROW], file, site))
    # mostly they stand so already, and a copy of all columns costs more than to see that
    return (frame if _rising(order) else frame.take(order)).reset_index(drop=True)


def _rising(order: "np.ndarray") -> bool:
    return bool((order[1:] > order[:-1]).all())


def set_fate(rows: "pd.DataFrame", index: "pd.Index", fate: Fate, reason: str) -> None:
    """Give a fate to those readings of `index` that have none yet: the first fate stands."""
    index = index[rows.loc[index, FATE].isna().to_numpy()]
    rows.loc[index, FATE] = fate.value
    rows.loc[index, REASON] = reason


def undecided(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The readings without a fate so far, index kept."""
    return rows[rows[FATE].isna()]
