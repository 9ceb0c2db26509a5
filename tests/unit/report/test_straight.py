"""Straight lines in the report: a table and a finding in section 6, one point on page 1."""

import dataclasses
from typing import Any

import pytest

from sitewise.classical.answer import Answer
from sitewise.classical.straight_result import MeansRow, StraightLines
from sitewise.report.section_ladder import ladders
from sitewise.report.section_straight import straight_cautions
from sitewise.report.table_ladder import straight as lines_of
from sitewise.report.words_models import linear_misfit

NAN = float("nan")


def answer(estimate: float, se: float, p: float) -> Answer:
    return Answer(estimate, se, 60.0, p, estimate - 2 * se, estimate + 2 * se)


def found(p: float, refused: str = "") -> StraightLines:
    rows = (
        MeansRow("primary", "Planned", "AVAL ~ WEEK", "lines", answer(-5.1, 1.9, 0.009), "regular",
                 ""),
        MeansRow("visits", "Planned, a mean for each visit", "AVAL ~ AVISIT", "visits",
                 answer(-5.0, 2.9, 0.079), "regular", ""),
        MeansRow("mmrm_visits", "MMRM, us, a mean for each visit", "AVAL ~ AVISIT", "visits", None,
                 "", "no rows"),
    )  # fmt: skip
    return StraightLines("AVAL ~ WEEK + AVISIT", 2.5, 24, 1415.2, p, "satterthwaite", 59.9, p, rows,
                         refused)  # fmt: skip


@pytest.fixture
def lined(evidence_of):
    """Evidence whose primary model is a line, with these tests of both endpoints."""

    def made(*tests: StraightLines) -> Any:
        e = evidence_of()
        primary = e.plan.primary.model_copy(update={"model": "slope"})
        ends = {}
        for (name, own), test in zip(e.endpoints.items(), tests, strict=True):
            ends[name] = dataclasses.replace(
                own, ladder=dataclasses.replace(own.ladder, straight=test)
            )
        plan = e.plan.model_copy(update={"primary": primary})
        return dataclasses.replace(e, plan=plan, endpoints=ends)

    return made


def test_page_1_has_one_point_for_all_endpoints(lined) -> None:
    (said,) = straight_cautions(lined(found(0.0001), found(0.196)))
    assert said.startswith("The means do not lie on straight lines in week, which the primary")
    assert "SYSBP (F 2.50 on 24 and 1415.2 degrees of freedom, p < 0.001)" in said
    assert "SYSBP \u22125.0 (SE 2.90, p = 0.079) with a mean for each visit; section 6." in said
    assert said.endswith("Of DIABP (p = 0.196) it is not seen.")
    assert straight_cautions(lined(found(0.3), found(0.196))) == []
    (both,) = straight_cautions(lined(found(0.01), found(0.02)))
    assert "SYSBP (F" in both and "DIABP (F" in both and "Not seen" not in both


def test_without_a_test_the_look_of_the_means_speaks(lined) -> None:
    said = straight_cautions(lined(found(NAN, "it did not converge"), found(0.3)))
    assert [text for text in said if text.startswith("SYSBP: the observed means do not lie")]


def test_a_bend_that_the_test_does_not_see_is_not_asserted(lined) -> None:
    seen = linear_misfit(lined(found(0.01), found(0.02)), "SYSBP")
    assert "do not lie on a straight line" in seen and "misfits these means" in seen
    said = linear_misfit(lined(found(0.196), found(0.02)), "SYSBP")
    assert "look bent in week" in said and "does not see it (p = 0.196)" in said
    assert "if the bend is real, the answer is the difference between two lines" in said
    assert "do not lie" not in said and "misfit" not in said


def test_section_6_says_what_was_found_and_tables_it(lined) -> None:
    e = lined(found(0.0001), found(0.196))
    bent, flat = ladders(e)
    assert "adds to the straight lines of the primary model: F 2.50 on 24" in bent.straight_text
    assert "The course is not straight" in bent.straight_text
    assert (
        "\u22125.0 (SE 2.90, p = 0.079) with the primary model's covariance" in bent.straight_text
    )
    assert "is not seen to add" in flat.straight_text
    assert "does not show the lines to be right" in flat.straight_text
    cells = [[c.text.strip() for c in r.cells] for r in bent.straight.rows]
    assert cells[0][0] == "Planned (primary)"
    assert cells[2][1:] == ["not estimable", *["\u2013"] * 3]
    assert any("no rows" in note for note in bent.straight.notes)
    assert any("no visit means here" in note for note in bent.table.notes)
    lines = list(lines_of(e))
    assert len(lines) == 6
    assert (lines[1]["key"], lines[1]["p"], lines[1]["f"]) == ("visits", 0.079, 2.5)


def test_a_refusal_is_told(lined) -> None:
    first, _ = ladders(lined(found(NAN, "it did not converge"), found(0.3)))
    assert first.straight_text.endswith("could not be tested: it did not converge.")


def test_nothing_where_the_primary_model_is_no_line(evidence_of) -> None:
    first = ladders(evidence_of())[0]
    assert (first.straight, first.straight_text) == (None, "")
    assert not any("no visit means here" in note for note in first.table.notes)
