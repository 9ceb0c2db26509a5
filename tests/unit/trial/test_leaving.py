"""Why patients left early: one reason a patient, nothing lost, no reading touched."""

import pytest

from sitewise.errors import PlanError
from sitewise.inference.blinded_plan import blinded_plan
from sitewise.trial.describe import describe
from sitewise.trial.pipeline import check_data
from tests.small_trial import Trial

CODES = {"AE": "adverse event", "LTFU": "lost to follow-up"}
# Who has no reading of SYSBP at month 12, and what their row at month 6 says of it.
LEFT = {"A0": "AE", "A1": "LTFU", "B2": "", "C1": "AE", "D0": "LTFU"}


@pytest.fixture
def left(trial: Trial) -> Trial:
    """Five patients without a last visit; the reason stands in the row of month 6 alone."""
    trial.data["leaving"] = {"column": "reason", "codes": dict(CODES)}
    for name, rows in trial.files.items():
        trial.files[name] = [
            row | {"reason": LEFT.get(row["patient"], "") if row["visit"] == "month 6" else ""}
            for row in rows
            if row["patient"] not in LEFT or row["visit"] != "month 12"
        ]
    return trial


def counts(trial: Trial, visit: str = "Month 12", endpoint: str = "SYSBP") -> dict[str, list[int]]:
    """Absent and present by arm (TASSH+HIC, HIC), by reason."""
    told: dict[str, list[int]] = {}
    for row in describe(trial.plan, trial.check().adbp).leaving:
        if (row.visit, row.endpoint) == (visit, endpoint):
            told.setdefault(row.reason, []).extend([row.absent, row.present])
    return told


def rules(trial: Trial) -> list[str]:
    return trial.check().findings["RULE"].tolist()


def test_a_reason_in_one_row_is_the_patients(left: Trial) -> None:
    adbp = left.check().adbp
    told = adbp.groupby("USUBJID")["DCSREAS"].agg(lambda cells: cells.fillna("none").unique()[0])
    assert adbp.groupby("USUBJID")["DCSREAS"].nunique(dropna=False).eq(1).all()
    assert {name: told[name] for name in LEFT} == {
        name: CODES.get(code, "none") for name, code in LEFT.items()
    }
    assert rules(left) == []


def test_absent_patients_are_reasons_and_none_given(left: Trial) -> None:
    assert counts(left) == {
        "adverse event": [1, 0, 1, 0],
        "lost to follow-up": [1, 0, 1, 0],
        "": [0, 4, 1, 3],
    }
    described = describe(left.plan, left.check().adbp)
    whole = {row.arm: row for row in described.flow if not row.site}
    for arm, own in whole.items():
        rows = [r for r in described.leaving if (r.arm, r.endpoint) == (arm, "SYSBP")]
        assert sum(r.absent for r in rows) == own.patients - own.by_visit[-1]
        assert sum(r.present for r in rows) == own.by_visit[-1]


def test_the_primary_visit_is_counted_beside_the_last(left: Trial) -> None:
    left.data["primary"]["visit"] = left.data["visits"][1]["name"]
    left.row("B", "B2", "month 6")["sbp"] = ""
    seen = {row.visit for row in describe(left.plan, left.check().adbp).leaving}
    assert seen == {"Month 6", "Month 12"}
    assert counts(left, "Month 6")[""] == [0, 4, 1, 3]
    assert counts(left, "Month 6", "DIABP")[""] == [0, 4, 0, 4]


def test_no_other_number_depends_on_the_reasons(left: Trial) -> None:
    with_reasons = left.check().adbp
    del left.data["leaving"]
    without = left.check().adbp
    assert "DCSREAS" not in without
    assert with_reasons.drop(columns="DCSREAS").equals(without)
    assert describe(left.plan, without).leaving == ()


def test_without_codes_the_cells_stand_as_they_are(left: Trial) -> None:
    del left.data["leaving"]["codes"]
    left.row("A", "A0", "month 6")["reason"] = "  Moved to Kumasi "
    assert counts(left) == {
        "AE": [1, 0, 0, 0],
        "LTFU": [1, 0, 1, 0],
        "Moved to Kumasi": [0, 0, 1, 0],
        "": [0, 4, 1, 3],
    }
    assert rules(left) == []


