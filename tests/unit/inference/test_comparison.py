"""Likelihood-ratio tests: valid ones, mixtures, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sitewise.inference.compare import (
    compare_models,
    compare_pair,
    group_criteria,
    likelihood_ratio,
    mixture_p,
    naive_p,
)
from sitewise.inference.nesting import difference
from sitewise.inference.planned_fit import ArmContrast, MissedVisit, PlannedFit
from sitewise.lmm.fit import fit_formula
from sitewise.lmm.result import Fit
from sitewise.plan.sections import Comparison


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = []
    for s in range(15):
        u, su = rng.normal(0, 4), rng.normal(0, 0.15)
        for p in range(6):
            b, sb = rng.normal(0, 6), rng.normal(0, 0.3)
            for week in (0.0, 10.0, 20.0, 30.0):
                y = 120 + u + b + (su + sb - 0.1) * week + rng.normal(0, 3)
                rows.append((f"s{s}", f"s{s}p{p}", week, ("A", "B")[p % 2], y))
    return pd.DataFrame(rows, columns=["site", "patient", "week", "arm", "y"])


@pytest.fixture(scope="module")
def fits(data: pd.DataFrame) -> dict[str, Fit]:
    texts = {
        "patient": "y ~ week*arm + (1 | patient)",
        "nested": "y ~ week*arm + (1 | site) + (1 | patient)",
        "slope": "y ~ week*arm + (1 | site) + (1 + week | patient)",
        "apart": "y ~ week*arm + (1 | site) + (1 + week || patient)",
        "both": "y ~ week*arm + (1 + week | site) + (1 + week | patient)",
    }
    found = {k: fit_formula(t, data, {}, alpha=0.05).fit for k, t in texts.items()}
    ml = {"add": "y ~ week + arm + (1 | site) + (1 | patient)", "nested_ml": texts["nested"]}
    found |= {k: fit_formula(t, data, {}, alpha=0.05, reml=False).fit for k, t in ml.items()}
    return found


def pair(fits: dict[str, Fit], null: str, full: str) -> object:
    return compare_pair("?", null, fits[null], full, fits[full])


def test_mixture_p_at_zero_and_beyond() -> None:
    assert mixture_p(0.0, 0) == 1
    assert mixture_p(0.0, 1) == 1
    assert mixture_p(2.705543454095404, 0) == pytest.approx(0.05)  # chi2(1) upper 10%
    assert mixture_p(3.0, 1) == pytest.approx(
        0.5 * stats.chi2.sf(3.0, 1) + 0.5 * stats.chi2.sf(3.0, 2)
    )
    assert naive_p(3.841458820694124, 1) == pytest.approx(0.05)


def test_mixture_is_what_simulation_says() -> None:
    """Stram & Lee's 0.5 chi2(0) + 0.5 chi2(1) for a mean that can't be negative, n = 1."""
    z = np.random.default_rng(1).normal(size=200_000)
    statistics = np.where(z > 0, z**2, 0.0)
    for cut in (0.5, 1.5, 3.0):
        assert np.mean(statistics >= cut) == pytest.approx(mixture_p(cut, 0), abs=0.004)


def test_rounding_is_zero() -> None:
    assert likelihood_ratio(-100.0, -100.0 + 1e-9) == 0
    assert likelihood_ratio(-100.0, -100.0 - 1e-9) == 0
    assert likelihood_ratio(-100.0, -99.0) == 2


@pytest.mark.parametrize(
    ("null", "full", "df", "mixture"),
    [
        ("patient", "nested", 1, "0.5 chi2(0) + 0.5 chi2(1)"),
        ("nested", "slope", 2, "0.5 chi2(1) + 0.5 chi2(2)"),
        ("nested", "apart", 1, "0.5 chi2(0) + 0.5 chi2(1)"),
        ("slope", "both", 2, "0.5 chi2(1) + 0.5 chi2(2)"),
    ],
)
def test_mixtures(fits: dict[str, Fit], null: str, full: str, df: int, mixture: str) -> None:
    test = compare_pair("?", null, fits[null], full, fits[full])
    assert (test.refused, test.df, test.mixture, test.method) == ("", df, mixture, "REML")
    statistic = 2 * (fits[full].loglik - fits[null].loglik)
    assert test.statistic == pytest.approx(statistic)
    assert test.p_naive == pytest.approx(stats.chi2.sf(statistic, df))
    assert test.p_mixture is not None
    assert test.p_mixture < test.p_naive


@pytest.mark.parametrize(
    ("null", "full", "says"),
    [
        ("patient", "slope", "2 variances are added at once"),
        ("apart", "slope", "no variance is tested"),
        ("add", "nested_ml", "no variance is tested"),
    ],
)
def test_no_mixture(fits: dict[str, Fit], null: str, full: str, says: str) -> None:
    test = compare_pair("?", null, fits[null], full, fits[full])
    assert test.refused == ""
    assert test.p_mixture is None
    assert says in test.mixture


def test_few_levels_are_said(fits: dict[str, Fit]) -> None:
    (text,) = compare_pair("?", "patient", fits["patient"], "nested", fits["nested"]).cautions
    assert "here there are 15. That is few" in text
    (text,) = compare_pair("?", "nested", fits["nested"], "slope", fits["slope"]).cautions
    assert "90" in text
    assert "few" not in text


def test_singular_null_has_no_mixture(fits: dict[str, Fit]) -> None:
    verdict = replace(fits["nested"].singularity, singular=True, where="1 | site")
    null = replace(fits["nested"], singularity=verdict)
    test = compare_pair("?", "nested", null, "slope", fits["slope"])
    assert test.p_mixture is None
    assert "itself singular (1 | site)" in test.mixture
    assert "neither the naive p nor a mixture" in test.cautions[0]


def test_a_singular_larger_model_is_said(fits: dict[str, Fit]) -> None:
    verdict = replace(fits["slope"].singularity, singular=True, where="1 + week | patient")
    full = replace(fits["slope"], singularity=verdict)
    test = compare_pair("?", "nested", fits["nested"], "slope", full)
    assert test.p_mixture is not None
    assert "larger model slope is singular (1 + week | patient)" in test.cautions[0]


def test_slopes_about_a_line_that_misses_are_changing_variance(data: pd.DataFrame) -> None:
    named = data.rename(columns={"week": "WEEK", "patient": "USUBJID", "site": "SITEID"})
    texts = {
        "patient": "y ~ WEEK + (1 | USUBJID)",
        "nested": "y ~ WEEK + (1 | SITEID) + (1 | USUBJID)",
        "slope": "y ~ WEEK + (1 | SITEID) + (1 + WEEK | USUBJID)",
    }
    missed = (MissedVisit("v2", 4.0), MissedVisit("v3", -2.0))
    fits = {
        name: replace(planned(name, fit_formula(t, named, {}, alpha=0.05).fit), missed=missed)
        for name, t in texts.items()
    }
    fits["slope"] = replace(fits["slope"], missed=missed[:1])
    asked = [
        Comparison(question="sites", smaller="patient", larger="nested"),
        Comparison(question="slopes", smaller="nested", larger="slope"),
    ]
    sites, slopes = compare_models(asked, fits).tests
    assert "miss the mean outcome at v2: this test then finds" in slopes.cautions[0]
    assert "not that patients have trends of their own" in slopes.cautions[0]
    assert not any("miss the mean" in text for text in sites.cautions)
    fits["nested"] = replace(fits["nested"], missed=())
    slopes = compare_models(asked, fits).tests[1]
    assert not any("miss the mean" in text for text in slopes.cautions)


@pytest.mark.parametrize(
    ("null", "full", "change", "says"),
    [
        ("patient", "nested", {"rows": "other"}, "other rows"),
        ("nested_ml", "slope", {}, "fitted by ML and slope by REML"),
        ("nested", "patient", {}, "not nested"),
        ("slope", "apart", {}, "not nested"),
        ("nested_ml", "add", {}, "not nested"),
        ("nested", "nested", {}, "no parameter beyond"),
        ("patient", "nested", {"loglik": -9e9}, "failed optimum"),
        ("patient", "nested", {"converged": False}, "did not converge"),
    ],
)
def test_refused(
    fits: dict[str, Fit], null: str, full: str, change: dict[str, object], says: str
) -> None:
    test = compare_pair("?", null, fits[null], full, replace(fits[full], **change))
    assert says in test.refused
    assert test.p_mixture is None
    assert np.isnan(test.p_naive)


def test_reml_with_other_fixed_parts_is_refused(data: pd.DataFrame, fits: dict[str, Fit]) -> None:
    less = fit_formula("y ~ week + arm + (1 | site) + (1 | patient)", data, {}, alpha=0.05).fit
    test = compare_pair("?", "less", less, "nested", fits["nested"])
    assert "REML likelihoods of different fixed parts" in test.refused


def test_difference_names_what_is_added(fits: dict[str, Fit]) -> None:
    found = difference(fits["nested"], fits["both"])
    assert found is not None
    assert [(a.group, a.term, a.partners) for a in found.random] == [
        ("site", "week", ("(Intercept)",)), ("patient", "week", ("(Intercept)",)),
    ]  # fmt: skip
    covariance = difference(fits["apart"], fits["slope"])
    assert covariance is not None
    assert (covariance.random, covariance.covariances) == ((), 1)


def planned(name: str, fit: Fit) -> PlannedFit:
    contrast = ArmContrast("B", "A", "v", 0.0, "level", fit.fixef[0])
    return PlannedFit("SYSBP", name, name, fit, (), (), contrast, (), 1, 1, ())


def test_criteria_are_grouped_by_what_is_comparable(fits: dict[str, Fit]) -> None:
    groups = group_criteria({name: planned(name, fit) for name, fit in fits.items()})
    assert [[row.model for row in group.rows] for group in groups] == [
        ["patient", "nested", "slope", "apart", "both"], ["add", "nested_ml"],
    ]  # fmt: skip
    assert groups[0].basis == "REML, 360 rows, fixed part week * arm"
    assert groups[1].basis == "ML, 360 rows"


def test_order_is_that_of_the_plan(fits: dict[str, Fit]) -> None:
    asked = [
        Comparison(question="b", smaller="nested", larger="slope"),
        Comparison(question="a", smaller="patient", larger="nested"),
    ]
    found = compare_models(asked, {name: planned(name, fit) for name, fit in fits.items()})
    assert [test.question for test in found.tests] == ["b", "a"]
    assert found.endpoint == "SYSBP"
