"""Residuals of every kind against dense computations on pairs of rows, and R's nlme."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.lmmfit import LmmFit

VISITS = ("a", "b", "c")
TEXTS = {
    "nested": "y ~ visit*arm + (1 | site) + (1 | id)",
    "slopes": "y ~ t*arm + (1 | site) + (1 + t | id)",
    "rows": "y ~ visit*arm + age + (1 | site) + (1 + day | id)",
    "us": "y ~ visit*arm + age + (1 | site) + us(visit | id)",
    "across": "y ~ visit*arm + (1 | site) + (1 | site:visit) + (1 | id)",
    "ar1 alone": "y ~ visit*arm + ar1(visit | id)",
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = []
    for i in range(60):
        b, s, age = rng.normal(), np.sin(i % 6), rng.normal()
        for k, visit in enumerate(VISITS):
            y = 150 + i % 2 + b + 2 * s + 0.1 * k * rng.normal() + rng.normal()
            arm = ("Active", "Placebo")[i // 6 % 2]
            rows.append((f"p{i}", f"s{i % 6}", visit, 10.0 * k, 10 * k + rng.normal(), arm, age, y))
    found = pd.DataFrame(rows, columns=["id", "site", "visit", "t", "day", "arm", "age", "y"])
    found = found.drop(index=[4, 5, 31]).sample(frac=1, random_state=2)
    return found.assign(y=found["y"].mask(found.index == 50))


@pytest.fixture(scope="module", params=TEXTS)
def fit(request: pytest.FixtureRequest, frame: pd.DataFrame) -> LmmFit:
    return sitewise.lmm(TEXTS[request.param], frame)


def printed(fit: LmmFit) -> list[tuple[list[str], list[str], np.ndarray]]:
    """Grouping columns, terms and covariance of each random term, from the printed variances."""
    found, table = [], fit.varcorr
    for group, own in table[table["group"] != "Residual"].groupby("group", sort=False):
        D = np.diag(own["variance"].to_numpy())
        if len(D) == 2:
            D[0, 1] = D[1, 0] = own["correlations"].iloc[1][0] * np.prod(own["sd"])
        found.append((str(group).split(":"), list(own["term"]), D))
    return found


def dense(fit: LmmFit, rows: pd.DataFrame) -> np.ndarray:
    """Marginal covariance of rows pair by pair, by the textbook."""
    records = rows.to_dict("records")
    residual = fit.residual_cov if fit.basis.formula.residual is not None else None
    within = {} if residual is None else residual.stack().to_dict()
    terms = printed(fit)

    def of_pair(one: dict[str, Any], other: dict[str, Any]) -> float:
        found = 0.0
        for groups, names, D in terms:
            if all(one[group] == other[group] for group in groups):
                z = [np.array([1.0 if name == "(Intercept)" else row[name] for name in names])
                     for row in (one, other)]  # fmt: skip
                found += float(z[0] @ D @ z[1])
        if residual is None:
            return found + (fit.residual_variance if one is other else 0.0)
        same = one["id"] == other["id"]
        return found + (within[one["visit"], other["visit"]] if same else 0.0)

    return np.array([[of_pair(a, b) for b in records] for a in records])


def test_marginal(fit: LmmFit, frame: pd.DataFrame) -> None:
    raw = fit.residuals(frame, kind="raw", level="marginal")
    assert raw.isna().to_numpy().nonzero()[0].tolist() == [list(frame.index).index(50)]
    by_rows = not fit.solution.model.slots
    order = ["site", "id"] if by_rows else ["site", "id", "visit"]
    top = "id" if "ar1(" in fit.formula else "site"
    rows = frame.dropna().sort_values(order, kind="stable")
    pearson = fit.residuals(frame, kind="pearson", level="marginal")
    scaled = fit.residuals(frame, kind="scaled", level="marginal")
    for _, own in list(rows.groupby(top))[:4]:
        V = dense(fit, own)
        r = raw[own.index].to_numpy()
        assert pearson[own.index].to_numpy() == pytest.approx(r / np.sqrt(np.diag(V)), rel=1e-8)
        wanted = np.linalg.inv(np.linalg.cholesky(V)) @ r
        assert scaled[own.index].to_numpy() == pytest.approx(wanted, rel=1e-7, abs=1e-9)


def test_scaled_squares_add_up_to_the_quadratic_form(fit: LmmFit, frame: pd.DataFrame) -> None:
    """REML at its optimum: r'V^-1 r = n - p where one factor scales all of V."""
    scaled = fit.residuals(frame, kind="scaled", level="marginal").dropna()
    n, p = fit.nobs, len(fit.fixef)
    assert float(scaled @ scaled) == pytest.approx(n - p, rel=1e-6)


def test_conditional(fit: LmmFit, frame: pd.DataFrame) -> None:
    raw = fit.residuals(frame)
    assert raw.equals(fit.residuals(frame, kind="raw", level="conditional"))
    left = frame["y"] - fit.fitted(frame)
    assert raw.dropna().to_numpy() == pytest.approx(left.dropna().to_numpy())
    scaled = fit.residuals(frame, kind="scaled")
    pearson = fit.residuals(frame, kind="pearson")
    for _, own in list(frame.dropna().sort_values(["id", "visit"]).groupby("id"))[:20]:
        V = fit.residual_variance * np.eye(len(own))
        if fit.basis.formula.residual is not None:
            V = fit.residual_cov.loc[own["visit"], own["visit"]].to_numpy()
        r = raw[own.index].to_numpy()
        wanted = np.linalg.inv(np.linalg.cholesky(V)) @ r
        assert scaled[own.index].to_numpy() == pytest.approx(wanted, rel=1e-9)
        assert pearson[own.index].to_numpy() == pytest.approx(r / np.sqrt(np.diag(V)), rel=1e-9)


def test_what_is_refused(frame: pd.DataFrame) -> None:
    fit = sitewise.lmm(TEXTS["nested"], frame)
    with pytest.raises(ModelError, match="raw, pearson, scaled") as error:
        fit.residuals(frame, kind="deviance", level="both")
    assert "marginal, conditional" in str(error.value)
