"""What a reading is, where several raw ones make one; sites of few patients; a refused form."""

import math
from collections import defaultdict
from dataclasses import replace

from sitewise.inference.icc_result import VarianceShare
from sitewise.report import table_by_site, table_flow
from sitewise.report.draw_flow import draw_flow
from sitewise.report.draw_shares import site_parts
from sitewise.report.section_by_site import by_site
from sitewise.report.section_data import data
from sitewise.report.section_flow import flow
from sitewise.report.section_models import components
from sitewise.report.words_cautions import cautions
from sitewise.report.words_pictures import flow_alt
from sitewise.trial.account import ArmCount, FateCount


def averaged(e):
    """The evidence with readings of a visit averaged: 70 of the 76 of each site and endpoint."""
    counts = []
    for c in e.account.counts:
        if c.fate == "analysed":
            counts.append(replace(c, readings=c.readings - 70))
            counts.append(FateCount(c.endpoint, c.site, "averaged into a named record", "mean", 70))
        else:
            counts.append(c)
    plan = e.plan.model_copy(update={"replicates": "mean"})
    return replace(e, plan=plan, account=replace(e.account, counts=tuple(counts)))


def cells(table):
    return [[cell.text for cell in row.cells] for row in table.rows]


def test_raw_readings_that_were_averaged_are_analysed_and_add_up(evidence_of) -> None:
    e = evidence_of()
    plain = data(e, defaultdict(str))
    raw = data(averaged(e), defaultdict(str))
    assert "A raw reading is a row of a file" in raw.account_text
    assert "a reading is what is analysed: the mean" in raw.account_text
    assert "raw reading" not in plain.account_text
    # The same numbers by site, whether a value stood alone or in a mean; each line adds up.
    assert cells(raw.by_site) == cells(plain.by_site)
    titles = [c.title for c in raw.by_site.columns]
    assert titles[:3] == ["Site", "Rows", "Raw readings"]
    assert titles.count("Analysed") == 1
    for line in cells(raw.by_site):
        assert int(line[2]) == sum(map(int, line[3:-1]))
    labels = [line[0] for line in cells(raw.account)]
    assert "analysed: in the mean of its visit" in labels
    assert labels[-1] == "raw readings in"
    assert any("raw readings" in text for text in cautions(averaged(e)))


def test_sites_of_few_patients_are_named(evidence_of) -> None:
    e = evidence_of()
    own = e.endpoints["SYSBP"]
    first, second, *rest = own.by_site.rows
    few = (first, replace(second, n=2, n_reference=3), *rest)
    e.endpoints["SYSBP"] = replace(own, by_site=replace(own.by_site, rows=few))
    notes = " ".join(by_site(e, "SYSBP").sites.notes)
    assert f"Fewer than 5 patients in an arm: {second.site} (2 and 3)." in notes
    assert [line.cells[3].marker for line in by_site(e, "SYSBP").sites.rows][:2] == ["", "\u2020"]
    assert "Fewer than 5" not in " ".join(by_site(e, "DIABP").sites.notes)
    assert not any(line.cells[3].marker for line in by_site(e, "DIABP").sites.rows)


def test_a_refused_form_has_no_columns(evidence_of) -> None:
    e = evidence_of()
    own = e.endpoints["SYSBP"].by_site
    none = replace(
        own,
        rows=tuple(replace(r, estimate=None) for r in own.rows),
        fixed=replace(own.fixed, refused="every site misses an arm"),
    )
    e.endpoints["SYSBP"] = replace(e.endpoints["SYSBP"], by_site=none)
    table = by_site(e, "SYSBP").sites
    assert [c.title for c in table.columns][-1] == "Predicted (random)"
    assert len(table.columns) == 4
    assert "No column of sites as fixed: every site misses an arm." in table.notes
    other = replace(
        own,
        rows=tuple(replace(r, predicted=math.nan) for r in own.rows),
        random=replace(own.random, refused="too few sites."),
    )
    e.endpoints["SYSBP"] = replace(e.endpoints["SYSBP"], by_site=other)
    table = by_site(e, "SYSBP").sites
    assert [c.title for c in table.columns][-1] == "df"
    assert "No column of sites as random: too few sites." in table.notes


