"""Variance shares of a random-intercept model and their profile-likelihood intervals."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

METHOD = "profile REML likelihood"
METHOD_AT_ZERO = "profile REML likelihood, one-sided from the estimate 0"
# A share below this, with a deviance no better than at 0, is an estimate of 0: its digits are the
# optimiser's way of saying so.
SMALLEST_SHARE = 1e-5
SAME_DEVIANCE = 1e-6
# Of the search over what the other intercept takes of the rest: its resolution, how far from the
# last minimum the next is sought first, and the greatest value.
STEP = 4e-4
NEAR = 0.05
LAST = 1.0 - 1e-9

Deviance = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class ShareInterval:
    """Interval of one variance share; see `sitewise.inference.icc_result.IccLevel`."""

    lower: float
    upper: float
    one_sided: bool
    method: str


def share_interval(
    deviance: Deviance, theta: tuple[float, ...], level: int, alpha: float
) -> ShareInterval:
    """Profile-likelihood interval of the share of random intercept `level`, of one or two.

    deviance: the profiled restricted deviance as a function of theta, shape (1,) or (2,), the
    standard deviations of the intercepts over sigma. theta: its minimum.
    The share is r = theta_l^2 / (1 + sum of theta^2). With r held, what is left, 1 - r, is
    divided between the other intercept (u) and the residual (1 - u), and the deviance is minimised
    over u; the interval holds every r whose minimum lies within the chi-squared(1) quantile of the
    least deviance (the likelihood-ratio interval; r = 0 has its own lower end there). For an
    estimate of 0 the upper limit is one-sided: the quantile of 1 - 2 alpha (Self & Liang 1987,
    J. Am. Stat. Assoc. 82:605, the mixture of chi-squared(0) and chi-squared(1)).
    """
    from scipy.special import chdtri  # scipy.stats takes half a second longer to import

    if len(theta) not in (1, 2):
        raise ValueError(f"one or two random intercepts, found {len(theta)}")
    profile = _Profile(deviance, level, alone=len(theta) == 1)
    squares = np.square(np.asarray(theta, dtype=float))
    share = float(squares[level] / (1.0 + squares.sum()))
    at_zero = profile(0.0)
    least = min(deviance(np.asarray(theta, dtype=float)), profile(share), at_zero)
    if share < SMALLEST_SHARE and at_zero - least < SAME_DEVIANCE:
        rise = float(chdtri(1, 2 * alpha))
        return ShareInterval(0.0, _upper(profile, 0.0, least, rise), True, METHOD_AT_ZERO)
    rise = float(chdtri(1, alpha))
    lower = 0.0 if at_zero - least <= rise else _root(profile, least, rise, 0.0, share)
    return ShareInterval(lower, _upper(profile, share, least, rise), False, METHOD)


class _Profile:
    """The least deviance at a share of one intercept. alone: there is no other intercept.

    Remembers where the minimum lay: the next share is near, and so is its minimum.
    """

    def __init__(self, deviance: Deviance, level: int, *, alone: bool) -> None:
        self._deviance = deviance
        self._level = level
        self._alone = alone
        self._last: float | None = None

    def __call__(self, share: float) -> float:
        if self._alone:
            return self._deviance(np.array([math.sqrt(share / (1.0 - share))]))

        def at(u: float) -> float:
            theta = np.empty(2)
            theta[1 - self._level] = math.sqrt(u / (1.0 - u))
            theta[self._level] = math.sqrt(share / ((1.0 - share) * (1.0 - u)))
            return self._deviance(theta)

        if self._last is not None:
            low, high = max(0.0, self._last - NEAR), min(LAST, self._last + NEAR)
            u, value = _search(at, low, high)
            # A minimum at an end of the near range may lie beyond it.
            if low + STEP < u < high - STEP:
                self._last = u
                return value
        self._last, value = _search(at, 0.0, LAST)
        # The bounded search never evaluates the end itself, where a variance of 0 lies.
        return min(value, at(0.0))


def _search(at: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Where `at` is least between low and high, to `STEP`, and its value there."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(at, bounds=(low, high), method="bounded", options={"xatol": STEP / 4})
    return float(found.x), float(found.fun)


def _upper(profile: _Profile, share: float, least: float, rise: float) -> float:
    """The upper end; 1 where even a share of nearly 1 is not excluded."""
    end = 1.0 - 1e-6
    if profile(end) - least <= rise:
        return 1.0
    return _root(profile, least, rise, share, end)


def _root(profile: _Profile, least: float, rise: float, low: float, high: float) -> float:
    """The share where the deviance is `rise` above `least`; its root is nearly linear there."""
    from scipy.optimize import brentq

    def distance(share: float) -> float:
        return math.sqrt(max(0.0, profile(share) - least)) - math.sqrt(rise)

    return float(brentq(distance, low, high, xtol=1e-6))
