"""Likelihood-ratio tests: valid ones, mixtures, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sitewise
from sitewise.inference.compare import compare_batches, compare_models, compare_pair, group_criteria
from sitewise.inference.comparison import ModelComparison
from sitewise.inference.lrt import lrt
from sitewise.inference.mixture import likelihood_ratio, mixture_p, naive_p
from sitewise.inference.placed import place
from sitewise.inference.planned_fit import ArmContrast, MissedVisit, PlannedFit
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.record import record_of
from sitewise.plan.model import Plan
from sitewise.plan.parts import read_part


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


TEXTS = {
    "patient": "y ~ week*arm + (1 | patient)",
    "nested": "y ~ week*arm + (1 | site) + (1 | patient)",
    "slope": "y ~ week*arm + (1 | site) + (1 + week | patient)",
    "apart": "y ~ week*arm + (1 | site) + (1 + week || patient)",
    "both": "y ~ week*arm + (1 + week | site) + (1 + week | patient)",
}
ML = {"add": "y ~ week + arm + (1 | site) + (1 | patient)", "nested_ml": TEXTS["nested"]}


@pytest.fixture(scope="module")
def fits(data: pd.DataFrame) -> dict[str, LmmFit]:
    found = {name: sitewise.lmm(text, data) for name, text in TEXTS.items()}
    return found | {name: sitewise.lmm(text, data, reml=False) for name, text in ML.items()}


def pair(fits: dict[str, LmmFit], null: str, full: str, **more: int) -> ModelComparison:
    return compare_pair("?", null, fits[null], full, fits[full], **more)


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
def test_mixtures(fits: dict[str, LmmFit], null: str, full: str, df: int, mixture: str) -> None:
    test = compare_pair("?", null, fits[null], full, fits[full])
    assert (test.refused, test.df, test.mixture, test.method) == ("", df, mixture, "REML")
    statistic = 2 * (fits[full].loglik - fits[null].loglik)
    assert test.statistic == pytest.approx(statistic)
    assert test.p_naive == pytest.approx(stats.chi2.sf(statistic, df))
    assert test.p_mixture is not None
    assert test.p_mixture < test.p_naive


def test_several_variances_take_their_weights_from_the_tangent_cone(
    fits: dict[str, LmmFit],
) -> None:
    test = pair(fits, "patient", "slope")
    assert (test.refused, test.df) == ("", 3)
    assert "tangent cone" in test.mixture
    assert test.p_mixture == lrt(fits["patient"], fits["slope"], bootstrap=0).p
    assert 0 < test.p_error < 0.01


@pytest.mark.parametrize(("null", "full"), [("apart", "slope"), ("add", "nested_ml")])
def test_no_mixture(fits: dict[str, LmmFit], null: str, full: str) -> None:
    test = pair(fits, null, full)
    assert (test.refused, test.p_mixture, test.p_bootstrap) == ("", None, None)
    assert "no variance is tested" in test.mixture


def test_few_levels_have_a_bootstrap(fits: dict[str, LmmFit]) -> None:
    test = pair(fits, "patient", "nested", draws=39, seed=7)
    own = lrt(fits["patient"], fits["nested"], bootstrap=39, seed=7).bootstrap
    assert own is not None
    assert (test.p_bootstrap, test.bootstrap_error) == (own.p, own.error)
    assert (test.bootstrap_draws, test.bootstrap_seed) == (39, 7)
    few, drawn = test.cautions
    assert "here there are 15. That is few" in few
    assert "(39 draws, seed 7)" in drawn
    (text,) = pair(fits, "nested", "slope", draws=39).cautions
    assert "90" in text
    assert "few" not in text
    assert pair(fits, "nested", "slope", draws=39).p_bootstrap is None
    assert pair(fits, "patient", "nested", draws=0).p_bootstrap is None


def test_singular_models_are_said(data: pd.DataFrame) -> None:
    flat = data.assign(y=data.y - data.groupby("site").y.transform("mean"))
    small = sitewise.lmm(TEXTS["nested"], flat)
    assert small.singular
    test = compare_pair("?", "nested", small, "slope", sitewise.lmm(TEXTS["slope"], flat))
    assert "at a null on the boundary (1 | site)" in test.mixture
    assert test.p_mixture is not None
    assert "smaller model nested is itself singular (1 | site)" in test.cautions[0]
    assert "larger model slope is singular" in test.cautions[1]


def test_slopes_about_a_line_that_misses_are_changing_variance(data: pd.DataFrame) -> None:
    named = data.rename(columns={"week": "WEEK", "patient": "USUBJID", "site": "SITEID"})
    texts = {
        "patient": "y ~ WEEK + (1 | USUBJID)",
        "nested": "y ~ WEEK + (1 | SITEID) + (1 | USUBJID)",
        "slope": "y ~ WEEK + (1 | SITEID) + (1 + WEEK | USUBJID)",
    }
    missed = (MissedVisit("v2", 4.0), MissedVisit("v3", -2.0))
    models = {name: sitewise.lmm(text, named) for name, text in texts.items()}
    fits = {name: replace(planned(name, fit), missed=missed) for name, fit in models.items()}
    fits["slope"] = replace(fits["slope"], missed=missed[:1])
    plan = plan_of({"sites": ("patient", "nested"), "slopes": ("nested", "slope")}, texts)
    sites, slopes = compare_models(plan, fits, models).tests
    assert "miss the mean outcome at v2: this test then finds" in slopes.cautions[0]
    assert "not that patients have trends of their own" in slopes.cautions[0]
    assert not any("miss the mean" in text for text in sites.cautions)
    fits["nested"] = replace(fits["nested"], missed=())
    slopes = compare_models(plan, fits, models).tests[1]
    assert not any("miss the mean" in text for text in slopes.cautions)


@pytest.mark.parametrize(
    ("null", "full", "says"),
    [
        ("nested_ml", "slope", "one is fitted by REML and one by ML"),
        ("nested", "patient", "not nested"),
        ("slope", "apart", "not nested"),
        ("nested_ml", "add", "not nested"),
        ("nested", "nested", "no parameter beyond"),
        ("fewer rows", "nested", "the models use other rows (359 and 360)"),
        ("other fixed part", "nested", "REML likelihoods of different fixed parts"),
        ("stopped", "nested", "stopped did not converge"),
    ],
)
def test_refused(
    data: pd.DataFrame, fits: dict[str, LmmFit], null: str, full: str, says: str
) -> None:
    if null == "fewer rows":
        small = sitewise.lmm(TEXTS["patient"], data.iloc[1:])
    elif null == "other fixed part":
        small = sitewise.lmm("y ~ week + arm + (1 | patient)", data)
    elif null == "stopped":
        small = stopped(fits["patient"])
    else:
        small = fits[null]
    test = compare_pair("?", null, small, full, fits[full])
    assert says in test.refused
    assert (test.p_mixture, test.p_bootstrap, test.mixture) == (None, None, "no test")
    assert np.isnan(test.p_naive)


def stopped(fit: LmmFit) -> LmmFit:
    """The same fit, its end no optimum."""
    return replace(fit, certificate=replace(fit.certificate, holds=False))


def test_what_is_added_is_named(fits: dict[str, LmmFit]) -> None:
    found = place(fits["nested"], fits["both"])
    assert {(a.group, a.term, a.partners) for a in found.random} == {
        ("site", "week", ("(Intercept)",)), ("patient", "week", ("(Intercept)",)),
    }  # fmt: skip
    covariance = place(fits["apart"], fits["slope"])
    assert (covariance.random, covariance.covariances) == ((), 1)


def plan_of(asked: dict[str, tuple[str, str]], texts: dict[str, str]) -> Plan:
    """A plan with these comparisons alone, as rule `compare` reads it."""
    return read_part(
        {
            "models": {name: {"formula": text} for name, text in texts.items()},
            "comparisons": [
                {"question": question, "smaller": smaller, "larger": larger}
                for question, (smaller, larger) in asked.items()
            ],
            "bootstrap": {"draws": 19},
            "seeds": {"comparisons": 3},
        }
    )


def planned(name: str, fit: LmmFit) -> PlannedFit:
    record = record_of(fit, alpha=0.05, df="satterthwaite")
    contrast = ArmContrast("B", "A", "v", 0.0, "level", record.fixef[0])
    return PlannedFit("SYSBP", name, name, record, (), (), contrast, (), 1, 1, ())


def test_criteria_are_grouped_by_what_is_comparable(fits: dict[str, LmmFit]) -> None:
    groups = group_criteria({name: planned(name, fit) for name, fit in fits.items()})
    assert [[row.model for row in group.rows] for group in groups] == [
        ["patient", "nested", "slope", "apart", "both"], ["add", "nested_ml"],
    ]  # fmt: skip
    assert groups[0].basis == "REML, 360 rows, fixed part week * arm"
    assert groups[1].basis == "ML, 360 rows"


def test_rebuilt_from_batches_in_the_order_of_the_plan(data: pd.DataFrame) -> None:
    """Numbers as from one frame; the bootstrap with draws and seed of the plan."""
    texts = {name: TEXTS[name] for name in ("patient", "nested", "slope")}
    plan = plan_of({"b": ("nested", "slope"), "a": ("patient", "nested")}, texts)
    first = data.site < "s3"
    parts = {
        name: [sitewise.moments(text, data[first]), sitewise.moments(text, data[~first])]
        for name, text in texts.items()
    }
    models = {name: sitewise.lmm(text, parts[name][0] + parts[name][1])
              for name, text in texts.items()}  # fmt: skip
    fits = {name: planned(name, fit) for name, fit in models.items()}
    found = compare_batches(plan, fits, parts)
    assert [test.question for test in found.tests] == ["b", "a"]
    assert found.endpoint == "SYSBP"
    assert [test.p_bootstrap is None for test in found.tests] == [True, False]
    for test in found.tests:
        small, large = (sitewise.lmm(texts[name], data) for name in (test.null, test.full))
        assert test.statistic == pytest.approx(2 * (large.loglik - small.loglik), abs=1e-7)
    direct = lrt(models["patient"], models["nested"], bootstrap=19, seed=3)
    assert found.tests[1].p_bootstrap == direct.p_bootstrap
    assert found.tests[1].bootstrap_seed == 3


def test_a_chi_square_of_fixed_effects_stands_beside_f(fits: dict[str, LmmFit]) -> None:
    test = pair(fits, "add", "nested_ml")
    own = fits["nested_ml"].tests(df="satterthwaite").loc["week:armB"]
    assert (test.df, test.df_fixed, test.f_df1) == (1, 1, 1)
    assert test.f == pytest.approx(float(own["estimate"] / own["se"]) ** 2, rel=1e-9)
    assert test.f_df2 == pytest.approx(float(own["df"]), rel=1e-9)
    assert test.f_p == pytest.approx(stats.f.sf(test.f, 1, test.f_df2), rel=1e-9)
    variance = pair(fits, "nested", "slope")
    assert (variance.f, variance.f_p, variance.df_fixed) == (None, None, 0)
