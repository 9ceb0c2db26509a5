"""Sentences from results: each says what the numbers allow and no more."""

import dataclasses

import pytest

from sitewise.inference.icc_result import OlsBeside
from sitewise.report import words, words_models, words_sites
from sitewise.report.standing import standing


def ols(ratio: float) -> OlsBeside:
    return OlsBeside("nested", "A minus B", -3.0, ratio, -3.1, 1.0, ratio)


def test_ratio_of_ses_says_which_way_precision_is_wrong() -> None:
    small = words_sites.ols_sentence(ols(0.6), "SYSBP")
    large = words_sites.ols_sentence(ols(1.6), "SYSBP")
    same = words_sites.ols_sentence(ols(1.004), "SYSBP")
    assert "too much precision" in small
    assert "too little precision" in large
    assert "hardly change" in same
    assert words_sites.claimed(0.6) == "too much precision"
    assert words_sites.claimed(1.6) == "too little precision"


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
    assert place.note in words.answer(e, "DIABP")
    assert "significant at" not in words.verdict(e, "DIABP")
    assert standing(e, "SYSBP").marker == ""


def test_hierarchy_after_a_success(evidence_of) -> None:
    e = evidence_of(p={"SYSBP": 0.01, "DIABP": 0.2})
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
    told = [c for c in words.cautions(e) if "singular" in c]
    assert len(told) == 1
    assert told[0].startswith("SYSBP and DIABP: the model slope is singular (1 + WEEK | USUBJID)")
    zero = words_models.singular_sentence("variance 0", "1 | SITEID", ["nested"])
    assert "the term stays" in zero
    assert "not proof that there is none" in zero


def test_random_slope_is_read_as_changing_variance(evidence_of) -> None:
    said = words_models.growing_variance(evidence_of(), "SYSBP")
    assert "patients has correlation 1.00" in said
    assert "variance that changes over time" in said
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
    first = words.cautions(evidence_of())[0]
    assert first == "Site 002 was set aside with its 160 readings: column `sbp` is missing"


def test_disagreement_names_who_stopped_short(evidence_of) -> None:
    assert any("statsmodels stopped short" in c for c in words.cautions(evidence_of()))


def test_convention_is_named_as_one(evidence_of) -> None:
    said = words_sites.icc_sentence(evidence_of(), "SYSBP")
    assert "not above 0.05" in said
    assert "convention" in said
