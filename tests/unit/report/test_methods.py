"""The section of methods: what this run used and nothing else, sources by number, assumptions."""

import dataclasses
import re
from typing import Any

from sitewise.report.literature import REFERENCES
from sitewise.report.section_end import methods_section
from sitewise.report.words_assumptions import assumptions
from sitewise.report.words_methods import methods, references


def titles(e: Any) -> list[str]:
    return [method.title for method in methods(e)]


def with_own(e: Any, name: str, **changes: Any) -> Any:
    own = dataclasses.replace(e.endpoints[name], **changes)
    return dataclasses.replace(e, endpoints={**e.endpoints, name: own})


def with_formula(e: Any, model: str, formula: str) -> Any:
    own = e.plan.models[model].model_copy(update={"formula": formula})
    models = {**e.plan.models, model: own}
    return dataclasses.replace(e, plan=e.plan.model_copy(update={"models": models}))


def lines(e: Any) -> list[str]:
    return [" ".join(cell.text for cell in line.cells) for line in assumptions(e).rows]


def test_the_plan_s_rules_for_models_that_fail_are_told_where_it_has_any(evidence_of) -> None:
    e, title = evidence_of(), "Models that can't be fitted as planned"
    assert title not in titles(e)
    mmrm = with_formula(e, "slope", "AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)")
    (said,) = [m.text for m in methods(mmrm) if m.title == title]
    assert "residual covariance (slope)" in said
    assert "us, csh, ar1h, cs and ar1" in said
    assert "leave" not in said
    assert said.endswith("No model of this run needed it.")
    name = e.plan.primary.model
    own = e.plan.models[name].model_copy(update={"may_drop": ("(1 | SITEID)",)})
    plan = e.plan.model_copy(update={"models": {**e.plan.models, name: own}})
    fit = dataclasses.replace(e.primary_fit("SYSBP"), departures=("dropped.",))
    e.endpoints["SYSBP"].fits[name] = fit
    (said,) = [m.text for m in methods(dataclasses.replace(e, plan=plan)) if m.title == title]
    assert f"({name}: (1 | SITEID))" in said
    assert "order of covariances" not in said
    assert f"made use of it in: SYSBP, {name};" in said


def test_every_source_is_known_and_numbered_in_order_of_citation(evidence_of) -> None:
    e = evidence_of()
    found = methods(e)
    cited = [key for method in found for key in method.references]
    assert set(cited) <= set(REFERENCES)
    numbers = references(found)
    assert list(numbers.values()) == list(range(1, len(numbers) + 1))
    assert list(numbers) == list(dict.fromkeys(["ICH E9(R1)", *cited]))
    section = methods_section(e)
    assert len(section.references) == len(numbers)
    for method in section.methods:
        for source in method.sources:
            assert 1 <= source <= len(section.references)


def test_references_have_a_year_and_are_in_the_order_of_their_keys() -> None:
    assert list(REFERENCES) == sorted(REFERENCES)
    for key, text in REFERENCES.items():
        year = re.search(r"\d{4}", key)
        assert year is None or year[0] in text, key
        assert text.endswith("."), key


def test_what_was_not_used_is_not_described(evidence_of) -> None:
    e = evidence_of()
    used = titles(e)
    assert "Treatment by site, sites as random" in used
    assert "Cross-check by analysis of variance" in used
    for name, own in e.endpoints.items():
        ladder = dataclasses.replace(own.ladder, left_out=(), baseline=None, guard=None, rungs=())
        comparisons = dataclasses.replace(own.comparisons, tests=())
        e = with_own(
            e, name, ladder=ladder, comparisons=comparisons,
            by_site=dataclasses.replace(own.by_site, asked=False),
            crosscheck=dataclasses.replace(own.crosscheck, anova=()),
            reconciliation=dataclasses.replace(own.reconciliation, steps=()),
            replications=dataclasses.replace(own.replications, rows=()),
        )  # fmt: skip
    left = set(used) - set(titles(e))
    assert left >= {
        "Treatment by site, sites as random", "Treatment by site, sites as fixed",
        "Cross-check by analysis of variance", "Comparison of models", "Replication",
        "From analysis of variance to the primary analysis", "One site left out",
        "The contrast under every usual model",
    }  # fmt: skip


def test_the_guard_is_of_trials_that_randomised_sites(evidence_of) -> None:
    guard = "Guard of a trial that randomised sites"
    assert guard in titles(evidence_of(design="cluster"))
    assert guard not in titles(evidence_of())


def test_a_residual_covariance_is_not_called_independent(evidence_of) -> None:
    e = evidence_of()
    text = {m.title: m.text for m in methods(e)}["Linear mixed models"]
    assert "residuals independent with one variance" in text
    changed = with_formula(e, "slope", "AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)")
    text = {m.title: m.text for m in methods(changed)}["Linear mixed models"]
    assert "one covariance over the visits in slope, and are independent" in text
    everywhere = changed
    for name in e.plan.models:
        everywhere = with_formula(everywhere, name, "AVAL ~ AVISIT + us(AVISIT | USUBJID)")
    method = {m.title: m for m in methods(everywhere)}["Linear mixed models"]
    assert "independent with" not in method.text
    assert "N(0, R)" in method.formula


def test_assumptions_follow_the_run(evidence_of) -> None:
    e = evidence_of()
    said = " ".join(lines(e))
    assert lines(e)[0].startswith("Patients were randomised")
    assert lines(evidence_of(design="cluster"))[0].startswith("Sites were randomised")
    assert "missing at random" in said
    assert "one correlation whatever the time between them" in said
    straight = with_formula(e, "site_by_visit", e.plan.models["slope"].formula)
    assert any("straight line in time" in line for line in lines(straight))
    assert not any("straight line in time" in line for line in lines(e))
    covariance = with_formula(e, "site_by_visit", "AVAL ~ AVISIT + us(AVISIT | USUBJID)")
    assert any("one covariance over the visits" in line for line in lines(covariance))
