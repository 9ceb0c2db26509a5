"""Custom contrasts, slopes, changes, joint tests and residuals beside R: `emmeans/asked.R`.

Two models of one trial: sites with random slopes, where two patients lack a covariate (singular,
Kenward-Roger by pbkrtest); sites with an unstructured residual covariance (nlme; z tests, as nlme
has none of our df). nlme stops at about 6 digits.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.lmm.linear.emmeans import Means
from sitewise.lmm.lmmfit import LmmFit

HERE = Path(__file__).parent / "emmeans"
R = json.loads((HERE / "asked.json").read_text())
A, B = R["slopes"], R["unstructured"]
LEVELS = {"arm": ["A", "B", "C"], "sex": ["f", "m"], "visit": ["v0", "v1", "v2"]}
PLAN = {"dosed": [-1, 0.5, 0.5], "steps": [0, -1, 1], "low": {"A": 1, "B": -1}}
WAYS = ["none", "bonferroni", "holm", "hochberg"]
# Of the SE, relative, relative, relative: estimates, SE, df, p. By lmer, by lme.
LMER = {"estimate": 1e-5, "se": 1e-5, "df": 5e-5, "p": 2e-4, "limit": 1e-4}
LME = {"estimate": 1e-4, "se": 1e-4, "df": 1e-12, "p": 2e-3, "limit": 1e-3}
BY_SAMPLING = {"p": 1e-3, "limit": 0.02}  # absolute; R's multivariate t is randomised


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    found = pd.read_csv(HERE / "trials.csv")
    return found[found["case"] == "nested"].reset_index(drop=True)


@pytest.fixture(scope="module")
def gap(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(age=rows["age"].where(~rows["pat"].isin(["p004", "p011"])))


@pytest.fixture(scope="module")
def slopes(gap: pd.DataFrame) -> LmmFit:
    levels = {name: LEVELS[name] for name in ("arm", "sex")}
    return sitewise.lmm("y ~ arm*t + arm*sex + age + (1 | site) + (t | pat)", gap, levels=levels)


@pytest.fixture(scope="module")
def unstructured(rows: pd.DataFrame) -> LmmFit:
    formula = "y ~ arm*visit + sex + (1 | site) + us(visit | pat)"
    return sitewise.lmm(formula, rows, levels=LEVELS)


def numbers(values: Any) -> np.ndarray:
    return np.array([np.inf if v == "Inf" else float(v) for v in values])


def agree(own: pd.DataFrame, table: dict[str, Any], within: dict[str, float], *,
          adjusted: bool = False, sampled: bool = False) -> None:  # fmt: skip
    """Row by row; limits too, but where they differ by convention (`adjusted`: see below)."""
    estimate = next(v for k, v in table.items() if k in ("estimate", "emmean") or "trend" in k)
    se = numbers(table["SE"])
    assert len(own) == len(se)
    assert np.max(np.abs(own["estimate"] - numbers(estimate)) / se) < within["estimate"]
    np.testing.assert_allclose(own["se"], se, rtol=within["se"])
    np.testing.assert_allclose(own["df"], numbers(table["df"]), rtol=within["df"])
    p = numbers(table["p.value"])
    if sampled:
        np.testing.assert_allclose(own["p"], p, rtol=0, atol=BY_SAMPLING["p"])
    else:
        seen = p > 1e-10  # beyond, R's ptukey rounds
        np.testing.assert_allclose(own["p"][seen], p[seen], rtol=within["p"])
    if adjusted:  # R gives Bonferroni's under Holm and Hochberg, which don't go with their tests
        assert own["lower"].isna().all()
        return
    for side in ("lower", "upper"):
        limit = numbers(table.get(f"{side}.CL", table.get(f"asymp.{side[0].upper()}CL")))
        apart = np.abs(own[side] - limit) / se
        assert apart.max() < (BY_SAMPLING["limit"] if sampled else within["limit"])


def stepwise(way: str) -> bool:
    return way in ("holm", "hochberg")


def test_rows_without_a_covariate_are_out_of_its_mean(slopes: LmmFit, gap: pd.DataFrame) -> None:
    """As the model frame of R: also in the shares of `weights`, which are of the rows used."""
    assert slopes.nobs == A["n"][0] < len(gap)
    assert slopes.dropped == {"age": len(gap) - slopes.nobs}
    means = slopes.emmeans("arm")
    assert means.grid["age"] == (pytest.approx(A["age"][0], rel=1e-12),)
    agree(means.frame, A["frame"], LMER)
    agree(slopes.emmeans("arm", weights="proportional").frame, A["proportional"], LMER)


def test_at_and_by(slopes: LmmFit, unstructured: LmmFit) -> None:
    agree(slopes.emmeans("arm", by="sex", at={"age": 70}).frame, A["by_sex"], LMER)
    agree(slopes.emmeans("arm", by="t", at={"t": [0, 2], "age": 45}).frame, A["at_t"], LMER)
    agree(slopes.emmeans("arm", at={"t": [0, 2]}).frame, A["over_t"], LMER)
    z = {"df": "asymptotic"}
    agree(unstructured.emmeans("arm", by="visit", **z).frame, B["frame"], LME)
    own = unstructured.emmeans("visit", weights="proportional", **z).frame
    agree(own, B["proportional"], LME)
    own = unstructured.emmeans("arm", at={"visit": ["v0", "v2"], "sex": "m"}, **z).frame
    agree(own, B["at"], LME)


@pytest.mark.parametrize("way", WAYS)
def test_custom_contrasts(slopes: LmmFit, unstructured: LmmFit, way: str) -> None:
    own = slopes.emmeans("arm", by="sex").contrast(PLAN, way)
    agree(own, A["custom"][way], LMER, adjusted=stepwise(way))
    own = slopes.emtrends("arm", "t").contrast(PLAN, way)
    agree(own, A["trend_custom"][way], LMER, adjusted=stepwise(way))
    own = unstructured.emmeans("arm", by="visit", df="asymptotic").contrast(PLAN, way)
    agree(own, B["custom"][way], LME, adjusted=stepwise(way))


@pytest.mark.parametrize("way", ["none", "tukey", "holm", "hochberg"])
def test_pairs(slopes: LmmFit, unstructured: LmmFit, way: str) -> None:
    cases: list[tuple[Means, Any, dict[str, float]]] = [
        (slopes.emmeans("arm", by="t", at={"t": [0, 2]}), A["pairs"], LMER),
        (slopes.emtrends("arm", "t"), A["trend_pairs"], LMER),
        (unstructured.emmeans("visit", by="arm", df="asymptotic"), B["pairs"], LME),
    ]
    compared = [(m, t[way], w) for m, t, w in cases if way in t]
    assert len(compared) >= 1
    for means, table, within in compared:
        agree(means.pairs(way), table, within, adjusted=stepwise(way))


def test_against_one(slopes: LmmFit, unstructured: LmmFit) -> None:
    own = slopes.emtrends("arm", "t").against("A", "dunnett")
    agree(own, A["trend_against"], LMER, sampled=True)
    own = unstructured.emmeans("arm", by="visit", df="asymptotic").against("A", "dunnett")
    agree(own, B["against"], LME, sampled=True)


def test_slopes(slopes: LmmFit) -> None:
    agree(slopes.emtrends("arm", "t").frame, A["trends"], LMER)


def test_change_over_visits(unstructured: LmmFit) -> None:
    """R's rows: arms fastest; ours: visits are `by`."""
    change = unstructured.emmeans("arm", by="visit", df="asymptotic").change("visit", "v0")
    agree(change.against("A"), B["change"], LME)


