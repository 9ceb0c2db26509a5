"""Small simulated trials beside R: `emmeans/trials.R` made the rows and the numbers.

Factors, numbers and their interactions, several arms, sites by visit, slopes, a cell without rows,
whole sites randomised, a singular fit. lmerTest's derivatives are numerical and lmer stops at about
7 digits; p by R's multivariate t is randomised.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.lmm.lmmfit import LmmFit

HERE = Path(__file__).parent / "emmeans"
R = json.loads((HERE / "trials.json").read_text())
ROWS = pd.read_csv(HERE / "trials.csv")
FACTORS = ("arm", "sex", "region", "visit")
LOGLIK = 1e-7  # absolute
ESTIMATE = 2e-6  # of the SE
SE = 2e-6  # relative
DF = 5e-6  # relative
P = 1e-4  # relative, from 1e-9 on
F = 1e-5  # of max(F, 1): an estimate near 0 has no relative digits
LIMIT = 1e-4  # of the SE; Tukey's are solved for
BY_SAMPLING = 1e-3  # absolute, p by R's randomised multivariate t
POINT = 0.02  # of an SE: its quantile

MEANS = [(name, i) for name, own in R.items() for i in range(len(own["means"]))]


def numbers(values: Any) -> np.ndarray:
    """R's numbers; NA is missing."""
    return np.array([np.nan if v in ("NA", None) else float(v) for v in values])


@pytest.fixture(scope="module")
def fits() -> dict[str, LmmFit]:
    found = {}
    for name, own in R.items():
        rows = ROWS[ROWS["case"] == name].reset_index(drop=True)
        levels = {column: sorted(rows[column].unique()) for column in FACTORS}
        used = {c: v for c, v in levels.items() if c in own["formula"][0]}
        found[name] = sitewise.lmm(own["formula"][0], rows, levels=used)
    return found


def close(own: Any, reference: Any, tolerance: float, scale: Any = None) -> None:
    """Missing where R's is, else within the tolerance of the scale (R's size)."""
    own, reference = np.asarray(own, float), numbers(reference)
    assert (np.isnan(own) == np.isnan(reference)).all()
    size = np.abs(reference) if scale is None else np.asarray(scale, float)
    seen = ~np.isnan(reference)
    assert np.max(np.abs(own - reference)[seen] / size[seen], initial=0.0) <= tolerance


@pytest.mark.parametrize("name", list(R))
def test_fit_and_coefficients(fits: dict[str, LmmFit], name: str) -> None:
    fit, own = fits[name], R[name]
    assert fit.loglik == pytest.approx(own["loglik"][0], abs=LOGLIK)
    assert fit.singular == own["singular"][0]
    table, se = own["satterthwaite"], numbers(own["satterthwaite"]["Std. Error"])
    rows = fit.tests("satterthwaite")
    assert list(rows.index) == table["name"]
    close(rows["estimate"], table["Estimate"], ESTIMATE, se)
    close(rows["se"], se, SE)
    close(rows["df"], table["df"], DF)
    p = numbers(table["Pr(>|t|)"])
    close(rows["p"][p > 1e-9], p[p > 1e-9], P)


@pytest.mark.parametrize("name", [name for name in R if "kenward_roger" in R[name]])
def test_kenward_roger(fits: dict[str, LmmFit], name: str) -> None:
    rows = fits[name].tests()
    close(rows["se"], R[name]["kenward_roger"]["se"], SE)
    close(rows["df"], R[name]["kenward_roger"]["df"], DF)


@pytest.mark.parametrize(("name", "type_"), [(n, t) for n in R for t in R[n]["anova"]])
def test_anova(fits: dict[str, LmmFit], name: str, type_: str) -> None:
    table = R[name]["anova"][type_]
    own = fits[name].anova("satterthwaite", type=int(type_[-1]))
    rows = own.loc[[next(t for t in own.index if set(t.split(":")) == set(term.split(":")))
                    for term in table["term"]]]  # fmt: skip
    close(rows["df1"], table["NumDF"], 0.0)
    close(rows["df2"], table["DenDF"], DF)
    size = np.maximum(numbers(table["F value"]), 1.0)
    close(rows["F"], table["F value"], F, size)
    one = numbers(table["Sum Sq"]) / numbers(table["F value"])  # the sum of squares of F = 1
    close(rows["sum_sq"], table["Sum Sq"], F, one * size)


@pytest.mark.parametrize(("name", "i"), MEANS)
def test_means_and_comparisons(fits: dict[str, LmmFit], name: str, i: int) -> None:
    asked = R[name]["means"][i]
    more = {key: asked[key] for key in ("at",) if key in asked}
    more |= {key: asked[key][0] for key in ("weights", "var") if key in asked}
    more["df"] = asked.get("df", ["satterthwaite"])[0]
    by = asked.get("by", [])
    make = fits[name].emtrends if "var" in more else fits[name].emmeans
    means = make(asked["specs"], by=by, **more)
    _table(means.frame, asked["frame"])
    for adjust, table in asked.get("pairs_by", {}).items():
        _table(means.pairs(adjust), table)
    if "control" in asked:
        _table(means.against(asked["control"][0], "dunnett"), asked["against"], sampled=True)


def _table(own: pd.DataFrame, table: dict[str, Any], sampled: bool = False) -> None:
    """R's rows vary the first of `specs` fastest within `by`, as ours."""
    estimate = next(table[key] for key in table if key in ("estimate", "emmean") or "trend" in key)
    se = numbers(table["SE"])
    close(own["estimate"], estimate, ESTIMATE, se)
    close(own["se"], se, SE)
    close(own["df"], table["df"], DF)
    p = numbers(table["p.value"])
    seen = np.isnan(p) | (p > 1e-9)
    close(own["p"][seen], p[seen], BY_SAMPLING if sampled else P, np.ones(seen.sum()) if sampled
          else None)  # fmt: skip
    if own["lower"].notna().any() and "lower.CL" in table:
        for side in ("lower", "upper"):
            close(own[side], table[f"{side}.CL"], POINT if sampled else LIMIT, se)


def test_arms_where_a_cell_is_empty(fits: dict[str, LmmFit]) -> None:
    """R: joint_tests(fit, by = "visit", lmer.df = "satterthwaite") has df1 2, 2, 1 and F 1.474,
    0.824, 0.009; contest(fit, c(0, 1, 0, 0, 0, 0, 0, 1)), B less A at v2: F 0.00854745332851 on 1
    and 91.8291495648, p 0.926539976134.
    """
    joint = fits["empty_cell"].emmeans("arm", by="visit", df="satterthwaite").joint()
    assert joint["df1"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(joint["F"], [1.474, 0.824, 0.009], rtol=0, atol=5.1e-4)
    last = joint.iloc[-1]
    assert last["F"] == pytest.approx(0.00854745332851, rel=1e-4)
    assert last["df2"] == pytest.approx(91.8291495648, rel=DF)
    assert last["p"] == pytest.approx(0.926539976134, rel=P)
