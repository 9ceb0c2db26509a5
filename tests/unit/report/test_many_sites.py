"""Figures and tables by site where there are very many: ends labelled, lists cut, none hidden."""

import dataclasses
import random
from types import SimpleNamespace
from typing import Any

import pytest

from sitewise.plan.parts import read_part
from sitewise.report import words_figures
from sitewise.report.cells import FEW_SITES, MOST_SITES, names_cell, of_sites
from sitewise.report.draw_enrolment import draw_enrolment
from sitewise.report.draw_sites import draw_caterpillar, draw_forest
from sitewise.report.drawing import MOST_HEIGHT
from sitewise.report.pictured import ENDS, between_ends, enrolment
from sitewise.report.section_data import data
from sitewise.report.section_flow import flow_by_site
from sitewise.report.words_pictures import enrolment_caption


def drawn(synthetic: Any, sites: int, arms: int = 2) -> tuple[Any, Any, list[Any]]:
    trial = synthetic.Trial(sites=sites, arms=arms)
    plan = read_part(trial.plan())
    results = synthetic.site_results(trial, random.Random(3), "SYSBP")
    iccs = synthetic.iccs(trial, "SYSBP")
    return trial, results, [draw_caterpillar(plan, results, iccs), draw_forest(plan, results)]


@pytest.mark.parametrize(("sites", "arms"), [(1000, 2), (1000, 4), (60, 4)])
def test_the_ends_keep_their_labels(synthetic, sites, arms) -> None:
    _, results, (caterpillar, forest) = drawn(synthetic, sites, arms)
    if sites > 120:
        (axes,) = caterpillar.axes
        said = [label.get_text() for label in axes.get_yticklabels()]
        ordered = sorted(results.predictions, key=lambda p: p.blup)
        ends = [*ordered[:ENDS], *ordered[-ENDS:]]
        assert said == [f"{p.site} ({p.patients})" for p in ends]
        assert [text.get_text() for text in axes.texts] == [f"{sites - 2 * ENDS} sites\nbetween"]
    for panel in forest.axes:
        assert len(panel.get_yticklabels()) == 2 * ENDS
    for figure in (caterpillar, forest):
        assert figure.get_figheight() < 0.9 * MOST_HEIGHT


@pytest.mark.parametrize("sites", [3, 40, 41, 100, 120])
def test_every_site_is_named_where_there_is_room(synthetic, sites) -> None:
    _, _, (caterpillar, _) = drawn(synthetic, sites)
    named = [t.get_text() for axes in caterpillar.axes for t in axes.get_yticklabels()]
    assert len(set(named)) == sites
    # Read column by column from the top, the largest comes first.
    _, results, _ = drawn(synthetic, sites)
    ordered = sorted(results.predictions, key=lambda p: -p.blup)
    top = [t.get_text() for axes in caterpillar.axes for t in reversed(axes.get_yticklabels())]
    assert top == [f"{p.site} ({p.patients})" for p in ordered]


def test_what_was_observed_in_between_does_not_set_the_axis(synthetic) -> None:
    trial, results, _ = drawn(synthetic, 1000)
    ordered = sorted(results.predictions, key=lambda p: p.blup)
    far = dataclasses.replace(ordered[500], raw=900.0)
    changed = tuple(far if p.site == far.site else p for p in results.predictions)
    plan, iccs = read_part(trial.plan()), synthetic.iccs(trial, "SYSBP")
    figure = draw_caterpillar(plan, dataclasses.replace(results, predictions=changed), iccs)
    assert figure.axes[0].get_xlim()[1] < 100


def test_captions_say_what_has_no_row(evidence_of) -> None:
    many, few = evidence_of(sites=130), evidence_of(sites=40)
    for caption in (words_figures.caterpillar_caption, words_figures.forest_caption):
        assert "drawn close together" in caption(many, "SYSBP")
        assert "drawn close together" not in caption(few, "SYSBP")
    assert between_ends([1000]) == 1000 - 2 * ENDS
    assert between_ends([120]) == 0
    assert between_ends([121]) == 121 - 2 * ENDS
    assert between_ends([60, 60]) == 60 - 2 * ENDS


