"""Ladder, guard and reconciliation of the real trials: figures of the issue and of R."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sitewise.classical.ladder_result import Ladder
from sitewise.classical.reconciliation_result import Reconciliation
from sitewise.classical.relatives import relatives
from sitewise.inference.fitting import fit_planned
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.plan.model import Plan
from sitewise.store.results import dumps, from_plain, to_plain

Both = tuple[Ladder, Reconciliation]


@pytest.fixture(scope="module")
def ghana(ghana_plan: Plan, ghana_adbp: pd.DataFrame, ghana_facts: dict[str, Any]) -> Both:
    _, ladder, steps = relatives(
        ghana_plan, ghana_adbp, "SYSBP", ghana_facts["site_by_visit"], ask_primary
    )
    return ladder, steps


@pytest.fixture(scope="module")
def cdisc(cdisc_plan: Plan, cdisc_adbp: pd.DataFrame) -> Both:
    """Straight lines in week with random slopes of patients, as in R's cdisc_sbp_main."""
    formula = "AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 + WEEK | USUBJID)"
    model = cdisc_plan.models["nested"].model_copy(update={"formula": formula})
    plan = cdisc_plan.model_copy(update={"models": {"nested": model}})
    fit = to_plain(fit_planned(plan, cdisc_adbp, "SYSBP", "nested").planned)
    return relatives(plan, cdisc_adbp, "SYSBP", fit, ask_primary)[1:]


def test_ghana_ladder(ghana: Both, shared: Path) -> None:
    ladder, _ = ghana
    by = {rung.key: rung for rung in ladder.rungs}
    se = {key: rung.answer.se for key, rung in by.items() if rung.answer}
    # Month 12 x arm: OLS 1.776, nested 1.462, with site-by-visit 1.84.
    assert (round(se["ols"], 3), round(se["nested"], 3)) == (1.776, 1.462)
    assert round(se["site_by_visit"], 3) == 1.842
    assert by["site_by_visit"].planned
    reference = json.loads((shared / "references" / "ghana_sbp_nested.json").read_text())["reml"]
    nested = by["nested"].answer
    fixed = reference["fixed"]
    at = next(i for i, n in enumerate(fixed["names"]) if "12" in n and "TASSH" in n)
    assert nested.estimate == pytest.approx(fixed["estimate"][at], rel=1e-6)
    kr = fixed["kenward_roger"]
    assert (se["nested"], nested.df) == pytest.approx((kr["se"][at], kr["df"][at]), rel=1e-6)
    arm = fixed["names"].index("armTASSH+HIC")
    assert by["nested"].base.se == pytest.approx(kr["se"][arm], rel=1e-6)
    # us + site, by a dense textbook computation: SE 1.14422, df 34.389.
    assert (round(by["mmrm_site"].base.se, 5), round(by["mmrm_site"].base.df, 3)) == (
        1.14422,
        34.389,
    )
    # Whole sites were randomised: no difference of arms beside a fixed effect of each.
    assert by["site_fixed"].base is None
    assert "constant within every site" in by["site_fixed"].notes[0]
    assert by["anova"].patients == 552
    for rung in ladder.rungs:
        expected = 2003 * (se["ols"] / se[rung.key]) ** 2
        assert rung.effective == pytest.approx(expected, rel=1e-12)


def test_ghana_guard(ghana: Both) -> None:
    guard = ghana[0].guard
    assert guard is not None
    assert (guard.units, guard.arms, guard.between, guard.most) == (32, 2, 30, 60)
    assert not guard.missing
    assert "nested" in guard.beyond
    assert "site_by_visit" not in guard.beyond
    assert (round(guard.without.se, 3), round(guard.with_term.se, 3)) == (1.462, 1.842)
    # lme4: 2 (logLik of both) 7.370; Self & Liang's half and half.
    assert guard.statistic == pytest.approx(7.3704, abs=5e-4)
    assert guard.p == pytest.approx(0.0033154, abs=5e-7)


def test_ghana_covariances(ghana: Both, shared: Path) -> None:
    choice = ghana[0].covariance
    assert (choice.taken, choice.deviations) == ("us", ())
    reference = json.loads((shared / "references" / "ghana_sbp_mmrm_us.json").read_text())
    text = json.dumps(reference)
    us = choice.rows[0]
    assert us.npar == 6
    assert f"{us.loglik:.4f}"[:9] in text
    assert us.aic == pytest.approx(-2 * us.loglik + 12, rel=1e-12)
    m = 2003 - 6
    assert us.aicc == pytest.approx(-2 * us.loglik + 12 * m / (m - 7), rel=1e-12)


def test_the_primary_model_beside_the_covariances(ghana: Both, ghana_facts: dict[str, Any]) -> None:
    """Same rows and fixed part: REML likelihoods compare. AIC by hand: 4 covariance parameters."""
    own = ghana[0].covariance.primary
    assert own is not None
    assert own.loglik == ghana_facts["site_by_visit"]["fit"]["loglik"]
    assert (round(own.loglik), own.npar) == (-8351, 4)
    assert own.aic == pytest.approx(-2 * own.loglik + 8, rel=1e-12)
    assert own.bic == pytest.approx(-2 * own.loglik + 4 * math.log(757), rel=1e-12)
    # Compound symmetry over the visits is a patient intercept: two terms less.
    cs = next(row for row in ghana[0].covariance.rows if row.structure == "cs")
    assert cs.loglik < own.loglik