def test_sites_that_are_all_alike_are_a_sentence_and_no_table(evidence_of) -> None:
    """An SD of 0 predicts one number for all: a row for each of 100 sites would say nothing."""
    e = evidence_of()
    own = e.endpoints["SYSBP"].by_site
    alike = replace(
        own,
        rows=tuple(replace(r, estimate=None, predicted=-5.94) for r in own.rows),
        random=replace(own.random, sd=0.0),
        fixed=replace(own.fixed, refused="too many sites"),
    )
    e.endpoints["SYSBP"] = replace(e.endpoints["SYSBP"], by_site=alike)
    made = by_site(e, "SYSBP")
    assert made.sites is None
    told = "every site is predicted the same effect, \u22125.9 mmHg (tables/by_site.csv)"
    assert told in made.text[0]
    assert len(list(table_by_site.sites(e))) >= len(alike.rows)  # the file keeps all
    fixed = replace(alike, rows=own.rows, fixed=own.fixed)
    e.endpoints["SYSBP"] = replace(e.endpoints["SYSBP"], by_site=fixed)
    table = by_site(e, "SYSBP").sites
    assert [c.title for c in table.columns][-1] == "df"
    assert not any("No column of sites as random" in note for note in table.notes)
    assert by_site(evidence_of(), "SYSBP").sites is not None
    assert "the same effect" not in by_site(evidence_of(), "SYSBP").text[0]


def allocating(e):
    """The evidence with arms as allocated: one patient of each was lost at two sites."""
    people = [c for c in e.account.patients if c.arm]
    lost = [replace(c, reason="patient at two sites", patients=1) for c in people]
    arms = tuple(ArmCount(c.arm, len(e.account.files), c.patients + 1) for c in people)
    account = replace(e.account, patients=(*people, *lost), arms=arms)
    return replace(e, account=account)


def test_numbers_allocated_stand_in_table_figure_and_file(evidence_of) -> None:
    e = allocating(evidence_of())
    arms = [arm.name for arm in e.plan.arms.order]
    rows = {line[0]: line[1 : 1 + len(arms)] for line in cells(flow(e))}
    assert rows["Patients allocated"] == ["41"] * len(arms)
    assert rows["no reading left"] == ["1"] * len(arms)
    assert rows["Sites allocated"] == [str(len(e.account.files))] * len(arms)
    assert f"{arms[0]}: 41 allocated" in flow_alt(e)
    assert any("no column of reasons for leaving" in note for note in flow(e).notes)
    lines = [line for line in table_flow.flow(e) if line["arm"] == arms[0] and not line["site"]]
    told = {line["measure"]: line["patients"] for line in lines if not line["visit"]}
    assert told["patients allocated"] == 41
    assert told["patients with no reading left: patient at two sites"] == 1
    drawn = draw_flow(e.plan, e.account, e.description)
    texts = [text.get_text() for text in drawn.axes[0].texts]
    assert not any(text.split(" ")[-1].isdigit() for text in texts if ";" in text)
    assert texts[texts.index("No reading left") + 1] == "1"
    assert sum(text.startswith("Allocated") for text in texts) == len(arms)


def test_files_that_name_no_patient_say_nothing_of_allocation(evidence_of) -> None:
    e = evidence_of()
    e = replace(e, account=replace(e.account, arms=()))
    assert not any("llocated" in line[0] for line in cells(flow(e)))
    assert "allocated" not in flow_alt(e)


def test_an_analysis_set_is_defined_once_over_its_rows(evidence_of) -> None:
    e = evidence_of()
    made = data(e, defaultdict(str)).sets
    label = e.plan.analysis_sets["FAS"].label
    lines = cells(made)
    assert [line for line in lines if label in " ".join(line)] == [[f"FAS: {label}"]]
    assert len(lines) == 1 + len(e.description.sets)
    assert all(len(line) == len(made.columns) for line in lines[1:])


def test_components_without_correlations_have_no_column_of_them(evidence_of) -> None:
    e = evidence_of()
    for model, has in (("site_by_visit", False), ("slope", True)):
        fit = e.endpoints["SYSBP"].fits[model]
        made = components(e, fit)
        assert any(len(term.terms) > 1 for term in fit.fit.random) == has
        assert ("Correlation" in [column.title for column in made.columns]) == has
        assert all(len(line.cells) == len(made.columns) for line in made.rows)


def test_parts_of_the_site_share_add_up_or_are_said_to_be_about() -> None:
    def told(*parts: float) -> str:
        groups = ("SITEID", "SITEID:AVISIT")
        return site_parts(
            [VarianceShare("m", 24.0, g, 1.0, p) for g, p in zip(groups, parts, strict=False)]
        )

    assert told(0.0146, 0.0156) == "0.0302 = 0.0146 + 0.0156"
    assert told(0.01464, 0.01564) == "0.0303 \u2248 0.0146 + 0.0156"
    assert told(0.0302) == "0.0302"
