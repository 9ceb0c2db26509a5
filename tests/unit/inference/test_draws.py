"""Outcomes drawn as moments: their distribution, against theory and against rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sitewise
from sitewise.inference.bootstrap import generators
from sitewise.inference.draws import drawer
from sitewise.inference.submodel import point_at
from sitewise.lmm.api import based_part
from sitewise.lmm.engine import build_model
from sitewise.lmm.lmmfit import LmmFit

DRAWS = 300
P = 1e-3  # of a test that holds: one in a thousand fails by chance, and the seeds are fixed


def trial(rng: np.random.Generator) -> pd.DataFrame:
    """12 sites of 6 patients of 4 visits, a fifth of the readings missing; one tiny site."""
    rows = []
    for s in range(12):
        u = rng.normal(0, 2, 2)
        for p in range(6 if s else 1):
            b, x = rng.normal(0, 3), rng.normal()
            for t in range(4):
                if rng.random() < 0.8:
                    y = 10 + u[0] + u[1] * t / 3 + b + x + rng.normal(0, 2)
                    rows.append((f"s{s}", f"s{s}p{p}", f"v{t}", float(t), x, rng.normal(), y))
    return pd.DataFrame(rows, columns=["site", "patient", "visit", "week", "x", "z", "y"])


def fit(formula: str) -> LmmFit:
    return sitewise.lmm(formula, trial(np.random.default_rng(2)))


CASES = {
    "scheduled": "y ~ x * week + (1 + week | site) + (1 + week | patient)",
    "residual": "y ~ x + visit + (1 | site) + us(visit | patient)",
    "across": "y ~ x + week + (1 | site) + (1 | site:visit) + (1 | patient)",
    "rows": "y ~ x + z + (1 + z | site) + (1 | patient)",
    "two levels of rows": "y ~ z + (1 + z | site)",
}


@pytest.mark.parametrize("case", CASES)
def test_distribution(case: str) -> None:
    """r'V^-1r is chi2(n - p), b'Phi^-1 b is chi2(p); the score has mean 0 and the information's
    covariance."""
    fitted = fit(CASES[case])
    model = fitted.solution.model
    v = model.parameters.natural(model.parameters.generic())
    draw = drawer(model, v)
    points = [point_at(draw(generator), v) for generator in generators(5, DRAWS)]
    n, p = model.likelihood.bottom.n, model.likelihood.p
    rest = [point.rss for point in points]
    fixed = [point.b @ np.linalg.solve(point.phi, point.b) for point in points]
    assert stats.kstest(rest, stats.chi2(n - p).cdf).pvalue > P
    assert stats.kstest(fixed, stats.chi2(p).cdf).pvalue > P
    scores = np.array([point.gradient for point in points]) / 2
    E = points[0].expected
    whitened = np.linalg.solve(np.linalg.cholesky(E), scores.T).T
    k = len(E)
    total = DRAWS * np.sum(whitened.mean(axis=0) ** 2)
    assert stats.chi2.sf(total, k) > P
    # The score is a quadratic form: its variances are good to 1/sqrt(draws), a tail aside.
    assert whitened.var(axis=0) == pytest.approx(np.ones(k), abs=0.4)


def test_against_rows() -> None:
    """The deviance of drawn moments and of drawn rows at the same parameters."""
    formula = CASES["residual"]
    frame = trial(np.random.default_rng(2))
    fitted = sitewise.lmm(formula, frame)
    model = fitted.solution.model
    v = model.parameters.natural(fitted.solution.phi)
    draw = drawer(model, v)
    own = [point_at(draw(g), v).deviance + model.constant for g in generators(1, 150)]
    rng = np.random.default_rng(4)
    R = fitted.residual_cov.to_numpy()
    sd = float(np.sqrt(fitted.varcorr.variance.iloc[0]))
    slots = fitted.residual_cov.index.get_indexer(frame["visit"])
    rows = []
    for _ in range(80):
        e = {p: rng.multivariate_normal(np.zeros(len(R)), R) for p in frame["patient"].unique()}
        u = {s: rng.normal(0, sd) for s in frame["site"].unique()}
        y = [e[p][t] + u[s] for p, t, s in zip(frame["patient"], slots, frame["site"], strict=True)]
        part = sitewise.moments(formula, frame.assign(y=y)).part(formula)
        other = build_model(based_part(part), True)
        # Each model measures its outcome in a unit of its own.
        scaled = v * (model.fixed.unit / other.fixed.unit) ** 2
        rows.append(point_at(other, scaled).deviance + other.constant)
    assert stats.ks_2samp(own, rows).pvalue > P


@pytest.mark.parametrize("case", ["scheduled", "rows"])
def test_seeds(case: str) -> None:
    """The same seed draws the same; draw k does not hang on how many are made."""
    model = fit(CASES[case]).solution.model
    v = model.parameters.natural(model.parameters.generic())
    draw = drawer(model, v)

    def values(seed: int, count: int) -> list[float]:
        return [point_at(draw(g), v).rss for g in generators(seed, count)]

    assert values(1, 3) == values(1, 5)[:3]
    assert values(1, 3) != values(2, 3)
