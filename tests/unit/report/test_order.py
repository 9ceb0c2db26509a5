"""The order of testing over visits in the report: sentence, table, places, file."""

import dataclasses
import math

import pytest

from sitewise.plan.order import Hypothesis
from sitewise.report import section_order, table_lines, words_methods
from sitewise.report.section_models import _fixed as fixed_effects
from sitewise.report.section_visits import by_visit
from sitewise.report.standing import standing

ORDER = (("SYSBP", "Month 4"), ("SYSBP", "Month 2"), ("DIABP", "Month 4"))


def planned(e, numbers):
    """The evidence with this order, and (estimate, p) of each step."""
    steps = tuple(Hypothesis(endpoint=n, visit=v, arm="Active") for n, v in ORDER)
    e = dataclasses.replace(e, plan=e.plan.model_copy(update={"hierarchy": steps}))
    for (name, visit), (estimate, p) in zip(ORDER, numbers, strict=True):
        fits, fit = e.endpoints[name].fits, e.primary_fit(name)
        made = []
        for c in fit.contrasts:
            if (c.arm, c.visit, c.kind) == ("Active", visit, "change"):
                result = dataclasses.replace(c.result, estimate=estimate, p=p)
                c = dataclasses.replace(c, result=result)  # noqa: PLW2901
            made.append(c)
        primary = next(
            c for c in made if (c.arm, c.visit, c.kind) == ("Active", "Month 4", "change")
        )
        fits[fit.model] = dataclasses.replace(fit, contrasts=tuple(made), primary=primary)
    return e


def results(e) -> list[tuple[str, str]]:
    return [(line["result"], line["place"]) for line in table_lines.hierarchy(e)]


def test_all_steps_succeed(evidence_of) -> None:
    e = planned(evidence_of(), [(-4.0, 0.001), (-3.0, 0.02), (-2.0, 0.01)])
    assert [r for r, _ in results(e)] == ["significant"] * 3
    said = section_order.order_sentence(e)
    assert said.endswith(
        "all are significant (SYSBP at Month 4, SYSBP at Month 2 and DIABP at Month 4)."
    )
    place = standing(e, "DIABP")
    assert (place.kind, place.claim) == ("tested", True)
    assert place.note == (
        "DIABP at Month 4 tested after SYSBP at Month 4 and SYSBP at Month 2, which came first and"
        " were significant in favour of Active"
    )
    adjusted = [line["p_adjusted"] for line in table_lines.hierarchy(e)]
    assert adjusted == [0.001, 0.02, 0.02]


@pytest.mark.parametrize(
    ("second", "why"),
    [((-1.0, 0.2), "was not significant (p = 0.200)"),
     ((3.0, 0.01), "was significant in favour of Placebo (p = 0.010)"),
     ((-1.0, math.nan), "was not significant")],
)  # fmt: skip
def test_a_visit_stops_the_order(evidence_of, second, why: str) -> None:
    e = planned(evidence_of(), [(-4.0, 0.001), second, (-2.0, 0.001)])
    assert [r for r, _ in results(e)] == ["significant", "fails", "not tested"]
    place = standing(e, "DIABP")
    assert (place.kind, place.claim, place.marker) == ("not tested", False, "\u2020")
    assert f"SYSBP at Month 2 came first and {why}" in place.note
    assert "so that DIABP at Month 4 is not tested" in section_order.order_sentence(e)
    lines = list(table_lines.hierarchy(e))
    assert math.isnan(lines[2]["p_adjusted"])


def test_each_contrast_carries_its_own_place(evidence_of) -> None:
    e = planned(evidence_of(), [(-4.0, 0.001), (-1.0, 0.2), (-2.0, 0.001)])
    table = by_visit(e, e.primary_fit("SYSBP"))
    marks = {r.cells[0].text: r.cells[-1].marker for r in table.rows if len(r.cells) > 1}
    assert marks["Month 4 (primary contrast)"] == ""
    assert marks["Month 2"] == "\u2021"
    assert any("steps of the order of testing" in note for note in table.notes)
    at = {(c["endpoint"], c["visit"], c["kind"]): c["place"] for c in table_lines.contrasts(e)
          if c["model"] == "site_by_visit" and c["arm"] == "Active"}  # fmt: skip
    assert at["SYSBP", "Month 4", "change"] == "first in the order of testing"
    assert at["SYSBP", "Month 2", "change"].startswith("SYSBP at Month 2 tested after SYSBP at")
    assert at["SYSBP", "Month 2", "level"].startswith("descriptive")


def test_the_table_and_the_method(evidence_of) -> None:
    e = planned(evidence_of(), [(-4.0, 0.001), (-1.0, 0.2), (-2.0, 0.001)])
    table = section_order.order_table(e)
    assert [r.cells[1].text for r in table.rows] == [f"{n} at {v}" for n, v in ORDER]
    assert [r.cells[-1].text for r in table.rows] == ["significant", "fails", "not tested"]
    assert [r.cells[-2].text.strip() for r in table.rows] == ["0.001", "0.200", "\u2013"]
    said = next(m for m in words_methods.methods(e) if m.title == "Order of testing")
    assert "SYSBP at Month 4, SYSBP at Month 2, DIABP at Month 4. Each is tested" in said.text
    assert said.references == ("Maurer 1995",)


def test_without_listed_steps_the_front_page_is_as_before(evidence_of) -> None:
    e = evidence_of()
    assert section_order.order_sentence(e) == ""
    assert section_order.order_table(e) is None
    assert [line["endpoint"] for line in table_lines.hierarchy(e)] == ["SYSBP", "DIABP"]


def test_the_sign_of_a_test_stands_at_what_was_tested_alone(evidence_of) -> None:
    e = planned(evidence_of(), [(-4.0, 0.001), (-3.0, 0.02), (-2.0, 0.01)])
    fit = e.primary_fit("DIABP")
    tables = {"coefficients": fixed_effects(e, fit), "visits": by_visit(e, fit)}
    marked = {
        name: [row.cells[0].text for row in table.rows if row.cells[-1].marker]
        for name, table in tables.items()
    }
    assert marked == {"coefficients": [], "visits": ["Month 4 (primary contrast)"]}
    noted = {name: [n for n in t.notes if n.startswith("\u2021")] for name, t in tables.items()}
    assert noted["coefficients"] == []
    assert len(noted["visits"]) == 1
