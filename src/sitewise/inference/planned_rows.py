"""What one model made of each analysis row of its endpoint."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sitewise.terms import AVISIT, SRCFILE, SRCROW, USUBJID, Use
from sitewise.trial.selection import BASELINE_REASON, Selection

_USES = tuple(Use)

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
    import pandas as pd

    rows = selection.rows
    reasons = selection.reasons.copy()
    candidates = np.flatnonzero(selection.candidate)
    _say_missing(reasons, candidates, missing)
    used = candidates[scored.used]
    patient, known = pd.factorize(rows[USUBJID])
    has = np.zeros(len(known), dtype=bool)
    has[patient[used]] = True
    followed = has[patient]
    baseline = reasons == BASELINE_REASON
    use = np.full(len(rows), _USES.index(Use.DROPPED))
    use[used] = _USES.index(Use.OUTCOME)
    use[baseline & followed] = _USES.index(Use.BASELINE)
    reasons[baseline & ~followed] = "baseline of a patient without a later reading in this model"
    why, sentences = pd.factorize(reasons)
    table = rows[[SRCFILE, SRCROW, USUBJID, AVISIT]].copy()
    # Few texts of many rows: taken by number.
    table["USE"] = pd.array([kind.value for kind in _USES], dtype="str").take(use)
    table["REASON"] = pd.array(sentences.tolist(), dtype="str").take(why)
    for column, values in (("FITTED", scored.fitted), ("RESIDUAL", scored.residuals)):
        whole = np.full(len(rows), np.nan)
        whole[used] = values
        table[column] = whole
    return table


def _say_missing(
    reasons: np.ndarray, candidates: np.ndarray, missing: Mapping[str, np.ndarray]
) -> None:
    """`BMI missing`, `BMI and AGE missing`: into the reasons of candidates, in place."""
    lacking = np.zeros(len(candidates), dtype=np.int64)
    for k, mask in enumerate(missing.values()):
        lacking |= mask.astype(np.int64) << k
    for bits in np.unique(lacking[lacking > 0]).tolist():
        names = [name for k, name in enumerate(missing) if bits >> k & 1]
        reasons[candidates[lacking == bits]] = f"{' and '.join(names)} missing"
