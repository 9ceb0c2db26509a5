"""The fixed-sequence test: ordered hypotheses, each at the full level, up to the first failure.

Maurer, Hothorn & Lehmacher 1995, in Biometrie in der chemisch-pharmazeutischen Industrie 6, 3-18.
It is the closed test in which an intersection has the p-value of its first member in the order
(Marcus, Peritz & Gabriel 1976, Biometrika 63, 655-660), so that the error rate of all together is
alpha and the adjusted p-value of a step is the largest p up to it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SequenceStep:
    """One step. tested: all before it succeeded. p: adjusted, NaN where it is not tested."""

    tested: bool
    succeeded: bool
    p: float


def fixed_sequence(
    p: Sequence[float], favourable: Sequence[bool], alpha: float
) -> tuple[SequenceStep, ...]:
    """Each step in order. p: two-sided, NaN where there is none, which is no success.

    favourable: whether the estimate lies on the side that is hoped for; a success is p < alpha on
    that side.
    """
    found = []
    tested, largest = True, 0.0
    for value, good in zip(p, favourable, strict=True):
        if not tested:
            found.append(SequenceStep(False, False, math.nan))
            continue
        largest = math.nan if math.isnan(value) else max(largest, value)
        tested = bool(good and value < alpha)  # False for NaN
        found.append(SequenceStep(True, tested, largest))
    return tuple(found)
