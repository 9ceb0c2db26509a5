"""Uneven scatter is told once, with the row that allows for it; scaled residuals in prose."""

from collections import defaultdict
from dataclasses import replace

import pytest

from sitewise.report.section_models import models
from sitewise.report.words_cautions import cautions
from sitewise.report.words_spread import scaled_sentence, uneven_reference, uneven_sentence


@pytest.fixture
def uneven(evidence_of):
    """The primary model is one of these."""

    def make(**options):
        e = evidence_of(**options)
        fit = e.primary_fit("SYSBP")
        e.endpoints["SYSBP"].fits[fit.model] = replace(fit, uneven=True)
        return e

    return make


def test_the_first_page_has_it_in_full_and_the_cautions_refer_to_it(uneven) -> None:
    e = uneven(design="cluster")
    said = uneven_sentence(e, "SYSBP")
    assert "is 9.0 at Baseline, 12.0 at Month 2 and 15.0 at Month 4;" in said
    assert "has 12.5 at all visits" in said
    assert "\u201cOutcome, arms free at baseline\u201d of the handlings of the baseline" in said
    assert said in cautions(e)
    (referred,) = [
        t for t in models(e, defaultdict(str))[0].cautions if "page 1 has the figures" in t
    ]
    assert referred.startswith(f"{e.plan.primary.model} and slope: ")
    assert "9.0 at Baseline" not in " ".join(models(e, defaultdict(str))[0].cautions)


def test_of_another_model_alone_it_stands_among_the_cautions(evidence_of) -> None:
    e = evidence_of()
    assert uneven_sentence(e, "SYSBP") == ""
    said = uneven_reference(e, "SYSBP")
    assert said.startswith("slope: the readings scatter more")
    # Patients randomised, no side by side: the MMRM of the ladder is missing in this one.
    assert "A residual covariance us or csh" in said


def test_the_mmrm_is_named_where_it_has_a_variance_for_each_visit(uneven) -> None:
    e = uneven()
    own = e.endpoints["SYSBP"]
    rung = replace(own.ladder.rungs[0], key="mmrm", label="MMRM, csh", state="regular")
    for taken, named in (("csh", True), ("cs", False)):
        choice = replace(own.ladder.covariance, taken=taken)
        ladder = replace(own.ladder, rungs=(*own.ladder.rungs, rung), covariance=choice)
        e.endpoints["SYSBP"] = replace(own, ladder=ladder)
        assert ("row \u201cMMRM, csh\u201d: \u22123.1" in uneven_sentence(e, "SYSBP")) == named


def test_with_sites_randomised_a_row_without_sites_by_visit_is_not_recommended(uneven) -> None:
    e = uneven(design="cluster")
    assert "not to be trusted" not in uneven_sentence(e, "SYSBP")
    own = e.endpoints["SYSBP"]
    rung = replace(
        own.ladder.rungs[0], key="mmrm_site", label="MMRM, us, with site", state="regular"
    )
    choice = replace(own.ladder.covariance, taken="us")
    ladder = replace(own.ladder, baseline=None, rungs=(*own.ladder.rungs, rung), covariance=choice)
    e.endpoints["SYSBP"] = replace(own, ladder=ladder)
    said = uneven_sentence(e, "SYSBP")
    assert "MMRM, us, with site" in said
    assert "its p-value is not to be trusted" in said


def test_scaled_residuals_in_prose(evidence_of) -> None:
    e = evidence_of()
    # Bars of 100 readings: 1 +- 0.139.
    said = scaled_sentence(e, "SYSBP")
    assert said.startswith("At 2 of 3 visits the root mean square is outside its grey bar")
    assert "below it (0.80 at Baseline)" in said
    assert "above it (1.30 at Month 4)" in said
    assert "not right over the visits; section 6" in said
    fit = e.primary_fit("SYSBP")
    calm = tuple(replace(one, rms=1.1) for one in fit.spread)
    e.endpoints["SYSBP"].fits[fit.model] = replace(fit, spread=calm)
    assert scaled_sentence(e, "SYSBP").startswith("At none of 3 visits")
    none = tuple(replace(one, rms=float("nan")) for one in fit.spread)
    e.endpoints["SYSBP"].fits[fit.model] = replace(fit, spread=none)
    assert scaled_sentence(e, "SYSBP") == ""
