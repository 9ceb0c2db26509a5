"""Ladder, guard, covariance choice, reconciliation on small trials: refusals that say why."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sitewise import lmm
from sitewise.classical import covariance_choice, guard
from sitewise.classical.anova_contrast import by_strata
from sitewise.classical.question import pose
from sitewise.classical.relatives import relatives
from sitewise.classical.result import AnovaRow
from sitewise.inference.fitting import fit_planned
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import to_plain

THREE = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)"


def replanned(replan, formula=THREE, design="cluster", **sections):
    unit = {"cluster": "SITEID", "individual": "USUBJID"}[design]
    model = {"label": "Planned", "formula": formula, "set": "FAS", "reml": True}
    primary = {"model": "m", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "change"}
    sections = {"models": {"m": model}, "primary": primary, "comparisons": [], **sections}
    return replan(design=design, randomised_unit=unit, **sections)


def climbed(plan, frame):
    frame = frame.reset_index(drop=True).assign(SRCFILE="all.csv", SRCROW=range(2, len(frame) + 2))
    fit = to_plain(fit_planned(plan, frame, "SYSBP", "m").planned)
    part = read_part(part_data(plan, "crosscheck"))
    return relatives(part, frame, "SYSBP", fit, ask_primary)


def test_every_rung_has_an_answer_or_a_reason(replan, make_trial):
    _, ladder, found = climbed(replanned(replan), make_trial())
    assert sum(rung.planned for rung in ladder.rungs) == 1
    for rung in ladder.rungs:
        assert (rung.answer is None) == bool(rung.refused), rung
    for step in found.steps:
        assert (step.answer is None) == bool(step.refused), step
    assert ladder.guard.between == 4
    assert found.steps[-1].key == "primary"


def test_complete_data_of_equal_arms_agree_in_every_kind(replan, make_trial):
    _, ladder, found = climbed(replanned(replan), make_trial())
    assert found.equal_arms
    assert [x.agrees for x in found.effects] == ["both"] * 3
    assert max(x.apart for x in found.effects) < 1e-8
    anova = next(rung for rung in ladder.rungs if rung.key == "anova")
    assert anova.answer.se == pytest.approx(found.steps[0].answer.se, rel=1e-10)


def test_a_patient_variance_of_zero_agrees_in_none(replan, make_trial):
    frame = make_trial(patient_sd=0.0)
    rng = np.random.default_rng(2)  # readings of a patient that differ more than by chance
    values = np.tile([-9.0, 0.0, 9.0], 48) * rng.choice([-1.0, 1.0], 48).repeat(3)
    frame["AVAL"] = 150 + values + rng.normal(0, 0.5, len(frame))
    _, _, found = climbed(replanned(replan, "AVAL ~ AVISIT*TRT01P + (1 | USUBJID)",
                                    design="individual"), frame)  # fmt: skip
    assert found.patient_variance == 0
    assert found.effects[0].agrees == "none"
    assert "estimated as 0" in found.effects[0].said


def test_sites_randomised_without_site_by_visit_are_pointed_out(replan, make_trial):
    # Slopes of sites are allowed in a primary model; without any such term the plan is refused, so
    # the guard is asked through a plan whose check is passed over.
    frame = make_trial()
    plan = replanned(replan)
    short = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)"
    model = plan.models["m"].model_copy(update={"formula": short})
    found = climbed(plan.model_copy(update={"models": {"m": model}}), frame)[1].guard
    assert found.missing
    assert found.with_term.se >= found.without.se * (1 - 1e-6)
    assert 0 <= found.p <= 0.5 or found.statistic == pytest.approx(0, abs=1e-5)


def test_what_sites_give_to_a_level_and_to_a_change(replan, make_trial):
    """Balanced data: a level's df are Satterthwaite's of the two mean squares between sites."""
    frame = make_trial()
    cells = frame.groupby(["SITEID", "AVISIT"]).ngroup()
    rng = np.random.default_rng(4)
    frame["AVAL"] += (rng.normal(0, 5, 18) + np.repeat(rng.normal(0, 8, 6), 3))[cells]
    found = climbed(replanned(replan, df="satterthwaite"), frame)[1].guard
    sites = frame.groupby("SITEID")["TRT01P"].first()
    means = frame.groupby(["SITEID", "AVISIT"])["AVAL"].mean().unstack()
    rest = means - means.groupby(sites).transform("mean")
    per_site, v = len(frame) / means.size, means.shape[1]
    between = len(sites) - 2
    ms_site = per_site * v * (rest.mean(axis=1) ** 2).sum() / between
    own = rest.sub(rest.mean(axis=1), axis=0)
    ms_visit = per_site * (own**2).sum().sum() / (between * (v - 1))
    whole = ms_site + (v - 1) * ms_visit
    df = whole**2 / (ms_site**2 / between + ((v - 1) * ms_visit) ** 2 / (between * (v - 1)))
    assert found.levels == pytest.approx((df, df), rel=1e-4)
    assert found.between <= df <= found.at_level == between * v
    assert found.df == pytest.approx(found.most, rel=1e-4)
    assert found.most == between * (v - 1)


def test_every_analysis_is_held_against_the_sites(replan, make_trial):
    baseline = {"handling": "outcome", "side_by_side": True, "missing": "keep"}
    ladder = climbed(replanned(replan, baseline=baseline), make_trial())[1]
    held = {one.key: one for one in ladder.guard.checked}
    answered = {r.key for r in ladder.rungs if r.answer and r.state != "not converged"}
    handled = {f"baseline_{r.key}" for r in ladder.baseline.rows if r.answer}
    assert set(held) == answered | handled
    assert held["ols"].verdict == held["nested"].verdict == "beyond"
    assert set(ladder.guard.beyond) <= answered | handled
    for one in held.values():
        assert (one.verdict == "within") == (one.df <= 1.1 * one.most)
    free = held["baseline_free"]
    assert (free.most, held["baseline_constrained"].most) == (8, 12)
    # As many degrees of freedom as sites less arms: the largest p of all that sites allow.
    assert held["ols"].lean > held["ols"].p


def test_the_guard_s_p_is_that_of_the_mixture():
    # chi2(0) is the point 0: a variance estimated at 0 is no evidence at all.
    assert guard.half_p(0.0) == guard.half_p(1e-9) == 1.0
    assert guard.half_p(2.705543454095404) == pytest.approx(0.05, rel=1e-9)
    assert math.isnan(guard.half_p(math.nan))


def test_sites_are_left_out_where_cells_are_not_by_site(replan, make_trial):
    # No random term of sites, so nothing to subtract: the rows of the others are fitted.
    frame = make_trial()
    patient = frame["USUBJID"].str.split("-").str[1].astype(int)
    frame["TRT01P"] = np.where(patient % 2, "HIC", "TASSH+HIC")
    formula = "AVAL ~ AVISIT*TRT01P + (1 | USUBJID)"
    _, ladder, _ = climbed(replanned(replan, formula, design="individual"), frame)
    with_site = replanned(replan, f"{formula} + (1 | SITEID)", design="individual")
    levels = {"AVISIT": ["Baseline", "Month 6", "Month 12"], "TRT01P": ["HIC", "TASSH+HIC"]}
    for x in ladder.left_out:
        fit = lmm(formula, frame[frame["SITEID"] != x.site].reset_index(drop=True), levels=levels)
        own = fit.tests(df="kenward-roger").iloc[-1]
        assert (x.answer.estimate, x.answer.se) == pytest.approx((own["estimate"], own["se"]))
    assert len(ladder.left_out) == len(climbed(with_site, frame)[1].left_out) == 6


def test_arms_within_sites(replan, make_trial):
    frame = make_trial()
    patient = frame["USUBJID"].str.split("-").str[1].astype(int)
    frame["TRT01P"] = np.where(patient % 2, "HIC", "TASSH+HIC")
    _, ladder, _ = climbed(replanned(replan, design="individual"), frame)
    by = {rung.key: rung for rung in ladder.rungs}
    assert (ladder.cluster, ladder.guard) == ("USUBJID", None)
    assert by["site_fixed"].base is not None


def test_baseline_as_covariate_with_one_outcome_visit(replan, make_trial):
    frame = make_trial()
    plan = replanned(
        replan,
        "AVAL ~ BASE + TRT01P + (1 | SITEID)",
        baseline={"handling": "covariate", "missing": "drop"},
        visits=[
            {"name": "Baseline", "week": 0, "baseline": True},
            {"name": "Month 12", "week": 52},
        ],
        primary={"model": "m", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "level"},
    )
    _, ladder, found = climbed(plan, frame[frame["AVISIT"] != "Month 6"])
    by = {rung.key: rung for rung in ladder.rungs}
    assert by["patient"].answer is None
    assert by["patient"].refused
    assert "constant within every site" in by["site_fixed"].refused
    assert "two visits or more" in by["anova"].refused
    assert "same" in ladder.guard.refused
    assert found.refused
    assert found.steps[-1].answer is not None


def test_a_covariance_that_is_not_usable_is_passed_over_and_logged(replan, make_trial, monkeypatch):
    plan = replanned(replan)
    question = pose(plan, make_trial(), "SYSBP", ask_primary)
    real = covariance_choice.why_unusable
    monkeypatch.setattr(
        covariance_choice, "why_unusable", lambda fit: "no" if "us(" in fit.formula else real(fit)
    )
    chosen = covariance_choice.choose_covariance(question, ("us", "csh", "cs"))
    assert chosen.choice.taken == "csh"
    (said,) = chosen.choice.deviations
    assert "us was not used: no" in said
    assert "csh" in said
    monkeypatch.setattr(covariance_choice, "why_unusable", lambda fit: "no")
    none = covariance_choice.choose_covariance(question, ("us", "csh"))
    assert (none.choice.taken, none.fit, len(none.choice.deviations)) == ("", None, 2)


def test_a_residual_covariance_that_is_not_positive_definite_is_not_usable(replan, make_trial):
    question = pose(replanned(replan), make_trial(), "SYSBP", ask_primary)
    fit = question.fit(question.formula("us(AVISIT | USUBJID)"))
    assert covariance_choice.why_unusable(fit) == ""
    flat = replace(fit, estimates=replace(fit.estimates, residual=np.ones((3, 3))))
    assert "not positive definite" in covariance_choice.why_unusable(flat)


def test_the_anova_contrast_by_hand():
    # Two arms, two visits, 3 patients each: the change's error is MS_within (a t test of changes).
    rng = np.random.default_rng(1)
    y = rng.normal(size=(6, 2)) + rng.normal(size=(6, 1))
    arm = np.repeat([0.0, 1.0], 3)
    X = np.array([[1, v, a, v * a] for a in arm for v in (0.0, 1.0)])
    change, mean = y[:, 1] - y[:, 0], y.mean(axis=1)

    def pooled(x):
        return (x[:3].var(ddof=1) + x[3:].var(ddof=1)) / 2

    within, between = pooled(change) / 2, 2 * pooled(mean)
    rows = {
        "TRT01P": AnovaRow("TRT01P", 5 * between, 1, 4, 5, 0.1, math.nan, math.nan),
        "AVISIT:TRT01P": AnovaRow("AVISIT:TRT01P", 3 * within, 1, 4, 3, 0.1, 1, 0.1),
    }
    patients = np.repeat(np.arange(6), 2)
    estimate, se, df = by_strata(X, y.ravel(), patients, np.array([0.0, 0, 0, 1]), rows)
    assert estimate == pytest.approx(change[3:].mean() - change[:3].mean(), rel=1e-12)
    assert se**2 == pytest.approx(pooled(change) * 2 / 3, rel=1e-12)
    assert df == pytest.approx(4, rel=1e-12)
    # At the first visit both strata: (MS_between + MS_within) / 2 is the variance of a reading.
    _, se, df = by_strata(X, y.ravel(), patients, np.array([0.0, 0, 1, 0]), rows)
    assert se**2 == pytest.approx((between + within) / 2 * 2 / 3, rel=1e-12)
    assert df == pytest.approx((between + within) ** 2 / (between**2 + within**2) * 4, rel=1e-12)


def test_two_sites_leave_no_robust_standard_error_and_no_crash(replan, make_trial):
    # One site an arm: each cluster determines its arm alone.
    _, ladder, _ = climbed(
        replanned(replan, "AVAL ~ AVISIT*TRT01P + (1 | USUBJID)", design="individual"),
        make_trial(sites=2),
    )
    assert len(ladder.rungs) >= 12
    plan = replanned(replan, design="cluster")
    frame = make_trial(sites=2).assign(SRCFILE="a", SRCROW=1)
    question = pose(plan, frame, "SYSBP", ask_primary)
    from sitewise.classical.ladder import _gee, _least_squares

    robust = _least_squares(question)[1]
    assert robust.answer is None
    assert "one cluster alone" in robust.refused
    assert all(rung.answer is None and rung.refused for rung in _gee(question))
