"""Sentences from results: each says what the numbers allow and no more."""

import dataclasses
import math

import pytest

from sitewise.inference.icc_result import OlsBeside
from sitewise.report import (
    formatting,
    section_findings,
    section_ladder,
    section_replication,
    words,
    words_cautions,
    words_figures,
    words_front,
    words_methods,
    words_models,
    words_patients,
    words_replication,
    words_sites,
)
from sitewise.report.standing import standing
from sitewise.trial.account import FindingCount


def ols(ratio: float) -> OlsBeside:
    return OlsBeside("nested", "A minus B", -3.0, ratio, -3.1, 1.0, ratio)


def changed(e, endpoint: str, converged: bool = True, **numbers):
    """The evidence with other numbers in the primary contrast of one endpoint."""
    fits = e.endpoints[endpoint].fits
    fit = e.primary_fit(endpoint)
    result = dataclasses.replace(fit.primary.result, **numbers)
    primary = dataclasses.replace(fit.primary, result=result)
    optimum = dataclasses.replace(fit.fit.optimum, message="stopped at the limit of steps")
    made = dataclasses.replace(fit.fit, converged=converged, optimum=optimum)
    fits[fit.model] = dataclasses.replace(fit, primary=primary, fit=made)
    return e


def test_ratio_of_ses_says_which_way_precision_is_wrong(evidence_of) -> None:
    e = evidence_of()
    small = words_sites.ols_sentence(e, ols(0.6), "SYSBP")
    large = words_sites.ols_sentence(e, ols(1.6), "SYSBP")
    same = words_sites.ols_sentence(e, ols(1.004), "SYSBP")
    assert "too much precision" in small
    assert "too little precision" in large
    assert "hardly change" in same
    assert words_sites.claimed(0.6) == "too much precision"
    assert words_sites.claimed(1.6) == "too little precision"
    assert "may cancel" in same
    assert "may cancel" not in large


def test_reason_of_a_ratio_is_that_of_the_contrast(evidence_of) -> None:
    def said(contrast: str, design: str) -> str:
        row = dataclasses.replace(ols(1.6), contrast=f"Active minus Placebo, {contrast}")
        return words_sites.ols_sentence(evidence_of(design=design), row, "SYSBP")

    assert "their own controls" in said("change from baseline at Month 4", "individual")
    level = said("level at Month 4", "individual")
    assert "balanced within sites" in level
    assert "controls" not in level
    assert said("level at Month 4", "cluster").endswith("too little precision.")


def test_not_significant_is_not_equality(evidence_of) -> None:
    e = evidence_of(p={"SYSBP": 0.1, "DIABP": 0.01})
    said = words.verdict(e, "SYSBP")
    assert "not statistically significant" in said
    assert "not evidence of equal arms" in said
    assert "p = 0.100" in words.answer(e, "SYSBP")
    assert "not significant" in words.headline(e)[1]


def test_significant_says_in_whose_favour(evidence_of) -> None:
    e = evidence_of(p={"SYSBP": 0.0004, "DIABP": 0.01})
    estimate = e.primary_fit("SYSBP").primary.result.estimate
    said = words.verdict(e, "SYSBP")
    arm = "Active" if estimate < 0 else "Placebo"
    assert said.startswith("It is statistically significant")
    assert said.endswith(f"in favour of {arm}.")
    assert "p < 0.001" in words.answer(e, "SYSBP")


def test_hierarchy_after_a_failure(evidence_of) -> None:
    e = evidence_of(p={"SYSBP": 0.1, "DIABP": 0.01})
    place = standing(e, "DIABP")
    assert (place.kind, place.claim) == ("not tested", False)
    assert "SYSBP came first and was not significant (p = 0.100)" in place.note
    assert "\u2020, not tested, descriptive" in words.answer(e, "DIABP")
    assert "significant at" not in words.verdict(e, "DIABP")
    assert standing(e, "SYSBP").marker == ""


def test_hierarchy_after_a_success(evidence_of) -> None:
    e = changed(evidence_of(p={"SYSBP": 0.01, "DIABP": 0.2}), "SYSBP", estimate=-3.0)
    place = standing(e, "DIABP")
    assert (place.kind, place.claim) == ("tested", True)
    assert "SYSBP" in place.note
    assert place.marker


def test_missing_p_stops_the_hierarchy(evidence_of) -> None:
    e = evidence_of(p={"SYSBP": float("nan"), "DIABP": 0.01})
    assert standing(e, "DIABP").kind == "not tested"


