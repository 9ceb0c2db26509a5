"""Repeated-measures ANOVA beside the mixed model: what the textbook would have said."""

import logging
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sitewise.classical.question import level_codes
from sitewise.classical.result import AnovaRow
from sitewise.classical.type3 import INTERACTION
from sitewise.terms import AVAL, AVISIT, TRT01P, USUBJID

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Anova:
    """The mixed ANOVA of complete cases, rows arm, visit, interaction, and what it warned of."""

    rows: tuple[AnovaRow, ...]
    warnings: tuple[str, ...]


def mixed_anova(complete: "pd.DataFrame") -> Anova:
    """Arm between patients, visit within, by pingouin, with the Greenhouse-Geisser correction.

    complete: rows of patients that have every visit. With two visits the correction is empty
    (epsilon is 1). Sums of squares are sequential: with arms of unequal size the visit's F is not
    the type III one.
    """
    import pingouin

    data = complete[[TRT01P, AVISIT, AVAL]].astype({TRT01P: str, AVISIT: str})
    data[USUBJID] = level_codes(complete[USUBJID])  # names cost several times the memory
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = pingouin.mixed_anova(
            data=data, dv=AVAL, within=AVISIT, subject=USUBJID, between=TRT01P, correction=True
        )
    # Of the numbers: to the report. Of pingouin's own calls going out of use: to the job's log.
    old = [w for w in caught if issubclass(w.category, (DeprecationWarning, FutureWarning))]
    for warning in old:
        logging.getLogger(__name__).warning("pingouin: %s", warning.message)
    texts = dict.fromkeys(
        " ".join(f"{w.category.__name__}: {w.message}".split()) for w in caught if w not in old
    )
    effects = {TRT01P: TRT01P, AVISIT: AVISIT, "Interaction": INTERACTION}
    rows = [_row(effects[line["Source"]], line) for line in table.to_dict("records")]
    return Anova(tuple(rows), tuple(texts))


def _row(effect: str, line: Mapping[str, Any]) -> AnovaRow:
    within = effect != TRT01P
    epsilon = float(line["eps"]) if within else math.nan
    # With two visits there is nothing to correct, and pingouin leaves the column out.
    corrected = line.get("p_GG_corr", line["p_unc"])
    return AnovaRow(
        effect=effect,
        ss=float(line["SS"]),
        df1=float(line["DF1"]),
        df2=float(line["DF2"]),
        f=float(line["F"]),
        p=float(line["p_unc"]),
        epsilon=epsilon,
        p_gg=float(corrected) if within else math.nan,
    )
