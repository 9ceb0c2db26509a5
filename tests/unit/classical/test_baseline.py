"""Handlings of the baseline against dense generalised least squares and textbook ANCOVA."""

import numpy as np
import pytest

from sitewise.classical.baseline import HANDLINGS, handle_baseline
from sitewise.classical.question import pose
from sitewise.inference.planned_contrasts import ask_primary


@pytest.fixture
def individual(replan):
    model = {"label": "P", "formula": "AVAL ~ AVISIT*TRT01P + (1 | USUBJID)", "set": "FAS",
             "reml": True}  # fmt: skip
    primary = {"model": "m", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "change"}
    return replan(design="individual", randomised_unit="USUBJID", models={"m": model},
                  primary=primary, comparisons=[], df="satterthwaite")  # fmt: skip


def test_complete_data_by_hand(individual, make_trial):
    frame = make_trial(patients=20)
    found = handle_baseline(pose(individual, frame, "SYSBP", ask_primary), "SYSBP")
    assert [row.key for row in found.rows] == list(HANDLINGS)
    by = {row.key: row.answer for row in found.rows}
    wide = frame.pivot(index="USUBJID", columns="AVISIT", values="AVAL")
    arm = frame.drop_duplicates("USUBJID").set_index("USUBJID")["TRT01P"].eq("TASSH+HIC")
    arm = arm.reindex(wide.index).to_numpy(float)
    base, last = wide["Baseline"].to_numpy(), wide["Month 12"].to_numpy()
    change = last - base
    # A change score of complete data is a t test of changes; so is the free outcome.
    t = change[arm == 1].mean() - change[arm == 0].mean()
    pooled = (change[arm == 1].var(ddof=1) + change[arm == 0].var(ddof=1)) / 2
    for key in ("change", "free"):
        assert by[key].estimate == pytest.approx(t, rel=1e-8)
        assert by[key].se == pytest.approx(np.sqrt(pooled * 2 / 60), rel=1e-6)
    # ANCOVA visit by visit is least squares at the visit.
    X = np.column_stack([np.ones(120), arm, base])
    b, rss = np.linalg.lstsq(X, last, rcond=None)[:2]
    se = np.sqrt(rss[0] / 117 * np.linalg.inv(X.T @ X)[1, 1])
    assert by["covariate"].estimate == pytest.approx(b[1], rel=1e-6)
    assert by["covariate"].se == pytest.approx(se, rel=1e-5)


def test_constrained_is_dense_generalised_least_squares(individual, make_trial):
    frame = make_trial(patients=20)
    gone = (frame["USUBJID"].isin(["S0-1", "S1-2", "S3-3"]) & (frame["AVISIT"] != "Baseline")) | (
        frame["USUBJID"].isin(["S2-4"]) & (frame["AVISIT"] == "Baseline")
    )
    frame = frame[~gone].reset_index(drop=True)
    question = pose(individual, frame, "SYSBP", ask_primary)
    row = next(r for r in handle_baseline(question, "SYSBP").rows if r.key == "constrained")
    assert (row.patients, row.rows) == (120, len(frame))
    # The covariance is the engine's own (tested elsewhere); b and SE here by matrices.
    data = question.whole
    visit = {"Baseline": 0, "Month 6": 1, "Month 12": 2}
    data = data.assign(ARM1=data["TRT01P"].eq("TASSH+HIC") * 1.0)
    for i, name in enumerate(("Month 6", "Month 12"), 1):
        data[f"VISIT{i}"] = data["AVISIT"].eq(name) * 1.0
    R = question.fit(row.formula, data).estimates.residual
    A, c = np.zeros((5, 5)), np.zeros(5)
    for _, own in data.groupby("USUBJID"):
        at = own["AVISIT"].map(visit).to_numpy()
        X = np.zeros((len(at), 5))
        X[np.arange(len(at)), at] = 1
        X[:, 3:] = X[:, 1:3] * own["ARM1"].to_numpy()[:, None]
        W = np.linalg.inv(R[np.ix_(at, at)])
        A, c = A + X.T @ W @ X, c + X.T @ W @ own["AVAL"].to_numpy()
    V = np.linalg.inv(A)
    assert row.answer.estimate == pytest.approx((V @ c)[4], rel=1e-8)
    assert row.answer.se == pytest.approx(np.sqrt(V[4, 4]), rel=1e-8)


def test_sites_that_were_randomised_are_in_the_model(plan, make_trial):
    frame = make_trial(patients=20)
    found = handle_baseline(pose(plan, frame, "SYSBP", ask_primary), "SYSBP")
    assert found.sites_in
    assert all("SITEID:AVISIT" in row.formula for row in found.rows)
    assert found.at_base is not None
    assert len(found.sds) == 3