@pytest.mark.parametrize(
    ("order", "kind", "words_of"),
    [("exploratory", "exploratory", "supports no claim"),
     ("co-primary", "descriptive", "not among the co-primary")],
)  # fmt: skip
def test_other_orders(evidence_of, order: str, kind: str, words_of: str) -> None:
    place = standing(evidence_of(order=order), "DIABP")
    assert place.kind == kind
    assert words_of in place.note
    assert not place.claim


def test_coefficients_in_words() -> None:
    levels = {"AVISIT": ("Baseline", "Month 6"), "TRT01P": ("HIC", "TASSH+HIC")}
    name = words_models.coefficient
    assert name("AVISITMonth 6:TRT01PTASSH+HIC", levels) == "Month 6 \u00d7 TASSH+HIC"
    assert name("(Intercept)", levels) == "Intercept"
    assert name("WEEK", levels) == "week"
    assert name("AVISITUnknown", levels) == "AVISITUnknown"
    assert words_models.group_name("SITEID:AVISIT") == "site \u00d7 visit"


def test_singular_fits_are_told_once_in_words(evidence_of) -> None:
    e = evidence_of()
    told = [c for c in words_cautions.cautions(e) if "singular (" in c and "beside" not in c]
    assert len(told) == 1
    assert told[0].startswith("SYSBP and DIABP: the model slope is singular (1 + WEEK | USUBJID)")
    zero = words_models.singular_sentence("variance 0", "1 | SITEID", ["nested"])
    assert "the term stays" in zero
    assert "not proof that there is none" in zero


def test_random_slope_is_read_as_changing_variance(evidence_of) -> None:
    said = words_models.growing_variance(evidence_of(), "SYSBP")
    assert "patients has correlation 1.00" in said
    assert "variance that grows over time" in said
    assert "12.0 at Baseline" in said  # the observed SDs stand beside it


def test_bent_means_name_the_linear_models(evidence_of) -> None:
    said = words_models.linear_misfit(evidence_of(), "SYSBP")
    assert "The model slope is linear in WEEK and so misfits" in said


def test_two_visits_cannot_bend(evidence_of) -> None:
    assert words_models.linear_misfit(evidence_of(visits=2), "SYSBP") == ""


def test_cluster_design_explains_the_smaller_se(evidence_of) -> None:
    e = evidence_of(design="cluster")
    fits = e.endpoints["SYSBP"].fits

    def with_se(fit, se):
        result = dataclasses.replace(fit.primary.result, se=se)
        return dataclasses.replace(fit, primary=dataclasses.replace(fit.primary, result=result))

    fits["nested"] = with_se(fits["nested"], 1.46)
    fits["site_by_visit"] = with_se(fits["site_by_visit"], 1.84)
    fits["slope"] = with_se(fits["slope"], 1.2)
    said = words_models.site_by_visit(e)
    assert "nested (SE 1.46, p = 0.036)" in said
    assert "SE 1.84" in said
    assert "not primary" in said
    assert "slope" not in said  # another fixed part: no like for like
    assert words_models.site_by_visit(evidence_of(design="individual")) == ""


def test_site_set_aside_is_named_first(evidence_of) -> None:
    first = words_cautions.cautions(evidence_of())[0]
    assert first == "Site 002 was set aside, with its 160 readings: column `sbp` is missing"


def test_a_plan_that_is_not_finished_is_told_before_all_else(evidence_of) -> None:
    e = evidence_of()
    assert not any("not finished" in said for said in words_cautions.cautions(e))
    for keys, told in (
        (["intercurrent_events"], "the question and the estimand's intercurrent events"),
        (list(type(e.plan.estimand).model_fields), "the question and the estimand"),
    ):
        estimand = e.plan.estimand.model_copy(update=dict.fromkeys(keys, "not written yet"))
        draft = {"question": "Not written yet", "estimand": estimand}
        unfinished = dataclasses.replace(e, plan=e.plan.model_copy(update=draft))
        assert words_cautions.cautions(unfinished)[0].startswith(
            f"The plan is not finished: {told} are not written yet."
        )


def test_an_unwritten_reason_is_unfinished_and_none_is_not(evidence_of) -> None:
    e = evidence_of()
    for why, counts in (("not written yet", True), (None, False), ("As the protocol says.", False)):
        primary = e.plan.primary.model_copy(update={"why": why})
        draft = dataclasses.replace(e, plan=e.plan.model_copy(update={"primary": primary}))
        said = "The plan is not finished: why its primary model is primary is not written yet."
        assert words_cautions.cautions(draft)[0].startswith(said) == counts


