"""One delta in some arms: degrees of freedom of what adds up, and where the answer tips."""

import numpy as np
import pytest
from scipy import stats

from sitewise.classical.answer import Answer
from sitewise.classical.tipping import Shift, tip


def answer(estimate: float, se: float) -> Answer:
    half = stats.t.ppf(0.975, 50) * se
    return Answer(estimate, se, 50.0, 0.0, estimate - half, estimate + half)


def test_there_is_no_tipping_point_where_nothing_moves() -> None:
    held = tip("arm", Shift(answer(-3, 2), 0.2, 0.0, ((0.001, 99.0),)), 0.05)
    assert held.held
    assert np.isnan(held.interval)
    assert held.estimate == pytest.approx(15)
    none = tip("arm", Shift(answer(-5, 1), 0.0, 0.0, ()), 0.05)
    assert not none.held
    assert np.isnan(none.interval)
    assert np.isnan(none.estimate)
    # Equal shares: the estimate stays, the interval widens until it holds 0.
    wide = tip("both", Shift(answer(-5, 1), 0.0, 0.0, ((0.002, 99.0),)), 0.05)
    assert np.isnan(wide.estimate)
    t = stats.t.ppf(0.975, 50)
    assert abs(wide.interval) == pytest.approx(np.sqrt((25 / t**2 - 1) / 0.002), rel=1e-9)


def test_degrees_of_freedom_are_of_the_variances_that_add_up() -> None:
    """Satterthwaite's, of a variance on 50 and one on 3 degrees of freedom; never more than 50."""
    few = Shift(answer(-5, 1), 0.2, 0.0, ((0.01, 3.0),))
    assert few.df_at(10.0) == pytest.approx((1 + 1) ** 2 / (1 / 50 + 1 / 3), rel=1e-12)
    assert few.df_at(0.0) == 50
    assert Shift(answer(-5, 1), 0.2, 0.0, ((0.01, 99.0),)).df_at(10.0) == 50
    assert few.df_at(1e6) == pytest.approx(3, rel=1e-9)


def test_tipping_points_where_the_shares_have_few_degrees_of_freedom() -> None:
    for start, share, covariance in ((-5.0, 0.2, 0.01), (4.0, -0.05, 0.0), (-5.0, 0.0, 0.0)):
        shift = Shift(answer(start, 1), share, covariance, ((0.004, 3.0), (0.001, 2.0)))
        found = tip("both", shift, 0.05).interval
        at = shift.at(found, 0.05)
        assert min(abs(at.lower), abs(at.upper)) < 1e-9
        nearer = [shift.at(part * abs(found) * side, 0.05)
                  for part in np.linspace(0, 0.999, 200) for side in (-1, 1)]  # fmt: skip
        assert all(one.lower * one.upper > 0 for one in nearer)
        # With all of the contrast's own degrees of freedom it would take more.
        many = Shift(answer(start, 1), share, covariance, ((0.004, 1e9), (0.001, 1e9)))
        assert abs(tip("both", many, 0.05).interval) > abs(found)


def test_normal_intervals_have_tipping_points_too() -> None:
    start = Answer(-5.0, 1.0, np.inf, 0.0, -6.96, -3.04)
    found = tip("arm", Shift(start, 0.2, 0.0, ((0.0, 99.0),)), 0.05).interval
    assert found == pytest.approx((5 - stats.norm.ppf(0.975)) / 0.2, rel=1e-9)
