"""Complete cases: who has every visit, who is dropped, and whether an ANOVA can be made."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitewise.classical.result import DroppedPatients
from sitewise.terms import AVAL, AVISIT, SITEID, TRT01P, USUBJID

if TYPE_CHECKING:
    import pandas as pd


def complete_cases(rows: "pd.DataFrame", visits: Sequence[str]) -> "pd.DataFrame":
    """The rows of patients that have a reading at each of `visits`, at these visits."""
    import numpy as np
    import pandas as pd

    within = rows[rows[AVISIT].isin(visits)]
    patient, visit = (pd.factorize(within[name])[0] for name in (USUBJID, AVISIT))
    count = int(patient.max(initial=-1)) + 1
    seen = np.zeros((count, len(visits)), dtype=bool)
    seen[patient, visit] = True
    complete = np.asarray(seen.all(axis=1))
    return within[complete[patient]].reset_index(drop=True)


def dropped_patients(
    rows: "pd.DataFrame", complete: "pd.DataFrame", column: str, levels: Sequence[str] = ()
) -> tuple[DroppedPatients, ...]:
    """Patients and dropped patients by level of `column`, in the order of `levels`, or sorted."""
    everybody = rows.groupby(column, observed=True)[USUBJID].nunique()
    kept = complete.groupby(column, observed=True)[USUBJID].nunique()
    by = {TRT01P: "arm", SITEID: "site"}.get(column, column)
    return tuple(
        DroppedPatients(by, str(level), total, total - int(kept.get(level, 0)))
        for level in (levels or sorted(everybody.index))
        for total in (int(everybody.get(level, 0)),)
    )


def refusal(
    rows: "pd.DataFrame", complete: "pd.DataFrame", visits: Sequence[str], arms: Sequence[str]
) -> str:
    """Why there can be no mixed ANOVA of these rows, in one sentence; "" if there can."""
    if len(arms) < 2:
        return f"an ANOVA of arms needs two; the rows hold {', '.join(arms) or 'none'}"
    if len(visits) < 2:
        return f"repeated measures need two visits or more; there is one ({', '.join(visits)})"
    present = set(rows[AVISIT].unique())
    never = [visit for visit in visits if visit not in present]
    if never:
        none = "has no reading" if len(never) == 1 else "have no reading"
        return f"no patient is complete: {' and '.join(never)} {none} at all"
    kept = complete.groupby(TRT01P, observed=True)[USUBJID].nunique()
    empty = [arm for arm in arms if int(kept.get(arm, 0)) == 0]
    if empty:
        return f"no patient of {' and '.join(empty)} has a reading at every visit"
    if int(kept.sum()) <= len(arms):
        return f"{int(kept.sum())} complete patients in {len(arms)} arms leave nothing to test with"
    cells = complete.groupby([TRT01P, AVISIT], observed=True)[AVAL]
    if float(cells.transform(lambda v: v - v.mean()).abs().max()) == 0.0:
        return "the outcome does not vary between the complete patients of an arm"
    return ""
