"""Certificate, verdict on singularity and identifiability, on dense models small enough to see."""

from itertools import pairwise

import numpy as np
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.certificate import (
    certify,
    free_directions,
    not_identified,
    on_boundary,
    refuse_not_identified,
    singularity,
)
from sitewise.lmm.newton import Minimum, Path, minimise, search
from sitewise.lmm.residuals import ScaledIdentity
from sitewise.lmm.structures import Parameters, Term


class Dense:
    """-2 log-likelihood (ML) of N(0, V), V linear in v: V = sum v_j V_j; textbook formulas."""

    def __init__(self, parameters, parts, y):
        self.parameters, self.parts, self.y = parameters, np.array(parts), y

    def value(self, phi):
        V = np.einsum("j,jab->ab", self.parameters.natural(phi), self.parts)
        try:
            factor = np.linalg.cholesky(V)
        except np.linalg.LinAlgError:
            return np.inf
        half = np.linalg.solve(factor, self.y)
        n = len(self.y)
        return float(2 * np.log(np.diag(factor)).sum() + half @ half + n * np.log(2 * np.pi))

    def gradient_v(self, phi):
        W = np.linalg.inv(np.einsum("j,jab->ab", self.parameters.natural(phi), self.parts))
        r = W @ self.y
        return np.einsum("ab,jab->j", W, self.parts) - np.einsum("a,jab,b->j", r, self.parts, r)

    def full(self, phi):
        value = self.value(phi)
        n = len(phi)
        if not np.isfinite(value):
            return value, np.zeros(n), np.zeros((n, n))
        W = np.linalg.inv(np.einsum("j,jab->ab", self.parameters.natural(phi), self.parts))
        r = W @ self.y
        WV = W @ self.parts
        expected = np.einsum("jab,kba->jk", WV, WV)
        average = np.einsum("ja,ab,kb->jk", self.parts @ r, W, self.parts @ r)
        g, J = self.gradient_v(phi), self.parameters.jacobian(phi)
        H = J.T @ (2 * average - expected) @ J + self.parameters.curvature(phi, g)
        return value, J.T @ g, 0.5 * (H + H.T)

    def information(self, phi):
        W = np.linalg.inv(np.einsum("j,jab->ab", self.parameters.natural(phi), self.parts))
        WV = W @ self.parts
        return 0.5 * np.einsum("jab,kba->jk", WV, WV)


def parts_of(S, E):
    return [S @ e @ S.T for e in E]


def slopes(seed, D, groups=12, times=5, sigma=1.0):
    """Random intercepts and slopes by group: the model, dense, and simulated readings."""
    rng = np.random.default_rng(seed)
    time = np.arange(times) - 1.0
    Z = np.column_stack([np.ones(times), time])
    rms = tuple(np.sqrt((Z**2).mean(axis=0)))
    p = Parameters([Term("g", ("(Intercept)", "t"), 0, rms=rms)], ScaledIdentity(), sigma=sigma)
    effects = rng.multivariate_normal(np.zeros(2), D, size=groups, method="eigh")
    y = (effects @ Z.T + sigma * rng.normal(size=(groups, times))).ravel()
    E = p.terms[0].structure.first(np.zeros(3))
    eye = np.eye(groups)
    parts = [np.kron(eye, Z @ e @ Z.T) for e in E] + [np.eye(groups * times)]
    return p, Dense(p, parts, y)


