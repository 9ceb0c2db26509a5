"""Singular fits, fits that did not converge and covariances passed over reach the first page."""

import dataclasses
from typing import Any

import pytest

from sitewise.report.section_models import formulas
from sitewise.report.words_cautions import cautions
from sitewise.report.words_front import model_sentence
from sitewise.report.words_states import fit_states, states_in_short, stopped_states

NAME = "SYSBP"


def with_own(e: Any, **changes: Any) -> Any:
    own = dataclasses.replace(e.endpoints[NAME], **changes)
    return dataclasses.replace(e, endpoints={**e.endpoints, NAME: own})


def with_ladder(e: Any, **changes: Any) -> Any:
    return with_own(e, ladder=dataclasses.replace(e.endpoints[NAME].ladder, **changes))


def said(e: Any) -> list[str]:
    return [text for text in cautions(e) if text.startswith((NAME, f"{NAME} and"))]


def test_rungs_and_covariances_are_told(evidence_of) -> None:
    text = " ".join(said(evidence_of()))
    assert "did not converge, so that nothing of them is shown: three levels, random slope" in text
    assert "singular (a variance at 0 or a correlation of 1): three levels: patients" in text
    assert (
        "deviation from the plan: MMRM beside the primary analysis: the residual covariance" in text
    )


@pytest.mark.parametrize("state", ["singular", "not converged"])
def test_every_kind_of_analysis_is_told(evidence_of, state: str) -> None:
    e = evidence_of(design="cluster")
    own = e.endpoints[NAME]
    quiet = with_ladder(
        e, baseline=None, left_out=(), rungs=(),
        covariance=dataclasses.replace(own.ladder.covariance, deviations=()),
    )  # fmt: skip
    steps = dataclasses.replace(own.reconciliation, steps=())
    quiet = with_own(quiet, reconciliation=steps)
    assert not any("beside the primary one" in text for text in said(quiet))
    baseline = dataclasses.replace(
        own.ladder.baseline,
        rows=(dataclasses.replace(own.ladder.baseline.rows[0], state=state),),
    )
    left = (dataclasses.replace(own.ladder.left_out[0], state=state),)
    step = dataclasses.replace(own.reconciliation.steps[-1], state=state, unchanged=False)
    rung = dataclasses.replace(own.ladder.rungs[2], state=state)
    form = evidence_of().endpoints[NAME].by_site
    random = dataclasses.replace(form.random, state=state)
    for changed, words in (
        (with_ladder(quiet, baseline=baseline), "baseline as"),
        (with_ladder(quiet, left_out=left), "without site 001"),
        (with_ladder(quiet, rungs=(rung,)), "patient random intercept"),
        (with_own(quiet, by_site=dataclasses.replace(form, random=random)), "sites as random"),
        (with_own(quiet, reconciliation=dataclasses.replace(steps, steps=(step,))),
         "reconciliation, "),
    ):  # fmt: skip
        found = [text for text in said(changed) if "beside the primary one" in text]
        assert len(found) == 1, words
        assert words in found[0] and state.rsplit(maxsplit=1)[-1].removesuffix("d") in found[0]


def test_what_is_pushed_to_the_next_page_is_named_on_the_first(evidence_of) -> None:
    from sitewise.report.section_front import _further_note

    e = evidence_of()
    states = fit_states(e)
    assert len(states) >= 3
    note = _further_note(e, ("another", *states[:2]))
    assert "3 further points" in note
    assert "2 of them on fits that are singular, did not converge or were passed over" in note
    assert "fits" not in _further_note(e, ("another",))
    assert "; both are on fits that are" in _further_note(e, states[:2])
    assert "; it is on fits that are" in _further_note(e, states[:1])


def test_the_first_page_names_fits_whose_points_are_on_the_next(evidence_of) -> None:
    from sitewise.report.section_front import _further_note

    e = evidence_of()
    models = [f.model for f in e.ordered_fits(NAME) if f.fit.singularity.singular]
    assert models
    named = states_in_short(e)
    assert f"singular: {models[0]}" in named
    assert f"({named})" in _further_note(e, fit_states(e))
    gone = states_in_short(stopped(e))
    assert gone.startswith(f"not converged: {e.plan.primary.model}")
    left = e.endpoints[NAME].ladder.left_out
    odd = tuple(dataclasses.replace(one, state="singular") for one in left)
    own = e.endpoints[NAME]
    rungs = own.ladder.rungs
    many = tuple(
        dataclasses.replace(r, label=f"Rung {i}", state="singular", planned=False)
        for i, r in enumerate(r for r in rungs if r.formula)
    )
    e.endpoints[NAME] = dataclasses.replace(
        own, ladder=dataclasses.replace(own.ladder, left_out=odd, rungs=many)
    )
    assert states_in_short(e).endswith(" more")


def stopped(e: Any) -> Any:
    fits = e.endpoints[NAME].fits
    model = e.plan.primary.model
    own = dataclasses.replace(
        fits[model], fit=dataclasses.replace(fits[model].fit, converged=False)
    )
    return with_own(e, fits={**fits, model: own})


