"""How far readings scatter at each visit, and whether a model with one variance for all is right.

Judged by marginal residuals, reading less fixed part: nothing is shrunk, so that their standard
deviation at a visit is what the model's variances add up to there.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sitewise.inference.planned_fit import VisitSpread
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.result import Fit

if TYPE_CHECKING:
    import numpy as np

# ASSUME: standard deviations of two visits that differ by more than this ratio are worth a caution.
# A convention, no test; with FEW_READINGS or more at a visit, chance alone seldom brings it.
UNEVEN = 1.25
FEW_READINGS = 40  # a visit with fewer readings is not judged: its SD is good to 11% only
BY_VISIT = ("us", "csh", "ar1h")  # residual covariances with a variance for each visit


def spread_of(
    marginal: "Mapping[str, np.ndarray]", scaled: "Mapping[str, np.ndarray]"
) -> tuple[VisitSpread, ...]:
    """By visit of `marginal`, the marginal residuals of the rows used.

    scaled: the scaled ones of the same rows; empty where they are not known.
    """
    found = []
    for visit, own in marginal.items():
        there = scaled.get(visit)
        rms = math.nan if there is None else math.sqrt(float((there**2).mean()))
        sd = float(own.std(ddof=1)) if len(own) > 1 else math.nan
        found.append(VisitSpread(visit, len(own), sd, rms))
    return tuple(found)


def held_sd(fit: Fit) -> float:
    """The standard deviation of a reading that the model holds for equal at all visits.

    NaN of a model that lets it differ: with random slopes, or a residual covariance over visits
    (cs and ar1 have one for all too; it is not among the variances of the result).
    """
    if parse_formula(fit.formula).residual is not None or _slopes(fit):
        return math.nan
    return math.sqrt(fit.sigma**2 + sum(v for term in fit.random for v in term.variances))


def _slopes(fit: Fit) -> bool:
    return any(name != "(Intercept)" for term in fit.random for name in term.terms)


def uneven(fit: Fit, spread: Sequence[VisitSpread]) -> bool:
    """Whether readings scatter more at some visits than the model, with one SD for all, allows.

    Models that let it differ by visit or by time are not judged.
    """
    residual = parse_formula(fit.formula).residual
    if (residual is not None and residual.structure in BY_VISIT) or _slopes(fit):
        return False
    sds = [one.sd for one in spread if one.rows >= FEW_READINGS]
    return len(sds) > 1 and max(sds) > UNEVEN * min(sds)
