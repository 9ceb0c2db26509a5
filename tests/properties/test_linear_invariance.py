"""Tests, F tests and means do not know how data are labelled, ordered or measured."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sitewise
from sitewise.lmm.lmmfit import LmmFit
from tests.properties.test_lmm_invariance import LEVELS, ROWS, SLOPES, VISITS, few, trial

METHODS = [
    {"df": "kenward-roger"}, {"df": "satterthwaite"},
    {"df": "kenward-roger", "information": "observed", "form": "full"},
    {"df": "satterthwaite", "information": "expected"}, {"df": "between-within"},
]  # fmt: skip
SAME = {"rtol": 1e-6, "atol": 1e-9}  # df of a variance near 0 lose digits by its square
formulas = st.sampled_from((SLOPES, VISITS, ROWS))
methods = st.sampled_from(METHODS)
seeds = st.integers(0, 5)


def fit(formula: str, data: pd.DataFrame, levels: dict[str, list[str]] = LEVELS) -> LmmFit:
    return sitewise.lmm(formula, data, levels=levels)


def same(one: pd.DataFrame, other: pd.DataFrame, columns: list[str]) -> None:
    np.testing.assert_allclose(one[columns], other[columns], **SAME)


@few
@given(seeds, formulas, methods, st.randoms(use_true_random=False))
def test_order_and_labels(seed: int, formula: str, how: dict[str, str], random: object) -> None:
    data = trial(seed)
    own = fit(formula, data)
    sites = sorted(data["site"].unique())
    names = {s: f"x{i}" for s, i in zip(sites, np.random.default_rng(seed).permutation(8),
                                        strict=True)}  # fmt: skip
    patients = {p: f"q{i}" for i, p in enumerate(reversed(data["patient"].unique()))}
    moved = data.assign(site=data["site"].map(names), patient=data["patient"].map(patients))
    other = fit(formula, moved.sample(frac=1, random_state=seed))
    same(own.tests(**how), other.tests(**how), ["estimate", "se", "df", "t", "p"])
    same(own.anova(**how), other.anova(**how), ["df1", "df2", "F"])


@few
@given(seeds, formulas, methods, st.sampled_from([1e-6, 0.1, 39.0, 1e7]))
def test_units(seed: int, formula: str, how: dict[str, str], unit: float) -> None:
    """Another unit of the outcome and of a covariate: t, F, df and p stay."""
    data = trial(seed)
    own = fit(formula, data)
    other = fit(formula, data.assign(y=data["y"] * unit, age=data["age"] / unit))
    same(own.tests(**how), other.tests(**how), ["t", "df", "p"])
    same(own.anova(**how), other.anova(**how), ["df1", "df2", "F", "p"])
    np.testing.assert_allclose(
        other.emmeans("arm", **how).frame["estimate"],
        own.emmeans("arm", **how).frame["estimate"] * unit, rtol=1e-8,
    )  # fmt: skip


@few
@given(seeds, st.sampled_from([SLOPES, VISITS]), st.sampled_from(METHODS[:3]))
def test_reference_level(seed: int, formula: str, how: dict[str, str]) -> None:
    """Another reference arm: the same means, comparisons and type III tests."""
    data = trial(seed)
    own, other = fit(formula, data), fit(formula, data, LEVELS | {"arm": ["B", "A"]})
    by = "week" if "week" in formula else "visit"
    pairs = own.emmeans("arm", by=by, **how).pairs()
    turned = other.emmeans("arm", by=by, **how).pairs()
    same(pairs.assign(estimate=-pairs["estimate"]), turned, ["estimate", "se", "df", "p"])
    if how["df"] == "kenward-roger":  # Fai-Cornelius' df hang on the rows of the hypothesis
        same(own.anova(**how), other.anova(**how).loc[own.anova(**how).index], ["df2", "F"])
    elif formula == VISITS:
        same(own.anova(**how), other.anova(**how), ["df1", "F"])


@few
@given(seeds, st.sampled_from([SLOPES, VISITS]))
def test_moments_of_batches(seed: int, formula: str) -> None:
    """Hospitals that send moments: the same tests and means of covariates."""
    data = trial(seed)
    parts = [sitewise.moments(formula, own, LEVELS) for _, own in data.groupby("site")]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    one, other = fit(formula, data), sitewise.lmm(formula, total)
    same(one.tests(), other.tests(), ["estimate", "se", "df", "p"])
    same(one.emmeans("arm").frame, other.emmeans("arm").frame, ["estimate", "se", "df"])
    same(one.tests("between-within"), other.tests("between-within"), ["df"])


def test_a_tie_of_names_is_no_problem() -> None:
    data = trial(0).rename(columns={"arm": "site_arm"})
    own = sitewise.lmm("y ~ visit*site_arm + (1 | site/patient)", data)
    assert own.anova().index.tolist() == ["visit", "site_arm", "visit:site_arm"]
    assert own.emmeans("site_arm").frame["estimate"].notna().all()
    with pytest.raises(KeyError):
        own.tests().loc["arm"]
