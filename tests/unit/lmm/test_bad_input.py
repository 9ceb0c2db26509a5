"""Bad input through `sitewise.lmm`: a clear error, or a state of the fit; never a silent number."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.lmmfit import LmmFit
from tests.unit.lmm.scheduled import LEVELS, trial

NESTED = "AVAL ~ WEEK + (1 | SITEID) + (1 | USUBJID)"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return trial(patients=40, sites=4, seed=3)


def fit(formula: str, data: pd.DataFrame) -> LmmFit:
    return sitewise.lmm(formula, data, levels=LEVELS)


def refused(formula: str, data: pd.DataFrame) -> str:
    with pytest.raises(ModelError) as error:
        fit(formula, data)
    return str(error.value)


# -- refused, each with its words --------------------------------------------------------------


def test_neither_a_random_effect_nor_a_residual_covariance(frame: pd.DataFrame) -> None:
    said = refused("AVAL ~ WEEK", frame)
    assert "no random term and no residual covariance, so this is not a mixed model" in said
    assert "at least one, e.g. + (1 | SITEID) or + us(AVISIT | USUBJID)" in said


def test_unknown_columns_all_at_once(frame: pd.DataFrame) -> None:
    said = refused("AVAL ~ WEEK + HGT + (1 | SITE)", frame)
    assert "unknown column 'HGT'" in said
    assert "unknown column 'SITE'" in said
    assert "did you mean 'SITEID'?" in said


def test_a_grouping_with_one_level(frame: pd.DataFrame) -> None:
    said = refused("AVAL ~ WEEK + (1 | G) + (1 | USUBJID)", frame.assign(G="a"))
    assert "(1 | G): G has one level: a" in said


@pytest.mark.parametrize("patient", ["(1 | USUBJID)", "csh(AVISIT | USUBJID)"])
def test_one_site(frame: pd.DataFrame, patient: str) -> None:
    one = frame[frame["SITEID"] == "S1"]
    said = refused(f"AVAL ~ WEEK + (1 | SITEID) + {patient}", one)
    assert "(1 | SITEID): SITEID has one level: S1" in said
    assert fit(f"AVAL ~ WEEK + {patient}", one).converged


def test_more_effects_than_readings(frame: pd.DataFrame) -> None:
    said = refused("AVAL ~ WEEK + (1 + AVISIT | USUBJID)", frame)
    assert "(1 + AVISIT | USUBJID): 40 levels x 4 effects = 160 random effects for 131" in said


NOT_IDENTIFIED = {
    "AVAL ~ WEEK + (1 | USUBJID) + cs(AVISIT | USUBJID)":
        "variance of (Intercept) by USUBJID; common residual covariance",
    "AVAL ~ WEEK + (1 | USUBJID) + us(AVISIT | USUBJID)":
        "variance of (Intercept) by USUBJID; residual variance of Baseline; residual covariance of"
        " Baseline and Month 3",
}  # fmt: skip


@pytest.mark.parametrize("formula", NOT_IDENTIFIED)
def test_what_is_not_identified_is_named(frame: pd.DataFrame, formula: str) -> None:
    said = refused(formula, frame)
    assert f"the data can't tell these apart: {NOT_IDENTIFIED[formula]}" in said


@pytest.mark.parametrize("reml", [True, False])
def test_residual_variance_zero(frame: pd.DataFrame, reml: bool) -> None:
    copied = frame.assign(AVAL=frame.groupby("USUBJID")["AVAL"].transform("first"))
    with pytest.raises(ModelError) as error:
        sitewise.lmm("AVAL ~ 1 + (1 | USUBJID)", copied, reml)
    assert "The residual variance is 0." in str(error.value)
    assert "the likelihood grows without bound and no estimate exists" in str(error.value)


def test_infinite_values_in_all_columns_with_their_rows(frame: pd.DataFrame) -> None:
    bad = frame.copy()
    bad.loc[3, "AVAL"], bad.loc[5, "BASE"] = np.inf, -np.inf
    said = refused("AVAL ~ BASE + (1 | USUBJID)", bad)
    assert "AVAL is infinite in 1 row: 4" in said
    assert "BASE is infinite in 1 row: 6" in said


def test_constant_outcome(frame: pd.DataFrame) -> None:
    said = refused(NESTED, frame.assign(AVAL=3.0))
    assert "The outcome does not vary." in said
    assert "all 131 values of AVAL are 3.0" in said


@pytest.mark.parametrize("structure", ["us", "cs", "csh", "ar1", "ar1h"])
def test_a_repeated_patient_visit_names_its_rows(frame: pd.DataFrame, structure: str) -> None:
    twice = pd.concat([frame, frame.iloc[[3, 7]]], ignore_index=True)
    said = refused(f"AVAL ~ AVISIT + {structure}(AVISIT | USUBJID)", twice)
    assert "2 USUBJID x AVISIT occur more than once" in said
    assert "P013 at Month 12 (rows 8, 133); P032 at Month 12 (rows 4, 132)" in said
    # With independent residuals a repeated visit is a replicate.
    assert fit("AVAL ~ AVISIT + (1 | USUBJID)", twice).nobs == len(frame) + 2


def test_a_patient_in_two_batches(frame: pd.DataFrame) -> None:
    early = frame["USUBJID"] < "P020"
    first = sitewise.moments([NESTED], frame[early], LEVELS)
    second = sitewise.moments([NESTED], frame[~early | (frame["USUBJID"] == "P003")], LEVELS)
    with pytest.raises(ModelError) as error:
        first + second
    assert "1 patient in two batches: P003" in str(error.value)
    with pytest.raises(ModelError) as error:
        sitewise.lmm("AVAL ~ BASE + (1 | USUBJID)", first)
    assert "no moments of BASE" in str(error.value)


def test_no_rows(frame: pd.DataFrame) -> None:
    assert "No row is left to fit." in refused(NESTED, frame[:0])


# -- states of a fit ---------------------------------------------------------------------------


def test_one_patient_a_site(frame: pd.DataFrame) -> None:
    single = frame.assign(SITEID="s" + frame["USUBJID"])
    found = fit(NESTED, single)
    said = " ".join(found.warnings)
    assert "variance of (Intercept) by SITEID; variance of (Intercept) by USUBJID" in said
    assert "arbitrary" in said
    assert "arbitrary" in found.summary()
    alone = fit("AVAL ~ WEEK + (1 | USUBJID)", frame)
    assert found.loglik == pytest.approx(alone.loglik, abs=1e-8)


def test_a_likelihood_without_maximum_under_a_residual_covariance(frame: pd.DataFrame) -> None:
    """Three patients were seen at all four visits: the covariance runs into a singular one."""
    few = frame[frame["SITEID"] == "S1"]
    found = fit("AVAL ~ WEEK + us(AVISIT | USUBJID)", few)
    assert not found.converged
    assert any("did not converge" in text for text in found.warnings)
    assert "not converge" in found.summary()


def test_collinear_fixed_effects_are_dropped_named_and_counted(frame: pd.DataFrame) -> None:
    found = fit("AVAL ~ WEEK + DAY + (1 | USUBJID)", frame.assign(DAY=7 * frame["WEEK"]))
    assert found.aliased == ("DAY",)
    assert list(found.fixef.index) == ["(Intercept)", "WEEK"]
    assert found.npar == 4
    assert "Dropped because they are combinations of other columns: DAY." in found.warnings


def test_missing_values_are_counted_reported_and_dropped(frame: pd.DataFrame) -> None:
    holes = frame.copy()
    holes.loc[[3, 4], "AVAL"] = np.nan
    holes.loc[5, "BASE"] = np.nan
    holes.loc[6, "SEX"] = None
    found = fit("AVAL ~ BASE + SEX + (1 | USUBJID)", holes)
    assert found.dropped == {"AVAL": 2, "BASE": 1, "SEX": 1}
    assert found.nobs == len(frame) - 4
    kept = fit("AVAL ~ BASE + SEX + (1 | USUBJID)", holes.drop(index=[3, 4, 5, 6]))
    assert found.loglik == pytest.approx(kept.loglik, abs=1e-9)
    text = found.summary()
    for column in ("AVAL", "BASE", "SEX"):
        assert column in text
    assert "missing" in text


# -- formulas that parse and may mean something else than a user of lme4 expects -----------------


def test_labels_that_repeat_across_parents_are_not_taken_for_nested(frame: pd.DataFrame) -> None:
    by_site = frame.groupby("SITEID")["USUBJID"]
    number = by_site.transform(lambda own: pd.Series(pd.factorize(own)[0], own.index).astype(str))
    repeated = frame.assign(PATIENT=number)
    said = refused("AVAL ~ WEEK + (1 | SITEID) + (1 | PATIENT)", repeated)
    assert "PATIENT and SITEID are crossed" in said
    assert "write (1 | SITEID/PATIENT)" in said
    nested = fit("AVAL ~ WEEK + (1 | SITEID/PATIENT)", repeated)
    assert nested.loglik == pytest.approx(fit(NESTED, frame).loglik, abs=1e-8)


def test_a_nesting_the_wrong_way_round_is_said(frame: pd.DataFrame) -> None:
    found = fit("AVAL ~ WEEK + (1 | USUBJID/SITEID)", frame)
    assert "arbitrary: variance of (Intercept) by USUBJID;" in " ".join(found.warnings)


def test_a_factor_with_a_double_bar_keeps_its_correlations_as_in_lme4(frame: pd.DataFrame) -> None:
    found = fit("AVAL ~ WEEK + (ARM || SITEID)", frame)
    assert list(found.varcorr["term"][:4]) == [
        "(Intercept)", "ARMPlacebo", "ARMLow", "ARMHigh",
    ]  # fmt: skip
    assert "covariance of ARMPlacebo and ARMLow by SITEID" in " ".join(found.warnings)


def test_a_power_of_one_column_is_the_column_as_in_r(frame: pd.DataFrame) -> None:
    assert list(fit("AVAL ~ WEEK^2 + (1 | USUBJID)", frame).fixef.index) == ["(Intercept)", "WEEK"]
    assert "nothing in a formula is executed" in refused("AVAL ~ I(WEEK^2) + (1 | USUBJID)", frame)


REFUSED = {
    "AVAL ~ WEEK + 1 | USUBJID": "a random term must stand alone, added, in parentheses",
    "AVAL ~ WEEK + (1 | SITEID * USUBJID)": "the group 'SITEID * USUBJID' of a random term",
    "AVAL ~ WEEK + (1 | SITEID + USUBJID)": "the group 'SITEID + USUBJID' of a random term",
    "AVAL ~ WEEK + (0 | USUBJID)": "(0 | USUBJID) has no column left of the bar",
    "AVAL ~ WEEK + us(1 + WEEK | USUBJID)": "for a random intercept and slope write (1 + WEEK |",
    "AVAL ~ WEEK + us(AVISIT | ARM / USUBJID)": "a covariance for each ARM",
    "AVAL ~ WEEK + us(WEEK | USUBJID)": "WEEK is the slot of a residual covariance and holds num",
    "AVAL ~ WEEK + toep(AVISIT | USUBJID)": "the covariance structure toep(...) is not implemented",
    "AVAL ~ WEEK + offset(BASE) + (1 | USUBJID)": "offset(...) is not implemented",
    "AVAL ~ WEEK + weights(BASE) + (1 | USUBJID)": "weights(...) is not implemented",
    "AVAL ~ . + (1 | USUBJID)": "the character '.' has no meaning",
    "AVAL ~ AVAL + (1 | USUBJID)": "the response AVAL stands on the right-hand side",
    "log(AVAL) ~ WEEK + (1 | USUBJID)": "the response must be one column",
}


@pytest.mark.parametrize("formula", REFUSED)
def test_what_would_mean_something_else_is_refused(frame: pd.DataFrame, formula: str) -> None:
    assert REFUSED[formula] in refused(formula, frame)


def _visits(joint: int) -> pd.DataFrame:
    """Visits a, b or c, d of 30 patients, and all four of the first `joint`."""
    rng = np.random.default_rng(1)
    rows = []
    for i in range(30):
        b = rng.normal()
        seen = "abcd" if i < joint else ("ab" if i % 2 else "cd")
        rows += [(f"p{i}", f"s{i % 5}", visit, b + rng.normal()) for visit in seen]
    return pd.DataFrame(rows, columns=["patient", "site", "visit", "y"])


@pytest.mark.parametrize("source", ["frame", "moments"])
def test_visits_that_no_patient_shares_are_named(source: str) -> None:
    text = "y ~ visit + (1 | site) + us(visit | patient)"
    data = _visits(0)
    with pytest.raises(ModelError, match="at both a and c; a and d; b and c; b and d") as caught:
        sitewise.lmm(text, data if source == "frame" else sitewise.moments(text, data))
    assert "csh, ar1h, cs" in str(caught.value)
    assert len(caught.value.problems) == 1


def test_visits_that_few_patients_share_are_named() -> None:
    found = sitewise.lmm("y ~ visit + (1 | site) + us(visit | patient)", _visits(2))
    assert not found.converged
    (text,) = (text for text in found.warnings if "grows without bound" in text)
    assert "fewest first: a and c: 2; a and d: 2" in text
    assert "csh, ar1h, cs" in text
    assert text in found.summary()


def test_a_covariance_of_fewer_parameters_needs_no_joint_visits() -> None:
    assert sitewise.lmm("y ~ visit + cs(visit | patient)", _visits(2)).converged


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = [
        (
            f"p{i}",
            f"s{i % 6}",
            f"c{i % 6}",
            v,
            w,
            str(20 + i % 4),
            "AB"[i % 2],
            rng.normal() + i % 7,
        )
        for i in range(60)
        for v, w in (("base", 0.0), ("later", 6.0), ("end", 12.0))
    ]
    names = ["patient", "site", "clinic", "visit", "week", "age", "arm", "y"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize("source", ["frame", "moments"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y ~ age + (1 | patient)", "age is text that reads as numbers: taken as a factor"),
        ("y ~ week + ar1(visit | patient)",
         "the order of visit is not declared; taken is base, end, later"),
        ("y ~ 1 + (1 + visit || site) + (1 | patient)",
         "|| leaves the levels of a factor correlated, as in lme4"),
        ("y ~ week + (1 | site) + (1 | clinic) + (1 | patient)",
         "can't tell these apart, how they are split is arbitrary: variance of (Intercept) by site;"
         " variance of (Intercept) by clinic"),
        ("y ~ week + (1 + arm | patient)", "can't tell these apart, how they are split"),
    ],
)  # fmt: skip
def test_what_a_writer_may_not_mean_is_said(
    visits: pd.DataFrame, text: str, says: str, source: str
) -> None:
    if "ar1" in text:
        visits = visits.assign(
            visit=visits.visit.replace({"base": "1 base", "end": "2", "later": "3"})
        )
        says = says.replace("base, end, later", "1 base, 2, 3")
    found = sitewise.lmm(text, visits if source == "frame" else sitewise.moments(text, visits))
    assert any(says in note for note in found.warnings), found.warnings


@pytest.mark.parametrize("source", ["frame", "moments"])
@pytest.mark.parametrize(
    ("text", "outcome", "says"),
    [
        # No schedule: nothing of the model changes within a patient.
        ("y ~ arm + (1 | patient)", lambda d: d.patient.str[1:].astype(float) / 7 + 150,
         "The residual variance is 0"),
        ("y ~ visit + (1 | patient)", lambda d: d.patient.str[1:].astype(float) / 7 + 150,
         "The residual variance is 0"),
        ("y ~ week + (1 | patient)", lambda d: 3.3 + 0.1 * d.week, "reproduce every outcome"),
        ("y ~ age + (1 | patient)", lambda d: 3.3 + 0.1 * d.age, "reproduce every outcome"),
        ("y ~ arm + (1 | patient)", lambda d: 0.0 * d.week + 3.3, "does not vary"),
    ],
)  # fmt: skip
def test_an_outcome_without_variance(
    visits: pd.DataFrame, text: str, outcome: Any, says: str, source: str
) -> None:
    data = visits.assign(age=np.random.default_rng(2).normal(50, 10, len(visits)))
    data["y"] = outcome(data)
    with pytest.raises(ModelError, match=says):
        sitewise.lmm(text, data if source == "frame" else sitewise.moments(text, data))


def test_little_variance_about_a_large_mean_is_variance(visits: pd.DataFrame) -> None:
    found = sitewise.lmm("y ~ arm + (1 | patient)", visits.assign(y=1e6 + 1e-6 * visits.y))
    plain = sitewise.lmm("y ~ arm + (1 | patient)", visits)
    assert found.sigma == pytest.approx(1e-6 * plain.sigma, rel=1e-3)  # 1e6 holds 1e-10


def test_arguments_of_other_kinds_are_named(visits: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="the data are a str"):
        sitewise.lmm("y ~ arm + (1 | patient)", "trial.csv")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="give the formula first"):
        sitewise.lmm(visits, "y ~ arm + (1 | patient)")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("y ~ week + 1 | patient", "must stand alone, added, in parentheses, found '1 | patient'"),
        ("y ~ I(week^2) + (1 | patient)", "the function call I(...) is refused"),
        ("y ~ poly(week, 2) + (1 | patient)", "the function call poly(...) is refused"),
        ("y ~ log(week) + (1 | patient)", "the function call log(...) is refused"),
        ("y ~ offset(week) + (1 | patient)", "offset(...) is not implemented"),
        ("y ~ . + (1 | patient)", "'.' has no meaning"),
        ("log(y) ~ week + (1 | patient)", "the response must be one column"),
        ("y ~ arm/visit + (1 | patient)", "'/' is not allowed here"),
        ("y ~ 2*week + (1 | patient)", "'2' is not allowed here"),
    ],
)
def test_formulas_of_r_that_are_not_taken(visits: pd.DataFrame, formula: str, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        sitewise.lmm(formula, visits)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("formula", "fixed", "random"),
    [
        ("y ~ week + (week | patient)", ["(Intercept)", "week"], ["(Intercept)", "week"]),
        ("y ~ week + (0 + week | patient)", ["(Intercept)", "week"], ["week"]),
        ("y ~ week + (week - 1 | patient)", ["(Intercept)", "week"], ["week"]),
        ("y ~ week - 1 + (1 | patient)", ["week"], ["(Intercept)"]),
        ("y ~ 0 + arm + (1 | patient)", ["armA", "armB"], ["(Intercept)"]),
        ("y ~ arm*week - arm + (1 | patient)", ["(Intercept)", "week", "armB:week"],
         ["(Intercept)"]),
        # R's coding: without arm's own term its interaction has a column for every visit.
        ("y ~ arm*visit - arm + (1 | patient)",
         ["(Intercept)", "visitend", "visitlater", "armB:visitbase", "armB:visitend",
          "armB:visitlater"], ["(Intercept)"]),
    ],
)  # fmt: skip
def test_formulas_mean_what_they_mean_in_r(
    visits: pd.DataFrame, formula: str, fixed: list[str], random: list[str]
) -> None:
    found = sitewise.lmm(formula, visits)
    assert list(found.fixef.index) == fixed
    assert [term for term in found.varcorr.term if isinstance(term, str) and term] == random
