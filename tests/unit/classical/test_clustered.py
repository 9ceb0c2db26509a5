"""Sandwich variances against dense matrices, cluster by cluster."""

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from sitewise.classical import clustered
from sitewise.classical.clustered import Exchangeable, cr2_df, sandwich
from sitewise.classical.gee import fit_gee
from sitewise.classical.least_squares import ordinary, within
from sitewise.errors import ModelError


def rows(seed: int = 3, clusters: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(clusters), rng.integers(1, 9, clusters))
    rng.shuffle(codes)
    codes = np.unique(codes, return_inverse=True)[1]
    x = rng.normal(size=len(codes))
    X = np.column_stack([np.ones(len(codes)), x, (codes % 2).astype(float)])
    y = 3 + x + rng.normal(size=len(codes)) + rng.normal(size=clusters)[codes]
    return X, y, codes


def dense(X, residuals, codes, rho, power):
    """The textbook's matrices: C_i = (I - H_i)^power."""
    W = {i: (1 - rho) * np.eye((codes == i).sum()) + rho for i in range(codes.max() + 1)}
    parts = [(X[codes == i], residuals[codes == i], np.linalg.inv(W[i])) for i in W]
    M = np.linalg.inv(sum(x.T @ w @ x for x, _, w in parts))
    meat = np.zeros((X.shape[1],) * 2)
    for x, r, w in parts:
        C = np.eye(len(r))
        if power:
            C = np.real(fractional_matrix_power(np.eye(len(r)) - x @ M @ x.T @ w, power))
        s = x.T @ w @ C @ r
        meat += np.outer(s, s)
    return M @ meat @ M


@pytest.mark.parametrize("rho", [0.0, 0.3])
@pytest.mark.parametrize(("name", "power"), [("none", 0), ("kc", -0.5), ("md", -1)])
def test_sandwich_is_the_dense_one(rho, name, power):
    X, y, codes = rows()
    residuals = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    found = sandwich(X, residuals, Exchangeable(codes, rho))
    assert found.alone == 0
    expected = dense(X, residuals, codes, rho, power)
    np.testing.assert_allclose(found.vcov[name], expected, rtol=1e-9)


def test_cr2_degrees_of_freedom_are_the_dense_ones():
    X, _, codes = rows()
    row = np.array([0.0, 0.0, 1.0])
    n = len(codes)
    M = np.linalg.inv(X.T @ X)
    left = np.eye(n) - X @ M @ X.T
    g = []
    for i in range(codes.max() + 1):
        own = codes == i
        C = np.real(fractional_matrix_power(left[np.ix_(own, own)], -0.5))
        g.append(left[:, own] @ C @ X[own] @ M @ row)
    gamma = np.array(g) @ np.array(g).T
    expected = np.trace(gamma) ** 2 / np.trace(gamma @ gamma)
    assert cr2_df(X, Exchangeable(codes), row) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_many_clusters_of_little_leverage_are_corrected_alike(rho, monkeypatch):
    X, y, codes = rows(clusters=1500)
    X[codes == 4, 1] *= 40  # one that is not little
    residuals = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    row = np.array([0.0, 0.0, 1.0])
    clusters = Exchangeable(codes, rho)
    fast, df = sandwich(X, residuals, clusters), cr2_df(X, clusters, row)
    monkeypatch.setattr(clustered, "LITTLE", 0.0)
    slow = sandwich(X, residuals, clusters)
    for name in ("none", "kc", "md"):
        np.testing.assert_allclose(fast.vcov[name], slow.vcov[name], rtol=1e-12)
    assert df == pytest.approx(cr2_df(X, clusters, row), rel=1e-12)
    assert fast.vcov["kc"][1, 1] != fast.vcov["none"][1, 1]


def test_a_cluster_that_alone_determines_a_column_is_counted():
    X, y, codes = rows()
    X = np.column_stack([X, (codes == 0) * np.arange(len(codes))])
    residuals = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    found = sandwich(X, residuals, Exchangeable(codes))
    assert found.alone == 1
    assert np.isfinite(found.vcov["md"]).all()


def test_sites_as_fixed_effects_are_dummies():
    X, y, codes = rows()
    dummies = np.column_stack([X[:, 1], *(codes == i for i in range(codes.max() + 1))])
    line = ordinary(dummies.astype(float), y)
    estimate, se, df = within(X, y, codes, np.array([0.0, 1.0, 0.0]))
    expected = line.of(np.eye(dummies.shape[1])[0])
    assert (estimate, se) == pytest.approx(expected, rel=1e-10)
    assert df == line.df


def test_an_arm_that_is_constant_within_sites_is_not_estimable_beside_them():
    X, y, codes = rows()
    assert within(X, y, codes, np.array([0.0, 0.0, 1.0])) is None


def test_clusters_of_one_reading_have_no_correlation():
    X, y, _ = rows()
    with pytest.raises(ModelError, match="no cluster has two readings"):
        fit_gee(X, y, np.arange(len(y)))
