"""The one-way ICC: textbook numbers, exact fractions, and coverage with a known truth."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from sitewise.inference.icc_visit import one_way_icc

# Montgomery, Design and Analysis of Experiments, random-effects chapter: strength of cloth from
# four looms, four pieces each. Printed there: F = 15.68, variances 6.96 and 1.90, interval of the
# ICC 0.38 to 0.98.
LOOMS = [98, 97, 99, 96, 91, 90, 93, 92, 96, 95, 97, 95, 95, 96, 99, 98]


def looms():
    return np.array(LOOMS, dtype=float), np.repeat(["1", "2", "3", "4"], 4)


def test_balanced_agrees_with_the_printed_example():
    values, sites = looms()
    found = one_way_icc("v", values, sites, 0.05)
    assert found.icc == pytest.approx(6.96 / (6.96 + 1.90), abs=5e-4)
    # Two digits are printed, cut off rather than rounded.
    assert (found.lower, found.upper) == pytest.approx((0.38, 0.98), abs=1e-2)
    assert (found.sites, found.patients, found.n0) == (4, 16, 4.0)


def test_unequal_sites_by_fractions():
    # Sites of 1, 2 and 3 patients; every sum below is exact arithmetic, written out by hand.
    values, sites = [Fraction(v) for v in (3, 5, 9, 1, 2, 6)], ["a", "b", "b", "c", "c", "c"]
    between = (
        1 * (Fraction(3) - Fraction(26, 6)) ** 2
        + 2 * (Fraction(7) - Fraction(26, 6)) ** 2
        + 3 * (Fraction(3) - Fraction(26, 6)) ** 2
    ) / 2
    within = (Fraction(4) + 4 + 4 + 1 + 9) / 3
    n0 = (6 - Fraction(1 + 4 + 9, 6)) / 2
    expected = (between - within) / (between + (n0 - 1) * within)
    found = one_way_icc("v", [float(v) for v in values], sites, 0.05)
    assert found.n0 == pytest.approx(float(n0), rel=1e-14)
    assert found.icc == pytest.approx(float(expected), rel=1e-12)


def test_ends_are_where_the_pivot_meets_its_quantiles():
    # Wald 1947, by matrices: V = I + r ZZ' on the contrasts between sites, r = ICC / (1 - ICC).
    rng = np.random.default_rng(9)
    sizes = np.array([4, 6, 7, 9, 12])
    groups = [rng.normal(rng.normal(0, 2), 1, n) for n in sizes]
    found = one_way_icc("v", np.concatenate(groups), np.repeat(list("abcde"), sizes), 0.1)
    within = sum(float(((g - g.mean()) ** 2).sum()) for g in groups) / (38 - 5)
    means = np.array([g.mean() for g in groups])
    for end, tail in ((found.lower, 0.05), (found.upper, 0.95)):
        weight = 1 / (1 / sizes + end / (1 - end))
        centre = (weight * means).sum() / weight.sum()
        f = float((weight * (means - centre) ** 2).sum()) / 4 / within
        assert stats.f.sf(f, 4, 33) == pytest.approx(tail)


def test_negative_estimate_stands_and_interval_stops_at_zero():
    values = [1.0, 9.0, 2.0, 8.0, 1.5, 8.5]
    found = one_way_icc("v", values, ["a", "a", "b", "b", "c", "c"], 0.05)
    assert found.icc < -0.9
    assert found.lower == 0.0
    assert found.upper >= 0.0


@pytest.mark.parametrize(
    ("sizes", "truth"),
    [
        ((14, 15, 17, 18, 18, 19, 19, 20, 21, 22, 23, 24, 25, 26), 0.03),
        ((1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 28, 40), 0.6),
        ((1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 28, 41), 0.03),
    ],
)
def test_coverage_with_unequal_sites(sizes, truth):
    # 1000 trials with a known ICC. The nominal coverage is 95%; the bound is three binomial
    # standard errors (0.7% each) beside it.
    rng = np.random.default_rng(7)
    sites = np.repeat(np.arange(len(sizes)), sizes)
    inside = 0
    for _ in range(1000):
        site = rng.normal(0, math.sqrt(truth), len(sizes))[sites]
        y = site + rng.normal(0, math.sqrt(1 - truth), len(sites))
        found = one_way_icc("v", y, sites, 0.05)
        inside += found.lower <= truth <= found.upper
    assert inside / 1000 == pytest.approx(0.95, abs=0.021)


@pytest.mark.parametrize(
    ("values", "sites"),
    [([1.0, 2.0, 3.0], ["a", "a", "a"]), ([1.0, 2.0, 3.0], ["a", "b", "c"]), ([], [])],
)
def test_without_sites_or_repeats_there_is_no_number(values, sites):
    found = one_way_icc("v", values, sites, 0.05)
    assert math.isnan(found.icc)
    assert math.isnan(found.lower)
    assert found.patients == len(values)


def test_shift_scale_and_order_do_not_matter():
    values, sites = looms()
    order = np.random.default_rng(1).permutation(16)
    first = one_way_icc("v", values, sites, 0.05)
    second = one_way_icc("v", 7.5 * values[order] - 300, sites[order], 0.05)
    assert second.icc == pytest.approx(first.icc, rel=1e-9)
    assert second.upper == pytest.approx(first.upper, rel=1e-9)
