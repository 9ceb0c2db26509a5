"""The baseline as constrained outcome in a plan's own model: against R's nlme and by matrices."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.inference.batch import batch_moments
from sitewise.inference.fitting import check_models, fit_batches, fit_planned
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.load import read_yaml
from sitewise.plan.model import Plan

VISITS = ("Baseline", "Month 6", "Month 12")
US = "AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)"
SITES = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | SITEID:AVISIT) + us(AVISIT | USUBJID)"
CONSTRAINED = {"handling": "constrained", "missing": "keep"}
# The rows of `trial(whole=False)` in R 4.2.2, nlme 3.1-162: gls(y ~ visit + m6 + m12, correlation
# = corSymm(form = ~ v | id), weights = varIdent(form = ~ 1 | visit)), m6 and m12 the arm times the
# visit, tolerances 1e-12; the coefficients of m6 and m12, their SEs, and the REML log-likelihood.
NLME = (
    -1.08179808391765,
    -2.18047423993139,
    1.319111906630412,
    0.858214985188752,
    -636.274875982067,
)


@pytest.fixture
def data(root: Any) -> dict[str, Any]:
    """The Ghana plan as plain data, to be bent."""
    return read_yaml(root / "config" / "ghana.yaml")


def plan_with(data: dict[str, Any], formula: str, *, whole: bool, **changes: Any) -> Plan:
    own = {"m": {"label": "M", "formula": formula, "set": "FAS", "reml": True}}
    design = ("cluster", "SITEID") if whole else ("individual", "USUBJID")
    bent = {
        **data, "models": own, "comparisons": [], "baseline": CONSTRAINED,
        "design": design[0], "randomised_unit": design[1],
        "primary": {**data["primary"], "model": "m"}, **changes,
    }  # fmt: skip
    return Plan.model_validate(bent)


def trial(*, whole: bool, sites: int = 10, patients: int = 8) -> pd.DataFrame:
    """Arms by patient or by site; a smaller variance at baseline; some readings missing."""
    found = []
    for s in range(sites):
        for p in range(patients):
            arm = (s if whole else p) % 2
            # Numbers by a formula, so that R has the same ones.
            e = [np.sin(1.7 * s + 2.3 * p + 3.1 * v + 0.9 * s * p) for v in range(3)]
            b = np.cos(0.7 * p + 1.3 * s)
            for v, visit in enumerate(VISITS):
                if (s + 2 * p + 3 * v) % 11 == 0:
                    continue
                y = 150 + 4 * np.sin(s) + 3 * (1 + v) * b + 5 * e[v] - (6 + 3 * arm) * (v > 0)
                found.append((f"s{s}", f"s{s}p{p}", ("HIC", "TASSH+HIC")[arm], visit, v * 26.0, y))
    frame = pd.DataFrame(found, columns=["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL"])
    frame["PARAMCD"], frame["ANL01FL"], frame["FASFL"] = "SYSBP", "Y", "Y"
    frame["SRCFILE"], frame["SRCROW"] = frame["SITEID"] + ".csv", frame.index + 2
    frame["ABLFL"] = np.where(frame["AVISIT"] == "Baseline", "Y", "")
    base = frame[frame["ABLFL"] == "Y"].set_index("USUBJID")["AVAL"]
    return frame.assign(BASE=frame["USUBJID"].map(base))


def results(planned: PlannedFit) -> dict[str, Any]:
    return {c.visit: c.result for c in planned.contrasts}


def test_individual_as_nlme(data: dict[str, Any]) -> None:
    planned = fit_planned(
        plan_with(data, US, whole=False), trial(whole=False), "SYSBP", "m"
    ).planned
    found = results(planned)
    m6, m12, se6, se12, loglik = NLME
    assert planned.fit.loglik == pytest.approx(loglik, abs=1e-6)
    assert found["Month 6"].estimate == pytest.approx(m6, rel=1e-5)
    assert found["Month 12"].estimate == pytest.approx(m12, rel=1e-5)
    # Kenward-Roger's SEs are larger than these by its correction alone.
    asymptotic = plan_with(data, US, whole=False, df="asymptotic")
    plain = results(fit_planned(asymptotic, trial(whole=False), "SYSBP", "m").planned)
    assert plain["Month 6"].se == pytest.approx(se6, rel=1e-5)
    assert plain["Month 12"].se == pytest.approx(se12, rel=1e-5)
    assert 1 < found["Month 12"].se / plain["Month 12"].se < 1.05


def test_sites_by_matrices(data: dict[str, Any]) -> None:
    """b, SE and the REML likelihood of n x n matrices at the covariances of the fit."""
    frame = trial(whole=True)
    plan = plan_with(data, SITES, whole=True, df="asymptotic")
    planned = fit_planned(plan, frame, "SYSBP", "m").planned
    site, visit, patient = (
        pd.get_dummies(key).to_numpy(float)
        for key in (frame["SITEID"], frame["SITEID"] + frame["AVISIT"], frame["USUBJID"])
    )
    v = np.array([VISITS.index(name) for name in frame["AVISIT"]])
    R = residual(plan, frame)
    by = {term.group: term.variances[0] for term in planned.fit.random}
    V = by["SITEID"] * site @ site.T + by["SITEID:AVISIT"] * visit @ visit.T
    V += (patient @ patient.T) * R[np.ix_(v, v)]
    arm = (frame["TRT01P"] != "HIC").to_numpy(float)
    X = np.column_stack([*(np.eye(3)[:, v]), arm * (v == 1), arm * (v == 2)])
    y, W = frame["AVAL"].to_numpy(), np.linalg.inv(V)
    C = np.linalg.inv(X.T @ W @ X)
    b = C @ X.T @ W @ y
    r = y - X @ b
    n, p = X.shape
    loglik = -0.5 * (
        (n - p) * np.log(2 * np.pi) + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(X.T @ W @ X)[1] + r @ W @ r
    )  # fmt: skip
    found = results(planned)
    # Other columns span the same space: log|X'V^-1X| differs by twice log of their determinant.
    assert found["Month 6"].estimate == pytest.approx(b[3], rel=1e-8)
    assert found["Month 12"].estimate == pytest.approx(b[4], rel=1e-8)
    assert found["Month 12"].se == pytest.approx(np.sqrt(C[4, 4]), rel=1e-8)
    assert planned.fit.loglik == pytest.approx(loglik, abs=1e-6)
    means = {(m.arm, m.visit): m.result.estimate for m in planned.means}
    assert means["HIC", "Baseline"] == pytest.approx(b[0], rel=1e-9)
    assert means["TASSH+HIC", "Baseline"] == means["HIC", "Baseline"]


def residual(plan: Plan, frame: pd.DataFrame) -> np.ndarray:
    """R of the plan's model, from the library's own fit of other columns."""
    import sitewise

    arm = (frame["TRT01P"] != "HIC") * 1.0
    own = frame.assign(M6=(frame["AVISIT"] == "Month 6") * arm, M12=(frame["AVISIT"] == "Month 12")
                       * arm)  # fmt: skip
    formula = plan.models["m"].formula.replace("AVISIT*TRT01P", "AVISIT + M6 + M12")
    found = sitewise.lmm(formula, own, levels={"AVISIT": VISITS}).residual_cov
    return np.asarray(found.loc[list(VISITS), list(VISITS)])


def test_batches_of_one_arm_add_up(data: dict[str, Any]) -> None:
    """Hospitals of one arm alone can't tell that the arm as modelled changes within patients."""
    frame, plan = trial(whole=True), plan_with(data, SITES, whole=True)
    whole = fit_planned(plan, frame, "SYSBP", "m").planned
    parts = [
        batch_moments(plan, own.reset_index(drop=True), "SYSBP")["m"]
        for _, own in frame.groupby("TRT01P")
    ]
    added = fit_batches(plan, "SYSBP", "m", [p.tally for p in parts], [p.moments for p in parts])
    assert added.fit.loglik == pytest.approx(whole.fit.loglik, abs=1e-8)
    assert added.answer.result.estimate == pytest.approx(whole.answer.result.estimate, rel=1e-8)


