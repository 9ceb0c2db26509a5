"""ICCs of the real trials against lme4, psych and the figures of the trial's readers.

Tolerances: shares 1e-6 (lme4's thetas are good to 6 digits), F-based numbers 1e-9.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sitewise.inference.design_effect import design_effects
from sitewise.inference.fitting import PlannedResult
from sitewise.inference.icc import compute_iccs
from sitewise.inference.icc_result import Iccs
from sitewise.inference.icc_visit import one_way_icc
from sitewise.inference.icc_week import change_icc
from sitewise.plan.model import Plan


def reference(shared: Path, name: str) -> dict:
    return json.loads((shared / "references" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def ghana(ghana_plan: Plan, ghana_adbp: pd.DataFrame, ghana_fits: dict) -> Iccs:
    planned = {name: result.planned for name, result in ghana_fits.items()}
    return compute_iccs(ghana_plan, ghana_adbp, "SYSBP", planned)


def test_empty_and_primary_models_are_lme4_s(ghana: Iccs, shared: Path) -> None:
    for fixed, name in (("empty", "ghana_sbp_null"), ("primary", "ghana_sbp_nested")):
        expected = reference(shared, name)["reml"]
        model = next(m for m in ghana.models if m.fixed == fixed)
        site, patient = model.levels
        assert site.share == pytest.approx(expected["icc"]["level"]["site"], abs=1e-6)
        assert patient.share == pytest.approx(expected["icc"]["level"]["patient"], abs=1e-6)
        assert site.variance == pytest.approx(expected["random"]["site"]["var"][0], rel=1e-5)
        assert model.residual_variance == pytest.approx(expected["sigma2"], rel=1e-6)
        assert patient.correlation == pytest.approx(site.share + patient.share)


def test_site_icc_side_by_side(ghana: Iccs) -> None:
    found = [(m.fixed, round(m.levels[0].share, 4), m.headline) for m in ghana.models]
    expected = [("empty", 0.0241, False), ("visit", 0.0294, False), ("primary", 0.0305, True)]
    assert found == expected
    for model in ghana.models:
        for level in model.levels:
            assert 0 <= level.lower < level.share < level.upper < 1
        assert [level.method for level in model.levels] == [
            "sites: F (Harville and Fenech 1985)",
            "profile REML likelihood",
        ]


def test_profile_interval_has_the_deviance_that_defines_it(
    ghana: Iccs, ghana_adbp: pd.DataFrame
) -> None:
    """A dense likelihood at the interval's ends, with sites as blocks of their own covariance."""
    rows = ghana_adbp[ghana_adbp["PARAMCD"] == "SYSBP"]
    X = pd.DataFrame({"one": 1.0}, index=rows.index).to_numpy()
    sites = [part for _, part in rows.assign(at=range(len(rows))).groupby("SITEID")]

    def deviance(site_share: float, patient_share: float) -> float:
        rest = 1 - site_share - patient_share
        logs, information, cross, squares = 0.0, np.zeros((1, 1)), np.zeros(1), 0.0
        for part in sites:
            y, x = part["AVAL"].to_numpy(), X[part["at"]]
            same = np.equal.outer(part["USUBJID"].to_numpy(), part["USUBJID"].to_numpy())
            V = site_share + patient_share * same + rest * np.eye(len(y))
            inverse = np.linalg.inv(V)
            logs += np.linalg.slogdet(V)[1]
            information += x.T @ inverse @ x
            cross += x.T @ inverse @ y
            squares += y @ inverse @ y
        df = len(rows) - 1
        s2 = (squares - cross @ np.linalg.solve(information, cross)) / df
        return float(logs + np.linalg.slogdet(information)[1] + df * np.log(s2))

    def least(patient_share: float) -> float:
        return min(deviance(u, patient_share) for u in np.arange(0.016, 0.032, 0.001))

    site, patient = ghana.models[0].levels
    best = deviance(site.share, patient.share)
    # 3.8415 is the 95% point of chi-squared(1); the grid over the site share costs up to 0.01.
    assert least(patient.lower) - best == pytest.approx(3.8415, abs=0.02)
    assert least(patient.upper) - best == pytest.approx(3.8415, abs=0.02)


def test_slopes_give_a_function_of_the_week(ghana: Iccs, shared: Path) -> None:
    expected = reference(shared, "ghana_sbp_ri_rs")["reml"]
    at = {row.week: row for row in ghana.at_week if row.model == "slope"}
    assert list(at) == [0.0, 26.0, 52.0]
    G = np.array(expected["random"]["patient"]["cov"])
    site, s2 = expected["random"]["site"]["var"][0], expected["sigma2"]
    for week, row in at.items():
        patient = np.array([1.0, week]) @ G @ np.array([1.0, week])
        total = site + patient + s2
        # The slope's variance is small and on the boundary: 5 digits.
        assert row.total_variance == pytest.approx(total, rel=1e-5)
        assert row.site_share == pytest.approx(site / total, rel=1e-5)
        assert row.patient_share == pytest.approx(patient / total, rel=1e-5)
    assert {row.model for row in ghana.at_week} == {"slope", "slope_site"}


