"""The restricted deviance of random intercepts, from sums, beside n x n matrices."""

import numpy as np
import pytest

from sitewise.inference.icc_sums import restricted_deviance

# Sums of squares of a few hundred rows: differences of deviances agree to about eps n.
TOLERANCE = 1e-9


def dense(y: np.ndarray, X: np.ndarray, site: np.ndarray, patient: np.ndarray, theta) -> float:
    """-2 restricted log-likelihood without its constant, by textbook matrices."""
    n, p = X.shape
    V = np.eye(n) + theta[0] ** 2 * (site[:, None] == site) + theta[1] ** 2 * (
        patient[:, None] == patient
    )  # fmt: skip
    inverse = np.linalg.inv(V)
    XVX = X.T @ inverse @ X
    r = y - X @ np.linalg.solve(XVX, X.T @ inverse @ y)
    logs = np.linalg.slogdet(V)[1] + np.linalg.slogdet(XVX)[1]
    return float((n - p) * np.log(r @ inverse @ r) + logs)


@pytest.mark.parametrize("seed", [1, 2])
def test_differences_of_deviances_are_those_of_dense_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    patients = 60
    home = rng.integers(0, 7, patients)
    home[:7] = range(7)
    patient = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    site = home[patient]
    X = np.column_stack([np.ones(len(site)), rng.normal(size=len(site)), site % 2])
    y = 140 + rng.normal(size=7)[site] + rng.normal(size=patients)[patient]
    y = y + 2 * rng.normal(size=len(site))
    ours = restricted_deviance(y, X, site, patient)
    points = [(0.0, 0.0), (0.5, 0.0), (0.0, 1.5), (0.7, 0.9), (3.0, 0.1), (40.0, 40.0)]
    first = ours(np.array(points[0])) - dense(y, X, site, patient, points[0])
    for theta in points[1:]:
        apart = ours(np.array(theta)) - dense(y, X, site, patient, theta)
        assert apart == pytest.approx(first, abs=TOLERANCE * len(y))
