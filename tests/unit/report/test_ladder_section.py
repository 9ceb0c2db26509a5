"""Ladder and reconciliation on the page: the words follow the direction; refusals are printed."""

from dataclasses import replace

from sitewise.report.section_ladder import ladders
from sitewise.report.section_models import formulas
from sitewise.report.section_reconciliation import reconciliations
from sitewise.report.words_guard import guard_words
from sitewise.report.words_ladder import direction, sites_words


def with_ladder(e, **changes):
    own = e.endpoints["SYSBP"]
    e.endpoints["SYSBP"] = replace(own, ladder=replace(own.ladder, **changes))
    return e


def text_of(table):
    lines = [" ".join(cell.text for cell in row.cells) for row in table.rows]
    return "\n".join([*lines, *table.notes])


def test_refusals_singular_and_unfinished_fits_are_said(evidence_of):
    found = ladders(evidence_of(design="cluster"))[0]
    text = text_of(found.table)
    assert "not estimable" in text
    assert "the arm is constant within every site" in text
    assert "not final" in text
    assert "9.9" not in text  # of a search that did not end
    assert "variance 0 at (1 | SITEID)" in text
    assert "the fit did not converge" in text_of(found.covariances)
    assert found.deviations
    assert found.guard is not None
    assert "the site, the randomised unit" in text
    assert "df of mixed models: Kenward-Roger (expected information, linear form)." in text


def test_patients_randomised_have_no_guard(evidence_of):
    found = ladders(evidence_of())[0]
    assert found.guard is None
    assert not found.guard_text


def test_words_follow_the_direction(evidence_of):
    e = with_ladder(evidence_of(), ratio=1.4, base_ratio=0.66)
    text = direction(e, "SYSBP")
    assert "40% too large" in text
    assert "34% too small" in text
    assert "Both errors have one cause" in text
    e = with_ladder(e, ratio=0.7, base_ratio=1.3)
    text = direction(e, "SYSBP")
    assert "30% too small" in text
    assert "30% too large" in text
    assert "one cause" not in text
    assert "about the same" in direction(with_ladder(e, ratio=1.001), "SYSBP")


def test_what_sites_do_to_the_precision(evidence_of):
    e = with_ladder(evidence_of(), base_site_ratio=1.3)
    assert "raises by 30%" in sites_words(e, "SYSBP")
    assert "counts against" in sites_words(e, "SYSBP")
    e = with_ladder(e, base_site_ratio=0.9)
    assert "lowers by 10%" in sites_words(e, "SYSBP")
    assert "precision gained" in sites_words(e, "SYSBP")
    assert "precision gained" not in sites_words(with_ladder(e, base_site_ratio=1.0), "SYSBP")


def test_steps_say_who_is_dropped_and_why_there_is_none(evidence_of):
    found = reconciliations(evidence_of())[0]
    text = text_of(found.steps)
    assert "6 (16.7%)" in text
    assert "the data can't tell these apart" in text
    assert "no counterpart" in text_of(found.effects)
    e = evidence_of()
    own = e.endpoints["SYSBP"]
    steps = tuple(replace(step, state="singular") for step in own.reconciliation.steps[:2])
    told = replace(own.reconciliation, steps=steps)
    e.endpoints["SYSBP"] = replace(own, reconciliation=told)
    labels = "; ".join(step.label for step in steps)
    assert f"The fit is singular in: {labels}." in text_of(reconciliations(e)[0].steps)
    assert "refused" in text


def test_baseline_side_by_side(evidence_of):
    found = ladders(evidence_of(design="cluster"))[0]
    said = " ".join(found.baseline_text)
    assert "moves the estimate by 0.90" in said
    assert "11.9 at Baseline" in said
    assert "would hold them equal" in said
    text = text_of(found.baseline)
    assert "no rows" in text
    assert "expectation over sites" in text
    assert ladders(evidence_of())[0].baseline is None