def test_one_switch(data: dict[str, Any]) -> None:
    """The same formula: arms differ at baseline, or not; level and change are then one contrast."""
    frame = trial(whole=False)
    free = fit_planned(
        plan_with(data, US, whole=False, baseline={"handling": "outcome", "missing": "keep"}),
        frame, "SYSBP", "m",
    ).planned  # fmt: skip
    held = fit_planned(plan_with(data, US, whole=False), frame, "SYSBP", "m").planned
    assert {(c.visit, c.kind) for c in held.contrasts} == {
        ("Month 6", "change"), ("Month 12", "change"),
    }  # fmt: skip
    assert len(free.contrasts) == 5
    assert free.answer.result.estimate != pytest.approx(held.answer.result.estimate, rel=1e-3)
    assert held.fit.nobs == free.fit.nobs
    assert len(held.fit.fixef) == len(free.fit.fixef) - 1
    assert not [text for text in held.cautions if "combinations" in text]
    level = plan_with(
        data, US, whole=False, primary={**data["primary"], "model": "m", "contrast": "level"}
    )
    other = fit_planned(level, frame, "SYSBP", "m").planned
    assert {c.kind for c in other.contrasts} == {"level"}
    assert other.answer.result.estimate == held.answer.result.estimate


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("AVAL ~ WEEK*TRT01P + us(AVISIT | USUBJID)", "there is no AVISIT:TRT01P"),
        ("AVAL ~ AVISIT*TRT01P + (1 | USUBJID)", "no unstructured covariance"),
        ("AVAL ~ AVISIT*TRT01P + cs(AVISIT | USUBJID)", "no unstructured covariance"),
        ("AVAL ~ BASE + AVISIT*TRT01P + us(AVISIT | USUBJID)", "handling is constrained"),
    ],
)
def test_what_is_refused(data: dict[str, Any], formula: str, says: str) -> None:
    found = check_models(plan_with(data, formula, whole=False))
    assert says in " ".join(map(str, found))
    assert check_models(plan_with(data, US, whole=False)) == []


def test_scaled_residuals(data: dict[str, Any]) -> None:
    """REML at its optimum: r'V^-1 r = n - p, with the means that the model gives every arm."""
    found = fit_planned(plan_with(data, US, whole=False), trial(whole=False), "SYSBP", "m")
    scaled = found.use["SCALED"].dropna()
    n, p = found.planned.fit.nobs, len(found.planned.fit.fixef)
    assert len(scaled) == n and float(scaled @ scaled) == pytest.approx(n - p, rel=1e-6)
    # A covariance over visits alone: nothing is predicted, so both levels are one.
    for conditional, marginal in (("RESIDUAL", "MARGINAL"), ("PEARSON", "MPEARSON")):
        np.testing.assert_allclose(found.use[conditional], found.use[marginal], rtol=1e-9)
    ratio = (found.use["RESIDUAL"] / found.use["PEARSON"]).groupby(found.use["AVISIT"])
    np.testing.assert_allclose(ratio.max(), ratio.min(), rtol=1e-9)
    assert ratio.max().nunique() == len(VISITS), "one SD a visit, each its own"
    assert not np.allclose(found.use["PEARSON"], found.use["NORMALIZED"], equal_nan=True)
