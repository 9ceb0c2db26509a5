"""One delta in some arms: what it does to a contrast, and where the answer tips."""

import math
from dataclasses import dataclass

import numpy as np

from sitewise.classical.answer import Answer
from sitewise.classical.not_at_random_result import Tipping, Unseen
from sitewise.classical.question import answer

NOTHING = 1e-12
FAR = 100.0  # times the delta that alone would double the variance or undo the estimate
STEPS = 256


@dataclass(frozen=True)
class Shift:
    """The contrast at delta: estimate D + delta share, variance V + 2 delta cov + delta^2 var.

    start: D with V as its SE squared, and its degrees of freedom. share, covariance: of the arms
    that are shifted, a reference's with sign -. shares: of each, the variance of its share and the
    degrees of freedom of that.
    """

    start: Answer
    share: float
    covariance: float
    shares: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, start: Answer, a: Unseen, r: Unseen, where: str) -> "Shift":
        """In the arm `a`, in the reference `r`, or in both."""
        parts = [(1.0, a)] * (where != "reference") + [(-1.0, r)] * (where != "arm")
        return cls(
            start,
            sum(sign * one.share for sign, one in parts),
            sum(sign * one.covariance for sign, one in parts),
            tuple((one.variance, one.df) for _, one in parts),
        )

    @property
    def variance(self) -> float:
        """Of the shares, together."""
        return sum(variance for variance, _ in self.shares)

    def at(self, delta: float, alpha: float) -> Answer:
        """The contrast, by t."""
        estimate = self.start.estimate + delta * self.share
        return answer(estimate, math.sqrt(self.variance_at(delta)), self.df_at(delta), alpha)

    def variance_at(self, delta: float) -> float:
        """Of the contrast at delta."""
        return self.start.se**2 + 2 * delta * self.covariance + delta**2 * self.variance

    def df_at(self, delta: float) -> float:
        """Satterthwaite's (1946) of the variances that add up, at most the contrast's own."""
        own = self.start.se**2
        parts = own**2 / self.start.df
        parts += sum((delta**2 * v) ** 2 / df for v, df in self.shares if v > 0)
        if parts == 0:
            return self.start.df
        return min((own + delta**2 * self.variance) ** 2 / parts, self.start.df)


def tip(where: str, shift: Shift, alpha: float) -> Tipping:
    """The deltas nearest to 0 at which an end of the interval, and the estimate, are 0."""
    start = shift.start
    estimate = -start.estimate / shift.share if abs(shift.share) > NOTHING else math.nan
    if not _gap(shift, 0.0, alpha) > 0:
        held = not math.isnan(start.se + start.df)
        return Tipping(where, math.nan, estimate, held=held)
    found = [x for side in (-1.0, 1.0) if not math.isnan(x := _touch(shift, alpha, side))]
    return Tipping(where, min(found, key=abs, default=math.nan), estimate, held=False)


def _touch(shift: Shift, alpha: float, side: float) -> float:
    """Where, on one side of 0, the interval comes to 0; NaN where it does not.

    On the contrast's own degrees of freedom it would be at the root of a quadratic in delta. The
    fewer that there are at delta bring it nearer.
    """
    from scipy.optimize import brentq

    most = _root(shift, alpha, side)
    far = most if not math.isnan(most) else side * FAR * _scale(shift)
    grid = np.append(0.0, far * np.geomspace(1 / FAR**2, 1, STEPS))
    below = np.flatnonzero(np.array([_gap(shift, float(delta), alpha) for delta in grid]) <= 0)
    if not len(below):
        return most
    ends = sorted(float(delta) for delta in grid[int(below[0]) - 1 :][:2])
    return float(brentq(lambda delta: _gap(shift, delta, alpha), *ends, xtol=1e-14, rtol=1e-14))


def _scale(shift: Shift) -> float:
    """A delta that matters; 0 where none does."""
    by_shift = abs(shift.start.estimate / shift.share) if abs(shift.share) > NOTHING else 0.0
    by_spread = shift.start.se / math.sqrt(shift.variance) if shift.variance > 0 else 0.0
    return max(by_shift, by_spread)


def _gap(shift: Shift, delta: float, alpha: float) -> float:
    """Squared estimate less squared half-width: above 0 where the interval does not hold 0."""
    estimate = shift.start.estimate + delta * shift.share
    return estimate**2 - _t2(shift.df_at(delta), alpha) * shift.variance_at(delta)


def _root(shift: Shift, alpha: float, side: float) -> float:
    """Where the gap would be 0 on the contrast's own degrees of freedom; the nearest."""
    start, t2 = shift.start, _t2(shift.start.df, alpha)
    roots = np.roots(
        [
            shift.share**2 - t2 * shift.variance,
            2 * (start.estimate * shift.share - t2 * shift.covariance),
            start.estimate**2 - t2 * start.se**2,
        ]
    )
    real = roots[np.abs(roots.imag) < NOTHING * np.abs(roots)].real
    real = real[real * side > 0]
    return float(min(real, key=abs)) if len(real) else math.nan


def _t2(df: float, alpha: float) -> float:
    from scipy import special

    return float(special.stdtrit(df, 1 - alpha / 2)) ** 2
