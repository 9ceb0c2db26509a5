"""The profile interval of a variance share, against a dense likelihood and a fine grid."""

import numpy as np
import pytest
from scipy.stats import chi2

from sitewise.inference.icc_share import METHOD_AT_ZERO, share_interval

SITES, PATIENTS, VISITS = 6, 4, 3


def dense_deviance(y, X, site, patient):
    """The profiled restricted deviance from the n x n covariance matrix (Harville 1977)."""
    same_site = np.equal.outer(site, site).astype(float)
    same_patient = np.equal.outer(patient, patient).astype(float)
    n, p = X.shape

    def deviance(theta):
        V = np.eye(n) + theta[0] ** 2 * same_site + theta[1] ** 2 * same_patient
        inverse = np.linalg.inv(V)
        information = X.T @ inverse @ X
        residual = y - X @ np.linalg.solve(information, X.T @ inverse @ y)
        s2 = residual @ inverse @ residual / (n - p)
        logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
        return float(logs + (n - p) * (1 + np.log(2 * np.pi * s2)))

    return deviance


def trial(seed, site_sd):
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(SITES * PATIENTS), VISITS)
    site = patient // PATIENTS
    visit = np.tile(np.arange(VISITS), SITES * PATIENTS)
    keep = rng.random(len(patient)) > 0.2
    y = (
        rng.normal(0, site_sd, SITES)[site]
        + rng.normal(0, 1.5, SITES * PATIENTS)[patient]
        + rng.normal(0, 1, len(patient))
    )
    X = np.column_stack([np.ones(len(y)), visit == 1, visit == 2]).astype(float)
    return dense_deviance(y[keep], X[keep], site[keep], patient[keep])


def grid(deviance, level):
    """Deviance over a grid of both shares: the least over the other, for each share of `level`."""
    shares = np.linspace(0, 0.99, 100)
    other = np.linspace(0, 0.99, 67)
    least = np.full(len(shares), np.inf)
    for i, s in enumerate(shares):
        for o in other:
            rest = 1 - s - o
            if rest > 1e-3:
                theta = np.empty(2)
                theta[level], theta[1 - level] = np.sqrt(s / rest), np.sqrt(o / rest)
                least[i] = min(least[i], deviance(theta))
    return shares, least


def best_theta(deviance):
    from scipy.optimize import minimize

    found = minimize(
        deviance, [0.5, 1.0], method="L-BFGS-B", bounds=[(0, None), (0, None)],
        options={"ftol": 1e-14, "gtol": 1e-8},
    )  # fmt: skip
    return tuple(float(v) for v in found.x)


@pytest.mark.parametrize("level", [0, 1])
def test_interval_holds_what_the_grid_holds(level):
    deviance = trial(3, site_sd=1.5)
    theta = best_theta(deviance)
    found = share_interval(deviance, theta, level, 0.05)
    shares, least = grid(deviance, level)
    inside = shares[least <= least.min() + chi2.ppf(0.95, 1)]
    # The grid's step is 0.01, and its least deviance is a little above the true one.
    assert found.lower == pytest.approx(inside.min(), abs=0.02)
    assert found.upper == pytest.approx(inside.max(), abs=0.02)
    assert not found.one_sided
    if inside.min() > 0:
        assert found.lower > 0


def test_estimate_of_zero_has_a_one_sided_upper_limit():
    deviance = next(d for d in (trial(s, 0.0) for s in range(50)) if best_theta(d)[0] < 1e-6)
    found = share_interval(deviance, best_theta(deviance), 0, 0.05)
    shares, least = grid(deviance, 0)
    inside = shares[least <= least.min() + 1.6448536269514722**2]
    assert found.one_sided
    assert found.method == METHOD_AT_ZERO
    assert found.lower == 0.0
    assert found.upper == pytest.approx(inside.max(), abs=0.02)


def test_wider_at_smaller_alpha():
    deviance = trial(3, site_sd=1.5)
    theta = best_theta(deviance)
    narrow, wide = (share_interval(deviance, theta, 0, alpha) for alpha in (0.2, 0.01))
    assert wide.lower <= narrow.lower < narrow.upper < wide.upper