def test_an_unknown_code_is_told_as_it_stands(left: Trial) -> None:
    for visit in ("baseline", "month 6"):  # said once of the patient, wherever it stands
        left.row("A", "A0", visit)["reason"] = "ae"
    (finding,) = left.check().findings.to_dict("records")
    assert finding["RULE"] == "unknown reason for leaving"
    assert (finding["USUBJID"], finding["VALUE"], finding["COLUMN"]) == ("A0", "ae", "reason")
    assert "'AE'" in finding["MESSAGE"]
    assert finding["ALLOWED"] == "AE, LTFU"
    assert counts(left)["ae"] == [0, 0, 1, 0]


def test_contradicting_reasons_are_said_and_the_first_is_told(left: Trial) -> None:
    left.row("A", "A0", "baseline")["reason"] = "LTFU"
    (finding,) = left.check().findings.to_dict("records")
    assert (finding["RULE"], finding["USUBJID"]) == ("reason for leaving varies", "A0")
    assert finding["SRCROW"] == 3
    assert counts(left)["lost to follow-up"] == [1, 0, 2, 0]


def test_two_codes_of_one_reason_agree(left: Trial) -> None:
    left.data["leaving"]["codes"]["LOST"] = "lost to follow-up"
    left.row("A", "A1", "baseline")["reason"] = "LOST"
    assert rules(left) == []


def test_a_reason_of_a_patient_who_stayed_is_a_note(left: Trial) -> None:
    left.row("C", "C0", "month 6")["reason"] = "AE"
    (finding,) = left.check().findings.to_dict("records")
    assert (finding["RULE"], finding["SEVERITY"]) == ("seen though said to have left", "note")
    assert (finding["USUBJID"], finding["VALUE"]) == ("C0", "adverse event")
    assert counts(left)["adverse event"] == [1, 1, 1, 0]


def test_a_cell_may_say_that_the_patient_stayed(left: Trial) -> None:
    left.data["leaving"]["stayed"] = ["Completed"]
    before = counts(left)
    for visit in ("baseline", "month 6", "month 12"):
        left.row("C", "C0", visit)["reason"] = "Completed"
    assert counts(left) == before
    assert rules(left) == []


def test_a_file_without_the_column_keeps_its_hospital(left: Trial) -> None:
    for row in left.files["D.csv"]:
        row["raeson"] = row.pop("reason")
    checked = left.check()
    (finding,) = checked.findings.to_dict("records")
    assert (finding["RULE"], finding["SEVERITY"]) == ("column of reasons missing", "warning")
    assert (finding["SITEID"], finding["COLUMN"]) == ("D", "reason")
    assert "'raeson'" in finding["MESSAGE"]
    assert all(file.status == "used" for file in checked.account.files)
    assert counts(left)[""] == [1, 4, 1, 3]


def test_no_file_with_the_column_stops_nothing(left: Trial) -> None:
    left.data["leaving"]["column"] = "raeson"
    assert rules(left) == ["column of reasons missing"] * 4
    assert counts(left) == {"": [2, 4, 3, 3]}


def test_blinded_they_are_told_of_all_arms_together(left: Trial) -> None:
    left.data["blinded"] = True
    left.write()
    plan = blinded_plan(left.plan)
    adbp = check_data(plan, left.sheet, left.folder, written=left.plan).adbp
    own = [row for row in describe(plan, adbp).leaving if row.endpoint == "SYSBP"]
    assert {row.arm for row in own} == {"All arms"}
    assert [(row.reason, row.absent, row.present) for row in own] == [
        ("adverse event", 2, 0),
        ("lost to follow-up", 2, 0),
        ("", 1, 7),
    ]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"codes": {"AE": "adverse event"}}, "no `column`"),
        ({"column": "reason", "codes": {"X": "x"}, "stayed": ["X"]}, "a reason and none: X"),
        ({"column": "arm"}, "'arm' is the column of columns.arm"),
        ({"column": "sbp"}, "'sbp' is the column of endpoints.SYSBP"),
        ({"colum": "reason"}, "did you mean `column`"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(trial: Trial, section: dict, said: str) -> None:
    trial.data["leaving"] = section
    with pytest.raises(PlanError) as caught:
        _ = trial.plan
    assert said in str(caught.value)
