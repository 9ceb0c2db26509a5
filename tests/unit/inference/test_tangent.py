"""Null distributions on the boundary: known weights, and distances by brute force."""

import numpy as np
import pytest
from scipy import stats

from sitewise.inference.cones import distances
from sitewise.inference.mixture import mixture_p
from sitewise.inference.tangent import ChiBar, Cone, block_null, chi_bar, constraint

NONE = Cone(np.zeros((0, 0)), ())
DRAWS = 20_000
WEIGHT = 4 * np.sqrt(0.25 / DRAWS)  # four standard errors of a share near one half


def metric(k: int, seed: int) -> np.ndarray:
    B = np.random.default_rng(seed).standard_normal((k, k + 2))
    return B @ B.T


def simulated(information: np.ndarray, nuisance: int, sizes: list[np.ndarray]) -> ChiBar:
    """No constraint under the null on the first `nuisance` parameters, which alone it has."""
    n = len(information)
    starts, at = [], nuisance
    for N in sizes:
        starts.append(at)
        at += len(N) * (len(N) + 1) // 2
    null = Cone(np.zeros((0, nuisance)), ())
    return chi_bar(information, np.eye(n)[:, :nuisance], null, constraint(sizes, starts, n), seed=3)


def test_two_independent_variances() -> None:
    """Self & Liang (1987), case 7 with a diagonal information: 1/4, 1/2, 1/4."""
    found = simulated(np.diag([2.0, 3.0, 5.0]), 1, [np.eye(1), np.eye(1)])
    assert found.weights == pytest.approx((0.25, 0.5, 0.25), abs=WEIGHT)
    exact = 0.5 * stats.chi2.sf(3.0, 1) + 0.25 * stats.chi2.sf(3.0, 2)
    p, error = found.p(3.0)
    assert p == pytest.approx(exact, abs=4 * error)
    assert 0 < error < 0.002


def test_two_correlated_variances() -> None:
    """Self & Liang (1987), case 7: the weight of chi2(2) is an angle over 2 pi."""
    information = np.array([[2.0, 1.2], [1.2, 1.0]])
    covariance = np.linalg.inv(information)
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    both = 0.25 + np.arcsin(correlation) / (2 * np.pi)  # P(both coordinates of Z positive)
    found = simulated(information, 0, [np.eye(1), np.eye(1)])
    assert found.weights == pytest.approx((0.5 - both, 0.5, both), abs=WEIGHT)


@pytest.mark.parametrize("q", [0, 1, 2])
def test_one_effect_added_to_q(q: int) -> None:
    """Stram & Lee (1994): 0.5 chi2(q) + 0.5 chi2(q + 1), whatever the information."""
    size = q + 1
    n = 1 + size * (size + 1) // 2
    _, rows = np.triu_indices(size)
    of_null = [0, *(1 + i for i in range(len(rows)) if rows[i] < q)]
    N = np.eye(size)[:, q:]
    found = chi_bar(
        metric(n, 1), np.eye(n)[:, of_null], Cone(np.zeros((0, len(of_null))), ()),
        constraint([N], [1], n), seed=3,
    )  # fmt: skip
    assert q + 1 == found.J
    for statistic in (0.5, 3.0, 8.0):
        p, error = found.p(statistic)
        assert p == pytest.approx(mixture_p(statistic, q), abs=max(4 * error, 1e-12))


def test_none_to_a_pair() -> None:
    """A circular cone (isotropic metric): the share inside is that of its solid angle."""
    found = simulated(np.diag([1.0, 2.0, 1.0]), 0, [np.eye(2)])
    inside = (1 - np.cos(np.pi / 4)) / 2
    assert found.weights == pytest.approx((inside, 0.5 - inside, 0.5 - inside, inside), abs=WEIGHT)
    assert sum(found.weights) == pytest.approx(1)


