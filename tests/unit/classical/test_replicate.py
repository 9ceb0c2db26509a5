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


SETTINGS = {
    "engine": "auto", "max_rows": 1000, "statsmodels_rows": 1000,
    "tolerance": 0.001, "tolerance_numbers": 0.01,
}  # fmt: skip


@pytest.fixture
def settled(replan):
    return lambda **changes: replan(replication=SETTINGS | changes)


@pytest.mark.parametrize("engine", ["statsmodels", "mixedlm"])
def test_agrees_with_every_number(settled, make_trial, facts, engine):
    frame = make_trial()
    row = of(settled(engine=engine), frame, facts(frame))
    assert row.status == "agrees"
    assert row.engine.startswith(engine)
    kinds = [n.kind for n in row.numbers]
    assert kinds == ["loglik"] + 6 * ["fixef"] + 6 * ["se"] + 3 * ["variance"]
    for number in row.numbers:
        tolerance = {"loglik": 1e-6, "se": 1e-4}.get(number.kind, 1e-3)
        assert number.second == pytest.approx(number.first, rel=tolerance, abs=1e-4)
        assert number.difference == number.second - number.first
        assert not number.beyond
    assert (row.stopped_short, row.higher) == ("", "")


def test_the_lower_likelihood_is_named(plan, make_trial, facts):
    frame = make_trial()
    fit = facts(frame)
    short = of(plan, frame, moved(fit, -0.5))
    found = (short.status, short.stopped_short, short.higher)
    assert found == ("disagrees", "sitewise.lmm", "statsmodels")
    other = of(plan, frame, moved(fit, 0.5))
    found = (other.status, other.stopped_short, other.higher)
    assert found == ("disagrees", "statsmodels", "sitewise.lmm")
    assert "0.001" in other.reason


@pytest.mark.parametrize("case", ["fixef", "se"])
def test_one_number_apart_is_a_disagreement(plan, make_trial, facts, case):
    frame = make_trial()
    fit = facts(frame)
    names = f"{case} AVISITMonth 6"
    fixef, vcov = [dict(e) for e in fit["fit"]["fixef"]], [list(v) for v in fit["fit"]["vcov"]]
    at = [e["name"] for e in fixef].index("AVISITMonth 6")
    if case == "fixef":
        fixef[at]["estimate"] += 0.02 * fixef[at]["se"]
    else:  # of the likelihood's own covariance: the other engines correct nothing
        vcov[at][at] *= 1.02**2
    row = of(plan, frame, fit | {"fit": fit["fit"] | {"fixef": fixef, "vcov": vcov}})
    assert [f"{n.kind} {n.name}" for n in row.numbers if n.beyond] == [names]
    assert (row.status, row.stopped_short) == ("disagrees", "")
    assert names in row.reason
    assert row.higher == "neither"


def test_variances_near_zero_are_held_against_the_residual_one(plan, make_trial, facts):
    frame = make_trial()
    # Each patient's mean becomes that of the arm: no variance between patients.
    shift = frame.groupby("USUBJID")["AVAL"].transform("mean")
    shift -= frame.groupby("TRT01P")["AVAL"].transform("mean")
    fit = facts(frame.assign(AVAL=frame["AVAL"] - shift), "patient")
    (term,) = fit["fit"]["random"]
    assert list(term["variances"]) == [0.0]

    def held(value):
        changed = fit | {"fit": fit["fit"] | {"random": [term | {"variances": [value]}]}}
        row = of(plan, frame.assign(AVAL=frame["AVAL"] - shift), changed)
        return next(n for n in row.numbers if n.kind == "variance")

    # The residual variance is about 36, a hundredth of it the scale, 1% of that the tolerance.
    assert not held(0.0).beyond
    assert held(0.1).beyond


def test_statsmodels_gives_way_to_mixedlm(plan, settled, make_trial, facts):
    frame = make_trial()
    slope = of(plan, frame, facts(frame, "slope"))
    assert slope.engine.startswith("mixedlm")
    assert slope.status in ("agrees", "disagrees")
    large = of(settled(statsmodels_rows=100), frame, facts(frame))
    assert large.engine.startswith("mixedlm")
    assert large.status == "agrees"


def test_skipped_failed_and_not_expressible_say_why(plan, settled, make_trial, facts):
    frame = make_trial()
    fit = facts(frame)
    none = of(settled(engine="none"), frame, fit)
    assert (none.status, none.numbers) == ("skipped", ())
    assert "144 rows" in of(settled(max_rows=10), frame, fit).reason
    fewer = of(plan, frame.iloc[3:], fit)
    assert (fewer.status, "144" in fewer.reason, "141" in fewer.reason) == ("failed", True, True)
    slope = of(settled(engine="statsmodels"), frame, facts(frame, "slope"))
    assert slope.status == "not expressible"
    assert "(1 + WEEK | USUBJID)" in slope.reason


def test_a_residual_covariance_is_not_replicated(plan, make_trial, facts):
    frame = make_trial()
    fit = facts(frame)
    text = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + us(AVISIT | USUBJID)"
    row = of(plan, frame, fit | {"fit": fit["fit"] | {"formula": text}})
    assert row.status == "not expressible"
    for engine in ("statsmodels", "mixedlm"):
        assert f"{engine} has no residual covariance (us(AVISIT | USUBJID))" in row.reason


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
    part = read_part(part_data(plan, "replicate"))
    first = replicate_fits(plan, frame, "SYSBP", fit)
    assert replicate_fits(part, frame, "SYSBP", fit) == first
    assert from_plain(to_plain(first), type(first)) == first
