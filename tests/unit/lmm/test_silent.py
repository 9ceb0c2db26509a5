"""A variance on which the data say nothing beside the fixed effects: nothing hangs on it."""

import numpy as np
import pandas as pd
import pytest

import sitewise


@pytest.fixture
def frame() -> pd.DataFrame:
    """Two hospitals, each with an arm of its own: arm and hospital are one thing."""
    rng = np.random.default_rng(1)
    rows = []
    for site, arm in (("S1", "A"), ("S2", "B")):
        for patient in range(24):
            level = rng.normal(0, 8)
            for visit in ("V0", "V1", "V2"):
                value = 140 + level + rng.normal(0, 10)
                rows.append((site, f"{site}-{patient}", arm, visit, value))
    return pd.DataFrame(rows, columns=["SITEID", "USUBJID", "ARM", "AVISIT", "AVAL"])


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_what_hangs_on_it_has_no_standard_error(frame: pd.DataFrame, df: str) -> None:
    fixed = "AVAL ~ AVISIT*ARM + "
    fit = sitewise.lmm(fixed + "(1 | SITEID) + (1 | USUBJID)", frame)
    assert any("say nothing on the variance of (Intercept) by SITEID" in w for w in fit.warnings)
    found = fit.tests(df=df)
    lost = ["(Intercept)", "ARMB"]
    assert found.loc[lost, ["se", "df", "p", "lower", "upper"]].isna().all(axis=None)
    # Changes are within patients: they are those of the model without hospitals.
    plain = sitewise.lmm(fixed + "(1 | USUBJID)", frame).tests(df=df)
    kept = [name for name in found.index if name not in lost]
    pd.testing.assert_frame_equal(found.loc[kept], plain.loc[kept], rtol=1e-6, check_exact=False)
    joint = fit.anova(df=df).loc["AVISIT:ARM"]
    assert joint["F"] == pytest.approx(
        sitewise.lmm(fixed + "(1 | USUBJID)", frame).anova(df=df).loc["AVISIT:ARM", "F"], rel=1e-6
    )


def test_by_maximum_likelihood_it_is_estimated(frame: pd.DataFrame) -> None:
    """The arms' means then count as without error, so the variance is 0: an estimate."""
    fit = sitewise.lmm("AVAL ~ AVISIT*ARM + (1 | SITEID) + (1 | USUBJID)", frame, reml=False)
    assert fit.singular
    assert fit.tests(df="satterthwaite").notna().all(axis=None)
    (said,) = [text for text in fit.warnings if text.startswith("Singular")]
    assert said.startswith("Singular: variance 0 in (1 | SITEID): a variance is estimated as 0")
    assert fit.summary().count("Singular") == 1


def test_a_perfect_correlation_is_said_by_the_fit(frame: pd.DataFrame) -> None:
    """Level and slope of a patient are one number, and chance is at right angles to both."""
    rng = np.random.default_rng(2)
    week = frame["AVISIT"].map({"V0": 0.0, "V1": 1.0, "V2": 2.0})
    patient = pd.factorize(frame["USUBJID"])[0]
    b = rng.normal(0, 10, patient.max() + 1)[patient]
    chance = (
        np.tile([1.0, -2.0, 1.0], patient.max() + 1) * rng.normal(0, 2, patient.max() + 1)[patient]
    )
    data = frame.assign(week=week, AVAL=140 + b * (1 + week) + chance)
    fit = sitewise.lmm("AVAL ~ week + (1 + week | USUBJID)", data)
    assert fit.singular
    (said,) = [text for text in fit.warnings if text.startswith("Singular")]
    assert said.startswith("Singular: correlation in (1 + week | USUBJID): a combination")
    calm = sitewise.lmm("AVAL ~ week + (1 | USUBJID)", data)
    assert not calm.singular and not calm.warnings