def test_sites_left_out(evidence_of):
    found = ladders(evidence_of())[0]
    assert found.left_out.rows[0].cells[0].text == "001"
    assert "Not without 003: the others do not determine" in text_of(found.left_out)
    assert "below 5% without: 001" in found.left_out_text
    own = evidence_of().endpoints["SYSBP"].ladder
    assert f"move the estimate most, of {len(own.left_out)}." in text_of(found.left_out)
    whole = tuple(one for one in own.left_out if one.answer is not None)
    text = text_of(ladders(with_ladder(evidence_of(), left_out=whole))[0].left_out)
    assert "Those that move the estimate most stand first." in text


def test_of_the_guards_two_rows_the_primary_analysis_is_named_and_confirmatory(evidence_of):
    e = evidence_of(design="cluster")
    own = e.primary_fit("SYSBP").primary.result
    ladder = e.endpoints["SYSBP"].ladder
    same = replace(ladder.guard.with_term, estimate=own.estimate, p=own.p)
    guard = replace(ladder.guard, with_term=same)
    results = replace(e.endpoints["SYSBP"], ladder=replace(ladder, guard=guard))
    found = ladders(replace(e, endpoints={**e.endpoints, "SYSBP": results}))[0].guard
    assert [line.kind for line in found.rows] == ["", "strong"]
    assert found.rows[1].cells[0].text == "with (1 | SITEID:AVISIT) (primary)"
    assert "Confirmatory: the p-value of the primary contrast" in text_of(found)
    assert "These p-values are descriptive" in text_of(ladders(e)[0].guard)


def test_the_guard_says_who_claims_more_and_what_that_does(evidence_of):
    e = evidence_of(design="cluster")
    said = " ".join(ladders(e)[0].guard_text)
    assert "have 1.4 to 2.8, more than 1" in said
    assert "up to 1 \u00d7 3 = 3 degrees of freedom" in said
    assert "2 analyses of the table above and 1 handling of the baseline below were held" in said
    assert "claimed by: least squares, hierarchy ignored. They have no term" in said
    assert "(cLDA) (7.0, of at most 3) has all terms of sites and yet more" in said
    assert "on 1 degree of freedom p is 0.301 in place of 0.194" in said
    # Of the analyses below alpha none keeps to what the sites give.
    assert "The one analysis with p below 5% is among those that are not to be trusted" in said
    guard = e.endpoints["SYSBP"].ladder.guard
    assert said.count("takes patients or readings for what was randomised.") == 1
    held = tuple(replace(x, p=0.04 if x.verdict == "assumed" else 0.2) for x in guard.checked)
    some = " ".join(guard_words(e, "SYSBP", replace(guard, checked=held)))
    assert "claims significance here rests on a variance of sites held for equal" in some
    assert "takes patients" not in some
    sound = tuple(replace(x, p=0.04) if x.key == "site_by_visit" else x for x in guard.checked)
    more = " ".join(guard_words(e, "SYSBP", replace(guard, checked=sound)))
    assert "1 keeps to what the sites give: three levels, with site-by-visit" in more
    few = replace(guard, levels=(0.8, 0.9), checked=guard.checked[1:2])
    less = " ".join(guard_words(e, "SYSBP", few))
    assert "single visits" not in less
    assert "None counts patients" in less


def test_the_primary_p_on_the_sites_degrees_of_freedom_stands_beside(evidence_of):
    e = evidence_of(design="cluster")
    guard = e.endpoints["SYSBP"].ladder.guard
    first = guard_words(e, "SYSBP", guard)[0]
    assert first.endswith(
        "The primary analysis has 1.9, which rest on that; on 1 degree of freedom alone its p would"
        " be 0.200 in place of 0.100."
    )
    fewer = guard_words(e, "SYSBP", replace(guard, df=0.9))[0]
    assert fewer.endswith("The primary analysis has 0.9.")