def test_the_far_tail_is_not_lost() -> None:
    found = simulated(np.diag([2.0, 3.0]), 0, [np.eye(1), np.eye(1)])
    p, error = found.p(100.0)
    exact = 0.5 * stats.chi2.sf(100.0, 1) + 0.25 * stats.chi2.sf(100.0, 2)
    assert p == pytest.approx(exact, rel=0.1)
    assert error < 0.05 * p
    assert found.p(0.0) == (1.0, 0.0)


def test_with_fixed_effects() -> None:
    found = simulated(np.diag([2.0, 3.0]), 0, [np.eye(1), np.eye(1)])
    p, error = found.p(6.0, more=2)
    exact = sum(w * stats.chi2.sf(6.0, k + 2) for k, w in enumerate((0.25, 0.5, 0.25)))
    assert p == pytest.approx(exact, abs=4 * error)


def test_a_nuisance_variance_at_zero() -> None:
    """Self & Liang (1987), case 8: against Z projected by hand on a half line and a quadrant."""
    information = metric(2, 5)
    null = constraint([np.eye(1)], [0], 1)
    found = chi_bar(
        information, np.eye(2)[:, :1], null, constraint([np.eye(1), np.eye(1)], [0, 1], 2), seed=3
    )
    assert found.weights == ()
    z = np.random.default_rng(9).multivariate_normal([0, 0], np.linalg.inv(information), 40_000)

    def least(candidates: list[np.ndarray]) -> np.ndarray:
        gaps = [np.einsum("ni,ij,nj->n", z - c, information, z - c) for c in candidates]
        return np.min(gaps, axis=0)

    def along(e: np.ndarray) -> np.ndarray:
        return np.maximum(z @ information @ e / (e @ information @ e), 0)[:, None] * e

    half = [along(np.array([1.0, 0.0]))]
    quadrant = [*half, along(np.array([0.0, 1.0])), np.where((z >= 0).all(1)[:, None], z, 0.0)]
    statistics = least(half) - least(quadrant)
    for cut in (0.5, 2.0, 4.0):
        share = np.mean(statistics >= cut)
        p, error = found.p(cut)
        assert p == pytest.approx(share, abs=4 * (error + np.sqrt(share / len(z))))


@pytest.mark.parametrize("sizes", [(2,), (1, 1), (1, 2), (3,)])
def test_distances(sizes: tuple[int, ...]) -> None:
    """Against a minimum over factors, D = LL', by a general optimiser."""
    from scipy.optimize import minimize

    k = sum(m * (m + 1) // 2 for m in sizes)
    W = metric(k, 7)
    z = np.random.default_rng(8).standard_normal((3, k))

    def point(entries: np.ndarray) -> np.ndarray:
        found, at = [], 0
        for m in sizes:
            columns, rows = np.triu_indices(m)
            L = np.zeros((m, m))
            L[rows, columns] = entries[at : at + len(rows)]
            at += len(rows)
            found.append((L @ L.T)[rows, columns])
        return np.concatenate(found)

    def least(one: np.ndarray) -> float:
        def cost(x: np.ndarray) -> float:
            return float((point(x) - one) @ W @ (point(x) - one))

        starts = np.random.default_rng(1).standard_normal((4, k))
        return min(
            float(minimize(cost, start, method="BFGS", options={"gtol": 1e-9}).fun)
            for start in starts
        )

    expected = [least(one) for one in z]
    np.testing.assert_allclose(distances(z, W, sizes), expected, rtol=1e-5, atol=1e-7)


def test_null_space_of_a_block() -> None:
    assert block_null(np.zeros((2, 2)), 1e-4).shape == (2, 2)
    assert block_null(np.array([[1.0, 1.0], [1.0, 1.0]]), 1e-4).shape == (2, 1)
    assert block_null(np.eye(2), 1e-4).shape == (2, 0)


def test_no_information_is_said() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        chi_bar(np.ones((2, 2)), np.zeros((2, 0)), NONE, constraint([np.eye(1)], [0], 2), seed=1)
