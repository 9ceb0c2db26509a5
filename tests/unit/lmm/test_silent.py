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