def test_nothing_of_a_primary_fit_that_stopped_is_compared(evidence_of) -> None:
    from sitewise.report.section_models import components, models
    from sitewise.report.words_ladder import direction, left_out_words
    from sitewise.report.words_sites import primary_contrasts

    e = stopped(evidence_of())
    ladder = e.endpoints[NAME].ladder
    rungs = tuple(
        dataclasses.replace(r, state="not converged") if r.planned else r for r in ladder.rungs
    )
    e = with_ladder(e, rungs=rungs)
    assert "did not converge" in direction(e, NAME)
    assert left_out_words(e, NAME) == ""
    assert primary_contrasts(e, NAME) == ()
    table = components(e, e.primary_fit(NAME))
    assert [c.text for r in table.rows for c in r.cells] == ["not converged", "\u2013"]
    drawn = {
        f"{n}-{k}.svg": "data:,"
        for n in e.endpoints
        for k in ("residuals", "marginal", "models", "ladder")
    }
    for shown in models(e, drawn)[0].all_models:
        column = [c.title for c in shown.columns].index(e.plan.primary.model)
        effects = [r.cells[column].text.strip() for r in shown.rows if len(r.cells) > column]
        assert "(" not in "".join(effects[: len(effects) - 5])
        assert any("did not converge" in note for note in shown.notes)


def test_fixed_effects_show_f_beside_the_chi_square(evidence_of) -> None:
    from sitewise.report.section_comparisons import tests_table

    e = evidence_of()
    found = e.endpoints[NAME].comparisons
    plain = tests_table(e, NAME)
    assert any("about the covariance" in note for note in plain.notes)
    first = dataclasses.replace(
        found.tests[0], df_fixed=2, f=3.004, f_df1=2, f_df2=59.4, f_p=0.0571
    )
    e = with_own(e, comparisons=dataclasses.replace(found, tests=(first, *found.tests[1:])))
    notes = " ".join(tests_table(e, NAME).notes)
    assert "2 fixed effects: F 3.00 on 2 and 59.4 degrees of freedom, p = 0.057" in notes
    assert "F is the test" in notes and "about the covariance" not in notes


def gave_way(e, formula="AVAL ~ AVISIT*TRT01P + {}(AVISIT | USUBJID)"):
    """Evidence whose primary model was planned with us and fitted with csh."""
    primary = e.plan.primary.model
    planned = e.plan.models[primary].model_copy(update={"formula": formula.format("us")})
    e = dataclasses.replace(
        e, plan=e.plan.model_copy(update={"models": {**e.plan.models, primary: planned}})
    )
    said = (
        "Deviation from the plan's formula: the residual covariance is csh, by the plan's order, in"
        " place of us. Passed over: us: the fit did not converge: the gradient is not 0 (0.0021)."
    )
    for name in e.endpoints:
        own = e.primary_fit(name)
        fitted = dataclasses.replace(own.fit, formula=formula.format("csh"))
        e.endpoints[name].fits[primary] = dataclasses.replace(
            own, fit=fitted, departures=(said,), cautions=(said, *own.cautions)
        )
    return e


def test_what_a_model_gave_way_to_is_told_once(evidence_of) -> None:
    e = evidence_of()
    mmrm = "deviation from the plan: MMRM beside the primary analysis"
    assert [text for text in stopped_states(e) if mmrm in text]
    e = gave_way(e)
    assert not [text for text in stopped_states(e) if mmrm in text]
    assert "it was fitted as" in model_sentence(e)
    primary = e.plan.primary.model
    (note,) = [n for n in formulas(e).notes if n.startswith(f"SYSBP, {primary}: fitted as")]
    assert "the gradient is not 0" in note


def test_the_first_page_tells_departures_without_numbers_of_a_search(evidence_of) -> None:
    from sitewise.report.words_cautions import cautions

    told = cautions(gave_way(evidence_of()))
    assert not [text for text in told if "gradient" in text or "Passed over" in text]
    (said,) = [text for text in told if "could not be estimated from these data" in text]
    assert said.startswith("SYSBP and DIABP: deviation from the plan, the primary model")
    assert "us (a variance for each visit, a correlation for each pair of visits)" in said
    assert "csh (a variance for each visit, one correlation) was taken" in said


def test_a_term_that_was_dropped_is_told_by_name(evidence_of) -> None:
    from sitewise.report.words_departures import model_departures

    e = evidence_of()
    fit = e.primary_fit("SYSBP")
    planned = e.plan.models[fit.model].formula
    assert "(1 | SITEID)" in planned
    smaller = planned.replace("(1 | SITEID) + ", "").replace(" + (1 | SITEID)", "")
    dropped = dataclasses.replace(
        fit, fit=dataclasses.replace(fit.fit, formula=smaller), departures=("dropped",)
    )
    (said,) = model_departures(e, dropped)
    assert said.startswith("(1 | SITEID) was dropped, by the plan's leave")
    assert not list(model_departures(e, fit))
