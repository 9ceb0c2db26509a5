"""One delta in some arms: what it does to a contrast, and where the answer tips."""

import math
from dataclasses import dataclass

import numpy as np

from sitewise.classical.answer import Answer
from sitewise.classical.not_at_random_result import Tipping
from sitewise.classical.question import answer

NOTHING = 1e-12


@dataclass(frozen=True)
class Shift:
    """The contrast at delta: estimate D + delta share, variance V + 2 delta cov + delta^2 var.

    start: D with V as its SE squared, and its degrees of freedom. share, covariance, variance: of
    the arms that are shifted, a reference's share and covariance with sign -.
    """

    start: Answer
    share: float
    covariance: float
    variance: float

    def at(self, delta: float, alpha: float) -> Answer:
        """The contrast, by t on the degrees of freedom that it has without delta."""
        variance = self.start.se**2 + 2 * delta * self.covariance + delta**2 * self.variance
        return answer(
            self.start.estimate + delta * self.share, math.sqrt(variance), self.start.df, alpha
        )


def tip(where: str, shift: Shift, alpha: float) -> Tipping:
    """The deltas nearest to 0 at which an end of the interval, and the estimate, are 0.

    An end is 0 where the estimate squared is t^2 times the variance: a quadratic in delta.
    """
    from scipy import special

    start, moves = shift.start, abs(shift.share) > NOTHING
    estimate = -start.estimate / shift.share if moves else math.nan
    t2 = float(special.stdtrit(start.df, 1 - alpha / 2)) ** 2
    quadratic = (
        shift.share**2 - t2 * shift.variance,
        2 * (start.estimate * shift.share - t2 * shift.covariance),
        start.estimate**2 - t2 * start.se**2,
    )
    if quadratic[2] <= 0:
        return Tipping(where, math.nan, estimate, held=True)
    roots = np.roots(quadratic)
    real = roots[np.abs(roots.imag) < NOTHING * np.abs(roots)].real
    interval = float(min(real, key=abs)) if len(real) else math.nan
    return Tipping(where, interval, estimate, held=False)
