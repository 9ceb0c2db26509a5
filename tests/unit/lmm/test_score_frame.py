"""Scoring any part of the rows: what is known of levels, units and visits comes from the fit."""

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.lmmfit import LmmFit

TEXTS = {
    "wide": "y ~ visit*arm + (1 | site/id)",
    "slopes": "y ~ t*arm + (1 | site) + (1 + t | site:id)",
    "rows": "y ~ visit*arm + age + (1 | site) + (1 + day | site:id)",
    "us": "y ~ visit*arm + age + (1 | site) + us(visit | id)",
    "across": "y ~ visit*arm + (1 | site) + (1 | site:visit) + (1 | id)",
    "a factor on the left": "y ~ visit*arm + (1 + arm | site) + (1 | id)",
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for i in range(60):
        b, age = rng.normal(), rng.normal()
        for k, visit in enumerate("abc"):
            y = 150 + i % 2 + b + rng.normal()
            arm = ("Placebo", "Active")[i // 6 % 2]
            rows.append((f"p{i}", f"s{i % 6}", visit, 10.0 * k, 10 * k + rng.normal(), arm, age, y))
    return pd.DataFrame(rows, columns=["id", "site", "visit", "t", "day", "arm", "age", "y"])


@pytest.fixture(scope="module", params=[(name, kind) for name in TEXTS for kind in ("f", "m")],
                ids="-".join)  # fmt: skip
def fit(request: pytest.FixtureRequest, frame: pd.DataFrame) -> LmmFit:
    text = TEXTS[request.param[0]]
    levels = {"arm": ["Placebo", "Active"]}
    if request.param[1] == "f":
        return sitewise.lmm(text, frame, levels=levels)
    return sitewise.lmm(text, sitewise.moments(text, frame, levels=levels))


PARTS = {
    "one arm": lambda d: d.arm == "Active",
    "one site": lambda d: d.site == "s1",
    "one patient": lambda d: d.id == "p3",
    "one patient a site": lambda d: d.id.isin([f"p{i}" for i in range(6)]),
    "two sites": lambda d: d.site.isin(["s5", "s2"]),
}


@pytest.mark.parametrize("part", PARTS)
def test_whole_patients_score_as_among_all(fit: LmmFit, frame: pd.DataFrame, part: str) -> None:
    chosen = PARTS[part](frame)
    for kind in ("response", "pearson"):
        every = fit.residuals(frame, kind=kind)[chosen]
        pd.testing.assert_series_equal(fit.residuals(frame[chosen], kind=kind), every, rtol=1e-12)
    found = fit.fitted(frame[chosen].iloc[::-1]).sort_index()
    pd.testing.assert_series_equal(found, fit.fitted(frame)[chosen], rtol=1e-12)


def test_one_visit_and_one_row(frame: pd.DataFrame) -> None:
    """Random effects by rows are those of the fit, whatever rows are at hand."""
    fit = sitewise.lmm(TEXTS["rows"], frame)
    every = fit.fitted(frame)
    for chosen in (frame.visit == "b", frame.index == 7):
        pd.testing.assert_series_equal(fit.fitted(frame[chosen]), every[chosen], rtol=1e-12)
    # A patient of a schedule is predicted from the readings given: one visit tells less.
    nested = sitewise.lmm(TEXTS["wide"], frame)
    one = nested.ranef("site:id", data=frame[frame.visit == "b"])
    most = nested.ranef("site:id", data=frame)
    assert (one["se((Intercept))"] > most["se((Intercept))"]).all()
    y = frame.y[frame.visit == "b"].to_numpy()
    left = nested.residuals(frame[frame.visit == "b"]).to_numpy()
    D, R = _variances(nested)
    about = y - (nested.fitted(frame[frame.visit == "b"]).to_numpy() - _own(one, frame))
    np.testing.assert_allclose(left, about * R / (D + R), rtol=1e-9)


def _variances(fit: LmmFit) -> tuple[float, float]:
    """Of patients, and of readings."""
    own = next(term for term in fit.estimates.terms if term.basis.group == "site:id")
    assert fit.sigma is not None
    return float(own.D[0, 0]), fit.sigma**2


def _own(effects: pd.DataFrame, frame: pd.DataFrame) -> np.ndarray:
    rows = frame[frame.visit == "b"]
    names = rows.site + ":" + rows.id
    return effects["(Intercept)"].loc[names].to_numpy()


def test_what_the_fit_does_not_know_is_named(frame: pd.DataFrame) -> None:
    fit = sitewise.lmm(TEXTS["wide"], frame)
    few = frame.iloc[:3]
    with pytest.raises(ModelError, match="site zz was not in the fit"):
        fit.fitted(few.assign(site="zz"))
    with pytest.raises(ModelError, match=r"visit has 'zz'[\s\S]*allowed: a, b, c"):
        fit.fitted(few.assign(visit="zz"))
    with pytest.raises(ModelError, match="s0:p0 has b 2 times"):
        fit.fitted(few.assign(visit=["a", "b", "b"]))
    slopes = sitewise.lmm(TEXTS["slopes"], frame)
    with pytest.raises(ModelError, match=r"visit 7\.0 was not in the fit"):
        slopes.fitted(few.assign(t=7.0))
    with pytest.raises(ModelError, match="id p0 is in several of site"):
        sitewise.lmm(TEXTS["across"], frame).fitted(few.assign(site=["s0", "s1", "s0"]))
