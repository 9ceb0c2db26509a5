"""Covariance structures: derivatives by finite differences, bookkeeping by dense algebra."""

import numpy as np
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.covariances import Unstructured
from sitewise.lmm.residuals import CompoundSymmetry, Correlated, ScaledIdentity, residual_structure
from sitewise.lmm.structures import INSIDE, Parameters, Term, power_of_two

STRUCTURES = {
    "us1": Unstructured(1),
    "us3": Unstructured(3, (2.0, 0.25, 1.0)),
    "identity": ScaledIdentity(4),
    "cs": CompoundSymmetry(4),
    "cs2": CompoundSymmetry(2),
    "csh": Correlated(4, "exchangeable", True),
    "ar1": Correlated(4, "ar1", False),
    "ar1h": Correlated(4, "ar1", True),
}
each = pytest.mark.parametrize("name", STRUCTURES)
TOLERANCE = 1e-8  # of central differences of 4th order at steps of 1e-3


def slope(function, x, step=1e-3):
    """d function/dx, the last axis of the answer over x."""
    moves = step * np.eye(len(x))
    return np.stack(
        [
            (8 * (function(x + e) - function(x - e)) - (function(x + 2 * e) - function(x - 2 * e)))
            / (12 * step)
            for e in moves
        ],
        axis=-1,
    )


def point(structure, seed=1):
    return np.random.default_rng(seed).normal(0.3, 0.6, structure.n_phi)


@each
def test_jacobian_and_curvature(name):
    s = STRUCTURES[name]
    phi = point(s)
    np.testing.assert_allclose(s.jacobian(phi), slope(s.natural, phi), atol=TOLERANCE)
    g = np.random.default_rng(2).normal(size=s.n_v)
    expected = slope(lambda x: g @ s.jacobian(x), phi)
    np.testing.assert_allclose(s.curvature(phi, g), expected, atol=TOLERANCE)


@each
def test_derivatives_of_the_matrix(name):
    s = STRUCTURES[name]
    v = s.natural(point(s))
    np.testing.assert_allclose(
        s.first(v), np.moveaxis(slope(s.matrix, v), -1, 0), atol=TOLERANCE * 10
    )
    numeric = np.moveaxis(slope(s.first, v), -1, 1)
    second = s.second(v)
    np.testing.assert_allclose(
        np.zeros_like(numeric) if second is None else second, numeric, atol=TOLERANCE * 10
    )


@each
@pytest.mark.parametrize("seed", range(5))
def test_every_phi_is_a_covariance(name, seed):
    s = STRUCTURES[name]
    phi = 3 * point(s, seed)
    matrix = s.matrix(s.natural(phi))
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12 * np.trace(matrix)


@each
def test_from_matrix_inverts(name):
    s = STRUCTURES[name]
    matrix = s.matrix(s.natural(0.5 * point(s)))
    again = s.matrix(s.natural(s.from_matrix(matrix)))
    np.testing.assert_allclose(again, matrix, rtol=1e-10, atol=1e-12)


def test_textbook_matrices():
    rho, sd = 0.4, np.array([1.0, 2.0, 3.0])
    lag = np.abs(np.subtract.outer(range(3), range(3)))
    x = rho / np.sqrt(1 - rho**2)
    ar1h = Correlated(3, "ar1", True)
    np.testing.assert_allclose(
        ar1h.matrix(np.array([*np.log(sd), x])), np.outer(sd, sd) * rho**lag, rtol=1e-14
    )
    csh = Correlated(3, "exchangeable", True)
    x = np.log((rho + 0.5) / (1.5 - (rho + 0.5)))
    expected = np.outer(sd, sd) * np.where(lag == 0, 1, rho)
    np.testing.assert_allclose(csh.matrix(np.array([*np.log(sd), x])), expected, rtol=1e-14)
    cs = CompoundSymmetry(3)
    np.testing.assert_allclose(
        cs.matrix(cs.natural(np.array([np.log(2.0), x]))),
        4 * np.where(lag == 0, 1, rho),
        rtol=1e-14,
    )


def test_mmrm_theta_of_us():
    """L = diag(exp) x unit-lower, by finite differences of the definition itself."""
    n = 3
    s = Unstructured(n, (2.0,) * n)
    rows, columns = np.tril_indices(n, -1)
    order = np.lexsort((rows, columns))

    def vech(theta):
        unit = np.eye(n)
        unit[rows[order], columns[order]] = theta[n:]
        factor = np.diag(np.exp(theta[:n])) @ unit
        return Unstructured(n).natural(factor.T[np.triu_indices(n)])

    theta = np.array([0.3, -0.2, 0.5, 0.7, -0.4, 0.2])
    phi = s.from_matrix(s.matrix(vech(theta)))
    jacobian, second = s.mmrm(phi)
    np.testing.assert_allclose(jacobian, slope(vech, theta), atol=TOLERANCE)
    numeric = slope(lambda t: slope(vech, t), theta)
    np.testing.assert_allclose(second, numeric, atol=1e-6)


