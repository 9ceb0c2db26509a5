"""R as second engine: what it is asked, and the error where it is not there."""

import shutil
import subprocess

import numpy as np
import pytest

from sitewise.classical import by_r
from sitewise.classical.by_r import fit_r
from sitewise.classical.second_fit import NotExpressibleError
from sitewise.errors import RunError
from sitewise.lmm.design import build_design
from tests.unit.classical.test_by_mixedlm import LEVELS, frame


def needs(package: str) -> None:
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("R is not installed here")
    asked = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    if subprocess.run([program, "-e", asked], capture_output=True, check=False).returncode:
        pytest.skip(f"R has no package {package} here")


def test_absent_r_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(by_r.shutil, "which", lambda _: None)
    design = build_design("y ~ visit + (1 | patient)", frame(), LEVELS)
    with pytest.raises(RunError) as caught:
        fit_r(design, reml=True)
    assert "R is not installed here" in str(caught.value)
    assert caught.value.problems[0].where == "replication.engine"


def test_absent_package_is_a_clear_error():
    design = build_design("y ~ visit + (1 | patient)", frame(), LEVELS)
    said = [{"kind": "absent", "text": "lme4"}]
    with pytest.raises(RunError, match="R has no package lme4"):
        by_r._second_fit(design, "lme4", [], said)


def test_lme4_has_the_anova_s_numbers():
    needs("lme4")
    data = frame()
    design = build_design("y ~ visit + arm + (1 | site) + (1 | patient)", data, LEVELS)
    found = fit_r(design, reml=True)
    means = data.groupby("visit")["y"].mean()
    assert found.fixef[1] == pytest.approx(means["Month 6"] - means["Base"], abs=1e-6)
    values = data["y"].to_numpy().reshape(24, 3)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    assert found.sigma2 == pytest.approx((rest**2).sum() / 46, rel=1e-4)
    assert set(found.variances) == {("site", "(Intercept)"), ("patient", "(Intercept)")}
    assert found.engine == "lme4"


def test_nlme_replicates_a_residual_covariance():
    # Complete data and a saturated fixed part of visits: ML's covariance is that of the residuals.
    needs("nlme")
    data = frame()
    design = build_design("y ~ visit + us(visit | patient)", data, LEVELS)
    found = fit_r(design, reml=False)
    values = data["y"].to_numpy().reshape(24, 3)
    rest = values - values.mean(axis=0)
    S = rest.T @ rest / 24
    loglik = -12 * (3 * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + 3)
    assert found.loglik == pytest.approx(loglik, abs=1e-4)
    assert np.isnan(found.sigma2)


def test_what_nlme_is_not_asked():
    design = build_design("y ~ visit + (1 + week | site) + us(visit | patient)", frame(), LEVELS)
    with pytest.raises(NotExpressibleError, match="one random intercept of one column at most"):
        fit_r(design, reml=True)
