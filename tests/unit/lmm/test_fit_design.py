"""Fits of designs, and the deviance as a function of theta, against n x n matrices."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.columns import column_values
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.designed import deviance_of_theta
from sitewise.lmm.fit import fit_design, fit_formula

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
    "y ~ arm + (1 | visit:site) + (1 | site)",
    "y ~ arm + (1 | patient) + (0 + week | patient)",
]


def columns(design: Design) -> list[np.ndarray]:
    return [column_values(term.columns, design.data) for term in design.terms]


def factors(design: Design, theta: np.ndarray) -> list[np.ndarray]:
    """Relative Cholesky factors, term by term, by lme4's order: lower triangles by column."""
    found, rest = [], list(theta)
    for term in design.terms:
        q = len(term.columns)
        factor = np.zeros((q, q))
        for j in range(q):
            for i in range(j, q):
                factor[i, j] = rest.pop(0)
        found.append(factor)
    return found


def dense(design: Design, theta: np.ndarray, reml: bool) -> tuple[float, np.ndarray, float]:
    """-2 log-likelihood by the n x n covariance; (X'V^-1X)^-1 and sigma^2."""
    V = np.eye(len(design.y))
    for term, values, factor in zip(
        design.terms, columns(design), factors(design, theta), strict=True
    ):
        same = term.codes[:, None] == term.codes[None, :]
        V += same * (values @ factor @ factor.T @ values.T)
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
    m = sum(len(t.columns) * (len(t.columns) + 1) // 2 for t in design.terms)
    rng = np.random.default_rng(m)
    return [rng.uniform(-0.5, 1, m), np.zeros(m), np.eye(m)[0] * 0.7]


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("formula", FORMULAS)
def test_deviance_is_that_of_the_dense_covariance(formula: str, reml: bool) -> None:
    design = build_design(formula, simulate(1), LEVELS)
    deviance = deviance_of_theta(design, reml)
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


def test_blups_and_their_variance_are_henderson() -> None:
    """Mixed-model equations, fixed effects known for the variance (lme4's condVar)."""
    design = build_design(FORMULAS[1], simulate(4), LEVELS)
    fitted = fit_design(design, reml=True, alpha=0.05)
    fit, n = fitted.fit, len(design.y)
    Z, D = [], []
    for term, values, factor in zip(
        design.terms, columns(design), factors(design, np.array(fit.theta)), strict=True
    ):
        q = len(factor)
        wide = np.zeros((n, len(term.labels) * q))
        for j in range(q):
            wide[np.arange(n), term.codes * q + j] = values[:, j]
        Z.append(wide)
        D.append(np.kron(np.eye(len(term.labels)), factor @ factor.T))
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


def test_satterthwaite_agrees_with_mixedlm() -> None:
    """Its own df, computed another way, on the same columns."""
    import mixedlm

    design = build_design(FORMULAS[0], simulate(12, sites=20), LEVELS)
    frame = pd.DataFrame(design.X, columns=[f"x{j}" for j in range(design.X.shape[1])])
    frame = frame.assign(y=design.y, one=1.0)
    for i, term in enumerate(design.terms):
        frame[f"g{i}"] = [f"l{c}" for c in term.codes]
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


def test_a_variance_of_zero_is_an_estimate() -> None:
    data = simulate(10)
    data["y"] = data["y"] - data.groupby("site")["y"].transform("mean")  # no site variance left
    fit = fit_formula("y ~ arm + (1 | site) + (1 | patient)", data, LEVELS, alpha=0.05).fit
    assert fit.converged
    assert fit.random[0].variances == (0.0,)
    assert fit.singularity.where == "1 | site"
    assert fit.optimum.engine == "sitewise"


def test_satterthwaite_of_least_squares_is_n_minus_p() -> None:
    data = simulate(11)
    data["y"] = data["y"] - data.groupby("site")["y"].transform("mean")
    fit = fit_formula("y ~ 1 + (1 | site)", data, LEVELS, alpha=0.05).fit
    assert fit.random[0].variances == (0.0,)
    assert fit.fixef[0].df == pytest.approx(len(data) - 1, rel=1e-6)


def test_no_theta_under_a_residual_covariance() -> None:
    design = build_design("y ~ visit + us(visit | patient)", simulate(5), LEVELS)
    with pytest.raises(ModelError, match="takes the place of sigma"):
        deviance_of_theta(design, True)


def test_import_and_fit_are_light() -> None:
    heavy = ("pandas", "scipy", "formulaic", "mixedlm")
    assert loaded("import sitewise.lmm.fit", heavy) == "[]"
    code = """
import numpy as np, pandas as pd
from sitewise.lmm.fit import fit_formula
y = np.random.default_rng(1).normal(size=24)
frame = pd.DataFrame({"y": y, "g": list("abcdef") * 4, "v": ["u"] * 12 + ["w"] * 12})
fit_formula("y ~ v + (1 | g)", frame, {"v": ["u", "w"]}, alpha=0.05)
"""
    assert loaded(code, ("mixedlm", "statsmodels", "scipy.stats", "matplotlib")) == "[]"


def loaded(code: str, modules: tuple[str, ...]) -> str:
    import subprocess
    import sys

    code += f"\nimport sys; print([m for m in {modules} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.strip()