def test_joint_tests(slopes: LmmFit, unstructured: LmmFit) -> None:
    """Of arms within each sex, within each visit.

    emmeans' df of an F by Kenward-Roger are of another kind, and its F lacks their lambda:
    pbkrtest's KRmodcomp and lmerTest's contest are held to instead, emmeans where z tests are.
    """
    own = slopes.emmeans("arm", by="sex").joint()
    for row, table in zip(own.itertuples(), A["kr_joint"], strict=True):
        assert pytest.approx(table["Fstat"][0], rel=2e-5) == row.F
        assert (row.df1, row.df2) == (2, pytest.approx(table["ddf"][0], rel=LMER["df"]))
        assert row.p == pytest.approx(table["p.value"][0], rel=LMER["p"])
    own = slopes.emmeans("arm", by="sex", df="satterthwaite").joint()
    for row, table in zip(own.itertuples(), A["satterthwaite"], strict=True):
        assert pytest.approx(table["F value"][0], rel=2e-5) == row.F
        assert row.df2 == pytest.approx(table["DenDF"][0], rel=LMER["df"])
        assert row.p == pytest.approx(table["Pr(>F)"][0], rel=LMER["p"])
    own = unstructured.emmeans("arm", by="visit", df="asymptotic").joint()
    table = B["joint_tests"]
    of_arm = [i for i, term in enumerate(table["model term"]) if term == "arm"]
    assert len(of_arm) == len(own) == 3
    printed = np.array(table["F.ratio"])[of_arm]  # with three digits
    np.testing.assert_allclose(own["F"], printed, rtol=0, atol=5.1e-4)
    assert own["df1"].tolist() == [2, 2, 2]
    p = np.array(table["p.value"])[of_arm]
    np.testing.assert_allclose(own["p"], p, rtol=LME["p"])


@pytest.mark.parametrize(("kind", "level", "name"), [
    ("raw", "conditional", "response"), ("raw", "marginal", "marginal"),
    ("pearson", "conditional", "pearson"), ("scaled", "conditional", "normalized"),
])  # fmt: skip
def test_residuals(
    unstructured: LmmFit, rows: pd.DataFrame, kind: str, level: str, name: str
) -> None:
    """nlme's residuals of `lme`: conditional ones, and those of its fixed part."""
    assert unstructured.loglik == pytest.approx(B["loglik"][0], abs=1e-6)
    own = unstructured.residuals(rows, kind=kind, level=level)
    assert B["residuals"]["pat"] == rows["pat"].tolist()
    scale = 1.0 if kind != "raw" else float(np.std(B["residuals"][name]))
    assert np.max(np.abs(own - B["residuals"][name])) / scale < 2e-4


@pytest.mark.parametrize(("kind", "name"), [
    ("raw", "response"), ("pearson", "pearson"), ("scaled", "normalized"),
])  # fmt: skip
def test_marginal_residuals(rows: pd.DataFrame, kind: str, name: str) -> None:
    """nlme's `gls`: with no effects of sites, a block of V is a patient's."""
    fit = sitewise.lmm("y ~ arm*visit + sex + us(visit | pat)", rows, levels=LEVELS)
    assert fit.loglik == pytest.approx(B["gls"]["loglik"][0], abs=1e-6)
    own = fit.residuals(rows, kind=kind, level="marginal")
    scale = 1.0 if kind != "raw" else float(np.std(B["gls"][name]))
    assert np.max(np.abs(own - B["gls"][name])) / scale < 2e-4
