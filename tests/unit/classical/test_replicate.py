"""The verdict of a replication, and what is skipped."""

import pytest

from sitewise.classical.replicate import replicate_fits
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import from_plain, to_plain


def of(plan, frame, facts):
    (row,) = replicate_fits(plan, frame, "SYSBP", {facts["model"]: facts}).rows
    return row


def moved(facts, loglik):
    return facts | {"fit": facts["fit"] | {"loglik": facts["fit"]["loglik"] + loglik}}


def test_agrees_with_every_number(plan, make_trial, facts):
    frame = make_trial()
    row = of(plan, frame, facts(frame))
    assert row.status == "agrees"
    kinds = [n.kind for n in row.numbers]
    assert kinds == ["loglik"] + 6 * ["fixef"] + 6 * ["se"] + 3 * ["variance"]
    for number in row.numbers:
        # SEs: the second engine takes the observed information, the first the expected one.
        tolerance = {"loglik": 1e-6, "se": 5e-3}.get(number.kind, 1e-3)
        assert number.second == pytest.approx(number.first, rel=tolerance, abs=1e-4)
        assert number.difference == number.second - number.first
    assert row.stopped_short == ""


def test_the_lower_likelihood_is_named(plan, make_trial, facts):
    frame = make_trial()
    fit = facts(frame)
    short = of(plan, frame, moved(fit, -0.5))
    assert (short.status, short.stopped_short) == ("disagrees", fit["fit"]["optimum"]["engine"])
    other = of(plan, frame, moved(fit, 0.5))
    assert (other.status, other.stopped_short) == ("disagrees", "statsmodels MixedLM")
    assert "0.001" in other.reason


def test_skipped_failed_and_not_expressible_say_why(plan, replan, make_trial, facts):
    frame = make_trial()
    fit = facts(frame)
    none = replan(replication={"engine": "none", "max_rows": 10, "tolerance": 0.001})
    assert (of(none, frame, fit).status, of(none, frame, fit).numbers) == ("skipped", ())
    small = replan(replication={"engine": "statsmodels", "max_rows": 10, "tolerance": 0.001})
    assert "144 rows" in of(small, frame, fit).reason
    fewer = of(plan, frame.iloc[3:], fit)
    assert (fewer.status, "144" in fewer.reason, "141" in fewer.reason) == ("failed", True, True)
    slope = of(plan, frame, facts(frame, "slope"))
    assert slope.status == "not expressible"
    assert "(1 + WEEK | USUBJID)" in slope.reason


def test_warnings_are_data_and_none_escapes(plan, make_trial, facts):
    # Without patient variance lbfgs breaks down on the boundary; pytest makes warnings errors.
    frame = make_trial(patient_sd=0.0, seed=2)
    row = of(plan, frame, facts(frame, "patient"))
    assert row.status in ("agrees", "disagrees")
    assert any("boundary" in text or "singular" in text.lower() for text in row.warnings)
    assert len(set(row.warnings)) == len(row.warnings)


def test_same_result_from_the_rule_s_part_of_the_plan(plan, make_trial, facts):
    frame = make_trial()
    fit = {"nested": facts(frame)}
    part = read_part(part_data(plan, "replicate", endpoint="SYSBP"))
    first = replicate_fits(plan, frame, "SYSBP", fit)
    assert replicate_fits(part, frame, "SYSBP", fit) == first
    assert from_plain(to_plain(first), type(first)) == first
