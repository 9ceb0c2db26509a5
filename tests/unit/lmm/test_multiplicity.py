"""Adjustments against published tables and R's p.adjust."""

import numpy as np
import pytest
from scipy import special

from sitewise.errors import ModelError
from sitewise.lmm.linear.multiplicity import Family, adjusted_p, check_adjustment, critical
from sitewise.lmm.linear.simultaneous import (
    beyond,
    common_factor,
    factor_more,
    largest_more,
    lattice_more,
    range_more,
)

# Dunnett 1964, Biometrics 20, 482-491, table II: two-sided 5% points, equal groups.
DUNNETT = [(2, 5, 3.03), (3, 5, 3.29), (2, 10, 2.57), (4, 10, 2.89), (2, 20, 2.38), (4, 20, 2.65),
           (2, np.inf, 2.21), (3, np.inf, 2.35), (4, np.inf, 2.44)]  # fmt: skip
# Upper 5% points of the studentised range (any table): means, df, q.
RANGE = [(3, 10, 3.88), (3, 20, 3.58), (5, 20, 4.23), (4, 60, 3.74), (3, np.inf, 3.31)]
LATTICE = 5e-5  # relative, of a family without a common factor
# By 25 to 230 digits (mpmath), from the definitions: 1 - P(all within) as a double integral over Z1
# and Z2 given Z1; the range as one over log s of 1 - k int phi(z) [Phi(z) - Phi(z - w)]^(k - 1).
# R 4.2.2's ptukey(20, 4, 15, lower = FALSE) is 2.4664e-9, scipy 1.17's sf(100, 4, 15) 5.6e-16.
THREE = np.array([[1, 0.5, 0.3], [0.5, 1, 0.05], [0.3, 0.05, 1]])
OUTSIDE = [(1.0, 0.651924977271), (2.5, 0.0352667623706), (4.0, 0.000188913201194)]
FAR = [(3.5, 3, 20, 0.05589184908175), (20, 4, 15, 2.468351574253e-9),
       (100, 4, 15, 1.332700974335e-19), (30, 3, np.inf, 2.163898251735e-99)]  # fmt: skip
# R 4.2.2: p <- c(.01, .04, .03, .005, .2); p.adjust(p, "holm"), "hochberg", "bonferroni"
RAW = np.array([0.01, 0.04, 0.03, 0.005, 0.2])
ADJUSTED = {
    "holm": [0.04, 0.09, 0.09, 0.025, 0.2],
    "hochberg": [0.04, 0.08, 0.08, 0.025, 0.2],
    "bonferroni": [0.05, 0.2, 0.15, 0.025, 1.0],
}


def equal_groups(k: int) -> np.ndarray:
    return np.full((k, k), 0.5) + 0.5 * np.eye(k)


@pytest.mark.parametrize(("k", "df", "point"), DUNNETT)
def test_dunnett(k: int, df: float, point: float) -> None:
    family = Family(k + 1, equal_groups(k))
    found = critical("dunnett", np.full(k, df), 0.95, family)[0]
    assert found == pytest.approx(point, abs=0.0051)
    p = adjusted_p("dunnett", np.full(k, found), np.full(k, df), np.full(k, 0.01), family)
    assert p[0] == pytest.approx(0.05, rel=1e-9)


def test_dunnett_without_a_common_factor() -> None:
    """R 4.2.2, mvtnorm: 1 - pmvt(-2.5, 2.5, corr, df = 20), GenzBretz(maxpts 5e6, abseps 1e-9)."""
    C = np.array([[1, 0.5, 0.3, 0.2], [0.5, 1, 0.6, 0.1], [0.3, 0.6, 1, 0.4], [0.2, 0.1, 0.4, 1]])
    p = adjusted_p(
        "dunnett", np.array([2.5]).repeat(4), np.full(4, 20.0), np.zeros(4), Family(5, C)
    )
    assert p == pytest.approx(np.full(4, 0.0716965), rel=LATTICE)


@pytest.mark.parametrize(("means", "df", "point"), RANGE)
def test_tukey(means: int, df: float, point: float) -> None:
    found = critical("tukey", np.array([df]), 0.95, Family(means, np.eye(1)))[0]
    assert found * np.sqrt(2) == pytest.approx(point, abs=0.0051)


@pytest.mark.parametrize("adjust", list(ADJUSTED))
def test_by_p_alone(adjust: str) -> None:
    df = np.full(5, 30.0)
    p = adjusted_p(adjust, np.zeros(5), df, RAW, Family(6, np.eye(5)))
    np.testing.assert_allclose(p, ADJUSTED[adjust], rtol=1e-12)


