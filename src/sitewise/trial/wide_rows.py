"""Analysis rows of an endpoint as one wide row a patient, and back.

What a second pass over the patients reads (random effects, residuals): a patient's readings stand
together, and a batch holds whole patients. What may differ from visit to visit stands once a visit,
as `AVAL@Month 6`.
"""

from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, AVISITN, PARAMCD, SITEID, SRCROW, USUBJID

if TYPE_CHECKING:
    import pandas as pd

KEYS = [SITEID, USUBJID, PARAMCD]
AT = "@"
# Columns that differ by visit whatever the data hold; any other stands once where it can.
MOVING = ("AVISITN", "WEEK", "ADY", "AVAL", "CHG", "ABLFL", "ANL01FL", "DTYPE", "NREAD",
          "SRCFILE", "SRCROW")  # fmt: skip
WHOLE = (AVISITN, "NREAD", SRCROW)


def wide_rows(rows: "pd.DataFrame", endpoint: str) -> "pd.DataFrame":
    """One row a patient with a row of `endpoint`, sorted by site and patient.

    rows: analysis rows (adbp), one a patient, endpoint and visit.
    """
    import pandas as pd

    rows = rows[rows[PARAMCD] == endpoint].sort_values([*KEYS, AVISITN], kind="stable")
    by_patient = rows.groupby(KEYS, sort=True)
    others = [name for name in rows.columns if name not in (*KEYS, AVISIT)]
    steady = [
        name
        for name in others
        if name not in MOVING and not (by_patient[name].nunique(dropna=False) > 1).any()
    ]
    moving = [name for name in others if name not in steady]
    found = rows.drop_duplicates(KEYS).set_index(KEYS)[steady]
    visits = rows[[AVISIT, AVISITN]].drop_duplicates().sort_values(AVISITN)[AVISIT]
    parts = [found]
    for visit in visits:
        own = rows[rows[AVISIT] == visit].set_index(KEYS)[moving]
        own = own.astype({name: "Int64" for name in WHOLE if name in moving})
        parts.append(own.reindex(found.index).add_suffix(f"{AT}{visit}"))
    return pd.concat(parts, axis=1).reset_index()


def long_rows(wide: "pd.DataFrame") -> "pd.DataFrame":
    """The analysis rows of wide rows, sorted by site, patient, endpoint, visit."""
    import pandas as pd

    names = [str(name) for name in wide.columns]
    steady = [name for name in names if AT not in name]
    visits = list(dict.fromkeys(name.split(AT, 1)[1] for name in names if AT in name))
    parts = []
    for visit in visits:
        own = {name: name.split(AT, 1)[0] for name in names if name.split(AT, 1)[1:] == [visit]}
        part = wide[[*steady, *own]].rename(columns=own)
        parts.append(part[part[AVISITN].notna()].assign(**{AVISIT: visit}))
    if not parts:
        return wide.assign(**{AVISIT: pd.Series(dtype="str"), AVISITN: pd.Series(dtype="int64")})
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.astype({name: "int64" for name in WHOLE if name in rows})
    return rows.sort_values([*KEYS, AVISITN], kind="stable", ignore_index=True)
