"""Adjusted p-values and simultaneous intervals of a family of t tests.

Bonferroni; Holm 1979, Scand. J. Stat. 6, 65-70; Hochberg 1988, Biometrika 75, 800-802; Tukey by the
studentised range, Dunnett 1955, J. Am. Stat. Assoc. 50, 1096-1121, by the multivariate t with the
correlations of the estimates, each comparison on its own df (as R's emmeans); both in
`simultaneous`. An adjusted p is never below the raw one. An interval excludes 0 exactly where its
adjusted p is below 1 - level. Holm and Hochberg are stepwise: no interval does that, so they have
none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.linear.simultaneous import More, beyond, largest_more, point, range_more

ADJUSTMENTS = ("none", "bonferroni", "holm", "hochberg", "tukey", "dunnett")
STEPWISE = ("holm", "hochberg")


@dataclass(frozen=True)
class Family:
    """Comparisons that are adjusted together. means: how many are compared; correlations: (k, k)
    of the estimates.
    """

    means: int
    correlations: np.ndarray = field(repr=False)

    def more(self, adjust: str) -> More | None:
        """Of Tukey's and Dunnett's family, None where one comparison is all there is."""
        if adjust == "tukey" and self.means > 2:
            return self._range
        if adjust == "dunnett" and len(self.correlations) > 1:
            return self._largest
        return None

    @cached_property
    def _range(self) -> More:
        return range_more(self.means)

    @cached_property
    def _largest(self) -> More:
        return largest_more(self.correlations)


def check_adjustment(adjust: str, kinds: Sequence[str]) -> None:
    """ModelError unless one of the general ones or of `kinds`, those that fit the comparisons."""
    allowed = [name for name in ADJUSTMENTS if name not in ("tukey", "dunnett") or name in kinds]
    if adjust in allowed:
        return
    what = f"unknown adjustment {adjust!r}"
    if adjust in ADJUSTMENTS:
        fits = {"tukey": "all pairs: .pairs()", "dunnett": "comparisons with one: .against()"}
        what = f"{adjust} is for {fits[adjust]}"
    raise ModelError(
        "The comparisons can't be adjusted as asked.",
        [Problem(what, where="adjust", allowed=", ".join(allowed))],
    )


def adjusted_p(
    adjust: str, t: np.ndarray, df: np.ndarray, p: np.ndarray, family: Family
) -> np.ndarray:
    """Of one family, (k,)."""
    k = len(p)
    if adjust == "bonferroni":
        return np.asarray(np.minimum(1.0, k * p))
    if adjust in STEPWISE:
        return _stepwise(p, adjust == "holm")
    more = family.more(adjust)
    if more is None:
        return p
    return np.array([beyond(abs(x), d, more) for x, d in zip(t, df, strict=True)])


def critical(adjust: str, df: np.ndarray, level: float, family: Family) -> np.ndarray:
    """By how many SEs the intervals reach, (k,); NaN where there is no interval."""
    from scipy import special

    k, means = len(df), family.means
    if adjust in STEPWISE and k > 1:
        return np.full(k, np.nan)
    more = family.more(adjust)
    if more is not None:
        size = means * (means - 1) // 2 if adjust == "tukey" else len(family.correlations)
        each = {d: point(1 - level, d, more, size) for d in set(df.tolist())}
        return np.array([each[d] for d in df.tolist()])
    tail = 1 - (1 - level) / 2 / (k if adjust == "bonferroni" else 1)
    normal = np.isinf(df)
    points = special.stdtrit(np.where(normal, 1.0, df), tail)
    return np.asarray(np.where(normal, special.ndtri(tail), points))


def _stepwise(p: np.ndarray, down: bool) -> np.ndarray:
    k = len(p)
    order = np.argsort(p, kind="stable")
    scaled = (k - np.arange(k)) * p[order]
    back = np.minimum.accumulate(scaled[::-1])[::-1]
    stepped = np.maximum.accumulate(scaled) if down else back
    found = np.empty(k)
    found[order] = np.minimum(1.0, stepped)
    return found