STARTS = ["default", "tiny", "zero", 1, 2, 3]
SIMULATED = {
    "inside": (1, [[1.0, 0.3], [0.3, 0.5]]),
    "no variance": (5, [[0.0, 0.0], [0.0, 0.0]]),
    "correlation 1": (2, [[1.0, 0.2], [0.2, 0.04]]),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_every_start_ends_at_the_same_certified_optimum(name):
    p, objective = slopes(*SIMULATED[name])
    ends = [minimise(objective, [p.start(how)]) for how in STARTS]
    lowest = min(end.best.value for end in ends)
    for end in ends:
        certificate = certify(p, end, objective.gradient_v(end.best.end))
        assert certificate.holds, certificate.problems
        assert end.best.value == pytest.approx(lowest, abs=1e-8)
        assert certificate.singularity.singular == (name != "inside")
    # Nothing nearby in D is lower, boundary or not.
    rng = np.random.default_rng(0)
    D, s2 = p.covariances(ends[0].best.end)[0], p.sigma2(ends[0].best.end)
    for _ in range(300):
        size = 10.0 ** rng.uniform(-4, 0)
        noise = rng.normal(size=(2, 2))
        values, vectors = np.linalg.eigh(D + size * (noise + noise.T))
        moved = (vectors * np.maximum(values, 0)) @ vectors.T
        phi = p.phi_of([moved], np.array([[s2 * np.exp(size * rng.normal())]]))
        assert objective.value(phi) >= lowest - 1e-9


def test_gradient_and_hessian_of_the_dense_model():
    """The tests' own objective, against finite differences: it carries the others."""
    p, objective = slopes(1, [[1.0, 0.3], [0.3, 0.5]])
    phi, h = p.start(4), 1e-4
    _, g, H = objective.full(phi)
    for k, e in enumerate(h * np.eye(len(phi))):
        up, down = objective.full(phi + e), objective.full(phi - e)
        assert g[k] == pytest.approx((up[0] - down[0]) / (2 * h), rel=1e-5, abs=1e-4)
        np.testing.assert_allclose(H[k], (up[1] - down[1]) / (2 * h), rtol=1e-5, atol=1e-3)


def test_a_saddle_is_not_certified():
    """L = 0 with the best sigma has gradient 0 in phi, but a variance could grow."""
    p, objective = slopes(1, [[1.0, 0.3], [0.3, 0.5]])
    phi = np.array([0.0, 0.0, 0.0, 0.5 * np.log(np.mean(objective.y**2))])
    value, g, H = objective.full(phi)
    np.testing.assert_allclose(g, 0, atol=1e-10)
    path = Path(phi, phi, value, value, g, H, 0.0, 0, 1, True, "given")
    certificate = certify(p, Minimum(path, (path,), (path,)), objective.gradient_v(phi))
    assert not certificate.holds
    assert any("could grow" in problem for problem in certificate.problems)
    assert certificate.terms[0].rank == 0
    assert search(objective, phi).value < value - 1


def test_a_point_with_a_slope_is_not_certified():
    p, objective = slopes(1, [[1.0, 0.3], [0.3, 0.5]])
    end = search(objective, p.start()).end + np.array([0.01, 0, 0, 0])
    value, g, H = objective.full(end)
    path = Path(end, end, value, value, g, H, 0.0, 0, 1, True, "given")
    certificate = certify(p, Minimum(path, (path,), (path,)), objective.gradient_v(end))
    assert any("the gradient is not 0" in problem for problem in certificate.problems)


def test_singularity_is_free_of_units():
    """Kinds by name, the threshold 1e-4 of sigma, whatever the unit of time."""
    for unit in (1.0, 1e6):
        p = Parameters(
            [Term("g", ("(Intercept)", "t"), 0, rms=(1.0, unit), unit=(1.0, 2.0**-4))],
            ScaledIdentity(),
        )

        def verdict(D, s2=1.0, p=p, unit=unit):
            move = np.diag([1.0, 1.0 / unit])
            return singularity(p, p.phi_of([move @ np.array(D) @ move], np.array([[s2]])))

        assert verdict([[1, 0], [0, 0]]).kind == "variance 0"
        assert verdict([[1, 1], [1, 1]]).kind == "correlation"
        assert verdict([[1, 1], [1, 1]]).where == "(Intercept) + t | g"
        assert not verdict([[1, 0], [0, 1e-6]]).singular
        assert verdict([[1, 0], [0, 1e-6]]).smallest == pytest.approx(1e-3, rel=1e-6)
        assert verdict([[1, 0], [0, 1e-6]], s2=400.0).singular


def test_free_directions_leave_out_the_boundary():
    p, _ = slopes(1, [[1.0, 0.3], [0.3, 0.5]])
    inside = np.array([1.0, 0.2, 0.5, 0.0])
    edge = np.array([1.0, 0.2, 0.0, 0.0])
    assert free_directions(p, inside).shape == (4, 4)
    free = free_directions(p, edge)
    assert free.shape == (4, 3)
    np.testing.assert_allclose(free[2], 0, atol=1e-12)
    assert on_boundary(p, edge)
    assert not on_boundary(p, inside)


def test_one_reading_a_patient_is_not_identified():
    """Patients in sites with one reading each: patient variance and residual are one."""
    sites = np.kron(np.eye(4), np.ones((3, 1)))
    p = Parameters(
        [Term("USUBJID", ("(Intercept)",), 0), Term("SITEID", ("(Intercept)",), 1)],
        ScaledIdentity(),
    )
    objective = Dense(p, [np.eye(12), sites @ sites.T, np.eye(12)], np.zeros(12))
    E = objective.information(p.generic())
    assert not_identified(p, E) == (("variance of (Intercept) by USUBJID", "residual variance"),)
    with pytest.raises(ModelError, match="variance of \\(Intercept\\) by USUBJID; residual"):
        refuse_not_identified(p, E, "y ~ 1 + (1 | SITEID/USUBJID)")
    two = Dense(p, [np.kron(np.eye(6), np.ones((2, 2))), sites @ sites.T, np.eye(12)], np.zeros(12))
    assert not_identified(p, two.information(p.generic())) == ()


@pytest.mark.parametrize("unit", [1.0, 1e-5, 1e5])
def test_slopes_over_two_visits_are_not_identified(unit):
    """Four parameters, three moments a patient; the unit of time does not matter."""
    Z = np.array([[1.0, 0.0], [1.0, 1.0 / unit]])
    eye = np.eye(10)
    p = Parameters([Term("USUBJID", ("(Intercept)", "t"), 0, unit=(1.0, unit))], ScaledIdentity())
    E = p.terms[0].structure.first(np.zeros(3))
    parts = [np.kron(eye, Z @ e @ Z.T) for e in E] + [np.eye(20)]
    found = not_identified(p, Dense(p, parts, np.zeros(20)).information(p.generic()))
    assert len(found) == 1
    assert set(found[0]) == set(p.words())


def test_a_column_of_zeros_has_no_information():
    p = Parameters([Term("g", ("(Intercept)",), 0), Term("h", ("x",), 1)], ScaledIdentity())
    parts = [np.kron(np.eye(5), np.ones((2, 2))), np.zeros((10, 10)), np.eye(10)]
    E = Dense(p, parts, np.zeros(10)).information(p.generic())
    assert not_identified(p, E) == (("variance of x by h",),)


def test_three_groupings_alike_give_two_combinations():
    p = Parameters([Term(g, ("(Intercept)",), k) for k, g in enumerate("abc")], ScaledIdentity())
    same = np.kron(np.eye(5), np.ones((2, 2)))
    E = Dense(p, [same, same, same, np.eye(10)], np.zeros(10)).information(p.generic())
    found = not_identified(p, E)
    assert len(found) == 2
    assert all("residual variance" not in names for names in found)
    assert {name for names in found for name in names} == set(p.words()[:3])


class Lever:
    """One reading a group, (0 + x | g), sigma 1: y_i ~ N(0, 1 + x_i^2 L^2).

    Four groups of large x lie closer to 0 than sigma and want L = 0; three of small x lie ten sigma
    off and want a large L.
    """

    w = np.array([1.0, 1.0, 1.0, 1.0, 1e-4, 1e-4, 1e-4])
    z = np.array([0.5, 0.4, 0.6, 0.5, 100.0, 90.0, 110.0])

    def value(self, phi):
        lam = 1.0 + self.w * phi[0] ** 2
        return float(np.sum(np.log(lam) + self.z / lam))

    def full(self, phi):
        lam = 1.0 + self.w * phi[0] ** 2
        d1, d2 = 1 / lam - self.z / lam**2, -1 / lam**2 + 2 * self.z / lam**3
        slope, bend = 2 * self.w * phi[0], 2 * self.w
        hessian = np.sum(d2 * slope**2 + d1 * bend)
        return self.value(phi), np.array([np.sum(d1 * slope)]), np.array([[hessian]])


def test_two_maxima_of_a_likelihood_are_both_reported():
    """On a grid: minima at L = 0 and far out; the second start is called by the boundary."""
    objective = Lever()
    grid = np.linspace(0, 3000, 300_001)
    lam = 1.0 + objective.w[:, None] * grid**2
    values = (np.log(lam) + objective.z[:, None] / lam).sum(axis=0)
    inner = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
    assert values[1] > values[0]
    assert len(inner) == 1
    found = minimise(
        objective, [np.array([0.5]), np.array([900.0])], boundary=lambda phi: abs(phi[0]) < 1e-4
    )
    assert len(found.optima) == 2
    assert abs(found.optima[0].end[0]) == pytest.approx(grid[inner[0]], abs=0.01)
    assert found.optima[1].end[0] == pytest.approx(0.0, abs=1e-8)
    assert all(a.value < b.value for a, b in pairwise(found.optima))
