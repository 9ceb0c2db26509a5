"""Summary statistics of one sample."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Sample:
    """A sample of n values, missing ones left out; NaN where n is too small for a statistic.

    sd: with divisor n - 1. se: sd / sqrt(n). lower, upper: mean -+ t(1 - alpha/2, n - 1) se.
    median, q1, q3: linear interpolation between order statistics (R's type 7).
    """

    n: int
    mean: float
    sd: float
    se: float
    lower: float
    upper: float
    minimum: float
    maximum: float
    median: float
    q1: float
    q3: float


def sample(values: "ArrayLike", alpha: float) -> Sample:
    """Summarise one sample."""
    import numpy as np
    from scipy.special import stdtrit

    x = np.asarray(values, dtype="float64")
    x = x[~np.isnan(x)]
    n = len(x)
    nothing = math.nan
    if n == 0:
        return Sample(0, *[nothing] * 10)
    mean = float(np.mean(x))
    sd = float(np.std(x, ddof=1)) if n > 1 else nothing
    se = sd / math.sqrt(n)
    half = float(stdtrit(n - 1, 1 - alpha / 2)) * se if n > 1 else nothing
    q1, median, q3 = (float(q) for q in np.quantile(x, (0.25, 0.5, 0.75)))
    return Sample(
        n, mean, sd, se, mean - half, mean + half, float(x.min()), float(x.max()), median, q1, q3
    )
