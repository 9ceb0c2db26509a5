"""What a reader must be told of a run that is less than it looks: a plan that nobody finished, a
bootstrap that ended early; and the plan's own page."""

from dataclasses import replace

import pytest
import yaml

from sitewise.report.pictured import left_out_lines
from sitewise.report.section_blinded import unsettled
from sitewise.report.section_comparisons import draws_made
from sitewise.report.section_comparisons import tests_table as likelihood_ratios
from sitewise.report.section_end import plan_text
from sitewise.report.words_cautions import cautions
from sitewise.report.words_pictures import flow_caption
from sitewise.trial.account import ArmCount, FateCount


def test_marks_of_a_first_draft_are_the_first_thing_to_know(evidence_of) -> None:
    e = evidence_of()
    assert not any("GUESS" in text for text in cautions(e))
    first = cautions(replace(e, marks=tuple(range(4, 12))))[0]
    assert first.startswith("8 lines of the plan are still marked GUESS or WRITE")
    assert "(4, 5, 6, 7, 8, ...)" in first
    assert "1 line of the plan is still marked GUESS or WRITE (7)" in unsettled(
        replace(e, marks=(7,))
    )


def test_a_plan_whose_words_name_another_visit_is_told(evidence_of) -> None:
    e = evidence_of()
    assert not any("contradicts itself" in text for text in cautions(e))
    first, visit = e.plan.visits[1].name, e.plan.primary.visit
    assert first != visit
    estimand = type(e.plan.estimand)(**{key: f"pressure at {first}" for key, _ in e.plan.estimand})
    update = {"title": "A trial", "question": "Is it lower?", "estimand": estimand}
    said = cautions(replace(e, plan=e.plan.model_copy(update=update)))
    assert said[0] == (
        f"The plan contradicts itself: the estimand's variable and the estimand's summary name"
        f" {first}, and the primary contrast, which is the answer above, is at {visit}. One of the"
        " two is not what the protocol asks"
    )


@pytest.mark.parametrize(("made", "told"), [(199, "199 draws"), (52, "52 draws of the plan's 199")])
def test_a_bootstrap_that_ended_early_says_so(evidence_of, made: int, told: str) -> None:
    e = evidence_of()
    own = e.endpoints["SYSBP"]
    drawn = [
        replace(t, p_bootstrap=0.2, bootstrap_error=0.01, bootstrap_draws=made, bootstrap_seed=1)
        for t in own.comparisons.tests
        if not t.refused
    ][:1]
    e.endpoints["SYSBP"] = replace(own, comparisons=replace(own.comparisons, tests=tuple(drawn)))
    notes = " ".join(likelihood_ratios(e, "SYSBP").notes)
    assert told in notes
    assert ("drawing ended when 20 had a statistic as large" in notes) == (made < 199)
    assert draws_made(e, made).startswith(told)


def test_the_plan_reads_back_and_keeps_to_its_column(evidence_of) -> None:
    plan = evidence_of().plan
    text = plan_text(evidence_of())
    assert yaml.safe_load(text) == plan.model_dump(mode="json", exclude_none=True)
    assert any(line.lstrip().startswith("- {name:") for line in text.splitlines())


def test_no_single_reason_hides_behind_a_count(evidence_of) -> None:
    e = evidence_of()
    for many, told in ((6, "6 reason 6"), (7, "13 for 2 other reasons")):
        counts = tuple(
            FateCount("SYSBP", "001", "set aside", f"reason {i}", 2 * many - i if i < 6 else i)
            for i in range(1, many + 1)
        )
        account = replace(e.account, counts=counts, readings=sum(c.readings for c in counts))
        lines = " ".join(left_out_lines(e.plan, account))
        assert told in lines
        assert "1 other reason" not in lines


def test_hospitals_counted_in_several_arms_are_told(evidence_of) -> None:
    for design, told in (("cluster", True), ("individual", False)):
        e = evidence_of(design=design)
        files = len(e.account.files)
        arms = tuple(ArmCount(arm.name, files, 10) for arm in e.plan.arms.order)
        said = flow_caption(replace(e, account=replace(e.account, arms=arms)))
        assert ("is counted in each" in said) == told