@pytest.mark.parametrize("name", ["identity", "cs", "csh", "ar1", "ar1h"])
def test_mmrm_theta_is_phi(name):
    s = STRUCTURES[name]
    phi = point(s)
    jacobian, second = s.mmrm(phi)
    np.testing.assert_allclose(jacobian, slope(s.natural, phi), atol=TOLERANCE)
    np.testing.assert_allclose(second, slope(s.jacobian, phi), atol=TOLERANCE)


Z = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]])


def model():
    return Parameters(
        [
            Term("USUBJID", ("(Intercept)", "WEEK"), INSIDE, Z=Z, unit=(1.0, 0.5)),
            Term("SITEID", ("(Intercept)", "ARM"), 0),
            Term("SITEID:AVISIT", ("(Intercept)",), 0, copies=3),
            Term("COUNTRY", ("(Intercept)",), 1),
        ],
        Correlated(3, "ar1", True),
        slots=("1", "2", "3"),
        sigma=2.0,
    )


def test_model_bookkeeping():
    p = model()
    assert (p.n_phi, p.n_v, len(p.words())) == (12, 12, 12)
    assert p.words()[1] == "covariance of (Intercept) and WEEK by USUBJID"
    assert list(p.positions(0)) == [3, 4, 5, 6]
    assert list(p.slot_covariance().positions) == [0, 1, 2, 8, 9, 10, 11]
    assert not p.linear
    phi = p.start(3)
    np.testing.assert_allclose(p.jacobian(phi), slope(p.natural, phi), atol=TOLERANCE)
    g = np.random.default_rng(2).normal(size=p.n_v)
    numeric = slope(lambda x: g @ p.jacobian(x), phi)
    np.testing.assert_allclose(p.curvature(phi, g), numeric, atol=TOLERANCE)


def test_level_covariance():
    p = model()
    phi = p.start(3)
    D, root, E = p.level_covariance(0, phi)
    one, two = p.covariances(phi)[1:3]
    expected = np.zeros((5, 5))
    expected[:2, :2] = one
    expected[2:, 2:] = np.eye(3) * two
    np.testing.assert_allclose(D, expected, rtol=1e-14)
    np.testing.assert_allclose(root @ root.T, D, rtol=1e-14)
    v = p.natural(phi)
    np.testing.assert_allclose(np.einsum("e,eab->ab", v[p.positions(0)], E), D, rtol=1e-13)


def test_slot_covariance():
    p = model()
    phi = p.start(3)
    v, R = p.natural(phi), p.slot_covariance()
    np.testing.assert_allclose(
        R.full(v), Z @ p.covariances(phi)[0] @ Z.T + p.residual_matrix(phi), rtol=1e-14
    )
    np.testing.assert_allclose(
        R.first(v), np.moveaxis(slope(R.full, v), -1, 0)[R.positions], atol=1e-7
    )
    numeric = np.moveaxis(slope(R.first, v), -1, 1)[:, R.positions]
    dense = np.zeros_like(numeric)
    for j, k, bend in R.second(v):
        assert bend.any()
        dense[j, k] = dense[k, j] = bend
    np.testing.assert_allclose(dense, numeric, atol=1e-7)


def test_starts_and_report():
    p = model()
    for term in p.covariances(p.start("zero")):
        assert not term.any()
    np.testing.assert_allclose(p.residual_matrix(p.start("zero")), 4 * np.eye(3), atol=1e-12)
    assert not np.array_equal(p.start(1), p.start(2))
    reported = p.report(p.start("zero"))
    assert reported[-1].labels == ("1", "2", "3")
    np.testing.assert_allclose(reported[-1].sds, 2.0)
    assert np.isnan(reported[0].correlations).all()
    assert np.linalg.eigvalsh(p.covariances(p.generic())[1])[0] > 0.1
    rows = Parameters([Term("SITEID", ("(Intercept)",), 0)], ScaledIdentity(), sigma=3.0)
    assert rows.sigma2(rows.start()) == pytest.approx(9.0, rel=1e-14)
    assert rows.slot_covariance().full(rows.natural(rows.start())) == pytest.approx(9.0)


def test_rank_deficient_matrices_have_a_factor():
    D = np.outer([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    s = Unstructured(3)
    np.testing.assert_allclose(s.matrix(s.natural(s.from_matrix(D))), D, atol=1e-15)


def test_residual_structures_by_name():
    for name in ("us", "cs", "csh", "ar1", "ar1h"):
        assert residual_structure(name, 3).size == 3
    with pytest.raises(ModelError, match="us, cs, csh, ar1, ar1h"):
        residual_structure("toep", 3)
    with pytest.raises(ModelError, match="two slots"):
        residual_structure("cs", 1)


def test_power_of_two():
    assert [power_of_two(x) for x in (0.0, 1.0, 5.0, 0.3)] == [1.0, 1.0, 4.0, 0.25]