def test_predictions_without_a_variance_are_not_taken_for_sure(evidence_of) -> None:
    e = evidence_of()
    own = e.endpoints["SYSBP"]
    assert "not certainty" not in words_figures.caterpillar_caption(e, "SYSBP")
    none = {"blup": 0.0, "se": 0.0, "lower": 0.0, "upper": 0.0}
    flat = tuple(dataclasses.replace(p, **none) for p in own.sites.predictions)
    sites = dataclasses.replace(own.sites, predictions=flat)
    e.endpoints["SYSBP"] = dataclasses.replace(own, sites=sites)
    assert "that is not certainty" in words_figures.caterpillar_caption(e, "SYSBP")


def test_bars_of_many_sites_stand_by_size(evidence_of) -> None:
    e = evidence_of(sites=130)
    flow = [
        dataclasses.replace(r, patients=int(r.site or 0) % 17 + 1) for r in e.description.flow
    ]  # fmt: skip
    description = dataclasses.replace(e.description, flow=tuple(flow))
    sizes = [patients for _, patients, _ in enrolment(e.plan, description)]
    assert sizes == sorted(sizes, reverse=True)
    figure = draw_enrolment(e.plan, description)
    assert figure.axes[0].get_xlabel() == "Sites, the largest first"


def test_lists_of_very_many_sites_are_cut_and_say_so(evidence_of) -> None:
    items = [SimpleNamespace(site=f"{i}") for i in range(1000)]
    assert of_sites(items[:MOST_SITES]) == items[:MOST_SITES]
    assert of_sites(items[: MOST_SITES + 1]) == items[:FEW_SITES]
    assert of_sites(items, lambda item: int(item.site))[0] is items[999]
    many = data(evidence_of(sites=130), {f"trial-{k}.svg": "" for k in ("flow", "enrolment")})
    assert len(many.by_site.rows) == FEW_SITES
    assert many.by_site.rows[0].cells[-1].text.startswith("set aside")  # the gravest first
    assert any(f"The {FEW_SITES} of 130" in note for note in many.by_site.notes)
    assert len(many.flow_by_site.rows) == FEW_SITES
    assert any(f"The first {FEW_SITES} of 130" in note for note in many.flow_by_site.notes)


def test_patients_by_site_add_up(evidence_of) -> None:
    e = evidence_of(sites=3, arms=4)
    found = data(e, {f"trial-{k}.svg": "" for k in ("flow", "enrolment")}).flow_by_site
    own = [r for r in e.description.flow if r.site == "001" and r.arm]
    cells = [cell.text for cell in found.rows[0].cells]
    sums = [sum(getattr(r, key) for r in own) for key in
            ("patients", "with_baseline", "with_post_baseline", "all_visits")]  # fmt: skip
    assert cells == ["001", *(str(r.patients) for r in own), *map(str, sums)]


@pytest.mark.parametrize(("sites", "step"), [(60, 1), (61, 2), (120, 2)])
def test_bars_without_a_name_are_told(evidence_of, sites, step) -> None:
    e = evidence_of(sites=sites)
    (axes,) = draw_enrolment(e.plan, e.description).axes
    labels = [t.get_text() for t in axes.get_xticklabels()]
    order = [site for site, _, _ in enrolment(e.plan, e.description)]
    assert labels == [name if i % step == 0 else "" for i, name in enumerate(order)]
    told = "Every second site is named" in enrolment_caption(e)
    assert told == (step == 2)


def test_sites_are_in_natural_order_in_tables_and_bars(evidence_of) -> None:
    e = evidence_of(sites=12)
    names = {row.site: f"H{i}" for i, row in enumerate(e.account.files, start=1)}
    flow = tuple(dataclasses.replace(r, site=names.get(r.site, "")) for r in e.description.flow)
    files = tuple(dataclasses.replace(f, site=names[f.site]) for f in e.account.files)
    jumbled = sorted(files, key=lambda f: f.site)
    e = dataclasses.replace(
        e,
        description=dataclasses.replace(e.description, flow=flow),
        account=dataclasses.replace(e.account, files=tuple(jumbled)),
    )
    natural = [f"H{i}" for i in range(1, 13)]
    assert [site for site, _, _ in enrolment(e.plan, e.description)] == natural
    assert [r.cells[0].text for r in flow_by_site(e).rows] == natural
    assert [f.site for f in of_sites(jumbled)] == natural
    assert [f.site for f in e.files] == natural
    assert names_cell(f.site for f in jumbled).startswith("H1, H2, H3, H4, H5, H6 and 6 more")