def test_the_primary_model_stands_among_the_covariances(evidence_of):
    e = evidence_of(design="cluster")
    choice = e.endpoints["SYSBP"].ladder.covariance
    one = replace(choice.rows[1], structure="primary", aic=820.0, npar=3,
                  formula="AVAL ~ 1 + (1 | SITEID) + (1 | USUBJID)")  # fmt: skip
    found = ladders(with_ladder(e, covariance=replace(choice, primary=one)))[0].covariances
    assert found.rows[-1].cells[0].text == f"primary model {e.plan.primary.model}"
    text = text_of(found)
    assert "By AIC csh describes the scatter over visits better, by 12.0." in text
    assert "it leaves out sites, and sites were randomised" in text
    better = replace(choice, primary=replace(one, aic=800.0))
    assert "By AIC" not in text_of(ladders(with_ladder(e, covariance=better))[0].covariances)


def test_the_contrast_of_the_steps_is_told_from_that_of_cell_means(evidence_of):
    e = evidence_of()
    own = e.endpoints["SYSBP"]
    same = replace(own.reconciliation.steps[0], key="same")
    found = replace(own.reconciliation, steps=(same, *own.reconciliation.steps[1:]))
    e.endpoints["SYSBP"] = replace(own, reconciliation=found)
    cells = next(c for c in own.crosscheck.contrasts if c.analysis.endswith("complete cases"))
    said = reconciliations(e)[0].text[0]
    assert "by least squares through the cell means of all visits; \u22123.1 (SE 1.60)" in said
    assert f"(SE {cells.se:.2f})" in said
    assert ("more precise" in said) == (cells.se > same.answer.se)
    alike = replace(cells, se=same.answer.se)
    check = replace(own.crosscheck, contrasts=(alike,))
    e.endpoints["SYSBP"] = replace(e.endpoints["SYSBP"], crosscheck=check)
    assert "Section 7" not in " ".join(reconciliations(e)[0].text)


def test_site_by_visit_is_told_by_who_was_randomised_and_by_its_size(evidence_of):
    def said(e, share):
        shares = e.endpoints["SYSBP"].ladder.shares
        kept = [s for s in shares if (s.rung, s.group) != ("site_by_visit", "SITEID:AVISIT")]
        site = next(s for s in shares if (s.rung, s.group) == ("nested", "SITEID"))
        own = replace(site, rung="site_by_visit", group="SITEID:AVISIT", share=share)
        return sites_words(with_ladder(e, shares=(*kept, own)), "SYSBP")

    whole = evidence_of(design="cluster")
    assert "holds 4.0%: small as a share, but it is what" in said(whole, 0.04)
    assert "small" not in said(whole, 0.3)
    assert "holds 30.0%, and it is what a change between visits meets" in said(whole, 0.3)
    assert "estimated not to differ in how they change" in said(whole, 0.0)
    assert "holds 0.0%: sites are estimated hardly to differ" in said(whole, 0.0002)
    patients = said(evidence_of(), 0.04)
    assert "all arms of a site share it at a visit, so it cancels between them" in patients
    assert "meets" not in patients


def test_short_names_of_covariances_are_said_where_they_stand(evidence_of):
    """A reader meets `MMRM, us` in section 6 pages before the methods explain it."""
    e = evidence_of()
    found = ladders(e)[0]
    us = "us: a variance for each visit, a correlation for each pair of visits"
    taken = e.endpoints["SYSBP"].ladder.covariance.taken
    assert f"patients a residual covariance. Over the visits of a patient, {taken}: " in text_of(
        found.table
    )
    notes = " ".join(found.covariances.notes)
    assert us in notes
    for one in e.endpoints["SYSBP"].ladder.covariance.order:
        assert f"{one}: " in notes
    assert us not in text_of(formulas(e))
    formula = "AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)"
    model = e.plan.models["slope"].model_copy(update={"formula": formula})
    plan = e.plan.model_copy(update={"models": {**e.plan.models, "slope": model}})
    assert us in text_of(formulas(replace(e, plan=plan)))
