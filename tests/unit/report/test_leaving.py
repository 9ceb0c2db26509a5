"""Why patients were not seen: the same counts in table, figure, files and sentences."""

from dataclasses import replace
from typing import Any

import pytest

from sitewise.plan.leaving import Leaving
from sitewise.report import table_flow
from sitewise.report.draw_flow import draw_flow
from sitewise.report.leaving import MOST_REASONS, NONE_GIVEN, absent
from sitewise.report.section_flow import flow
from sitewise.report.words_cautions import cautions
from sitewise.report.words_leaving import (
    NO_COLUMN,
    reasons_given,
    why_absent,
    why_absent_by_arm,
)
from sitewise.report.words_patients import missing_sentence
from sitewise.report.words_pictures import flow_alt, flow_caption
from sitewise.trial.description import LeavingRow

COUNTS = {"adverse event": (3, 1), "lost to follow-up": (1, 1), "": (2, 0)}


def with_reasons(e: Any, counts: dict[str, tuple[int, int]], present: int = 0) -> Any:
    """The evidence with patients absent at the primary visit by reason, two arms."""
    arms = [arm.name for arm in e.plan.arms.order]
    rows = tuple(
        LeavingRow("SYSBP", e.plan.primary.visit, arm, reason, own[i], present if reason else 0)
        for i, arm in enumerate(arms)
        for reason, own in counts.items()
    )
    plan = e.plan.model_copy(update={"leaving": Leaving(column="dcsreas")})
    return replace(e, plan=plan, description=replace(e.description, leaving=rows))


@pytest.fixture
def told(evidence_of: Any) -> Any:
    return with_reasons(evidence_of(), COUNTS)


def test_the_table_has_them_by_arm_and_none_given(told: Any) -> None:
    visit = told.plan.primary.visit
    rows = {line.cells[0].text: [cell.text for cell in line.cells[1:]] for line in flow(told).rows}
    own = {label: cells for label, cells in rows.items() if label.startswith("not seen")}
    assert list(own) == [
        f"not seen at {visit}",
        f"not seen at {visit}: adverse event",
        f"not seen at {visit}: lost to follow-up",
        f"not seen at {visit}: {NONE_GIVEN}",
    ]
    assert [int(cells[0].split(" ")[0]) for cells in own.values()] == [6, 3, 1, 2]
    assert [int(cells[1].split(" ")[0]) for cells in own.values()] == [2, 1, 1, 0]
    assert any("dcsreas" in note for note in flow(told).notes)
    assert NO_COLUMN not in flow(told).notes


def test_the_figure_and_its_words_have_them(told: Any) -> None:
    drawn = draw_flow(told.plan, told.account, told.description)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert f"Not seen at {told.plan.primary.visit}:" in texts
    assert texts.count("adverse event") == len(told.plan.arms.order)
    assert texts.count(NONE_GIVEN) == len(told.plan.arms.order)
    assert f"6 (adverse event 3, lost to follow-up 1 and {NONE_GIVEN} 2)" in flow_alt(told)
    assert "reason for leaving early" in flow_caption(told)


def test_the_file_has_them(told: Any) -> None:
    arm = told.plan.arms.order[0].name
    lines = {
        line["measure"]: line["patients"]
        for line in table_flow.flow(told)
        if line["arm"] == arm and line["measure"].startswith("patients not seen")
    }
    assert lines == {
        "patients not seen at the visit: adverse event": 3,
        "patients not seen at the visit: lost to follow-up": 1,
        f"patients not seen at the visit: {NONE_GIVEN}": 2,
    }


def test_sentences_add_up(told: Any) -> None:
    arms, visit = [arm.name for arm in told.plan.arms.order], told.plan.primary.visit
    assert why_absent(told, "SYSBP") == (
        f"8 patients have no reading of SYSBP at {visit}. Reasons in the hospital files: 4 adverse"
        " event and 2 lost to follow-up; for 2 they give none."
    )
    assert why_absent_by_arm(told, "SYSBP") == (
        f"8 patients have no reading of SYSBP at {visit}. By reason: adverse event {arms[0]} 3 and"
        f" {arms[1]} 1; lost to follow-up {arms[0]} 1 and {arms[1]} 1; {NONE_GIVEN} {arms[0]} 2 and"
        f" {arms[1]} 0."
    )


def test_a_reason_of_patients_who_were_seen_is_said(evidence_of: Any) -> None:
    e = with_reasons(evidence_of(), COUNTS, present=1)
    assert "4 patients have a reason for leaving early and a reading at" in why_absent(e, "SYSBP")


def test_files_that_give_no_reason_are_said_to(evidence_of: Any) -> None:
    e = with_reasons(evidence_of(), {"": (5, 4)})
    assert why_absent(e, "SYSBP").endswith("the hospital files give no reason for any of them.")
    nobody = with_reasons(evidence_of(), {"": (0, 0)})
    assert why_absent(nobody, "SYSBP").startswith("No patient is without a reading of SYSBP")


def test_many_reasons_lose_no_patient(evidence_of: Any) -> None:
    counts = {f"note {i:02d}": (40 - i, 1) for i in range(30)} | {"": (1, 2)}
    (own,) = absent(with_reasons(evidence_of(), counts).description, "SYSBP")
    assert len(own.reasons) == MOST_REASONS + 2
    assert own.reasons[-2][0] == f"{30 - MOST_REASONS} other reasons"
    assert own.by_arm == tuple(sum(numbers[i] for numbers in counts.values()) for i in (0, 1))


def test_without_a_column_one_sentence_says_so(evidence_of: Any) -> None:
    e = evidence_of()
    assert NO_COLUMN in flow(e).notes
    assert why_absent(e, "SYSBP") == why_absent_by_arm(e, "SYSBP") == ""
    assert not [line for line in table_flow.flow(e) if "not seen" in line["measure"]]
    drawn = draw_flow(e.plan, e.account, e.description)
    assert not [t for t in drawn.axes[0].texts if t.get_text().startswith("Not seen")]


def test_the_caution_on_missing_readings_says_why(told: Any, evidence_of: Any) -> None:
    said = missing_sentence(told)
    assert (
        " Reasons in the hospital files: 4 adverse event and 2 lost to follow-up; for 2 they give"
        " none."
    ) in said
    told_of, rests = (i for i, text in enumerate(cautions(told)) if text == said or "rests" in text)
    assert rests == told_of + 1
    assert said.replace(" " + reasons_given(told, "SYSBP"), "") == missing_sentence(evidence_of())