def test_by_visit_is_one_reading_a_patient(ghana: Iccs) -> None:
    found = [(v.visit, v.sites, v.patients) for v in ghana.by_visit]
    assert found == [("Baseline", 32, 756), ("Month 6", 32, 605), ("Month 12", 32, 642)]
    for visit in ghana.by_visit:
        assert 0 <= visit.lower <= visit.icc <= visit.upper


def test_one_way_icc_is_psych_s(shared: Path) -> None:
    expected = reference(shared, "sleepstudy_icc")
    data = pd.read_csv(shared / "data" / "public" / "sleepstudy.csv", dtype={"Subject": str})
    found = one_way_icc("all", data["Reaction"], data["Subject"], 0.05)
    numbers = [expected[key][0] for key in ("ICC", "lower95", "upper95")]
    assert [found.icc, found.lower, found.upper] == pytest.approx(numbers, rel=1e-9)


def test_one_way_icc_is_exact_where_it_is_negative(shared: Path) -> None:
    expected = reference(shared, "adv_site_variance_zero")
    data = pd.read_csv(shared / expected["data"], dtype={"group": str})
    found = one_way_icc("all", data["y"], data["group"], 0.05)
    exact = float(expected["exact_for_decimal_values"]["icc1_anova"])
    assert found.icc == pytest.approx(exact, rel=1e-10)
    assert found.lower == 0.0


def test_design_effects(ghana: Iccs, cdisc_adbp: pd.DataFrame) -> None:
    (effect,) = ghana.design_effects
    assert round(effect.S, 2) == 23.98
    assert (effect.patients, effect.sites) == (757, 32)
    assert effect.effect == pytest.approx(1 + (effect.S - 1) * ghana.models[2].levels[0].share)
    # A change: levels cancel, site by visit (5.18) and residual (176.02) count at both ends.
    assert effect.change_icc == pytest.approx(5.18 / (5.18 + 176.02), abs=2e-5)
    # The SE of the change with and without site by visit, in variance: 1.842 and 1.462.
    assert effect.change_effect == pytest.approx((1.842 / 1.46224) ** 2, rel=0.05)
    # Patients randomised within sites: the arms balance, and the sites' share helps.
    arms = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")
    low, high = design_effects(cdisc_adbp, arms, 0.07)
    assert round(high.S, 2) == 0.04
    assert low.S < 0.1
    assert high.effect < 1


def test_a_change_under_slopes_by_hand(
    ghana_plan: Plan, ghana_fits: dict[str, PlannedResult]
) -> None:
    """A slope counts over the weeks between, 52; levels cancel."""
    fit = ghana_fits["slope_site"].planned
    site, patient = (52**2 * term.variances[1] for term in fit.fit.random)
    assert [term.group for term in fit.fit.random] == ["SITEID", "USUBJID"]
    whole = site + patient + 2 * fit.fit.sigma**2
    assert change_icc(ghana_plan, fit) == pytest.approx(site / whole, rel=1e-9)
    nested = ghana_fits["nested"].planned
    assert change_icc(ghana_plan, nested) == 0


def test_least_squares_beside(ghana: Iccs) -> None:
    change = {r.model: r for r in ghana.ols if "change" in r.contrast}
    level = {r.model: r for r in ghana.ols if "level at Baseline" in r.contrast}
    assert set(change) == {"patient", "nested", "site_by_visit"} == set(level)
    assert round(change["nested"].se, 3) == 1.776
    assert round(change["nested"].mixed_se, 3) == 1.462
    assert round(change["site_by_visit"].mixed_se, 2) == 1.84
    assert change["nested"].ratio > 1 > level["nested"].ratio


def test_three_arms_by_site(
    cdisc_plan: Plan, cdisc_adbp: pd.DataFrame, cdisc_fit: PlannedResult, shared: Path
) -> None:
    found = compute_iccs(cdisc_plan, cdisc_adbp, "SYSBP", {"nested": cdisc_fit.planned})
    expected = reference(shared, "cdisc_sbp_nested_null")["reml"]["icc"]["level"]
    assert found.models[0].levels[0].share == pytest.approx(expected["SITEID"], abs=1e-6)
    assert found.models[0].levels[1].share == pytest.approx(expected["USUBJID:SITEID"], abs=1e-6)
    assert [(e.arm, e.reference) for e in found.design_effects] == [
        ("Xanomeline Low Dose", "Placebo"),
        ("Xanomeline High Dose", "Placebo"),
    ]
    assert len(found.by_visit) == 10
    assert found.at_week == ()