@pytest.mark.parametrize("kind", ["change", "level"])
def test_why_the_primary_model_is_primary_is_told_in_the_plans_words(evidence_of, kind) -> None:
    plan = evidence_of().plan
    kinds = {"change": "change from baseline", "level": "level"}
    what = f"the model site_by_visit and the {kinds[kind]} at {plan.primary.visit} are"

    def said(why: str | None) -> str:
        update = {"why": why, "contrast": kind}
        primary = plan.primary.model_copy(update=update)
        return words_models.why_primary(plan.model_copy(update={"primary": primary}))

    told = f"Why {what} primary, in the plan's words: "
    assert said("a margin of -5 is asked") == f"{told}a margin of \u22125 is asked."
    assert said("It was asked.") == f"{told}It was asked."
    for none in (None, "Not written yet"):
        assert said(none) == f"The plan does not say why {what} primary."


def test_a_disagreement_is_on_the_first_page_with_the_higher_likelihood(evidence_of) -> None:
    found = next(c for c in words_cautions.cautions(evidence_of()) if "tolerance" in c)
    assert found == (
        "SYSBP, model nested: sitewise.lmm and statsmodels differ by more than the plan's"
        " tolerance in the log-likelihood (\u22127.4\u00d710\u2070) and 1 other number (1 SE);"
        " the log-likelihood of sitewise.lmm is the higher one."
    )


def test_no_replication_has_its_reason(evidence_of) -> None:
    said = section_replication.replications(evidence_of())[0].text
    assert said[0].endswith("stopped short of the optimum, so that its numbers are not a check of"
                            " the other's.")  # fmt: skip
    assert "SYSBP, slope: not replicated, because correlated slopes." in said


def test_methods_name_the_engines_that_gave_numbers(evidence_of) -> None:
    e = evidence_of()
    methods = {m.title: m for m in words_methods.methods(e)}
    assert "statsmodels 0.15.0" in methods["Replication"].text
    assert methods["Replication"].references == ("Seabold 2010",)
    assert "sitewise.lmm 0.1.0" in methods["Linear mixed models"].text


def test_convention_is_named_as_one(evidence_of) -> None:
    said = words_sites.icc_sentence(evidence_of(), "SYSBP")
    assert "not above 0.05" in said
    assert "convention" in said


def test_significant_on_the_wrong_side_opens_nothing(evidence_of) -> None:
    e = changed(evidence_of(p={"SYSBP": 0.01, "DIABP": 0.01}), "SYSBP", estimate=3.0)
    assert standing(e, "DIABP").kind == "not tested"
    assert "significant in favour of Placebo (p = 0.010)" in standing(e, "DIABP").note


def test_no_answer_without_convergence(evidence_of) -> None:
    e = changed(evidence_of(p={"SYSBP": 0.0004, "DIABP": 0.01}), "SYSBP", converged=False)
    said = words.answer(e, "SYSBP")
    assert said.startswith("There is no answer to be reported")
    assert "stopped at the limit of steps" in said
    assert "mmHg" not in said
    assert words.verdict(e, "SYSBP") == ""
    assert "significant" not in " ".join(words.headline(e))
    assert standing(e, "DIABP").kind == "not tested"


@pytest.mark.parametrize(("p", "met"), [(0.01, True), (0.2, False)])
def test_co_primary_is_one_claim(evidence_of, p: float, met: bool) -> None:
    e = evidence_of(p={"SYSBP": 0.001, "DIABP": p}, order="co-primary", second="primary")
    for name in ("SYSBP", "DIABP"):
        changed(e, name, estimate=-3.0)
    told = (words.verdict(e, "SYSBP"), words.headline(e)[1])
    for text in told:
        assert ("the joint claim is met" in text) is met
        assert ("joint claim is not met: DIABP was not significant (p = 0.200)" in text) is not met
        assert "It is statistically significant" not in text