def test_one_comparison_needs_no_adjustment() -> None:
    one, df = np.array([0.03]), np.array([12.0])
    plain = critical("none", df, 0.95, Family(2, np.eye(1)))
    for adjust in ("bonferroni", "holm", "hochberg", "tukey", "dunnett"):
        assert adjusted_p(adjust, np.array([2.4]), df, one, Family(2, np.eye(1))) == one
        np.testing.assert_allclose(critical(adjust, df, 0.95, Family(2, np.eye(1))), plain)


@pytest.mark.parametrize(("adjust", "kinds"), [("tukey", ("dunnett",)), ("dunnett", ()),
                                               ("sidak", ("tukey",))])  # fmt: skip
def test_an_adjustment_that_does_not_fit_is_refused(adjust: str, kinds: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match=adjust):
        check_adjustment(adjust, kinds)


@pytest.mark.parametrize(("c", "p"), OUTSIDE)
def test_three_normals_to_many_digits(c: float, p: float) -> None:
    assert beyond(c, np.inf, largest_more(THREE)) == pytest.approx(p, rel=LATTICE)


@pytest.mark.parametrize("correlations", [
    equal_groups(2), equal_groups(5), np.array([[1, -0.7], [-0.7, 1]]),
    0.1 * np.eye(3) + 0.9,
    np.outer([0.9, 0.5, -0.3], [0.9, 0.5, -0.3]) + np.diag([0.19, 0.75, 0.91]),
])  # fmt: skip
@pytest.mark.parametrize("df", [1.0, 7.3, np.inf])
def test_the_lattice_is_the_integral_over_the_common_factor(
    correlations: np.ndarray, df: float
) -> None:
    factor = common_factor(correlations)
    assert factor is not None
    for c in (0.3, 2.0, 6.0):
        exact = beyond(c, df, factor_more(factor))
        assert beyond(c, df, lattice_more(correlations)) == pytest.approx(exact, rel=LATTICE)


def test_a_comparison_that_the_others_determine() -> None:
    """Differences of three means: the largest is Tukey's, by another road."""
    C = np.array([[1, 0.5, -0.5], [0.5, 1, 0.5], [-0.5, 0.5, 1]])
    for c in (1.0, 2.5, 5.0):
        by_range = beyond(c, 12, range_more(3))
        assert beyond(c, 12, largest_more(C)) == pytest.approx(by_range, rel=2e-3)


@pytest.mark.parametrize(("q", "means", "df", "p"), FAR)
def test_the_far_tail_of_the_range(q: float, means: int, df: float, p: float) -> None:
    assert beyond(q / np.sqrt(2), df, range_more(means)) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("df", [1.0, 2.5, 30.0, 4000.0, np.inf])
@pytest.mark.parametrize("adjust", ["tukey", "dunnett"])
def test_no_adjusted_p_is_below_the_raw_one_or_out_of_order(adjust: str, df: float) -> None:
    t = np.concatenate([np.linspace(0, 12, 60), [20, 30, 36, 100, 1e4]])
    raw = 2 * (special.ndtr(-t) if np.isinf(df) else special.stdtr(df, -t))
    for family in (Family(3, equal_groups(2)), Family(4, THREE), Family(6, equal_groups(5))):
        bound = len(family.correlations) if adjust == "dunnett" else family.means**2
        p = adjusted_p(adjust, t, np.full(len(t), df), raw, family)
        assert np.all(p >= raw)
        assert np.all(p <= np.minimum(1.0, bound * raw * (1 + 1e-9)))
        assert np.all(np.diff(p) <= 0)
        assert np.all(p[raw > 0] > 0)
        assert np.all(np.diff(p[(raw > 0) & (raw < 0.5)]) < 0)


@pytest.mark.parametrize("adjust", ["tukey", "dunnett"])
def test_an_interval_ends_where_p_is_one_less_its_level(adjust: str) -> None:
    for family in (Family(3, equal_groups(2)), Family(4, THREE)):
        for df in (2.0, 17.5, np.inf):
            for level in (0.8, 0.95, 0.9999):
                t = critical(adjust, np.array([df]), level, family)
                p = adjusted_p(adjust, t, np.array([df]), np.array([0.0]), family)
                assert p[0] == pytest.approx(1 - level, rel=1e-8)
