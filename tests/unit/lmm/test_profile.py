"""The likelihood and its derivatives against dense textbook computations."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.derivatives import derive
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.fit import fit_design, fit_formula
from sitewise.lmm.optimum import singularity
from sitewise.lmm.profile import Profile, factors, restricted_deviance
from sitewise.lmm.satterthwaite import satterthwaite
from sitewise.lmm.search import Search

LEVELS = {"visit": ["v0", "v1", "v2"], "arm": ["A", "B"]}


def simulate(seed: int, sites: int = 6, patients: int = 8) -> pd.DataFrame:
    """Sites, patients with slopes, three visits, some readings missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(sites):
        at_site = rng.normal(0, 3)
        for p in range(patients):
            level, slope = rng.normal(0, 6), rng.normal(0, 0.2)
            for v, visit in enumerate(LEVELS["visit"]):
                if rng.random() < 0.1:
                    continue
                y = 140 + at_site + level + (slope - 0.1 * (p % 2)) * 10 * v + rng.normal(0, 4)
                rows.append((f"s{s}", f"s{s}p{p}", LEVELS["arm"][p % 2], visit, 10.0 * v, y))
    return pd.DataFrame(rows, columns=["site", "patient", "arm", "visit", "week", "y"])


FORMULAS = [
    "y ~ visit*arm + (1 | site) + (1 | patient)",
    "y ~ week*arm + (1 | site:visit) + (1 | site) + (1 + week | patient)",
    "y ~ week + (1 + week | site) + (1 + week | patient)",
    "y ~ arm + (1 | visit) + (1 | site)",
    "y ~ arm + (1 | patient) + (0 + week | patient)",
]


def dense(design: Design, theta: np.ndarray, reml: bool) -> tuple[float, np.ndarray, float]:
    """-2 log-likelihood by the n x n covariance; (X'V^-1X)^-1 and sigma^2."""
    V = np.eye(len(design.y))
    for block, factor in zip(design.blocks, factors(design.blocks, theta), strict=True):
        same = block.codes[:, None] == block.codes[None, :]
        V += same * (block.values @ factor @ factor.T @ block.values.T)
    inverse = np.linalg.inv(V)
    A = design.X.T @ inverse @ design.X
    beta = np.linalg.solve(A, design.X.T @ inverse @ design.y)
    rest = design.y - design.X @ beta
    k = len(design.y) - (design.X.shape[1] if reml else 0)
    sigma2 = float(rest @ inverse @ rest) / k
    value = np.linalg.slogdet(V)[1] + k * (1 + np.log(2 * np.pi * sigma2))
    value += np.linalg.slogdet(A)[1] if reml else 0.0
    return float(value), np.linalg.inv(A), sigma2


def thetas(design: Design) -> list[np.ndarray]:
    m = sum(len(b.names) * (len(b.names) + 1) // 2 for b in design.blocks)
    rng = np.random.default_rng(m)
    return [rng.uniform(-0.5, 1, m), np.zeros(m), np.eye(m)[0] * 0.7]


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS)
def test_deviance_is_that_of_the_dense_covariance(formula: str, reml: bool) -> None:
    design = build_design(formula, simulate(1), LEVELS)
    deviance = restricted_deviance(design, reml)
    for theta in thetas(design):  # the boundary included
        assert deviance(theta) == pytest.approx(dense(design, theta, reml)[0], abs=1e-8)


@pytest.mark.parametrize("formula", FORMULAS)
def test_fit_reports_the_state_at_its_theta(formula: str) -> None:
    design = build_design(formula, simulate(2), LEVELS)
    fit = fit_design(design, reml=True, alpha=0.05).fit
    value, inverse, sigma2 = dense(design, np.array(fit.theta), True)
    assert fit.deviance == pytest.approx(value, abs=1e-8)
    assert fit.sigma**2 == pytest.approx(sigma2, rel=1e-9)
    np.testing.assert_allclose(np.array(fit.vcov), inverse * sigma2, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("formula", FORMULAS[:3])
def test_derivatives_against_other_steps(formula: str) -> None:
    """Gradient and Hessian by plain central differences of the dense deviance."""
    design = build_design(formula, simulate(3), LEVELS)
    profile = Profile(design)
    external = np.abs(thetas(design)[0]) + 0.2
    theta = profile.to_internal(external)
    found = derive(profile, theta, True)
    m = len(theta)

    def f(move: np.ndarray) -> float:
        moved = profile.to_external(theta + found.unit * move)
        return dense(design, moved, True)[0]

    h, unit = 1e-4, np.eye(m)
    gradient = [(f(h * e) - f(-h * e)) / (2 * h) for e in unit]
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-5, atol=1e-4)
    h = 2e-3
    hessian = [
        [(f(h * (a + b)) - f(h * (a - b)) - f(h * (b - a)) + f(-h * (a + b))) / (4 * h * h)
         for a in unit] for b in unit
    ]  # fmt: skip
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-3, atol=2e-2)


