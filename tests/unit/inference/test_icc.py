"""All ICCs of a small trial: what belongs together agrees, and odd trials still get an answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.inference.fitting import fit_planned
from sitewise.inference.icc import compute_iccs
from sitewise.inference.icc_ols import least_squares
from sitewise.inference.icc_result import Iccs
from sitewise.inference.icc_visit import one_way_icc
from sitewise.inference.icc_week import iccs_at_weeks
from sitewise.plan.load import load_plan, read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import from_plain, to_plain

WEEKS = {"Baseline": 0.0, "Month 6": 26.0, "Month 12": 52.0}


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


@pytest.fixture(scope="module")
def replan(root: Path) -> Callable[..., Plan]:
    data = read_yaml(root / "config" / "ghana.yaml")
    return lambda **sections: validate_plan(data | sections, "changed")


def trial(seed: int = 1, site_sd: float = 4.0) -> pd.DataFrame:
    """Ten sites of 6 to 15 patients, whole sites in one arm, some visits missed."""
    rng = np.random.default_rng(seed)
    rows: list[Any] = []
    for s in range(10):
        site = rng.normal(0, site_sd)
        for i in range(6 + s):
            patient, first = rng.normal(0, 8), None
            for visit, week in WEEKS.items():
                if visit != "Baseline" and rng.random() < 0.2:
                    continue
                value = 150 + site + patient - 0.2 * week + rng.normal(0, 7)
                first = value if visit == "Baseline" else first
                arm = ("HIC", "TASSH+HIC")[s % 2]
                rows.append((f"S{s}", f"S{s}-{i}", arm, visit, week, value, first))
    columns = ["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL", "BASE"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["CHG"] = frame["AVAL"] - frame["BASE"]
    frame["ABLFL"] = np.where(frame["AVISIT"] == "Baseline", "Y", "")
    frame["SRCROW"] = np.arange(len(frame)) + 2
    return frame.assign(PARAMCD="SYSBP", ANL01FL="Y", FASFL="Y", SRCFILE="x.csv")


def iccs(plan: Plan, frame: pd.DataFrame, *models: str) -> Iccs:
    names = models or (plan.primary.model,)
    fits = {name: fit_planned(plan, frame, "SYSBP", name).planned for name in names}
    return compute_iccs(plan, frame, "SYSBP", fits)


@pytest.fixture(scope="module")
def found(plan: Plan) -> Iccs:
    return iccs(plan, trial(), "nested", "site_by_visit", "linear")


def test_shares_add_up(found: Iccs) -> None:
    assert [m.fixed for m in found.models] == ["empty", "visit", "primary"]
    assert [m.headline for m in found.models] == [False, False, True]
    for model in found.models:
        site, patient = model.levels
        total = site.variance + patient.variance + model.residual_variance
        assert site.share == pytest.approx(site.variance / total)
        assert site.correlation == site.share
        assert patient.correlation == pytest.approx(site.share + patient.share)
    assert found.design_effects[0].icc == found.models[2].levels[0].share


def test_one_reading_a_patient_has_the_site_level_only(replan: Callable[..., Plan]) -> None:
    # Equal sites: the REML share is the ANOVA's ICC where that is positive.
    one_visit = replan(
        visits=[
            {"name": "Baseline", "week": 0, "baseline": True},
            {"name": "Month 12", "week": 52},
        ],
        baseline={"handling": "covariate", "missing": "drop"},
        models={
            "only": {
                "label": "One visit",
                "formula": "AVAL ~ BASE + TRT01P + (1 | SITEID)",
                "set": "FAS",
                "reml": True,
            }
        },
        comparisons=[],
        primary={"model": "only", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "level"},
    )
    frame = trial(3, site_sd=20.0)
    last = set(frame.loc[frame["AVISIT"] == "Month 12", "USUBJID"])
    kept = frame[frame["USUBJID"].isin(last) & (frame["AVISIT"] != "Month 6")]
    kept = kept[kept.groupby(["SITEID", "AVISIT"]).cumcount() < 4]
    found = iccs(one_visit, kept)
    assert [len(m.levels) for m in found.models] == [1, 1, 1]
    rows = kept[kept["AVISIT"] == "Month 12"]
    anova = one_way_icc("x", rows["AVAL"], rows["SITEID"], 0.05)
    assert anova.icc > 0
    assert found.models[0].levels[0].share == pytest.approx(anova.icc, rel=1e-5)
    assert found.by_visit[0].icc == pytest.approx(anova.icc)
    assert [row.contrast for row in found.ols] == ["TASSH+HIC minus HIC, level at Month 12"]


def test_by_visit_follows_the_rows_of_the_primary_model(plan: Plan) -> None:
    frame = trial()
    blank = frame["AVISIT"].eq("Month 6") & frame["SITEID"].eq("S3")
    found = iccs(plan, frame.assign(AVAL=frame["AVAL"].mask(blank)))
    assert [v.sites for v in found.by_visit] == [10, 9, 10]


def test_least_squares_is_numpy_s() -> None:
    rng = np.random.default_rng(6)
    X, y, row = rng.normal(size=(30, 4)), rng.normal(size=30), rng.normal(size=4)
    beta, squares, _, _ = np.linalg.lstsq(X, y, rcond=None)
    expected = np.sqrt(squares[0] / 26 * (row @ np.linalg.inv(X.T @ X) @ row))
    assert least_squares(X, y, row) == pytest.approx((row @ beta, expected))


def test_least_squares_beside_models_of_the_same_fixed_part(found: Iccs) -> None:
    assert [(r.model, "change" in r.contrast) for r in found.ols] == [
        ("nested", True),
        ("site_by_visit", True),
        ("nested", False),
        ("site_by_visit", False),
    ]
    means = trial().groupby(["TRT01P", "AVISIT"])["AVAL"].mean()
    by_hand = means["TASSH+HIC", "Baseline"] - means["HIC", "Baseline"]
    assert found.ols[2].estimate == pytest.approx(by_hand)
    for row in found.ols:
        assert row.ratio == pytest.approx(row.se / row.mixed_se)


def test_slopes_follow_the_week(plan: Plan) -> None:
    fit = fit_planned(plan, trial(), "SYSBP", "slope_site").planned
    rows = iccs_at_weeks(plan, fit)
    site, patient = fit.fit.random
    for row, week in zip(rows, WEEKS.values(), strict=True):
        parts = []
        for term in (site, patient):
            a, b = term.sds
            rho = np.nan_to_num(term.correlations[0][1])
            parts.append(a**2 + 2 * week * rho * a * b + week**2 * b**2)
        total = sum(parts) + fit.fit.sigma**2
        assert row.week == week
        assert row.site_share == pytest.approx(parts[0] / total)
        assert row.patient_share == pytest.approx(parts[1] / total)
        assert row.patient_correlation == pytest.approx((parts[0] + parts[1]) / total)
        assert row.total_variance == pytest.approx(total)


def test_order_scale_and_the_rule_s_part_do_not_matter(plan: Plan, found: Iccs) -> None:
    part = read_part(part_data(plan, "icc"))
    moved = trial().sample(frac=1, random_state=2)
    for column in ("AVAL", "BASE", "CHG"):
        moved[column] = moved[column] * 0.1333
    fits = {"site_by_visit": fit_planned(plan, moved, "SYSBP", "site_by_visit").planned}
    second = compute_iccs(part, moved, "SYSBP", fits)
    for a, b in zip(found.models, second.models, strict=True):
        for x, y in zip(a.levels, b.levels, strict=True):
            numbers = [y.share, y.lower, y.upper]
            assert numbers == pytest.approx([x.share, x.lower, x.upper], abs=2e-5)


def test_result_file_gives_the_result_back(found: Iccs) -> None:
    assert from_plain(to_plain(found), Iccs) == found


def test_shares_of_each_model_are_those_of_its_covariances(plan: Plan) -> None:
    """Under a slope model by the textbook: var(b0 + b1 w) = v0 + 2 w c + w^2 v1."""
    frame = trial()
    found = iccs(plan, frame, "site_by_visit", "slope")
    week = WEEKS[plan.primary.visit]
    fit = fit_planned(plan, frame, "SYSBP", "slope").planned.fit
    patient = next(term for term in fit.random if term.group == "USUBJID")
    v0, v1 = patient.variances
    correlation = patient.correlations[1][0]
    covariance = 0.0 if np.isnan(correlation) else correlation * np.sqrt(v0 * v1)
    wanted = {t.group: t.variances[0] for t in fit.random if t.group != "USUBJID"}
    wanted["USUBJID"] = v0 + 2 * week * covariance + week**2 * v1
    wanted["Residual"] = fit.sigma**2
    own = {row.group: row for row in found.shares if row.model == "slope"}
    total = sum(wanted.values())
    assert {g: row.variance for g, row in own.items()} == pytest.approx(wanted)
    assert {g: row.share for g, row in own.items()} == pytest.approx(
        {g: v / total for g, v in wanted.items()}
    )
    for model in ("site_by_visit", "slope"):
        rows = [row for row in found.shares if row.model == model]
        assert sum(row.share for row in rows) == pytest.approx(1)
        assert {row.week for row in rows} == {week}
