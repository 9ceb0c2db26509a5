"""Trust-region Newton on functions whose minima are known in closed form."""

import numpy as np
import pytest

from sitewise.lmm.newton import minimise, search
from sitewise.lmm.quadratic import Quadratic


class Given:
    """An objective from functions; counts its evaluations."""

    def __init__(self, value, gradient, hessian):
        self.parts = value, gradient, hessian
        self.count = 0

    def value(self, phi):
        self.count += 1
        return float(self.parts[0](phi))

    def full(self, phi):
        return self.value(phi), np.array(self.parts[1](phi)), np.array(self.parts[2](phi))


def rosenbrock():
    return Given(
        lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2 + 1000,
        lambda x: [-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)],
        lambda x: [[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]],
    )


@pytest.mark.parametrize("start", [(-1.2, 1.0), (0.0, 0.0), (5.0, -3.0), (-30.0, 40.0)])
def test_rosenbrock(start):
    objective = rosenbrock()
    path = search(objective, np.array(start))
    assert path.converged
    np.testing.assert_allclose(path.end, 1.0, atol=1e-9)
    assert path.evaluations == objective.count
    assert path.first == objective.value(np.array(start))


class OneWay:
    """-2 log-likelihood of a balanced one-way model by its two sums of squares, (L, log sigma).

    m groups of n: m (n - 1) log sigma^2 + within / sigma^2 + m log(lam) + between / lam,
    lam = sigma^2 + n L^2. Optimum in closed form; L = 0 where between / m < within / (m (n - 1)).
    """

    def __init__(self, m, n, within, between):
        self.m, self.n, self.within, self.between = m, n, within, between

    def value(self, phi):
        return self.full(phi)[0]

    def full(self, phi):
        L, s2 = phi[0], np.exp(2 * phi[1])
        k = self.m * (self.n - 1)
        lam = s2 + self.n * L**2
        f = k * np.log(s2) + self.within / s2 + self.m * np.log(lam) + self.between / lam
        d1 = self.m / lam - self.between / lam**2  # in lam
        d2 = -self.m / lam**2 + 2 * self.between / lam**3
        slope = np.array([2 * self.n * L, 2 * s2])
        g = d1 * slope + np.array([0, 2 * k - 2 * self.within / s2])
        H = d2 * np.outer(slope, slope) + np.diag([2 * self.n * d1, 4 * s2 * d1])
        H[1, 1] += 4 * self.within / s2
        return f, g, H


@pytest.mark.parametrize("start", [(0.0, 0.0), (1e-3, 0.0), (0.5, 0.0), (-3.0, 2.0), (20.0, -4.0)])
@pytest.mark.parametrize(
    ("within", "between"),
    [(160.0, 100.0), (160.0, 10.0), (160.0, 1e9), (1.6e-7, 1e3), (160.0, 20.2), (160.0, 19.8)],
)
def test_one_way_from_anywhere(start, within, between):
    """Inside, on the boundary, very large and very small ratios; a saddle at L = 0 is left."""
    m, n = 20, 9
    path = search(OneWay(m, n, within, between), np.array(start))
    s2 = within / (m * (n - 1))
    L2 = max((between / m - s2) / n, 0.0)
    if L2 == 0:
        s2 = (within + between) / (m * n)
    assert path.converged, path.reason
    assert path.end[1] == pytest.approx(0.5 * np.log(s2), abs=1e-7)
    assert abs(path.end[0]) == pytest.approx(np.sqrt(L2), rel=1e-7, abs=1e-6 * np.sqrt(s2))
    assert path.steps <= 60


def test_boundary_optimum_asks_for_another_start():
    objective = OneWay(20, 9, 160.0, 10.0)
    starts = [np.array([0.5, 0.0]), np.array([2.0, 1.0])]
    found = minimise(objective, starts, boundary=lambda phi: abs(phi[0]) < 1e-4)
    assert len(found.paths) == 2
    assert len(found.optima) == 1
    assert len(minimise(objective, starts).paths) == 1


def test_a_boundary_is_settled_by_searches_that_agree():
    objective = OneWay(20, 9, 160.0, 10.0)
    starts = [np.array([0.5, 0.0]), np.array([2.0, 1.0]), np.array([1.0, 2.0])]

    def at_zero(phi):
        return abs(phi[0]) < 1e-4

    assert len(minimise(objective, starts, boundary=at_zero).paths) == 3
    assert len(minimise(objective, starts, boundary=at_zero, agreeing=2).paths) == 2


def test_without_its_last_step_a_search_promises_the_optimum():
    """Value less half the decrement: to the third order of what is left of the way."""
    objective = OneWay(20, 9, 160.0, 500.0)
    start = [np.array([0.5, 0.0])]
    whole = minimise(objective, start).best
    short = minimise(objective, start, enough=1e-3, last=False).best
    assert short.converged
    assert short.evaluations < whole.evaluations
    assert 0 < short.decrement < 1e-3
    assert short.value - short.decrement / 2 == pytest.approx(whole.value, abs=1e-4)


def test_a_stiff_direction_does_not_hide_a_shallow_saddle():
    """The way down along x is 1e-8 of the curvature in y: x^4 - x^2 + 10^8 (y - 1)^2."""
    objective = Given(
        lambda z: z[0] ** 4 - z[0] ** 2 + 1e8 * (z[1] - 1) ** 2,
        lambda z: [4 * z[0] ** 3 - 2 * z[0], 2e8 * (z[1] - 1)],
        lambda z: [[12 * z[0] ** 2 - 2, 0.0], [0.0, 2e8]],
    )
    path = search(objective, np.zeros(2))
    np.testing.assert_allclose(path.end, [np.sqrt(0.5), 1.0], atol=1e-8)