def test_patients_left_out_are_on_the_first_page(evidence_of) -> None:
    from sitewise.inference.planned_fit import UseCount

    e = evidence_of()  # 2 arms of 36 patients
    fit = e.primary_fit("SYSBP")
    uses = (UseCount("used as outcome", "", 120, 60), UseCount("dropped", "no later reading", 9, 9),
            UseCount("dropped", "no baseline", 3, 3))  # fmt: skip
    e.endpoints["SYSBP"].fits[fit.model] = dataclasses.replace(fit, uses=uses, patients=60)
    # The count of the cross-check, which sees the rows of the model alone, must not matter.
    check = dataclasses.replace(e.endpoints["SYSBP"].crosscheck, patients=60, complete=60)
    e.endpoints["SYSBP"] = dataclasses.replace(e.endpoints["SYSBP"], crosscheck=check)
    line = words_patients.analysed_sentence(e, "SYSBP")
    assert line.startswith("SYSBP: 72 patients, 60 analysed, 12 left out (")
    assert "no later reading: 9; no baseline: 3" in line
    alone = dataclasses.replace(e.primary_fit("SYSBP"), uses=(UseCount("dropped", "gone", 12, 12),))
    single = {**e.endpoints["SYSBP"].fits, fit.model: alone}
    other = dataclasses.replace(e.endpoints["SYSBP"], fits=single)
    one = dataclasses.replace(e, endpoints={**e.endpoints, "SYSBP": other})
    assert words_patients.analysed_sentence(one, "SYSBP").endswith("12 left out (gone).")
    assert words_patients.told(e, "not in the analysis set FAS").startswith(
        "not in the analysis set FAS, "
    )
    caution = next(c for c in words_cautions.cautions(e) if c.startswith("SYSBP: of 72"))
    assert "12 are left out of the primary model" in caution
    assert "have no reading at Month 4" in caution


def test_hospitals_and_model_in_words(evidence_of) -> None:
    e = evidence_of(design="cluster")
    assert "3.0% of the variance of SYSBP" in words_front.hospitals_sentence(e, "SYSBP")
    assert "site by visit counts that as chance" in words_front.model_sentence(e)


def test_a_verdict_that_hangs_on_the_model_is_told(evidence_of) -> None:
    e = evidence_of(p={"SYSBP": 0.01, "DIABP": 0.01})
    assert words_cautions.other_verdict(e) == ""
    first, other, *_ = e.ordered_fits("SYSBP")
    result = dataclasses.replace(other.primary.result, p=0.079)
    primary = dataclasses.replace(other.primary, result=result)
    e.endpoints["SYSBP"].fits[other.model] = dataclasses.replace(other, primary=primary)
    said = words_cautions.other_verdict(e)
    assert "the plan's own models, the contrast is significant under the primary one" in said
    assert "and is not under" in said
    assert f"{other.model} (p = 0.079)" in said
    assert first.model not in said
    assert said in words_cautions.cautions(e)


def test_two_p_values_either_side_of_alpha_are_a_border() -> None:
    said = words_front.hospitals_verdict
    assert "on the border" in said(0.058, 0.040, 0.05)
    assert "on the border" in said(0.04, 0.06, 0.05)
    assert said(0.058, 0.06, 0.05) == said(0.058, None, 0.05)
    assert said(0.01, 0.02, 0.05).startswith("Hospitals differ")


def test_singular_words_follow_the_group() -> None:
    said = words_models.singular_sentence("correlation", "1 + WEEK | SITEID", ["slope_site"])
    assert "where sites start" in said
    assert "patients" not in said


def test_front_table_holds_no_number_of_a_fit_that_did_not_converge(evidence_of) -> None:
    from sitewise.report.section_front import front

    e = changed(evidence_of(), "SYSBP", converged=False)
    made = front(e, {"SYSBP-profiles.svg": "data:,"})
    cells = [c.text.strip() for c in made.table.rows[0].cells]
    assert "no answer" in cells[0]
    assert set(cells[2:]) == {"\u2013"}
    assert made.verdict == made.levels == ""


def test_an_estimate_without_a_standard_error_is_no_answer(evidence_of) -> None:
    from sitewise.report.section_front import front

    lost = dict.fromkeys(("se", "df", "p", "lower", "upper"), math.nan)
    e = changed(evidence_of(), "SYSBP", **lost)
    made = front(e, {"SYSBP-profiles.svg": "data:,"})
    assert "no answer" in made.table.rows[0].cells[0].text
    assert made.verdict == ""
    assert "nobody can say how sure" in words.answer(e, "SYSBP")
    assert "has no answer" in standing(e, "DIABP").note


