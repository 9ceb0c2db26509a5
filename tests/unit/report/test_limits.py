"""The appendix of a simulated trial: estimates beside their limits, worked out by hand."""

import dataclasses
import math

import pytest

from sitewise.inference.limits import Distance
from sitewise.plan.limits import CONTRAST, RESIDUAL, SHARE, Limit, Limits
from sitewise.report.formatting import NONE
from sitewise.report.section_limits import _icc_note, limits_section


def limits(e, *found: tuple[str, str, float, float]) -> Limits:
    made = [
        Limit("SYSBP", model, e.plan.models[model].formula, quantity, value, error)
        for model, quantity, value, error in found
    ]
    return Limits("individual", "", 7, 3, 100, 2500, tuple(made))


def test_a_real_trial_has_no_such_section(evidence_of) -> None:
    assert limits_section(evidence_of()) is None


def test_the_difference_stands_in_standard_errors(evidence_of) -> None:
    e = evidence_of()
    main = e.plan.primary.model
    result = e.primary_fit("SYSBP").answer.result
    wanted = limits(
        e, (main, CONTRAST, result.estimate - 3 * result.se, 0.0), (main, RESIDUAL, 100.0, 1.0)
    )
    section = limits_section(dataclasses.replace(e, limits=wanted))
    assert section is not None
    assert "3 trials of 100 hospitals and 2500 patients each (seeds 7 to 9)" in section.texts[0]
    rows = [r for r in section.tables[0].rows if len(r.cells) == 7]
    contrast = next(r for r in rows if r.cells[0].text == "Primary contrast")
    assert float(contrast.cells[6].text) == pytest.approx(3.0, abs=0.005)
    residual = next(r for r in rows if r.cells[0].text == "Residual variance")
    assert residual.cells[3].text.strip() == "100.00"
    assert residual.cells[6].text.strip() == NONE


def test_a_limit_outside_the_interval_of_the_site_icc_is_told(evidence_of) -> None:
    e = evidence_of()
    model = e.endpoints["SYSBP"].iccs.models[0]
    item = next(i for i in model.levels if i.level == "SITEID")
    main = e.plan.primary.model
    found = Distance(main, SHARE, item.share, math.nan, 0.0, 0.0, math.nan, math.nan)
    inside, outside = (
        _icc_note(e, "SYSBP", [dataclasses.replace(found, limit=limit)])
        for limit in (item.share, item.upper + 0.01)
    )
    assert "the limit lies in the 95% interval" in inside
    assert "the limit lies outside the 95% interval" in outside
    assert "Chance alone puts it outside in 5% of such trials." in outside
    other = dataclasses.replace(found, estimate=item.share + 0.1)
    assert _icc_note(e, "SYSBP", [other]) == ""


def test_a_formula_that_changed_has_no_limit(evidence_of) -> None:
    e = evidence_of()
    made = limits(e, (e.plan.primary.model, CONTRAST, 0.0, 0.1))
    other = dataclasses.replace(made.limits[0], formula="AVAL ~ 1 + (1 | SITEID)")
    section = limits_section(
        dataclasses.replace(e, limits=dataclasses.replace(made, limits=(other,)))
    )
    texts = {r.cells[0].text for r in section.tables[0].rows}
    assert "no limit is kept of this formula" in texts
    assert "Primary contrast" not in texts
