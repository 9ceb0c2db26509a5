"""Degrees of freedom, p-values and tests against exact arithmetic, by the workflow's door.

../shared/references/adv_*.json. Estimates and likelihoods are in test_lmm_golden.py.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sitewise.inference.mixture import likelihood_ratio, mixture_p
from sitewise.lmm.fit import Fitted, fit_formula
from tests.golden.lmm_cases import load as reference
from tests.golden.lmm_exact_cases import ONE_WAY


def load(shared: Path, name: str) -> tuple[dict[str, Any], pd.DataFrame]:
    ref = reference(f"adv_{name}")
    return ref, pd.read_csv(shared / ref["data"])


def fit(frame: pd.DataFrame, formula: str, reml: bool) -> Fitted:
    return fit_formula(formula, frame, {}, reml=reml, alpha=0.05)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", ONE_WAY)
def test_mixture_p_of_one_variance(shared: Path, name: str, method: str) -> None:
    ref, frame = load(shared, name)
    exact = ref.get("exact_after_rounding_to_double", ref["exact_for_decimal_values"])[method]
    result = fit(frame, ref["r_formula"], method == "reml").fit
    lrt = {k: float(v) for k, v in exact["lrt_vs_no_group"].items()}
    statistic = likelihood_ratio(float(exact["loglik"]) - lrt["chisq"] / 2, result.loglik)
    assert statistic == pytest.approx(lrt["chisq"], abs=2e-6)
    assert mixture_p(statistic, 0) == pytest.approx(lrt["p_mixture"], rel=1e-5)


@pytest.mark.parametrize(
    "name", ["balanced_longitudinal", "slope_variance_zero", "time_in_seconds"]
)
def test_random_intercept(shared: Path, name: str) -> None:
    ref, frame = load(shared, name)
    exact = ref["exact_random_intercept"]["reml"]
    slope = fit(frame, ref["r_formula"], True).fit.fixef[1]
    assert slope.df == pytest.approx(exact["df_slope_KR_and_Satterthwaite"], rel=1e-6)
    assert slope.p == pytest.approx(float(exact["p_slope"]), rel=1e-5)


@pytest.mark.parametrize("name", ["balanced_longitudinal", "time_in_seconds"])
def test_random_slope(shared: Path, name: str) -> None:
    ref, frame = load(shared, name)
    result = fit(frame, ref["r_formula_slopes"], True).fit
    exact = float(ref["exact_random_slope_reml"]["df_KR"])
    assert result.fixef[1].df == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("name", ["nested_balanced", "nested_repeating_labels"])
def test_nested(shared: Path, name: str) -> None:
    ref, frame = load(shared, name)
    assert fit(frame, ref["r_formula"], True).fit.fixef[0].df == pytest.approx(5, rel=1e-5)


def test_slope_variance_zero_makes_no_difference(shared: Path) -> None:
    ref, frame = load(shared, "slope_variance_zero")
    larger = fit(frame, ref["r_formula_slopes"], True).fit
    smaller = fit(frame, ref["r_formula"], True).fit
    statistic = likelihood_ratio(smaller.loglik, larger.loglik)
    assert statistic == 0
    assert mixture_p(statistic, 1) == 1


def test_the_door_notes_what_the_data_cannot_tell(shared: Path) -> None:
    ref, frame = load(shared, "one_patient_per_site")
    result = fit(frame, ref["r_formula"], True).fit
    assert any("arbitrary" in text for text in result.warnings)
    ref, frame = load(shared, "collinear_fixed")
    result = fit(frame, ref["r_formula"], True).fit
    assert result.aliased == ("day", "weight_x")
