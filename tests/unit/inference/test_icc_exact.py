"""The F interval of the sites' share: dense matrices, the textbook's balanced case, coverage."""

import math

import numpy as np
import pytest
from scipy import linalg, optimize, stats

from sitewise.inference.icc_exact import sites_share

Trial = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def trial(rng: np.random.Generator, sites: int, share: float, patient: float, visits: int) -> Trial:
    """Whole sites with one arm, sites of 2 to 20 patients, dropout; total variance 1."""
    size = rng.integers(2, 20, sites)
    home = np.repeat(np.arange(sites), size)
    kept = 1 + rng.binomial(visits - 1, 0.8, len(home))
    who = np.repeat(np.arange(len(home)), kept)
    visit = np.concatenate([np.arange(k) for k in kept])
    arm = (home % 2)[who]
    late = [(visit == k).astype(float) for k in range(1, visits)]
    X = np.column_stack([np.ones(len(who)), arm, *late, *(arm * k for k in late)])
    y = (
        rng.normal(0, math.sqrt(share), sites)[home[who]]
        + rng.normal(0, math.sqrt(patient), len(home))[who]
        + rng.normal(0, math.sqrt(1 - share - patient), len(who))
    )
    return y, X, home[who], who


def dense(y, X, site, who, share):
    """The pivot, its two degrees of freedom: projections of n x n matrices."""
    Z = np.equal.outer(site, np.unique(site)).astype(float)
    same = np.equal.outer(who, who).astype(float)
    N = linalg.null_space(np.column_stack([X, Z]).T)

    def deviance(u):
        K = N.T @ (np.eye(len(y)) + u / (1 - u) * same) @ N
        rest = N.T @ y @ np.linalg.solve(K, N.T @ y)
        return N.shape[1] * math.log(rest / N.shape[1]) + np.linalg.slogdet(K)[1]

    u = optimize.minimize_scalar(
        deviance, bounds=(0, 0.999), method="bounded", options={"xatol": 1e-11}
    ).x
    K = np.eye(len(y)) + u / (1 - u) * same
    sigma2 = N.T @ y @ np.linalg.solve(N.T @ K @ N, N.T @ y) / N.shape[1]
    V = sigma2 * K
    # Contrasts free of X that, given V, are uncorrelated with all contrasts within the sites.
    M = linalg.null_space(X.T)
    free = M @ linalg.null_space(N.T @ V @ M)
    tau2 = share / (1 - share) * sigma2 / (1 - u)
    inner = free.T @ (V + tau2 * Z @ Z.T) @ free
    r = free.shape[1]
    carried = np.unique(np.column_stack([who, site]), axis=0)
    d = len(carried) - len(Z[0])  # the arm is one of whole sites
    return float(free.T @ y @ np.linalg.solve(inner, free.T @ y)) / r, r, d


@pytest.mark.parametrize(("seed", "visits"), [(1, 3), (2, 1), (5, 4)])
def test_ends_by_dense_matrices(seed, visits):
    data = trial(np.random.default_rng(seed), 9, 0.3, 0.3 if visits > 1 else 0.0, visits)
    lower, upper = sites_share(*data, 0.1)
    assert 0 < lower < upper < 1
    for end, tail in ((lower, 0.05), (upper, 0.95)):
        f, r, d = dense(*data, end)
        assert stats.f.sf(f, r, d) == pytest.approx(tail, rel=1e-6)


def test_balanced_patients_in_sites_is_the_textbook_s_f():
    # MS_sites / MS_patients is (1 + n m tau^2 / E MS_patients) times F(k - 1, k (n - 1)).
    rng = np.random.default_rng(4)
    k, n, m = 6, 5, 3
    site = np.repeat(np.arange(k), n * m)
    who = np.repeat(np.arange(k * n), m)
    y = rng.normal(0, 1, k)[site] + rng.normal(0, 1, k * n)[who] + rng.normal(0, 1, k * n * m)
    means = y.reshape(k, n, m).mean(axis=2)
    between = n * m * means.mean(axis=1).var(ddof=1)
    patients = m * means.var(axis=1, ddof=1).mean()
    residual = y.reshape(k * n, m).var(axis=1, ddof=1).mean()
    assert patients > residual
    inside = residual + (patients - residual) / m
    found = sites_share(y, np.ones((len(y), 1)), site, who, 0.05)
    for end, tail in zip(found, (0.975, 0.025), strict=True):
        quantile = stats.f.ppf(tail, k - 1, k * (n - 1))
        tau2 = patients * (between / patients / quantile - 1) / (n * m)
        assert end == pytest.approx(tau2 / (tau2 + inside), rel=1e-6)


def test_scale_location_order_and_names_do_not_matter():
    rng = np.random.default_rng(8)
    y, X, site, who = trial(rng, 8, 0.2, 0.3, 3)
    first = sites_share(y, X, site, who, 0.05)
    order = rng.permutation(len(y))
    names = np.array([f"s{k}" for k in site])
    again = sites_share((7e5 + 300 * y)[order], X[order], names[order], who[order], 0.05)
    assert again == pytest.approx(first, rel=1e-6)


def test_sites_more_alike_than_chance_and_too_few():
    rng = np.random.default_rng(3)
    site = np.repeat(np.arange(6), 20)
    y = rng.normal(size=120)
    y = y - np.array([y[site == k].mean() for k in range(6)])[site]
    who, one = np.arange(120), np.ones((120, 1))
    assert sites_share(y, one, site, who, 0.05) == (0.0, 0.0)
    assert all(map(math.isnan, sites_share(y, one, np.zeros(120), who, 0.05)))
    assert all(map(math.isnan, sites_share(y, one, who, who, 0.05)))
    # Two sites of one arm each: the arm takes all that is between them.
    two = np.repeat([0, 1], 60)
    X = np.column_stack([np.ones(120), two])
    assert all(map(math.isnan, sites_share(y, X, two, who, 0.05)))


@pytest.mark.parametrize(
    ("sites", "share", "patient", "visits"),
    [(20, 0.05, 0.35, 3), (8, 0.05, 0.35, 3), (20, 0.02, 0.0, 1)],
)
def test_coverage(sites, share, patient, visits):
    # 800 trials; 95% give or take three Monte Carlo errors of 0.77.
    rng = np.random.default_rng(20 + sites)
    inside = 0
    for _ in range(800):
        lower, upper = sites_share(*trial(rng, sites, share, patient, visits), 0.05)
        inside += lower <= share <= upper
    assert inside / 800 == pytest.approx(0.95, abs=0.0231)