def test_no_section_shows_an_estimate_of_a_fit_that_did_not_converge(evidence_of) -> None:
    from sitewise.report.section_models import models

    kinds = ("residuals", "marginal", "models", "ladder")
    drawn = {f"{n}-{kind}.svg": "data:," for n in ("SYSBP", "DIABP") for kind in kinds}
    e = changed(evidence_of(), "SYSBP", converged=False)
    made, other = models(e, drawn)
    for table in (made.by_visit, made.primary, made.side_by_side):
        own = [r for r in table.rows if len(r.cells) > 1]
        texts = [[c.text.strip() for c in r.cells[1:6]] for r in own]
        main = texts if table is not made.side_by_side else texts[:1]
        assert all(set(cells) == {"\u2013"} for cells in main)
        assert any("did not converge" in note for note in table.notes)
    others = [r for r in made.side_by_side.rows if "(primary)" not in r.cells[0].text]
    assert all(r.cells[1].text.strip() != "\u2013" for r in others), "the others are shown"
    assert not any("not shown" in note for note in other.by_visit.notes)
    shown = words_figures.profiles_caption(e, "SYSBP") + words_figures.profiles_alt(e, "SYSBP")
    assert "left empty, because its fit did not converge" in shown
    assert "no result, the fit did not converge" in shown


def test_the_figure_of_a_fit_that_did_not_converge_has_no_differences(evidence_of) -> None:
    from sitewise.report.draw_profiles import draw_profiles

    e = evidence_of()
    drawn = draw_profiles(e.plan, e.description, e.primary_fit("SYSBP"))
    e = changed(e, "SYSBP", converged=False)
    empty = draw_profiles(e.plan, e.description, e.primary_fit("SYSBP"))
    assert len(drawn.axes[1].lines) > 1
    assert len(empty.axes[1].lines) == 1, "the line at 0 alone"
    assert "did not converge" in empty.axes[1].get_xlabel()


def test_design_effect_names_its_contrast_and_the_visit(evidence_of) -> None:
    effect = evidence_of().endpoints["SYSBP"].iccs.design_effects[0]
    at = dataclasses.replace(effect, visit="Month 4", visit_icc=0.0475, visit_effect=1.897)
    said = words_sites.design_effect_sentence(at)
    assert "With the ICC at Month 4 alone (0.0475, adjusted for nothing)" in said
    assert "1.897" in said
    assert words_sites.change_effects_sentence([effect]) == ""


def test_a_change_has_a_design_effect_of_its_own(evidence_of) -> None:
    effect = evidence_of().endpoints["SYSBP"].iccs.design_effects[0]
    own = dataclasses.replace(effect, visit="Month 4", change_icc=0.0286, change_effect=1.5578)
    said = words_sites.change_effects_sentence([own])
    assert "these are not its design effects" in said
    assert "sites share 0.0286 of the variance of a change: its design effect is 1.558 (" in said
    none = dataclasses.replace(own, change_icc=0.0, change_effect=1.0)
    said = words_sites.change_effects_sentence([none, none])
    assert said.endswith("sites share nothing of a change: its design effect is 1.")


def test_place_of_other_treatment_numbers_is_descriptive(evidence_of) -> None:
    from sitewise.report import table_lines

    e = evidence_of()
    rows = [r for r in table_lines.contrasts(e) if r["endpoint"] == "SYSBP"]
    tested = [r for r in rows if not r["place"].startswith("descriptive")]
    assert [(r["model"], r["primary"]) for r in tested] == [("site_by_visit", "Y")]
    terms = [r for r in table_lines.fixed_effects(e) if "TRT01P" in r["coefficient"]]
    assert terms
    assert all(r["place"] for r in terms)
    checks = [r for r in table_lines.crosscheck(e) if r["effect"] == "primary contrast"]
    assert all(r["place"] for r in checks)


def test_the_first_page_says_that_nothing_was_locked(evidence_of) -> None:
    def told(e) -> list[str]:
        return [text for text in words_cautions.cautions(e) if "not locked" in text]

    e = evidence_of()
    locked = dataclasses.replace(e.deviations, locked=True)
    assert len(told(dataclasses.replace(e, deviations=locked))) == 0
    nothing = dataclasses.replace(e.deviations, locked=False)
    assert len(told(dataclasses.replace(e, deviations=nothing))) == 1


def test_many_kinds_of_errors_are_one_sentence_on_the_first_page(evidence_of) -> None:
    e = evidence_of()
    found = [FindingCount(f"rule {i}", "error", i, ("01", f"0{i}"), "wrong") for i in range(1, 6)]
    found.append(FindingCount("bad site", "error", 1, ("05",), "most readings"))
    account = dataclasses.replace(e.account, findings=tuple(found))
    told = words_cautions.cautions(dataclasses.replace(e, account=account))
    errors = [text for text in told if "severity error" in text]
    assert len(errors) == 1
    assert errors[0].startswith(
        "16 findings of severity error at 5 sites, sites set aside included: rule 5 (5), rule 4 (4)"
    )
    assert "bad site (1)" in errors[0], "as many as the list of section 2"
    few = dataclasses.replace(e.account, findings=tuple(found[:3]))
    told = words_cautions.cautions(dataclasses.replace(e, account=few))
    assert sum("severity error" in text for text in told) == 3


