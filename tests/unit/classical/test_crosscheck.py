"""The cross-check: agreement where there must be some, and refusals that say why."""

import math

import numpy as np
import pytest

from sitewise.classical.crosscheck import cross_check
from sitewise.classical.type3 import INTERACTION
from sitewise.errors import ModelError
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import from_plain, to_plain

PRIMARY = {
    "label": "Planned",
    "patients": 48,
    "primary": {"result": {"estimate": -1.5, "se": 0.5, "df": "NaN", "p": 0.1}},
}


def check(plan, frame):
    return cross_check(plan, frame, "SYSBP", PRIMARY)


def test_equal_arms_agree_in_every_effect(plan, make_trial):
    found = check(plan, make_trial())
    assert found.refused == ""
    assert (found.patients, found.complete) == (48, 48)
    for row, test in zip(found.anova, found.mixed_complete, strict=True):
        assert test.effect == row.effect
        assert test.f == pytest.approx(row.f, rel=1e-6)
        assert (test.df1, test.df2) == (row.df1, row.df2)
        assert test.p == pytest.approx(row.p, rel=1e-5)
        assert test.agreement == "expected to agree, and does"


def test_anova_is_the_textbook_one(plan, make_trial):
    # Equal arms: sums of squares of a split plot, by hand.
    frame = make_trial()
    y = frame["AVAL"].to_numpy().reshape(6, 8, 3)
    arms = np.stack([y[0::2].reshape(24, 3), y[1::2].reshape(24, 3)])  # (arm, patient, visit)
    grand, patients = arms.mean(), arms.mean(axis=2)
    ss_arm = 72 * ((arms.mean(axis=(1, 2)) - grand) ** 2).sum()
    ss_patient = 3 * ((patients - patients.mean(axis=1, keepdims=True)) ** 2).sum()
    f_arm = ss_arm / (ss_patient / 46)
    cell = arms.mean(axis=1)
    inter = cell - cell.mean(axis=1, keepdims=True) - cell.mean(axis=0) + grand
    left = arms - patients[..., None] - cell[:, None] + arms.mean(axis=(1, 2))[:, None, None]
    ms_within = (left**2).sum() / 92
    f = {row.effect: row.f for row in check(plan, frame).anova}
    assert f["TRT01P"] == pytest.approx(f_arm, rel=1e-9)
    assert f[INTERACTION] == pytest.approx(24 * (inter**2).sum() / 2 / ms_within, rel=1e-9)
    visit = 48 * ((arms.mean(axis=(0, 1)) - grand) ** 2).sum() / 2
    assert f["AVISIT"] == pytest.approx(visit / ms_within, rel=1e-9)


def test_unequal_arms_agree_but_for_the_visit(plan, make_trial):
    frame = make_trial()
    gone = frame["USUBJID"].isin(["S0-0", "S0-1", "S2-3", "S4-7"]) & (frame["AVISIT"] == "Month 6")
    found = check(plan, frame[~gone])
    assert (found.complete, [d.dropped for d in found.by_arm]) == (44, [4, 0])
    assert {d.level: d.dropped for d in found.by_site if d.dropped} == {"S0": 2, "S2": 1, "S4": 1}
    tests = {test.effect: test for test in found.mixed_complete}
    anova = {row.effect: row for row in found.anova}
    for effect in ("TRT01P", INTERACTION):
        assert tests[effect].f == pytest.approx(anova[effect].f, rel=1e-6)
    assert abs(tests["AVISIT"].f - anova["AVISIT"].f) > 1e-3
    assert "sequential" in tests["AVISIT"].agreement
    assert found.mixed_all[0].df2 == pytest.approx(46, abs=1)
    assert 0 < found.mixed_all[1].p < 1e-6  # two rows, with degrees of freedom of their own
    assert found.mixed_all[1].df2 == pytest.approx(90, abs=3)  # near the ANOVA's of 46 patients


def test_patient_variance_of_zero_is_said(plan, make_trial):
    frame = make_trial()
    # Each patient's mean becomes that of the arm: no variance between patients.
    shift = frame.groupby("USUBJID")["AVAL"].transform("mean")
    shift -= frame.groupby("TRT01P")["AVAL"].transform("mean")
    found = check(plan, frame.assign(AVAL=frame["AVAL"] - shift))
    assert all("variance is estimated as 0" in test.agreement for test in found.mixed_complete)
    assert all(math.isnan(test.df2) for test in found.mixed_complete)


def test_two_visits_have_no_correction(plan, make_trial, replan):
    two = replan(
        visits=[
            {"name": "Baseline", "week": 0, "baseline": True},
            {"name": "Month 12", "week": 52},
        ]
    )
    found = check(two, make_trial().query("AVISIT != 'Month 6'"))
    assert [row.epsilon for row in found.anova[1:]] == [1.0, 1.0]
    assert [row.p_gg for row in found.anova] == pytest.approx(
        [math.nan, found.anova[1].p, found.anova[2].p], nan_ok=True
    )
    assert not any("sphericity" in note for note in found.notes)