def test_cdisc_ladder(cdisc: Both, shared: Path) -> None:
    ladder, _ = cdisc
    assert (ladder.cluster, ladder.clusters, ladder.guard) == ("USUBJID", 254, None)
    by = {rung.key: rung for rung in ladder.rungs}
    assert "mmrm_site" not in by
    # Arms are compared within sites: estimable beside fixed effects of sites.
    assert by["site_fixed"].base is not None
    # Arm at week 0: OLS 1.43, mixed 2.17; R's lmer and the slope's SE times 24.
    reference = json.loads((shared / "references" / "cdisc_sbp_main.json").read_text())
    fixed = reference["reml"]["fixed"]
    se = dict(zip(fixed["names"], fixed["kenward_roger"]["se"], strict=True))
    main = by["slope"]
    assert main.planned
    assert main.base.se == pytest.approx(se["ARMXanomeline High Dose"], rel=1e-6)
    assert main.answer.se == pytest.approx(24 * se["week:ARMXanomeline High Dose"], rel=1e-6)
    assert (round(by["ols"].base.se, 2), round(main.base.se, 2)) == (1.43, 2.17)
    # Between patients least squares is far too sure; the change within them it does not know.
    assert ladder.base_ratio < 1 < ladder.ratio


@pytest.mark.parametrize("trial", ["ghana", "cdisc"])
def test_the_anova_is_a_mixed_model(trial: str, request: pytest.FixtureRequest) -> None:
    _, found = request.getfixturevalue(trial)
    assert not found.equal_arms
    assert found.patient_variance > 0
    assert [x.agrees for x in found.effects] == ["both", "sequential", "both"]
    assert max(x.apart for x in found.effects) < 1e-8
    steps = {step.key: step for step in found.steps}
    anova, same = steps["anova"].answer, steps["same"].answer
    assert (same.estimate, same.se) == pytest.approx((anova.estimate, anova.se), rel=1e-8)
    assert same.df == pytest.approx(anova.df, rel=1e-6)
    last = found.steps[-1]
    before = found.steps[-2].answer
    assert last.key == "primary"
    assert last.answer.se == pytest.approx(before.se, rel=1e-6)


def test_ghana_type3(ghana: Both, shared: Path) -> None:
    name = "ghana_sbp_rmanova"
    reference = json.loads((shared / "references" / f"{name}.json").read_text())
    block = reference["type3_univariate"]
    expected = dict(zip(block["term"], block["cols"]["F value"], strict=True))
    found = {x.effect: x for x in ghana[1].effects}
    assert found["AVISIT"].type3 == pytest.approx(expected["time"], rel=1e-8)
    assert found["TRT01P"].type3 == pytest.approx(expected["G"], rel=1e-8)
    assert found["AVISIT:TRT01P"].type3 == pytest.approx(expected["G:time"], rel=1e-8)
    kept = {step.key: (step.patients, step.rows) for step in ghana[1].steps}
    assert kept["anova"] == kept["same"] == (552, 1656)
    assert kept["all"] == kept["primary"] == (757, 2003)


def test_results_come_back_from_their_files(ghana: Both) -> None:
    for result in ghana:
        again = from_plain(json.loads(dumps(result)), type(result))
        assert dumps(again) == dumps(result)


@pytest.mark.parametrize("trial", ["ghana", "cdisc"])
def test_a_site_subtracted_is_a_site_left_out(
    trial: str, request: pytest.FixtureRequest, ghana_plan: Plan, ghana_adbp: pd.DataFrame,
    cdisc_adbp: pd.DataFrame,
) -> None:  # fmt: skip
    from sitewise import lmm

    ladder, _ = request.getfixturevalue(trial)
    frame = ghana_adbp if trial == "ghana" else cdisc_adbp
    rows = frame[frame["PARAMCD"] == "SYSBP"]
    formula = next(rung.formula for rung in ladder.rungs if rung.planned)
    visits = list(dict.fromkeys(rows.sort_values("WEEK")["AVISIT"]))
    arms = ["HIC", "TASSH+HIC"] if trial == "ghana" else [
        "Placebo", "Xanomeline Low Dose", "Xanomeline High Dose"]  # fmt: skip
    assert all(x.answer is not None for x in ladder.left_out)
    for left in ladder.left_out[:3]:
        kept = rows[rows["SITEID"] != left.site].reset_index(drop=True)
        fit = lmm(formula, kept, levels={"AVISIT": visits, "TRT01P": arms})
        name = f"{visits[-1]}:TRT01P{arms[-1]}" if trial == "ghana" else f"WEEK:TRT01P{arms[-1]}"
        (at,) = [c for c in fit.fixef.index if c.endswith(name)]
        scale = 1 if trial == "ghana" else 24
        assert left.answer.estimate == pytest.approx(scale * fit.fixef[at], rel=1e-8)
        se = fit.tests(df="kenward-roger").loc[at, "se"]
        assert left.answer.se == pytest.approx(scale * se, rel=1e-8)
