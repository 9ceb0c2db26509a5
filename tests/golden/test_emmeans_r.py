"""Means, comparisons and between-within df beside R's: `emmeans/emmeans.R` made the numbers.

R's numbers are as good as lmer's stop: about 7 digits of an estimate, less of df and p.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.lmm.lmmfit import LmmFit
from tests.golden.lmm_cases import REFERENCES, fit_of, frame_of, load

R = json.loads((Path(__file__).parent / "emmeans" / "emmeans.json").read_text())
ESTIMATE = 1e-5  # of the SE
SE = 1e-5  # relative
DF = 1e-4  # relative
P = 5e-4  # relative
BY_SAMPLING = 1e-3  # absolute, p by R's randomised multivariate t
POINT = 0.02  # of an SE: its quantile

pytestmark = pytest.mark.skipif(not REFERENCES.is_dir(), reason="needs the data of ../shared")


@pytest.fixture(scope="module")
def rat() -> LmmFit:
    levels = {"Treatment": ["Control", "High", "Low"], "sex": ["Female", "Male"]}
    formula = "weight ~ Treatment * sex + Lsize + (1 | Litter)"
    return sitewise.lmm(formula, frame_of("RatPup_litter"), levels=levels)


@pytest.fixture(scope="module")
def fev() -> LmmFit:
    return fit_of("fev_ri_rs", load("fev_ri_rs")["r_formula"], True)


@pytest.fixture(scope="module")
def ghana() -> LmmFit:
    return fit_of("ghana_sbp_nested", load("ghana_sbp_nested")["r_formula"], True)


def column(table: dict[str, Any], *names: str) -> np.ndarray:
    return np.array(next(table[name] for name in names if name in table), dtype=float)


def agree(own: pd.DataFrame, table: dict[str, Any], sampled: bool = False) -> None:
    se = column(table, "SE")
    estimate = column(table, "estimate", "emmean", "t.trend", "Lsize.trend")
    np.testing.assert_array_less(np.abs(own["estimate"] - estimate) / se, ESTIMATE)
    np.testing.assert_allclose(own["se"], se, rtol=SE)
    np.testing.assert_allclose(own["df"], column(table, "df"), rtol=DF)
    p = column(table, "p.value")
    if sampled:
        np.testing.assert_allclose(own["p"], p, rtol=0, atol=BY_SAMPLING)
    else:
        seen = p > 1e-12  # beyond, R's ptukey rounds
        np.testing.assert_allclose(own["p"][seen], p[seen], rtol=P)
    for side in ("lower", "upper"):
        if own[side].notna().all():
            apart = np.abs(own[side] - column(table, f"{side}.CL")) / se
            assert apart.max() < (POINT if sampled else 1e-4)


@pytest.mark.parametrize("adjust", ["none", "bonferroni", "tukey", "holm", "hochberg"])
def test_pairs(rat: LmmFit, adjust: str) -> None:
    own = rat.emmeans("Treatment", by="sex").pairs(adjust=adjust)
    agree(own, R["rat"]["pairs"][adjust])
    stepwise = adjust in ("holm", "hochberg")
    assert own["lower"].isna().all() == stepwise
    assert own.attrs["intervals"].startswith("none") == stepwise
    assert (own.attrs["adjust"], own.attrs["df"]) == (adjust, "kenward-roger")


@pytest.mark.parametrize("adjust", ["tukey", "holm"])
def test_pairs_of_visits(ghana: LmmFit, adjust: str) -> None:
    own = ghana.emmeans("visit", by="arm", df="satterthwaite").pairs(adjust=adjust)
    agree(own, R["ghana"]["pairs"][adjust])


def test_dunnett(rat: LmmFit, ghana: LmmFit) -> None:
    own = rat.emmeans("Treatment", by="sex").against("Control", adjust="dunnett")
    agree(own, R["rat"]["against"], sampled=True)
    own = ghana.emmeans("visit", by="arm", df="satterthwaite").against("baseline", "dunnett")
    agree(own, R["ghana"]["against"], sampled=True)


def test_custom_contrast(rat: LmmFit) -> None:
    means = rat.emmeans("Treatment", by="sex")
    by_name = means.contrast({"dosed": {"Control": -1, "High": 0.5, "Low": 0.5}})
    agree(by_name, R["rat"]["custom"])
    pd.testing.assert_frame_equal(by_name, means.contrast({"dosed": [-1, 0.5, 0.5]}))


def test_weights_and_at(rat: LmmFit, fev: LmmFit) -> None:
    agree(rat.emmeans("Treatment").frame, R["rat"]["equal"])
    agree(rat.emmeans("Treatment", weights="proportional").frame, R["rat"]["proportional"])
    agree(rat.emmeans("Treatment", by="Lsize", at={"Lsize": [8, 14]}).frame, R["rat"]["at"])
    own = fev.emmeans("ARMCD", df="satterthwaite", weights="proportional")  # race x sex jointly
    agree(own.frame, R["fev"]["proportional"])
    agree(fev.emmeans("ARMCD", df="satterthwaite").frame, R["fev"]["equal"])


def test_trends(rat: LmmFit, fev: LmmFit) -> None:
    agree(rat.emtrends("sex", "Lsize").frame, R["rat"]["trends"])
    trends = fev.emtrends("ARMCD", "t", df="satterthwaite")
    agree(trends.frame, R["fev"]["trends"])
    agree(trends.pairs(), R["fev"]["trend_pairs"])


def test_change_over_visits(ghana: LmmFit) -> None:
    change = ghana.emmeans("arm", by="visit", df="satterthwaite").change("visit", "baseline")
    agree(change.against("HIC"), R["ghana"]["change"])
    both = change.joint(together=True)
    anova = ghana.anova(df="satterthwaite").loc["visit:arm"]
    assert both["F"].item() == pytest.approx(anova["F"], rel=1e-9)


def test_joint_by_sex(rat: LmmFit) -> None:
    """pbkrtest::KRmodcomp; emmeans' own joint tests have df of another kind."""
    own = rat.emmeans("Treatment", by="sex").joint()
    for row, name in zip(own.itertuples(), ("female", "male"), strict=True):
        table = {key: value[0] for key, value in R["rat"]["joint"][name].items()}
        assert pytest.approx(table["Fstat"], rel=2e-5) == row.F
        assert (row.df1, row.df2) == (table["ndf"], pytest.approx(table["ddf"], rel=DF))
        assert row.p == pytest.approx(table["p.value"], rel=P)


