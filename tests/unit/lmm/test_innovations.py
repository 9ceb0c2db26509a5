"""Innovations against the dense Cholesky factor of the covariance, and how they grow."""

import numpy as np
import pytest

from sitewise.lmm.innovations import NestedEffects, innovations


def nested(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    """Patients within sites within countries of uneven size, patients without order by row."""
    patient = rng.integers(0, n // 4, n)
    site = rng.integers(0, max(n // 20, 1), n // 4)
    country = rng.integers(0, 3, max(n // 20, 1))
    return [patient, site[patient], country[site[patient]]]


def covariance(rng: np.random.Generator, q: int, rank: int) -> np.ndarray:
    root = rng.normal(size=(q, rank))
    return np.asarray(root @ root.T)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_dense(depth: int, seed: int) -> None:
    """Columns that vary by row, singular covariances, a level whose effects have no variance."""
    rng = np.random.default_rng(seed)
    n = 240
    units = nested(rng, n)[:depth]
    D = [covariance(rng, 2, 2), 30.0 * covariance(rng, 3, 2), np.zeros((1, 1))]
    levels = [
        NestedEffects(unit, rng.normal(size=(n, len(own))), own)
        for unit, own in zip(units, D, strict=False)
    ]
    V = np.eye(n)
    for level in levels:
        same = level.unit[:, None] == level.unit
        V = V + same * (level.values @ level.D @ level.values.T)
    r = 10.0 * rng.normal(size=n)
    order = np.lexsort((np.arange(n), *units))
    wanted = np.linalg.solve(np.linalg.cholesky(V[np.ix_(order, order)]), r[order])
    found = innovations(r, levels, units[-1], order)
    assert found[order] == pytest.approx(wanted, rel=1e-10, abs=1e-10)


def test_large_variances() -> None:
    """A random intercept a million times the residual: what is left is the residual's.

    Against the closed form: y1 over its SD, then what the mean of those before leaves.
    """
    rng = np.random.default_rng(3)
    n, v = 500, 1e6
    r = 1000.0 + rng.normal(size=n)
    level = NestedEffects(np.zeros(n, np.int64), np.ones((n, 1)), np.array([[v]]))
    found = innovations(r, [level], level.unit, np.arange(n))
    before = np.concatenate([[0.0], np.cumsum(r)[:-1]])
    known = np.arange(n) * v / (1.0 + np.arange(n) * v)
    mean = known * before / np.maximum(np.arange(n), 1)
    wanted = (r - mean) / np.sqrt(1.0 + v / (1.0 + np.arange(n) * v))
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_a_unit_of_many_rows() -> None:
    """20 000 correlated rows, whose covariance would take 3 GB."""
    rng = np.random.default_rng(4)
    n = 20_000
    patient, site = np.repeat(np.arange(n // 5), 5), np.zeros(n, np.int64)
    u, b = rng.normal(size=n // 5), 2.0 * rng.normal()
    r = u[patient] + b + rng.normal(size=n)
    one = np.ones((n, 1))
    levels = [NestedEffects(patient, one, np.eye(1)), NestedEffects(site, one, 4.0 * np.eye(1))]
    found = innovations(r, levels, site, np.arange(n))
    assert abs(found.mean()) < 5 / np.sqrt(n) and abs(found.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs(float(found[1:] @ found[:-1])) < 5 * np.sqrt(n)
