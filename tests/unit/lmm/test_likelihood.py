"""Value, gradient, information, Hessian and Kenward-Roger's ingredients against n x n matrices."""

import numpy as np
import pytest

from sitewise.lmm.conditioned_rows import RowLevel, RowTerm, based_moments, condition_rows
from sitewise.lmm.likelihood import Likelihood, Split
from sitewise.lmm.recursion import LevelCovariance
from tests.unit.lmm.dense import by_group, dense, spread, triangle

# Readings in patients in sites in countries; a site-by-visit term; slopes; a singular D of sites.
N = 150
SIGMA2 = 0.8
D_PATIENT = np.array([[1.0, 0.4], [0.4, 0.65]])
D_SITE = np.array([[0.09, 0.06], [0.06, 0.04]])
VISIT, COUNTRY = 0.3, 0.2


def nested(rng: np.random.Generator, n: int, units: int) -> np.ndarray:
    codes = np.sort(rng.integers(0, units, n))
    return np.unique(codes, return_inverse=True)[1]


class Case:
    """Data of three levels, cut at `depth` levels."""

    def __init__(self, depth: int, offset: float) -> None:
        rng = np.random.default_rng(1)
        self.patient = nested(rng, N, 40)
        sites = nested(rng, self.patient.max() + 1, 9)
        countries = nested(rng, sites.max() + 1, 3)
        self.site, self.country = sites[self.patient], countries[sites[self.patient]]
        self.t, self.visit = rng.normal(size=N), rng.integers(0, 3, N)
        one = np.ones(N)
        self.X = np.column_stack([one, self.t, rng.normal(size=N)])
        self.y = rng.normal(size=N) * 3 + offset
        slope = np.column_stack([one, self.t])
        arm = np.column_stack([one, self.site % 2])
        terms = [
            (RowTerm("p", "p", ("1", "t"), slope, None, 1),),
            (RowTerm("s", "s", ("1", "arm"), arm, None, 1),
             RowTerm("s:v", "s:v", ("1",), one[:, None], self.visit, 3)),
            (RowTerm("c", "c", ("1",), one[:, None], None, 1),),
        ]  # fmt: skip
        codes = [self.patient, self.site, self.country]
        parents = [sites, countries, np.zeros(countries.max() + 1, dtype=np.int64)]
        self.levels = [
            RowLevel(c, p, int(c.max()) + 1, t)
            for c, p, t in list(zip(codes, parents, terms, strict=True))[:depth]
        ]
        Z = by_group(slope, self.patient)
        S = by_group(arm, self.site)
        SV = by_group(one[:, None], self.site * 3 + self.visit)
        C = by_group(one[:, None], self.country)
        e = np.ones((1, 1))
        blocks = [
            [spread(Z, E) for E in triangle(2)],
            [*(spread(S, E) for E in triangle(2)), spread(SV, e)],
            [spread(C, e)],
        ]
        self.dV = [np.eye(N), *(d for block in blocks[:depth] for d in block)]
        lower = [(0, 0), (1, 0), (1, 1)]
        values = [
            *(D_PATIENT[i] for i in lower), *(D_SITE[i] for i in lower), VISIT, COUNTRY,
        ]  # fmt: skip
        self.v = np.array([SIGMA2, *values])[: len(self.dV)]


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("offset", [5.0, 1e7])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_rows_against_dense(depth: int, offset: float, reml: bool) -> None:
    case = Case(depth, offset)
    based = based_moments(case.levels, case.X, ("a", "t", "x"), case.y)
    bottom, fixed = condition_rows(based)
    unit = fixed.unit
    R = [term.R / unit for term in based.terms]
    tri = np.array(triangle(2))
    covariances = [_level(D_PATIENT, R[0], tri)]
    if depth > 1:
        site, visit = _level(D_SITE, R[1], tri), VISIT * R[2][0, 0] ** 2
        D = np.zeros((5, 5))
        D[:2, :2], D[2:, 2:] = site.D, visit * np.eye(3)
        root = np.zeros((5, 5))
        root[:2, :2], root[2:, 2:] = site.root, np.sqrt(visit) * np.eye(3)
        E = np.zeros((4, 5, 5))
        E[:3, :2, :2] = site.E
        E[3, 2:, 2:] = R[2][0, 0] ** 2 * np.eye(3)
        covariances.append(LevelCovariance(D, root, E))
    if depth > 2:
        size = R[3] @ R[3].T
        covariances.append(LevelCovariance(COUNTRY * size, np.sqrt(COUNTRY * size), size[None]))
    positions = [np.arange(1, 4), np.arange(4, 8), np.array([8])][:depth]
    likelihood = Likelihood(bottom, Split(np.array([0]), tuple(positions)), reml)
    v = case.v.copy()
    v[0] /= unit**2
    point = likelihood.point(v, covariances)
    V = np.einsum("j,jab->ab", case.v, np.array(case.dV))
    expected = dense(case.X, case.y - offset, V, case.dV, reml=reml)
    degrees = N - 3 if reml else N
    deviance = point.deviance + 2 * degrees * np.log(unit) + (fixed.log_det if reml else 0.0)
    assert deviance == pytest.approx(expected.deviance, abs=1e-8)
    assert likelihood.value(v, covariances) == pytest.approx(point.deviance, rel=1e-13)
    shifted = fixed.back(point.b) - np.array([offset, 0, 0])
    assert shifted == pytest.approx(expected.b, abs=1e-8)
    own = np.ones(len(v))
    own[0] = unit**-2
    near = {"rel": 1e-8, "abs": 1e-8}
    assert point.gradient * own == pytest.approx(expected.gradient, **near)
    for found, wanted in (
        (point.expected, expected.expected),
        (point.average, expected.average),
        (point.hessian, expected.hessian),
    ):
        assert found * np.outer(own, own) == pytest.approx(wanted, **near)
    Ri = np.linalg.inv(fixed.R)
    assert unit**2 * Ri @ point.phi @ Ri.T == pytest.approx(expected.phi, **near)
    first = fixed.R.T @ point.first @ fixed.R * own[:, None, None] / unit**2
    assert first == pytest.approx(expected.first, **near)
    second = (point.second + point.second.transpose(1, 0, 2, 3)) / 2
    second = fixed.R.T @ second @ fixed.R * np.outer(own, own)[:, :, None, None] / unit**2
    assert second == pytest.approx(expected.second, rel=1e-8, abs=1e-7)


def _level(D: np.ndarray, R: np.ndarray, tri: np.ndarray) -> LevelCovariance:
    values, vectors = np.linalg.eigh(D)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return LevelCovariance(R @ D @ R.T, R @ root, R @ tri @ R.T)
