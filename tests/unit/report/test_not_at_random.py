"""Readings missing not at random in the report: one table an endpoint, one sentence on page 1."""

import dataclasses
import math
from typing import Any

import pytest

from sitewise.classical.answer import Answer
from sitewise.classical.not_at_random_result import (
    ArmShifted,
    NotAtRandom,
    Shifted,
    Tipping,
    Unseen,
)
from sitewise.report.section_not_at_random import (
    not_at_random_table,
    not_at_random_words,
    tipping_sentence,
)
from sitewise.report.table_ladder import not_at_random as lines_of

NAN = math.nan


def answer(estimate: float) -> Answer:
    return Answer(estimate, 1.2, 60.0, 0.02, estimate - 2.4, estimate + 2.4)


def found(
    tip: float = 4.04, *, missing: int = 6, held: bool = False, **changes: Any
) -> NotAtRandom:
    own = Unseen("Active", 20, missing, 0.01, 19.0, 0.002)
    reference = Unseen("Placebo", 16, missing // 2, 0.01, 15.0, 0.002)
    shifted = tuple(
        Shifted(where, delta, answer(-3 + delta * share))
        for where, share in (("arm", 0.3), ("reference", -0.1875), ("both", 0.1125))
        for delta in (-5.0, 5.0)
    )
    tipping = (Tipping("arm", tip, 10.0, held), Tipping("reference", NAN, -16.0, held),
               Tipping("both", NAN, NAN, held))  # fmt: skip
    one = ArmShifted("Active", "Active minus Placebo at Month 4", answer(-3.0), own, reference,
                     shifted, tipping)  # fmt: skip
    whole = NotAtRandom("primary", "Planned", "AVAL ~ 1", "regular", "USUBJID", 9.9, (-5.0, 5.0),
                        False, (one,), (), "")  # fmt: skip
    return dataclasses.replace(whole, **changes)


@pytest.fixture
def with_found(evidence_of):
    """Evidence with this result of the first endpoint."""

    def made(one: NotAtRandom | None) -> Any:
        e = evidence_of()
        name, own = next(iter(e.endpoints.items()))
        own = dataclasses.replace(own, ladder=dataclasses.replace(own.ladder, not_at_random=one))
        return dataclasses.replace(e, endpoints={**e.endpoints, name: own})

    return made


def test_the_table_has_a_row_a_delta_and_the_tipping_points(with_found) -> None:
    e = with_found(found())
    made = not_at_random_table(e, "SYSBP", found())
    cells = [[cell.text.strip() for cell in row.cells] for row in made.rows]
    assert cells[0] == ["Active minus Placebo at Month 4"]
    assert [row[0] for row in cells[1:4]] == ["\u22125.0", "0", "+5.0"]
    assert cells[1][1] == "\u22124.5 (\u22126.9 to \u22122.1)"
    assert cells[3][3] == "\u22123.9 (\u22126.3 to \u22121.5)"
    assert [cells[4][i] for i in (1, 3, 5)] == ["+4.0", "\u2013", "\u2013"]
    assert [cells[5][i] for i in (1, 3, 5)] == ["+10.0", "\u221216.0", "\u2013"]
    assert "1/4, 1/2 and 1 SD" in " ".join(made.notes)
    near = not_at_random_table(e, "SYSBP", found(tip=0.01))
    assert near.rows[4].cells[1].text.strip() == "0.0"
    planned = not_at_random_table(e, "SYSBP", found(planned=True))
    assert "The deltas are the plan's." in " ".join(planned.notes)


def test_words_say_who_is_unseen_and_what_would_tip_the_answer(with_found) -> None:
    first, tips = not_at_random_words(with_found(found()), "SYSBP", found())
    assert "3 (18.8%) of 16 on Placebo and 6 (30.0%) of 20 on Active have no reading" in first
    assert tips.endswith("reaches 0 at a delta of +4.0 mmHg for those on Active alone.")
    (_, held) = not_at_random_words(with_found(found()), "SYSBP", found(held=True, tip=NAN))
    assert held.endswith("the interval \u22125.4 to \u22120.6 holds 0 as it stands, without"
                         " any delta.")  # fmt: skip
    first, _ = not_at_random_words(
        with_found(found()), "SYSBP", found(model="mmrm_visits", label="MMRM, us")
    )
    assert "The start is the contrast by MMRM, us, since a shift at one visit is no shift" in first


def test_without_anything_missing_or_computed_there_are_words_only(with_found) -> None:
    e = with_found(None)
    none = found(missing=0)
    assert not_at_random_table(e, "SYSBP", none) is None
    assert not_at_random_words(e, "SYSBP", none)[0].startswith("Every patient of the analysis set")
    refused = found(arms=(), refused="the primary model did not converge")
    assert not_at_random_table(e, "SYSBP", refused) is None
    (said,) = not_at_random_words(e, "SYSBP", refused)
    assert said.endswith("was not computed: the primary model did not converge.")


def test_page_1_tells_a_delta_within_reach_that_would_undo_a_claim(with_found) -> None:
    said = tipping_sentence(with_found(found()))
    assert said == (
        " If those on Active without a reading at Month 4 (6 of 20 analysed) were on average"
        " 4.0 mmHg higher in SYSBP than the model predicts, and the others as it predicts, the"
        " interval there would reach 0; section 6."
    )
    assert tipping_sentence(with_found(found(tip=5.1))) == ""  # further than any delta
    assert tipping_sentence(with_found(found(tip=NAN, held=True))) == ""
    assert tipping_sentence(with_found(None)) == ""


def test_the_file_has_every_number(with_found) -> None:
    lines = list(lines_of(with_found(found())))
    assert [line["what"] for line in lines] == [
        "at random", *["delta"] * 6, *["interval reaches 0", "estimate is 0"] * 3
    ]  # fmt: skip
    assert lines[0]["missing"] == 6
    assert lines[0]["missing_reference"] == 3
    assert lines[1]["estimate"] == pytest.approx(-4.5)
    assert (lines[7]["where"], lines[7]["delta"]) == ("arm", 4.04)