def test_a_primary_model_that_is_a_line_is_held_against_the_means(evidence_of) -> None:
    e = evidence_of()
    assert not [text for text in words_cautions.cautions(e) if "straight line" in text]
    primary = e.plan.primary.model_copy(update={"model": "slope"})
    linear = dataclasses.replace(e, plan=e.plan.model_copy(update={"primary": primary}))
    said = words_models.linear_misfit(linear, "SYSBP")
    assert "the primary model slope is such a model" in said
    assert "not for the primary answer" not in said
    told = [text for text in words_cautions.cautions(linear) if "straight line" in text]
    assert told
    assert told[0].startswith("SYSBP: the observed means do not lie on a straight line")


def test_sites_without_a_value_are_named(evidence_of) -> None:
    e = evidence_of()
    own = e.endpoints["SYSBP"]
    third = own.sites.effects[2].site
    said = words_sites.effects_sentence(e, "SYSBP")
    assert f"Without a value: site {third} (one arm has fewer than two patients)." in said
    many = tuple(
        dataclasses.replace(effect, site=f"{i:03}", refused="no patient of Placebo")
        for i, effect in enumerate(own.sites.effects * 4)
    )
    sites = dataclasses.replace(own.sites, effects=many)
    e.endpoints["SYSBP"] = dataclasses.replace(own, sites=sites)
    said = words_sites.effects_sentence(e, "SYSBP")
    assert f"000, 001, 002, 003, 004, 005 and {len(many) - 6} more (no patient" in said
    assert said.endswith("All are in tables/sites.csv.")


def test_a_finding_of_no_hospital_names_the_file(evidence_of) -> None:
    e = evidence_of()
    count = FindingCount("file not listed", "warning", 2, (), "no line of the site sheet names it")
    rows = [{"RULE": "file not listed", "SEVERITY": "warning", "SITEID": "", "SRCFILE": name}
            for name in ("site_99.csv", "notes.csv")]  # fmt: skip
    account = dataclasses.replace(e.account, findings=(*e.account.findings, count))
    e = dataclasses.replace(e, account=account, findings=(*e.findings, *rows))
    told = [line.cells[-1].text for line in section_findings.findings(e).summary.rows]
    assert "no line of the site sheet names it: notes.csv, site_99.csv" in told


@pytest.mark.parametrize(
    ("warnings", "singular", "told"),
    [(("Random effects covariance is singular",), False, "a step of the search, not of where it"),
     (("Model is singular (boundary fit)",), True, "is singular, too: section 5"),
     (("The MLE may be on the boundary",), True, "is singular, too: section 5"),
     (("lbfgs broke down: Singular matrix",), False, "Another of its optimisers converged. Its"),
     (("The Hessian is not positive definite",), False, "definite. Its numbers, in the table")],
)  # fmt: skip
def test_a_warning_of_the_second_engine_is_explained(evidence_of, warnings, singular, told) -> None:
    found = evidence_of().endpoints["SYSBP"].replications.rows
    agrees = dataclasses.replace(next(r for r in found if r.status == "agrees"), warnings=warnings)
    said = words_replication.warned(agrees, singular=singular)
    assert told in said
    assert said.endswith("Its numbers, in the table, agree.")
    apart = dataclasses.replace(agrees, status="disagrees")
    assert "agree" not in words_replication.warned(apart, singular=singular)


def test_the_difference_at_baseline_says_whose_it_is(evidence_of) -> None:
    e = evidence_of(design="cluster")
    said = " ".join(section_ladder.ladders(e)[0].baseline_text)
    assert "Left free, in the first row of the table below, the arms differ" in said
    fit, base = e.primary_fit("SYSBP"), e.plan.baseline_visit.name
    own = next(c for c in fit.contrasts
               if (c.arm, c.visit, c.kind) == (e.plan.primary.arm, base, "level"))  # fmt: skip
    shown = formatting.number(own.result.se, e.decimals("SYSBP") + 1)
    assert "in the primary model site_by_visit, of section 5, by" in said
    assert f"(SE {shown})" in said