def refused(case, frame):
    late = frame["AVISIT"] != "Baseline"
    if case == "visit missing":
        return frame[frame["AVISIT"] != "Month 6"]
    if case == "one visit":
        return frame[~late]
    if case == "arm incomplete":
        return frame[~((frame["TRT01P"] == "HIC") & (frame["AVISIT"] == "Month 12"))]
    if case == "one arm":
        return frame[frame["TRT01P"] == "HIC"]
    if case == "few":
        return frame[frame["USUBJID"].isin(["S0-0", "S1-0"]) | ~late]
    return frame.assign(AVAL=120.0)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("visit missing", "Month 6 has no reading"),
        ("one visit", "Month 6 and Month 12 have no reading"),
        ("arm incomplete", "no patient of HIC"),
        ("one arm", "the rows hold HIC"),
        ("few", "2 complete patients in 2 arms"),
        ("constant", "does not vary"),
    ],
)
def test_refused_with_the_reason(plan, make_trial, case, words):
    found = check(plan, refused(case, make_trial()))
    assert words in found.refused
    assert (found.anova, found.mixed_complete) == ((), ())
    assert found.contrasts[-1].analysis == "primary model: Planned"
    if case in ("one arm", "constant", "one visit"):
        assert any("could not be fitted" in note for note in found.notes)


def test_no_rows_at_all_is_the_selection_s_error(plan, make_trial):
    with pytest.raises(ModelError, match="no rows of SYSBP"):
        check(plan, make_trial().iloc[:0])


def test_one_planned_visit_is_refused(replan, make_trial, plan):
    late = replan(
        visits=[
            {"name": "Baseline", "week": 0, "baseline": True},
            {"name": "Month 12", "week": 52},
        ],
        baseline={"handling": "covariate", "missing": "drop"},
        primary={"model": "nested", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "level"},
    )
    assert "there is one (Month 12)" in check(late, make_trial()).refused


def test_cluster_design_counts_sites(plan, make_trial):
    (note,) = [n for n in check(plan, make_trial()).notes if "Whole sites" in n]
    assert "46 denominator" in note
    assert "give 4.0 (Kenward-Roger)" in note  # six sites, two arms, balanced


def test_contrasts_stand_in_three_rows(plan, make_trial):
    frame = make_trial()
    found = check(plan, frame)
    means = frame.pivot_table(index="TRT01P", columns="AVISIT", values="AVAL")
    change = means["Month 12"] - means["Baseline"]
    assert found.contrasts[0].estimate == pytest.approx(change["TASSH+HIC"] - change["HIC"])
    assert [row.patients for row in found.contrasts] == [48, 48, 48]
    assert math.isnan(found.contrasts[2].df)


def test_row_order_and_the_rule_s_part_do_not_matter(plan, make_trial):
    frame = make_trial()
    part = read_part(part_data(plan, "crosscheck"))
    first = check(plan, frame)
    second = check(part, frame.sample(frac=1, random_state=1))
    assert [t.f for t in second.mixed_all] == pytest.approx([t.f for t in first.mixed_all])
    assert [r.f for r in second.anova] == pytest.approx([r.f for r in first.anova])
    assert from_plain(to_plain(first), type(first)).notes == first.notes


def test_deprecations_of_the_library_are_for_the_log(plan, make_trial, caplog):
    found = check(plan, make_trial())
    assert [text for text in found.warnings if "deprecated" in text] == []
    assert all("pingouin" in record.message for record in caplog.records)


def test_patients_of_the_set_are_counted_with_the_baseline_as_covariate(replan, make_trial):
    late = replan(
        baseline={"handling": "covariate", "missing": "drop"},
        primary={"model": "nested", "visit": "Month 12", "arm": "TASSH+HIC", "contrast": "level"},
    )
    frame = make_trial()
    # Of 48 patients one has a baseline and nothing later, two (one arm each) have no baseline.
    frame = frame[(frame["USUBJID"] != "S0-0") | (frame["AVISIT"] == "Baseline")]
    without = frame["USUBJID"].isin(["S0-1", "S1-0"])
    frame = frame.assign(BASE=frame["BASE"].mask(without))[
        ~without | (frame["AVISIT"] != "Baseline")
    ]
    found = check(late, frame)
    assert (found.patients, found.complete) == (48, 45)
    assert [(d.level, d.patients, d.dropped) for d in found.by_arm] == [
        ("HIC", 24, 2),
        ("TASSH+HIC", 24, 1),
    ]
    assert {d.level: d.dropped for d in found.by_site if d.dropped} == {"S0": 2, "S1": 1}
    assert sum(d.patients for d in found.by_site) == 48