def test_sequential_anova(rat: LmmFit, ghana: LmmFit) -> None:
    for own, table in ((rat.anova(type=1), R["rat"]["type1"]),
                       (ghana.anova("satterthwaite", type=1), R["ghana"]["type1"])):  # fmt: skip
        np.testing.assert_allclose(own["F"], table["F value"], rtol=2e-5)
        np.testing.assert_allclose(own["df2"], table["DenDF"], rtol=DF)
        np.testing.assert_allclose(own["sum_sq"], table["Sum Sq"], rtol=2e-5)


def test_type_three_is_that_of_the_exact_hypothesis(ghana: LmmFit) -> None:
    """Of arm: a third of each interaction, by matrices of all rows. lmerTest has 0.3333333 there.

    Its F is 0.20885411, 8e-7 less; R's own contest(fit, c(0, 0, 0, 1, 1/3, 1/3)) is 0.208854269796
    where its optimizer stops, and with 0.3333333 its anova's to every digit.
    """
    frame = frame_of("ghana_sbp_nested").dropna(subset=["sbp"])
    arm = frame["arm"].eq("TASSH+HIC").to_numpy(float)
    visits = np.stack([frame["visit"].eq(f"month {m}") for m in (6, 12)], axis=1).astype(float)
    X = np.column_stack([np.ones(len(frame)), visits, arm, visits * arm[:, None]])
    V = fit_sigma2(ghana) * np.eye(len(frame))
    for term in ghana.terms():
        unit = pd.factorize(frame[term.basis.group])[0]
        V += term.D.item() * (unit[:, None] == unit)
    weighted = np.linalg.solve(V, X)
    phi = np.linalg.inv(X.T @ weighted)
    b = phi @ weighted.T @ frame["sbp"].to_numpy(float)
    row = np.array([0, 0, 0, 1, 1 / 3, 1 / 3])
    F = (row @ b) ** 2 / (row @ phi @ row)
    own = ghana.anova("satterthwaite").loc["arm", "F"]
    assert own == pytest.approx(F, rel=1e-9)
    reference = load("ghana_sbp_nested")["anova_type3_satterthwaite"]["cols"]["F value"][1]
    assert reference / F - 1 == pytest.approx(-8e-7, abs=2e-8)
    row[4:] = 0.3333333
    assert reference == pytest.approx((row @ b) ** 2 / (row @ phi @ row), rel=1e-9)


def fit_sigma2(fit: LmmFit) -> float:
    assert fit.sigma is not None
    return fit.sigma**2


def test_between_within_is_nlmes_but_for_the_intercept(rat: LmmFit, ghana: LmmFit) -> None:
    for fit, own in ((rat, R["rat"]["nlme"]), (ghana, R["ghana"]["nlme"])):
        found = fit.tests("between-within")["df"].to_numpy()
        assert found[1:].tolist() == [float(df[0]) for df in own[1:]]
    assert rat.tests("between-within")["df"].iloc[0] == 23  # of litters, not of pups


# The figures, to their printed digits.


def test_ghana_site_and_unstructured_residuals() -> None:
    ref = load("ghana_sbp_nested")
    formula = "sbp ~ visit * arm + (1 | site) + us(visit | patient)"
    arm = fit_of("ghana_sbp_nested", formula, True).tests().loc["armTASSH+HIC"]
    assert ref["n"] == 2003
    assert (round(arm["se"], 5), round(arm["df"], 3)) == (1.14422, 34.389)


def test_ghana_site_by_visit() -> None:
    formula = "sbp ~ visit * arm + (1 | site) + (1 | site:visit) + (1 | patient)"
    fit = fit_of("ghana_sbp_nested", formula, True)
    rows = fit.tests()
    six, twelve = (rows.loc[f"visitmonth {m}:armTASSH+HIC"] for m in (6, 12))
    assert (round(twelve["se"], 3), round(twelve["df"], 1)) == (1.842, 56.1)
    assert (round(six["se"], 3), round(six["df"], 1)) == (1.866, 58.7)
    joint = fit.anova().loc["visit:arm"]
    said = (round(joint["F"], 2), joint["df1"], round(joint["df2"], 1), round(joint["p"], 3))
    assert said == (3.0, 2, 59.4, 0.057)
