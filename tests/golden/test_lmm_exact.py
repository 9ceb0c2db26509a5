"""Mixed models against exact rational arithmetic (../shared/references/adv_*.json).

Includes data where lme4 itself is wrong. What must be refused is refused; no file is left out.
"""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.inference.compare import likelihood_ratio, mixture_p
from sitewise.lmm.fit import Fitted, fit_formula
from sitewise.lmm.result import Fit

LOGLIK = 1e-6  # absolute
VARIANCE = 1e-6  # relative; of the total where the exact value is 0
FIXED = 1e-6  # of the SE
SE = 1e-6  # relative

ONE_WAY = [
    "perfectly_balanced", "site_variance_zero", "stiff_1e6", "stiff_1e9", "stiff_1enone",
    "huge_variance_ratio",
]  # fmt: skip
REFUSED = {
    "constant_outcome": "does not vary",
    "one_visit_per_patient": "(1 | patient)",
    "two_visits": "(time | patient)",
    "zero_within_variance": "residual variance is 0",
}
OTHERS = [
    "balanced_arm_by_visit", "balanced_longitudinal", "collinear_fixed", "nested_balanced",
    "nested_repeating_labels", "one_patient_per_site", "slope_variance_zero", "time_in_seconds",
]  # fmt: skip


def load(shared: Path, name: str) -> tuple[dict[str, Any], pd.DataFrame]:
    ref = json.loads((shared / "references" / f"adv_{name}.json").read_text())
    return ref, pd.read_csv(shared / ref["data"])


def fit(frame: pd.DataFrame, formula: str, reml: bool) -> Fitted:
    return fit_formula(formula, frame, {}, reml=reml, alpha=0.05)


def variance(result: Fit, group: str, term: str = "(Intercept)") -> float:
    for random in result.random:
        if random.group == group:
            return random.variances[random.terms.index(term)]
    raise AssertionError(group)


