"""The plan's rules for what is fitted: the next covariance, a term dropped by leave, both told."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise import lmm
from sitewise.classical.relatives import relatives
from sitewise.inference.batch import batch_moments
from sitewise.inference.compare import compare_batches
from sitewise.inference.fitting import check_models, fit_planned
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.inference.scoring import score_batches
from sitewise.inference.taken import structure_order
from sitewise.lmm.lmmfit import LmmFit
from sitewise.plan.load import read_yaml
from sitewise.plan.model import Plan
from sitewise.store.results import to_plain
from sitewise.trial.selection import Selections

HEAD = "AVAL ~ AVISIT*TRT01P"
NESTED = f"{HEAD} + (1 | SITEID) + (1 | USUBJID)"


def plan_with(root: Any, models: dict[str, dict[str, Any]], **changes: Any) -> Plan:
    data = read_yaml(root / "config" / "ghana.yaml")
    full = {
        name: {"label": name, "set": "FAS", "reml": True, **own} for name, own in models.items()
    }
    primary = {**data["primary"], "model": next(iter(models))}
    own = {"design": "individual", "randomised_unit": "USUBJID", "comparisons": []}
    return Plan.model_validate({**data, **own, "models": full, "primary": primary, **changes})


def rows(seed: int = 1, *, site_sd: float = 3.0, copied: bool = False) -> pd.DataFrame:
    """10 sites of 8 patients, arms within sites. copied: month 12 repeats month 6.

    site_sd 0: the sites' means are made equal, so that their variance is estimated at 0.
    """
    rng = np.random.default_rng(seed)
    site, arm = np.repeat(np.arange(10), 8), np.tile([0, 1], 40)
    y = 150 + rng.normal(0, 6, 80)[:, None] + rng.normal(0, 5, (80, 3)) - 6.0 * np.arange(3)
    if copied:
        y[:, 2] = y[:, 1]
    means = np.array([y[site == k].mean() for k in range(10)])
    y += rng.normal(0, site_sd, 10)[site][:, None] if site_sd else -means[site][:, None] + 150
    visits = (("Baseline", 0.0), ("Month 6", 26.0), ("Month 12", 52.0))
    frame = pd.DataFrame(
        [
            (f"s{site[i]}", f"p{i:02d}", ("HIC", "TASSH+HIC")[arm[i]], *visits[t], y[i, t])
            for i in range(80) for t in range(3)
        ],
        columns=["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL"],
    )  # fmt: skip
    base = frame[frame["AVISIT"] == "Baseline"].set_index("USUBJID")["AVAL"]
    return frame.assign(
        PARAMCD="SYSBP", ANL01FL="Y", FASFL="Y", SRCFILE="all.csv", SRCROW=range(2, 242),
        ABLFL=(frame["AVISIT"] == "Baseline").map({True: "Y", False: ""}),
        BASE=frame["USUBJID"].map(base),
    )  # fmt: skip


def direct(formula: str, frame: pd.DataFrame) -> LmmFit:
    levels = {"AVISIT": ["Baseline", "Month 6", "Month 12"], "TRT01P": ["HIC", "TASSH+HIC"]}
    return lmm(formula, frame, levels=levels)


def test_a_covariance_that_can_not_be_fitted_gives_way_to_the_next(root: Any) -> None:
    plan = plan_with(root, {"m": {"formula": f"{HEAD} + us(AVISIT | USUBJID)"}},
                     covariance=["us", "csh", "cs"])  # fmt: skip
    frame = rows(copied=True)
    found = fit_planned(plan, frame, "SYSBP", "m").planned
    (said,) = found.departures
    assert said.startswith("Deviation from the plan's formula: the residual covariance is csh")
    assert "in place of us" in said
    assert "did not converge" in said
    assert said in found.cautions
    expected = direct(f"{HEAD} + csh(AVISIT | USUBJID)", frame)
    assert found.fit.converged
    assert found.fit.formula.endswith("+ csh(AVISIT | USUBJID)")
    assert found.fit.loglik == pytest.approx(expected.loglik, abs=1e-8)
    se = expected.tests(df="kenward-roger")["se"].iloc[-1]
    assert found.answer.result.se == pytest.approx(se, rel=1e-8)
    # What stands beside is beside what was fitted.
    ladder = relatives(plan, frame, "SYSBP", to_plain(found), ask_primary)[1]
    planned = next(rung for rung in ladder.rungs if rung.planned)
    assert planned.formula.endswith("csh(AVISIT | USUBJID)")


def test_where_none_is_usable_the_plan_s_own_stands_and_is_not_converged(root: Any) -> None:
    plan = plan_with(root, {"m": {"formula": f"{HEAD} + us(AVISIT | USUBJID)"}}, covariance=["us"])
    found = fit_planned(plan, rows(copied=True), "SYSBP", "m").planned
    assert not found.fit.converged
    assert found.fit.formula.endswith("us(AVISIT | USUBJID)")
    assert "No residual covariance of the plan's order is usable" in found.departures[0]


def test_a_usable_covariance_and_a_variance_at_zero_are_no_departure(root: Any) -> None:
    models = {"m": {"formula": f"{HEAD} + (1 | SITEID) + us(AVISIT | USUBJID)"}}
    found = fit_planned(plan_with(root, models), rows(site_sd=0), "SYSBP", "m").planned
    assert found.departures == ()
    assert found.fit.singularity.singular
    assert "(1 | SITEID)" in found.fit.formula


def test_the_order_begins_after_a_model_s_own_structure() -> None:
    order = ("us", "csh", "ar1h", "cs", "ar1")
    assert structure_order("csh", order) == ("csh", "ar1h", "cs", "ar1")
    assert structure_order("us", ("csh", "cs")) == ("us", "csh", "cs")


def test_a_term_at_zero_is_dropped_by_leave_alone(root: Any) -> None:
    frame = rows(site_sd=0)
    models = {"m": {"formula": NESTED, "may_drop": ["(1|SITEID)"]}, "stays": {"formula": NESTED}}
    plan = plan_with(root, models)
    made = {name: fit_planned(plan, frame, "SYSBP", name).planned for name in models}
    dropped, stays = made["m"], made["stays"]
    (said,) = dropped.departures
    assert "(1 | SITEID) was dropped, by the plan's leave" in said
    assert stays.departures == ()
    assert stays.fit.singularity.singular
    smaller = direct(f"{HEAD} + (1 | USUBJID)", frame)
    assert dropped.fit.loglik == pytest.approx(smaller.loglik, abs=1e-9)
    assert dropped.fit.loglik == pytest.approx(stays.fit.loglik, abs=1e-6)
    assert dropped.fit.npar == stays.fit.npar - 1
    # Jobs that rebuild the fit from the moments of the plan's formula.
    moments = batch_moments(plan, frame, "SYSBP", ["m"])["m"].moments
    scored = score_batches(plan, Selections(plan, frame, "SYSBP"), dropped, [moments])
    assert set(scored.ranef["GROUP"]) == {"USUBJID"}
    assert scored.use["RESIDUAL"].notna().all()


def test_a_term_above_zero_stays_although_it_may_go(root: Any) -> None:
    plan = plan_with(root, {"m": {"formula": NESTED, "may_drop": ["(1 | SITEID)"]}})
    found = fit_planned(plan, rows(site_sd=8), "SYSBP", "m").planned
    assert found.departures == ()
    assert found.fit.formula == NESTED


def test_a_model_that_became_the_smaller_one_is_not_compared_with_it(root: Any) -> None:
    frame = rows(site_sd=0)
    models = {
        "m": {"formula": NESTED, "may_drop": ["(1 | SITEID)"]},
        "patient": {"formula": f"{HEAD} + (1 | USUBJID)"},
    }
    asked = [{"question": "Do sites differ?", "smaller": "patient", "larger": "m"}]
    plan = plan_with(root, models, comparisons=asked)
    fits = {name: fit_planned(plan, frame, "SYSBP", name).planned for name in models}
    moments = {n: [batch_moments(plan, frame, "SYSBP", [n])[n].moments] for n in models}
    (test,) = compare_batches(plan, fits, moments).tests
    assert test.refused


@pytest.mark.parametrize(
    ("formula", "leave", "said"),
    [
        (NESTED, ["(1 | SITE)"], "(1 | SITE) is no random term of m"),
        (NESTED, ["(1 | SITEID)", "(1 | USUBJID)"], "leaves no mixed model"),
    ],
)
def test_leave_for_what_can_not_go_is_refused(
    root: Any, formula: str, leave: list[str], said: str
) -> None:
    plan = plan_with(root, {"m": {"formula": formula, "may_drop": leave}})
    assert any(said in problem.what for problem in check_models(plan))


def test_the_design_s_terms_may_not_be_dropped(root: Any) -> None:
    formula = f"{NESTED} + (1 | SITEID:AVISIT)"
    plan = plan_with(
        root, {"m": {"formula": formula, "may_drop": ["(1 | SITEID:AVISIT)", "(1 | USUBJID)"]}},
        design="cluster", randomised_unit="SITEID",
    )  # fmt: skip
    (problem,) = check_models(plan)
    assert "belongs to the design" in problem.what