def test_saddle_between_two_symmetric_minima():
    """x^4 - x^2 + (y - 1)^2: at x = 0 the gradient in x vanishes; minima at x^2 = 1/2."""
    objective = Given(
        lambda z: z[0] ** 4 - z[0] ** 2 + (z[1] - 1) ** 2,
        lambda z: [4 * z[0] ** 3 - 2 * z[0], 2 * (z[1] - 1)],
        lambda z: [[12 * z[0] ** 2 - 2, 0.0], [0.0, 2.0]],
    )
    for start in ([0.0, 1.0], [0.0, -5.0], [1e-9, 1.0]):
        path = search(objective, np.array(start))
        np.testing.assert_allclose(path.end, [np.sqrt(0.5), 1.0], atol=1e-8)


def test_flat_direction_is_left_alone():
    """(x + y)^2 sees the sum alone: it converges, and does not wander along x - y."""
    ones = np.ones((2, 2))
    objective = Given(
        lambda z: 1e4 + (z.sum() - 3) ** 2, lambda z: 2 * (z.sum() - 3) * np.ones(2),
        lambda z: 2 * ones,
    )  # fmt: skip
    path = search(objective, np.array([1.0, 0.0]))
    assert path.converged
    assert path.end.sum() == pytest.approx(3.0, abs=1e-12)
    # The walk along x - y is rounding of the gradient over the least curvature taken for real.
    assert path.end[0] - path.end[1] == pytest.approx(1.0, abs=1e-5)
    found = minimise(objective, [np.zeros(2), np.array([5.0, 0.0])])
    assert len(found.paths) == 2  # not definite: a second start
    assert len(found.optima) == 1


def test_infinite_values_are_walked_around():
    """x - log x, infinite at x <= 0; the minimum is 1."""

    def where(f):
        return lambda x: f(x[0]) if x[0] > 0 else np.inf

    objective = Given(
        where(lambda x: x - np.log(x)),
        lambda x: [where(lambda t: 1 - 1 / t)(x)],
        lambda x: [[where(lambda t: t**-2)(x)]],
    )
    for start in (1e-4, 0.5, 30.0):
        path = search(objective, np.array([start]))
        assert path.converged
        assert path.end[0] == pytest.approx(1.0, abs=1e-9)
    lost = search(objective, np.array([-1.0]))
    assert not lost.converged
    assert lost.reason == "no finite start"
    with pytest.raises(ValueError, match="finite at no start"):
        minimise(objective, [np.array([-1.0])])
    assert minimise(objective, [np.array([-1.0]), np.array([2.0])]).best.converged


def two_maxima():
    """(x^2 - 1)^2 + x / 4: minima near -1 (lower) and +1."""
    return Given(
        lambda x: (x[0] ** 2 - 1) ** 2 + x[0] / 4,
        lambda x: [4 * x[0] * (x[0] ** 2 - 1) + 0.25],
        lambda x: [[12 * x[0] ** 2 - 4]],
    )


def test_two_optima_are_both_reported_and_the_lower_wins():
    starts = [np.array([1.5]), np.array([-1.5])]
    found = minimise(two_maxima(), starts, always=2)
    low, high = np.sort(np.roots([4, 0, -4, 0.25]).real)[[0, 2]]
    assert [path.end[0] for path in found.optima] == pytest.approx([low, high], abs=1e-9)
    assert found.best is found.optima[0]
    assert minimise(two_maxima(), starts[::-1], always=2).best.end[0] == found.best.end[0]


def test_constructed_likelihood_with_two_maxima():
    """A Student location likelihood (1 df) of two clumps: two maxima; the higher at the larger."""
    data = np.array([-4.1, -4.0, 4.0, 4.1, 4.2])

    def value(x):
        return 2 * np.log1p((data - x[0]) ** 2).sum()

    def gradient(x):
        u = x[0] - data
        return [np.sum(4 * u / (1 + u**2))]

    def hessian(x):
        u = x[0] - data
        return [[np.sum(4 * (1 - u**2) / (1 + u**2) ** 2)]]

    found = minimise(Given(value, gradient, hessian), [np.array([-3.0]), np.array([3.0])], always=2)
    grid = np.linspace(-6, 6, 120_001)
    values = np.array([value([x]) for x in grid])
    assert found.best.end[0] == pytest.approx(grid[values.argmin()], abs=1e-4)
    assert len(found.optima) == 2
    assert found.optima[1].end[0] < 0


def test_step_is_the_lowest_point_of_the_ball():
    """Against many random points of the ball, indefinite and hard cases included."""
    rng = np.random.default_rng(1)
    for hard in (False, True):
        for _ in range(20):
            A = rng.normal(size=(4, 4))
            H = A + A.T
            g = rng.normal(size=4)
            if hard:
                q = np.linalg.eigh(H)[1][:, 0]
                g = 1e-3 * (g - q * (q @ g))
            model = Quadratic(g, H)
            step = model.step(0.7)
            points = rng.normal(size=(20_000, 4))
            points *= (0.7 * rng.random(20_000) ** 0.25 / np.linalg.norm(points, axis=1))[:, None]
            falls = -points @ g - 0.5 * np.einsum("ni,ij,nj->n", points, H, points)
            assert np.linalg.norm(step) <= 0.7 * (1 + 1e-8)
            assert model.fall(step) >= falls.max() - 1e-9


def test_step_limit_is_said():
    path = search(rosenbrock(), np.array([-1.2, 1.0]), max_steps=2)
    assert not path.converged
    assert path.reason == "2 steps were not enough"
