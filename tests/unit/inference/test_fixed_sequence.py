"""The fixed-sequence test beside the closed test that it is, and its error rate by simulation."""

import math
from itertools import chain, combinations

import numpy as np
import pytest

from sitewise.inference.fixed_sequence import fixed_sequence


def closed(p: list[float]) -> list[float]:
    """Adjusted p by closure: an intersection has the p of its first member in the order."""
    k = range(len(p))
    every = list(chain.from_iterable(combinations(k, size) for size in range(1, len(p) + 1)))
    return [max(p[min(own)] for own in every if i in own) for i in k]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_closed_test(seed: int) -> None:
    p = np.random.default_rng(seed).beta(0.3, 1.0, size=5).tolist()
    steps = fixed_sequence(p, [True] * 5, 0.05)
    rejected = [value < 0.05 for value in closed(p)]
    assert [step.succeeded for step in steps] == rejected
    shown = [step.p for step in steps if step.tested]
    assert shown == closed(p)[: len(shown)]


def test_what_stops_the_sequence() -> None:
    def states(p: list[float], good: list[bool]) -> list[tuple[bool, bool]]:
        return [(s.tested, s.succeeded) for s in fixed_sequence(p, good, 0.05)]

    yes, no, out = (True, True), (True, False), (False, False)
    assert states([0.01, 0.2, 0.001], [True] * 3) == [yes, no, out]
    assert states([0.01, 0.01, 0.001], [True, False, True]) == [yes, no, out]
    assert states([0.01, math.nan, 0.001], [True] * 3) == [yes, no, out]
    assert states([0.05, 0.01], [True] * 2) == [no, out]
    assert states([0.01, 0.04], [True] * 2) == [yes, yes]


def test_a_later_step_is_adjusted_by_those_before_it() -> None:
    steps = fixed_sequence([0.03, 0.001, 0.2, 0.01], [True] * 4, 0.05)
    assert [step.p for step in steps[:3]] == [0.03, 0.03, 0.2]
    assert math.isnan(steps[3].p)


def test_the_error_rate_of_all_steps_together() -> None:
    """True effects first, then none, correlated: wrong claims stay at alpha / 2 (one side)."""
    rng = np.random.default_rng(20_261_130)
    draws, alpha = 20_000, 0.05
    common = rng.normal(size=(draws, 1))
    z = np.sqrt(0.5) * common + np.sqrt(0.5) * rng.normal(size=(draws, 4)) - [4.0, 0.0, 0.0, 0.0]
    p = np.array([[math.erfc(abs(x) / math.sqrt(2)) for x in row] for row in z])
    wrong = np.mean(
        [any(s.succeeded for s in fixed_sequence(a, b, alpha)[1:])
         for a, b in zip(p.tolist(), (z < 0).tolist(), strict=True)]
    )  # fmt: skip
    assert abs(wrong - 0.025 * 0.98) < 3 * math.sqrt(0.025 / draws)
