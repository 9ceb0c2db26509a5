"""The fit as a notebook sees it: predictions against matrices, tables, text, refusals."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.lmmfit import LmmFit
from tests.unit.lmm.dense import by_group
from tests.unit.lmm.scheduled import LEVELS, trial

ACROSS = "AVAL ~ AVISIT + ARM + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 + WEEK | USUBJID)"
RESIDUAL = "AVAL ~ AVISIT * ARM + (1 | SITEID) + us(AVISIT | USUBJID)"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rows = trial(patients=80, sites=6)
    shift = rows["SITEID"].map({f"S{k}": 6.0 * k for k in range(6)}) + 0.2 * rows["WEEK"]
    own = rows["USUBJID"].str[1:].astype(int) % 7
    rows["AVAL"] += shift + own * rows["WEEK"] / 40
    rows.loc[3, "AVAL"] = np.nan
    return rows


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame) -> LmmFit:
    return sitewise.lmm(ACROSS, frame, levels=LEVELS)


def test_predictions_against_matrices(fit: LmmFit, frame: pd.DataFrame) -> None:
    used = frame[frame["AVAL"].notna()].reset_index(drop=True)
    one = np.ones((len(used), 1))
    slopes = np.column_stack([one[:, 0], used["WEEK"]])
    groups = {
        "SITEID": (one, used["SITEID"]),
        "SITEID:AVISIT": (one, used["SITEID"] + ":" + used["AVISIT"]),
        "USUBJID": (slopes, used["USUBJID"]),
    }
    D = {t.basis.group: t.D for t in fit.estimates.terms}
    sigma2 = fit.sigma**2 if fit.sigma else 0.0
    V, parts = sigma2 * np.eye(len(used)), {}
    for group, (columns, labels) in groups.items():
        codes, names = pd.factorize(labels, sort=True)
        Z = by_group(columns, codes)
        G = np.kron(np.eye(len(names)), D[group])
        V += Z @ G @ Z.T
        parts[group] = (Z, G, names)
    dummies = [(used[n] == level) for n in ("AVISIT", "ARM") for level in LEVELS[n][1:]]
    X = np.column_stack([one, *dummies]).astype(float)
    rest = used["AVAL"].to_numpy() - X @ fit.fixef.to_numpy()
    Vi = np.linalg.inv(V)
    fitted = X @ fit.fixef.to_numpy()
    for group, (Z, G, names) in parts.items():
        blup = (G @ Z.T @ Vi @ rest).reshape(len(names), -1)
        variance = G - G @ Z.T @ Vi @ Z @ G
        se = np.sqrt(np.diag(variance)).reshape(len(names), -1)
        table = fit.ranef(group, data=frame).loc[list(names)].to_numpy()
        q = blup.shape[1]
        assert table[:, :q] == pytest.approx(blup, abs=1e-7)
        assert table[:, q:] == pytest.approx(se, abs=1e-7)
        fitted += Z @ blup.ravel()
    own = fit.fitted(frame)
    assert own[frame["AVAL"].notna()].to_numpy() == pytest.approx(fitted, abs=1e-7)
    assert own.isna().sum() == 1
    residuals = fit.residuals(frame, kind="pearson").dropna().to_numpy()
    assert residuals * fit.sigma == pytest.approx(used["AVAL"].to_numpy() - fitted, abs=1e-7)


def test_counts(fit: LmmFit) -> None:
    assert fit.npar == 6 + 6
    assert fit.aic == pytest.approx(-2 * fit.loglik + 2 * 12)
    assert fit.bic == pytest.approx(-2 * fit.loglik + 12 * np.log(fit.nobs))
    assert fit.aic_mmrm == fit.aic_sas == pytest.approx(-2 * fit.loglik + 2 * 6)
    assert fit.bic_mmrm == pytest.approx(-2 * fit.loglik + 6 * np.log(80))
    assert fit.dropped == {"AVAL": 1}


def test_sas_counts_fixed_effects_under_ml(frame: pd.DataFrame) -> None:
    ml = sitewise.lmm("AVAL ~ ARM + (1 | SITEID) + (1 | USUBJID)", frame, reml=False, levels=LEVELS)
    assert ml.aic_sas == ml.aic == pytest.approx(-2 * ml.loglik + 2 * 6)
    assert ml.aic_mmrm == pytest.approx(-2 * ml.loglik + 2 * 3)


def test_variances_and_icc(frame: pd.DataFrame) -> None:
    nested = sitewise.lmm("AVAL ~ ARM + (1 | SITEID) + (1 | USUBJID)", frame, levels=LEVELS)
    table = nested.varcorr.set_index("group")["variance"]
    icc = nested.icc()
    total = table.sum()
    assert list(icc.index) == ["SITEID", "USUBJID"]
    assert icc.loc["SITEID", "icc"] == pytest.approx(table["SITEID"] / total)
    both = table["SITEID"] + table["USUBJID"]
    assert icc.loc["USUBJID", "icc"] == pytest.approx(both / total)
    assert icc.loc["USUBJID", "share"] == pytest.approx(table["USUBJID"] / total)


def test_theta_is_relative_to_sigma(frame: pd.DataFrame) -> None:
    slopes = sitewise.lmm("AVAL ~ WEEK + (1 + WEEK | USUBJID)", frame)
    L = np.zeros((2, 2))
    L[[0, 1, 1], [0, 0, 1]] = slopes.theta
    assert slopes.sigma is not None
    D = slopes.sigma**2 * L @ L.T
    rows = slopes.varcorr
    assert np.diag(D) == pytest.approx(rows["variance"].to_numpy()[:2], rel=1e-9)
    correlation = D[0, 1] / np.sqrt(D[0, 0] * D[1, 1])
    assert rows["correlations"][1][0] == pytest.approx(correlation, rel=1e-9)


def test_residual_covariance(frame: pd.DataFrame) -> None:
    mmrm = sitewise.lmm(RESIDUAL, frame, levels=LEVELS)
    assert mmrm.sigma is None
    R = mmrm.residual_cov
    assert list(R.index) == list(LEVELS["AVISIT"])
    assert np.linalg.eigvalsh(R.to_numpy())[0] > 0
    response = mmrm.residuals(frame).dropna()
    sds = frame.loc[response.index, "AVISIT"].map(
        dict(zip(R.index, np.sqrt(np.diag(R)), strict=True))
    )
    pearson = mmrm.residuals(frame, kind="pearson").dropna()
    assert pearson.to_numpy() == pytest.approx((response / sds).to_numpy())
    assert "Residual covariance" in mmrm.summary()
    # Site and residual of moments alone: the same, and patients are nowhere in it.
    moments = sitewise.moments(RESIDUAL, frame, LEVELS)
    same = sitewise.lmm(RESIDUAL, moments)
    assert same.ranef("SITEID").to_numpy() == pytest.approx(mmrm.ranef("SITEID").to_numpy())


def test_what_needs_rows_says_so(fit: LmmFit) -> None:
    with pytest.raises(ModelError, match="This needs rows") as error:
        fit.ranef("USUBJID")
    assert "data=frame" in str(error.value)
    with pytest.raises(ModelError, match="SITEID, SITEID:AVISIT, USUBJID"):
        fit.ranef("COUNTRY")


def test_units_that_the_fit_does_not_know(fit: LmmFit, frame: pd.DataFrame) -> None:
    other = frame.assign(SITEID=frame["SITEID"].replace("S1", "S9"))
    with pytest.raises(ModelError, match="S9 was not in the fit"):
        fit.fitted(other)
    with pytest.raises(ModelError, match="raw, pearson, scaled"):
        fit.residuals(frame, kind="deviance")


def test_no_visits_no_residual_covariance(frame: pd.DataFrame) -> None:
    twice = pd.concat([frame, frame.assign(AVAL=frame["AVAL"] + 1)], ignore_index=True)
    rows = sitewise.lmm("AVAL ~ WEEK + (1 | USUBJID)", twice)
    with pytest.raises(ModelError, match="no covariance over visits"):
        _ = rows.residual_cov


def test_text_and_html(fit: LmmFit) -> None:
    text = fit.summary()
    for part in ("REML", ACROSS, "SITEID:AVISIT", "1 + WEEK", "AVAL in 1", "AVISITMonth 12"):
        assert part in text or part == "1 + WEEK"
    assert f"{fit.loglik:.6f}" in text
    html = fit._repr_html_()
    assert "<table>" in html
    assert "<script" not in html
    assert repr(fit).startswith("LmmFit(")


def test_moments_know_their_levels(frame: pd.DataFrame) -> None:
    moments = sitewise.moments(ACROSS, frame, LEVELS)
    with pytest.raises(ModelError, match="levels were given with moments"):
        sitewise.lmm(ACROSS, moments, levels=LEVELS)
    with pytest.raises(ModelError, match="don't hold the formula"):
        sitewise.lmm("AVAL ~ SEX + (1 | SITEID)", moments)


def test_import_is_light() -> None:
    heavy = ("pandas", "formulaic", "scipy.stats", "statsmodels", "matplotlib", "mixedlm")
    code = f"import sys, sitewise; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("centre", [40.0, 4e4, 1e6])
@pytest.mark.parametrize("reml", [True, False])
def test_columns_that_nearly_span_a_constant(centre: float, reml: bool) -> None:
    """Without an intercept, k far from 0 takes most of the mean of y; by rows and by visits."""
    rng = np.random.default_rng(9)
    group = np.repeat(np.arange(14), 6)
    x, k = np.tile(np.arange(6.0), 14), centre + rng.normal(size=14)[group]
    y = 90 + x + 2 * k + rng.normal(size=14)[group] + rng.normal(size=84)
    frame = pd.DataFrame({"y": y, "x": x, "k": k, "g": [f"g{i:02d}" for i in group]})
    text = "y ~ 0 + x*k + (1 | g)"
    fit = sitewise.lmm(text, frame, reml=reml)
    rows = sitewise.lmm(text, sitewise.moments(text, frame, scheduled=False), reml=reml)
    assert fit.converged and rows.converged
    X = np.column_stack([x, k, x * k]) / [1.0, centre, centre]
    same = np.equal.outer(group, group).astype(float)
    variance = fit.varcorr["variance"].to_numpy()
    root = np.linalg.cholesky(variance[0] * same + variance[1] * np.eye(84))
    # A QR of whitened columns costs eps times their condition; X'V^-1X would cost its square.
    Q, R = np.linalg.qr(np.linalg.solve(root, X))
    white = np.linalg.solve(root, y)
    r = white - Q @ (Q.T @ white)
    degrees = 84 - 3 * reml
    expected = 2 * np.log(np.diag(root)).sum() + r @ r + degrees * np.log(2 * np.pi)
    expected += reml * (2 * np.log(np.abs(np.diag(R))).sum() + 4 * np.log(centre))
    assert -2 * fit.loglik == pytest.approx(expected, abs=1e-8 + 1e-14 * centre)
    assert fit.loglik == pytest.approx(rows.loglik, abs=1e-8)
