"""Adjustments against published tables and R's p.adjust."""

import numpy as np
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.linear.multiplicity import adjusted_p, check_adjustment, critical

# Dunnett 1964, Biometrics 20, 482-491, table II: two-sided 5% points, equal groups.
DUNNETT = [(2, 5, 3.03), (3, 5, 3.29), (2, 10, 2.57), (4, 10, 2.89), (2, 20, 2.38), (4, 20, 2.65),
           (2, np.inf, 2.21), (3, np.inf, 2.35), (4, np.inf, 2.44)]  # fmt: skip
# Upper 5% points of the studentised range (any table): means, df, q.
RANGE = [(3, 10, 3.88), (3, 20, 3.58), (5, 20, 4.23), (4, 60, 3.74), (3, np.inf, 3.31)]
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
    family = k + 1, equal_groups(k)
    found = critical("dunnett", np.full(k, df), 0.95, family)[0]
    assert found == pytest.approx(point, abs=0.0051)
    p = adjusted_p("dunnett", np.full(k, found), np.full(k, df), np.full(k, 0.01), family)
    assert p[0] == pytest.approx(0.05, abs=1e-6)


def test_dunnett_without_a_common_factor() -> None:
    """R 4.2.2, mvtnorm: 1 - pmvt(-2.5, 2.5, corr, df = 20), GenzBretz(maxpts 1e6, abseps 1e-7)."""
    C = np.array([[1, 0.5, 0.3, 0.2], [0.5, 1, 0.6, 0.1], [0.3, 0.6, 1, 0.4], [0.2, 0.1, 0.4, 1]])
    p = adjusted_p("dunnett", np.array([2.5]).repeat(4), np.full(4, 20.0), np.zeros(4), (5, C))
    assert p == pytest.approx(np.full(4, 0.071696), abs=3e-5)


@pytest.mark.parametrize(("means", "df", "point"), RANGE)
def test_tukey(means: int, df: float, point: float) -> None:
    found = critical("tukey", np.array([df]), 0.95, (means, np.eye(1)))[0]
    assert found * np.sqrt(2) == pytest.approx(point, abs=0.0051)


@pytest.mark.parametrize("adjust", list(ADJUSTED))
def test_by_p_alone(adjust: str) -> None:
    df = np.full(5, 30.0)
    p = adjusted_p(adjust, np.zeros(5), df, RAW, (6, np.eye(5)))
    np.testing.assert_allclose(p, ADJUSTED[adjust], rtol=1e-12)


def test_one_comparison_needs_no_adjustment() -> None:
    one, df = np.array([0.03]), np.array([12.0])
    plain = critical("none", df, 0.95, (2, np.eye(1)))
    for adjust in ("bonferroni", "holm", "hochberg", "tukey", "dunnett"):
        assert adjusted_p(adjust, np.array([2.4]), df, one, (2, np.eye(1))) == one
        np.testing.assert_allclose(critical(adjust, df, 0.95, (2, np.eye(1))), plain)


@pytest.mark.parametrize(("adjust", "kinds"), [("tukey", ("dunnett",)), ("dunnett", ()),
                                               ("sidak", ("tukey",))])  # fmt: skip
def test_an_adjustment_that_does_not_fit_is_refused(adjust: str, kinds: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match=adjust):
        check_adjustment(adjust, kinds)