def test_no_file_is_left_out(shared: Path) -> None:
    names = {path.stem[4:] for path in (shared / "references").glob("adv_*.json")}
    assert names == {*ONE_WAY, *REFUSED, *OTHERS}


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", ONE_WAY)
def test_one_way(shared: Path, name: str, method: str) -> None:
    ref, frame = load(shared, name)
    # The doubles in the file, not the decimals that they stand for, are what is fitted.
    exact = ref.get("exact_after_rounding_to_double", ref["exact_for_decimal_values"])[method]
    fitted = fit(frame, ref["r_formula"], method == "reml")
    result, e = fitted.fit, {k: float(v) for k, v in exact.items() if isinstance(v, str)}
    assert result.converged
    assert result.singularity.singular == exact["singular"]
    assert result.loglik == pytest.approx(e["loglik"], abs=LOGLIK, rel=0)
    total = e["sigma2_group"] + e["sigma2_residual"]
    assert result.sigma**2 == pytest.approx(e["sigma2_residual"], rel=VARIANCE)
    assert variance(result, "group") == pytest.approx(e["sigma2_group"], abs=VARIANCE * total)
    fixed = result.fixef[0]
    # At 1e9 the doubles themselves are 1.2e-7 apart: one of them is allowed.
    resolution = max(FIXED * e["se_intercept"], 1.01 * math.ulp(e["fixed_intercept"]))
    assert fixed.estimate == pytest.approx(e["fixed_intercept"], abs=resolution, rel=0)
    assert fixed.se == pytest.approx(e["se_intercept"], rel=SE)
    for row, blup in zip(fitted.ranef, exact["blups_first5"], strict=False):
        assert row.blup == pytest.approx(float(blup), abs=1e-6 * total**0.5)
    lrt = {k: float(v) for k, v in exact["lrt_vs_no_group"].items()}
    statistic = likelihood_ratio(e["loglik"] - lrt["chisq"] / 2, result.loglik)
    assert statistic == pytest.approx(lrt["chisq"], abs=2 * LOGLIK)
    assert mixture_p(statistic, 0) == pytest.approx(lrt["p_mixture"], rel=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(shared: Path, name: str) -> None:
    ref, frame = load(shared, name)
    with pytest.raises(ModelError) as error:
        fit(frame, ref["r_formula"], True)
    assert REFUSED[name] in str(error.value)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize(
    "name", ["balanced_longitudinal", "slope_variance_zero", "time_in_seconds"]
)
def test_random_intercept(shared: Path, name: str, method: str) -> None:
    ref, frame = load(shared, name)
    exact = ref["exact_random_intercept"][method]
    result = fit(frame, ref["r_formula"], method == "reml").fit
    assert result.loglik == pytest.approx(float(exact["loglik"]), abs=LOGLIK, rel=0)
    assert variance(result, "patient") == pytest.approx(
        float(exact["sigma2_patient"]), rel=VARIANCE
    )
    assert result.sigma**2 == pytest.approx(float(exact["sigma2_residual"]), rel=VARIANCE)
    if method == "reml":
        slope = result.fixef[1]
        assert slope.estimate == pytest.approx(float(exact["slope"]), rel=1e-9)
        assert slope.se == pytest.approx(float(exact["se_slope"]), rel=SE)
        assert slope.df == pytest.approx(exact["df_slope_KR_and_Satterthwaite"], rel=1e-6)
        assert slope.p == pytest.approx(float(exact["p_slope"]), rel=1e-5)


@pytest.mark.parametrize("name", ["balanced_longitudinal", "time_in_seconds"])
def test_random_slope(shared: Path, name: str) -> None:
    ref, frame = load(shared, name)
    exact = {k: float(v) for k, v in ref["exact_random_slope_reml"].items()}
    result = fit(frame, ref["r_formula_slopes"], True).fit
    assert result.loglik == pytest.approx(exact["loglik"], abs=LOGLIK, rel=0)
    assert variance(result, "patient") == pytest.approx(exact["var_intercept"], rel=1e-6)
    assert variance(result, "patient", "time") == pytest.approx(exact["var_slope"], rel=1e-6)
    assert result.random[0].correlations[1][0] == pytest.approx(exact["cor"], abs=1e-6)
    assert result.fixef[1].se == pytest.approx(exact["se_slope"], rel=SE)
    assert result.fixef[1].df == pytest.approx(exact["df_KR"], rel=1e-4)


def test_slope_variance_zero_is_an_estimate(shared: Path) -> None:
    ref, frame = load(shared, "slope_variance_zero")
    result = fit(frame, ref["r_formula_slopes"], True).fit
    smaller = fit(frame, ref["r_formula"], True).fit
    assert result.singularity.singular
    assert result.singularity.kind == "variance 0"
    assert variance(result, "patient", "time") == 0
    assert result.random[0].terms == ("(Intercept)", "time")  # the term stays
    assert result.random[0].correlations[1][0] != result.random[0].correlations[1][0]  # NaN
    statistic = likelihood_ratio(smaller.loglik, result.loglik)
    assert statistic == 0
    assert mixture_p(statistic, 1) == 1


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", ["nested_balanced", "nested_repeating_labels"])
def test_nested(shared: Path, name: str, method: str) -> None:
    ref, frame = load(shared, name)
    exact = ref["exact"][method]
    result = fit(frame, ref["r_formula"], method == "reml").fit
    patient = "patient" if name == "nested_balanced" else "site:patient"
    assert result.loglik == pytest.approx(float(exact["loglik"]), abs=LOGLIK, rel=0)
    assert variance(result, "site") == pytest.approx(float(exact["sigma2_site"]), rel=VARIANCE)
    assert variance(result, patient) == pytest.approx(float(exact["sigma2_patient"]), rel=VARIANCE)
    assert result.sigma**2 == pytest.approx(float(exact["sigma2_residual"]), rel=VARIANCE)
    if method == "reml":
        assert result.fixef[0].se == pytest.approx(float(exact["se_intercept"]), rel=SE)
        assert result.fixef[0].df == pytest.approx(5, rel=1e-5)


def test_balanced_arm_by_visit(shared: Path) -> None:
    ref, frame = load(shared, "balanced_arm_by_visit")
    result = fit(frame, ref["r_formula"], True).fit
    assert variance(result, "patient") == pytest.approx(
        float(ref["exact"]["sigma2_patient"]), rel=VARIANCE
    )
    assert result.sigma**2 == pytest.approx(float(ref["exact"]["sigma2_residual"]), rel=VARIANCE)


@pytest.mark.parametrize("reml", [True, False])
def test_collinear_columns_go_as_in_r(shared: Path, reml: bool) -> None:
    ref, frame = load(shared, "collinear_fixed")
    own = ref["lme4_check"]["fits"]["r_formula_reml" if reml else "r_formula_ml"]
    result = fit(frame, ref["r_formula"], reml).fit
    assert result.aliased == ("day", "weight_x")
    assert [e.name for e in result.fixef] == own["fixed"]["names"]
    assert result.loglik == pytest.approx(own["loglik"], abs=LOGLIK, rel=0)
    assert any("day, weight_x" in text for text in result.warnings)


@pytest.mark.parametrize("reml", [True, False])
def test_confounded_groupings_are_said(shared: Path, reml: bool) -> None:
    ref, frame = load(shared, "one_patient_per_site")
    result = fit(frame, ref["r_formula"], reml).fit
    alone = fit(frame, ref["identified_model"], reml).fit
    assert any("arbitrary" in text for text in result.warnings)
    assert result.loglik == pytest.approx(alone.loglik, abs=LOGLIK, rel=0)
    for own, other in zip(result.fixef, alone.fixef, strict=True):
        assert own.estimate == pytest.approx(other.estimate, abs=FIXED * other.se)
        assert own.se == pytest.approx(other.se, rel=SE)
