"""What one model made of each analysis row of its endpoint."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import AVISIT, SRCFILE, SRCROW, USUBJID, Use
from sitewise.trial.selection import BASELINE_REASON, Selection

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.score import Scored


def table_uses(
    selection: Selection, scored: "Scored", missing: Mapping[str, np.ndarray]
) -> "pd.DataFrame":
    """One row an analysis row: USE, REASON, FITTED and RESIDUAL where used as outcome.

    scored: of `selection.candidates`; missing: which of these lack each column, by column. A
    baseline counts as used only where a later reading of the patient is used.
    """
    rows = selection.rows
    reasons = selection.reasons.copy()
    candidates = np.flatnonzero(selection.candidate)
    for name, mask in missing.items():
        lost = candidates[mask]
        reasons[lost] = [f"{r} and {name} missing" if r else name for r in reasons[lost]]
    reasons[candidates] = [_missing(reason) for reason in reasons[candidates]]
    used = candidates[scored.used]
    use = np.full(len(rows), Use.DROPPED.value, dtype=object)
    use[used] = Use.OUTCOME.value
    followed = rows[USUBJID].isin(set(rows[USUBJID].iloc[used])).to_numpy()
    baseline = reasons == BASELINE_REASON
    use[baseline & followed] = Use.BASELINE.value
    reasons[baseline & ~followed] = "baseline of a patient without a later reading in this model"
    table = rows[[SRCFILE, SRCROW, USUBJID, AVISIT]].copy()
    table["USE"], table["REASON"] = use.astype(str), reasons.astype(str)
    for column, values in (("FITTED", scored.fitted), ("RESIDUAL", scored.residuals)):
        whole = np.full(len(rows), np.nan)
        whole[used] = values
        table[column] = whole
    return table


def _missing(names: str) -> str:
    """`BMI` as `BMI missing`; several are joined already."""
    return f"{names} missing" if names and not names.endswith("missing") else names