def test_blups_and_their_variance_are_henderson() -> None:
    """Mixed-model equations, fixed effects known for the variance (lme4's condVar)."""
    design = build_design(FORMULAS[1], simulate(4), LEVELS)
    fitted = fit_design(design, reml=True, alpha=0.05)
    fit, n = fitted.fit, len(design.y)
    Z, D = [], []
    for block, factor in zip(design.blocks, factors(design.blocks, np.array(fit.theta)),
                             strict=True):  # fmt: skip
        q = len(block.names)
        wide = np.zeros((n, len(block.levels) * q))
        for j in range(q):
            wide[np.arange(n), block.codes * q + j] = block.values[:, j]
        Z.append(wide)
        D.append(np.kron(np.eye(len(block.levels)), factor @ factor.T))
    Zall = np.hstack(Z)
    G = np.zeros((Zall.shape[1], Zall.shape[1]))
    start = 0
    for part in D:
        G[start : start + len(part), start : start + len(part)] = part
        start += len(part)
    V = np.eye(n) + Zall @ G @ Zall.T
    beta = np.array([e.estimate for e in fit.fixef])
    b = G @ Zall.T @ np.linalg.solve(V, design.y - design.X @ beta)
    variance = fit.sigma**2 * np.diag(G - G @ Zall.T @ np.linalg.solve(V, Zall @ G))
    np.testing.assert_allclose([r.blup for r in fitted.ranef], b, atol=1e-7)
    np.testing.assert_allclose([r.se for r in fitted.ranef], np.sqrt(variance), atol=1e-7)
    np.testing.assert_allclose(fitted.fitted, design.X @ beta + Zall @ b, atol=1e-7)
    np.testing.assert_allclose(fitted.residuals, design.y - fitted.fitted)


def test_satterthwaite_agrees_with_the_engine() -> None:
    """mixedlm's own df, computed another way, on the same canonical columns."""
    import mixedlm

    design = build_design(FORMULAS[0], simulate(12, sites=20), LEVELS)
    frame = pd.DataFrame(design.X, columns=[f"x{j}" for j in range(design.X.shape[1])])
    frame = frame.assign(y=design.y, one=1.0)
    for i, block in enumerate(design.blocks):
        frame[f"g{i}"] = [f"l{c}" for c in block.codes]
    names = [f"x{j}" for j in range(design.X.shape[1])]
    text = f"y ~ 0 + {' + '.join(names)} + (0 + one | g0) + (0 + one | g1)"
    model = mixedlm.lmer(text, frame)
    own = [e.df for e in fit_design(design, reml=True, alpha=0.05).fit.fixef]
    np.testing.assert_allclose(own, mixedlm.satterthwaite_df(model).df, rtol=2e-3)


def test_hypotheses_of_single_weights_are_the_coefficients() -> None:
    design = build_design(FORMULAS[0], simulate(6), LEVELS)
    rows = dict(zip(design.names, np.eye(len(design.names)), strict=True))
    fit = fit_design(design, reml=True, alpha=0.1, hypotheses=rows).fit
    for own, other in zip(fit.hypotheses, fit.fixef, strict=True):
        assert own.name == other.name
        assert own.df == pytest.approx(other.df, rel=1e-9)
        assert (own.upper - own.estimate) == pytest.approx(own.estimate - own.lower)


def test_hypotheses_are_checked() -> None:
    design = build_design(FORMULAS[0], simulate(6), LEVELS)
    with pytest.raises(ModelError) as error:
        fit_design(design, reml=True, alpha=2, df="kr",
                   hypotheses={"a": np.ones(2), "b": np.zeros(6)})  # fmt: skip
    for text in ("unknown df method 'kr'", "alpha is 2", "'a' has shape (2,)", "'b' has no weight"):
        assert text in str(error.value)


def test_search_finds_theta_in_our_order() -> None:
    """The engine orders triangles by row, the project by column."""
    data = simulate(7).assign(age=lambda d: d["week"] ** 2 / 10 + d.index % 3)
    design = build_design("y ~ 1 + (1 + week + age | site) + (1 | patient)", data, LEVELS)
    profile = Profile(design)
    found = Search(profile, True).run()
    state = profile.state(found.theta)
    assert profile.deviance(state, True) == pytest.approx(found.deviance, abs=1e-6)


def test_search_from_a_start() -> None:
    design = build_design(FORMULAS[2], simulate(8), LEVELS)
    profile = Profile(design)
    search = Search(profile, False)
    starts = [None, np.array([0.1, 0.0, 0.1] * 2), np.array([2.0, 0.5, 1.0] * 2)]
    ends = [search.run(start).deviance for start in starts]
    assert max(ends) - min(ends) < 1e-4


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_singular_verdict_is_free_of_units(scale: float) -> None:
    data = simulate(9).assign(week=lambda d: d["week"] * scale)
    design = build_design("y ~ week + (1 + week | patient)", data, LEVELS)
    profile = Profile(design)
    inside = singularity(profile, profile.to_internal(np.array([0.8, 0.01 / scale, 0.02 / scale])))
    assert not inside.singular
    line = singularity(profile, profile.to_internal(np.array([0.8, 0.05 / scale, 0.0])))
    assert (line.singular, line.kind, line.where) == (True, "correlation", "1 + week | patient")
    none = singularity(profile, profile.to_internal(np.zeros(3)))
    assert (none.singular, none.kind) == (True, "variance 0")


def test_warnings_are_data_not_noise() -> None:
    data = simulate(10)
    data["y"] = data["y"] - data.groupby("site")["y"].transform("mean")  # no site variance left
    fit = fit_formula("y ~ arm + (1 | site) + (1 | patient)", data, LEVELS, alpha=0.05).fit
    assert fit.converged
    assert fit.random[0].variances == (0.0,)
    assert fit.singularity.where == "1 | site"
    assert any("singular" in text for text in fit.warnings)
    assert fit.optimum.engine == "mixedlm"


def test_satterthwaite_of_least_squares_is_n_minus_p() -> None:
    data = simulate(11)
    data["y"] = data["y"] - data.groupby("site")["y"].transform("mean")
    design = build_design("y ~ 1 + (1 | site)", data, LEVELS)
    profile = Profile(design)
    found = derive(profile, np.zeros(1), True)
    assert satterthwaite(found, np.ones((1, 1)))[0] == pytest.approx(len(data) - 1, rel=1e-6)


def test_import_is_light() -> None:
    import subprocess
    import sys

    heavy = ("pandas", "scipy", "formulaic", "mixedlm")
    code = f"import sys, sitewise.lmm.fit; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
