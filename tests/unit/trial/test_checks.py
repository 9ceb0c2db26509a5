"""Each bad cell or row: the finding that it makes and the fate of its readings."""

import hashlib

import pandas as pd
import pytest

from sitewise.errors import DataError
from sitewise.terms import Fate
from sitewise.trial.pipeline import CheckedTrial
from sitewise.trial.units import MMHG_PER_KPA


def fates(checked: CheckedTrial, patient: str, visit: str) -> dict[str, str]:
    r = checked.readings
    part = r[(r["USUBJID"] == patient) & (r["VISIT"] == visit)]
    return dict(zip(part["PARAMCD"], part["FATE"], strict=True))


def lost(checked: CheckedTrial) -> list[tuple[str, int, str, str]]:
    """(file, line, parameter, reason) of what was set aside."""
    part = checked.readings[checked.readings["FATE"] == Fate.SET_ASIDE]
    names = ["SRCFILE", "SRCROW", "PARAMCD", "REASON"]
    return list(part[names].itertuples(index=False, name=None))


def finding(checked: CheckedTrial, rule: str) -> pd.DataFrame:
    part = checked.findings[checked.findings["RULE"] == rule]
    assert len(part), f"no finding {rule!r} among {checked.findings['RULE'].tolist()}"
    return part


def test_a_clean_trial_has_no_finding(trial) -> None:
    checked = trial.check()
    assert checked.findings.empty
    assert set(checked.readings["FATE"]) == {Fate.ANALYSED}
    assert (checked.account.rows, checked.account.readings) == (36, 72)
    assert len(checked.adbp) == 72


@pytest.mark.parametrize(
    ("cell", "rule", "allowed"),
    [
        ("142 mmHg", "not a number", "a number in mmHg"),
        ("abc", "not a number", "a number in mmHg"),
        ("142,5", "not a number", "a number in mmHg"),
        ("1_40", "not a number", "a number in mmHg"),
        ("inf", "not a number", "a number in mmHg"),
        ("15", "outside the hard limits", "50 to 300 mmHg"),
        ("1500", "outside the hard limits", "50 to 300 mmHg"),
    ],
)
def test_bad_values_cost_their_reading_only(trial, cell: str, rule: str, allowed: str) -> None:
    trial.row("A", "A1", "month 6")["sbp"] = cell
    checked = trial.check()
    assert lost(checked) == [("A.csv", 6, "SYSBP", rule)]
    line = finding(checked, rule).iloc[0]
    assert (line["SRCFILE"], line["SRCROW"], line["COLUMN"]) == ("A.csv", 6, "sbp")
    assert (line["VALUE"], line["SEVERITY"], line["ACTION"]) == (cell, "error", "reading set aside")
    assert allowed in line["ALLOWED"]
    assert line["ADVICE"]


def test_soft_limits_warn_and_keep(trial) -> None:
    trial.row("A", "A1", "month 6")["sbp"] = "245"
    checked = trial.check()
    assert not lost(checked)
    assert finding(checked, "outside the soft limits")["SEVERITY"].tolist() == ["warning"]


def test_swapped_values_are_set_aside_never_repaired(trial) -> None:
    trial.row("A", "A1", "month 6").update(sbp="85", dbp="135")
    trial.row("B", "B0", "baseline").update(sbp="90", dbp="90")
    checked = trial.check()
    assert [reading[1:3] for reading in lost(checked)] == [
        (6, "SYSBP"), (6, "DIABP"), (2, "SYSBP"), (2, "DIABP"),
    ]  # fmt: skip
    assert {reading[3] for reading in lost(checked)} == {"SYSBP not above DIABP"}
    assert 135 not in checked.adbp["AVAL"].tolist()
    told = finding(checked, "SYSBP not above DIABP")[["PARAMCD", "COLUMN", "VALUE"]]
    assert sorted(told.to_numpy().tolist()) == [
        ["DIABP", "dbp", "135"], ["DIABP", "dbp", "90"],
        ["SYSBP", "sbp", "85"], ["SYSBP", "sbp", "90"],
    ]  # fmt: skip


@pytest.mark.parametrize(("rule", "left"), [("keep first", 1), ("set aside", 0)])
def test_equal_duplicates(trial, rule: str, left: int) -> None:
    trial.data["rules"]["duplicate_equal"] = rule
    trial.files["A.csv"].append(dict(trial.row("A", "A1", "month 6"), sbp="151.0"))
    trial.row("A", "A1", "month 6")["sbp"] = "151"
    checked = trial.check()
    r = checked.readings
    twins = r[(r["USUBJID"] == "A1") & (r["VISIT"] == "month 6") & (r["PARAMCD"] == "SYSBP")]
    assert (twins["FATE"] == Fate.ANALYSED).sum() == left
    told = finding(checked, "duplicate, same value")[["PARAMCD", "COLUMN"]]
    assert set(map(tuple, told.to_numpy())) == {("SYSBP", "sbp"), ("DIABP", "dbp")}
    if left:
        assert twins.loc[twins["FATE"] == Fate.ANALYSED, "SRCROW"].tolist() == [6]


@pytest.mark.parametrize("other", ["170", "abc", "1500"])
def test_different_duplicates_are_all_set_aside(trial, other: str) -> None:
    trial.files["A.csv"].append(dict(trial.row("A", "A1", "month 6"), sbp=other))
    checked = trial.check()
    sbp = [reading for reading in lost(checked) if reading[2] == "SYSBP"]
    assert [reading[1] for reading in sbp] == [6, 11]
    assert sbp[0][3] == "duplicate, different values"


def test_unknown_arm_and_visit_are_set_aside_with_the_near_miss(trial) -> None:
    trial.row("A", "A1", "month 6")["arm"] = "HCI"
    trial.row("B", "B1", "month 6")["visit"] = "Month6"
    checked = trial.check()
    assert len(lost(checked)) == 4
    assert "did you mean 'HIC'" in finding(checked, "unknown arm")["MESSAGE"].iloc[0]
    assert "did you mean 'month 6'" in finding(checked, "unknown visit")["MESSAGE"].iloc[0]
    assert len(finding(checked, "unknown visit")) == 1  # one a row, not one a reading


@pytest.mark.parametrize(
    ("rule", "column", "cell"), [("unknown_arm", "arm", "X"), ("unknown_visit", "visit", "later")]
)
def test_the_plan_can_stop_at_unknown_codes(trial, rule: str, column: str, cell: str) -> None:
    trial.data["rules"][rule] = "stop"
    trial.row("A", "A1", "month 6")[column] = cell
    with pytest.raises(DataError) as caught:
        trial.check()
    assert "A.csv line 6" in str(caught.value)
    assert f"rules.{rule}" in str(caught.value)


def test_other_visits_are_outside_the_plan_whatever_they_hold(trial) -> None:
    trial.data["other_visits"] = ["screening"]
    trial.files["A.csv"].insert(
        0, dict(trial.row("A", "A1", "baseline"), visit="screening", sbp="abc")
    )
    checked = trial.check()
    assert set(fates(checked, "A1", "screening").values()) == {Fate.OUTSIDE_PLAN}
    assert checked.findings.empty


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        ("patient", "missing patient identifier"),
        ("arm", "missing treatment arm"),
        ("visit", "missing visit name"),
        ("site", "missing site identifier"),
    ],
)
def test_missing_identifiers_cost_the_row(trial, column: str, rule: str) -> None:
    trial.row("A", "A1", "month 6")[column] = " "
    checked = trial.check()
    assert [reading[3] for reading in lost(checked)] == [rule, rule]
    assert finding(checked, rule)["SRCROW"].tolist() == [6]


def test_several_faults_of_one_row_are_all_told(trial) -> None:
    trial.row("A", "A1", "month 6").update(arm="X", visit="later", site="Q")
    checked = trial.check()
    rules = {"unknown arm", "unknown visit", "site disagrees"}
    assert set(checked.findings["RULE"]) == rules
    assert len(lost(checked)) == 2


def test_missing_value_codes_and_empty_cells_are_not_measured(trial) -> None:
    trial.row("A", "A1", "month 6")["sbp"] = "NA"
    trial.row("A", "A1", "month 12").update(sbp="", dbp=" . ")
    checked = trial.check()
    assert checked.findings.empty
    assert fates(checked, "A1", "month 6") == {"SYSBP": Fate.NOT_MEASURED, "DIABP": Fate.ANALYSED}
    assert set(fates(checked, "A1", "month 12").values()) == {Fate.NOT_MEASURED}


def test_a_patient_at_two_sites_is_set_aside_at_both(trial) -> None:
    for row in trial.files["B.csv"][:3]:
        row["patient"] = "A1"
    checked = trial.check()
    part = checked.readings[checked.readings["USUBJID"] == "A1"]
    assert set(part["REASON"]) == {"patient at two sites"}
    assert len(part) == 12
    told = finding(checked, "patient at two sites")
    assert told["SITEID"].tolist() == ["A", "B"]
    assert "A and B" in told["MESSAGE"].iloc[0]


def test_identifiers_within_sites_do_not_clash(trial) -> None:
    trial.data["columns"]["patient_ids"] = "site"
    for row in trial.files["B.csv"]:
        row["patient"] = row["patient"].replace("B", "A")
    checked = trial.check()
    assert checked.findings.empty
    assert {"A-A1", "B-A1"} <= set(checked.adbp["USUBJID"])


def test_a_patient_whose_arm_changes_is_set_aside(trial) -> None:
    trial.row("A", "A1", "month 12")["arm"] = "TASSH+HIC"
    checked = trial.check()
    part = checked.readings[checked.readings["USUBJID"] == "A1"]
    assert set(part["REASON"]) == {"arm changes"}
    told = finding(checked, "arm changes")
    assert told["MESSAGE"].tolist() == ["the patient's rows name the arms HIC and TASSH+HIC"]
    # header, three rows of A0, baseline and month 6 of A1: the other arm first stands in line 7
    place = told[["SRCFILE", "SRCROW", "COLUMN", "VALUE"]].to_numpy().tolist()
    assert place == [["A.csv", 7, "arm", "HIC and TASSH+HIC"]]


@pytest.mark.parametrize("rule", ["patient_at_two_sites", "arm_changes"])
def test_the_plan_can_stop_at_contradicting_patients(trial, rule: str) -> None:
    trial.data["rules"][rule] = "stop"
    if rule == "arm_changes":
        trial.row("A", "A1", "month 12")["arm"] = "TASSH+HIC"
    else:
        trial.row("B", "B0", "month 6")["patient"] = "A1"
    with pytest.raises(DataError, match=f"rules.{rule}"):
        trial.check()


def test_rows_of_another_site_are_set_aside_and_are_no_witness(trial) -> None:
    trial.data["rules"]["bad_site_share"] = 1.0
    trial.files["B.csv"] += [dict(row) for row in trial.files["A.csv"][:3]]
    checked = trial.check()
    part = checked.readings[checked.readings["USUBJID"] == "A0"]
    assert (part.groupby("SITEID")["FATE"].first() == [Fate.ANALYSED, Fate.SET_ASIDE]).all()
    assert len(finding(checked, "site disagrees")) == 3


def test_a_site_with_too_many_bad_readings_is_set_aside_whole(trial) -> None:
    for row in trial.files["A.csv"][:6]:
        row["sbp"], row["dbp"] = "abc", "abc"
    checked = trial.check()
    part = checked.readings[checked.readings["SITEID"] == "A"]
    assert set(part["FATE"]) == {Fate.SET_ASIDE}
    status = {file.site: file.status for file in checked.account.files}
    assert status == {"A": "set aside", "B": "used", "C": "used", "D": "used"}
    assert "12 of 18" in finding(checked, "bad site")["MESSAGE"].iloc[0]
    trial.data["rules"]["bad_site"] = "stop"
    with pytest.raises(DataError, match="12 of 18"):
        trial.check()


@pytest.mark.parametrize("declared", [True, False])
def test_kpa_is_converted_only_where_it_is_declared(trial, declared: bool) -> None:
    for row in trial.files["A.csv"]:
        row["sbp"], row["dbp"] = "20", "12"
    if declared:
        trial.sites["A"] = {"unit": "kPa"}
    checked = trial.check()
    part = checked.readings[checked.readings["SITEID"] == "A"]
    if declared:
        sbp = part[part["PARAMCD"] == "SYSBP"]
        assert sbp["AVAL"].tolist() == [pytest.approx(150.0123, abs=1e-4)] * 9
        assert pytest.approx(760 / 101.325, rel=1e-9) == MMHG_PER_KPA
        assert set(sbp["UNIT"]) == {"kPa"}
        assert set(sbp["AVALC"]) == {"20"}
        assert len(finding(checked, "converted from kPa")) == 2
    else:
        assert set(part["FATE"]) == {Fate.SET_ASIDE}
        told = finding(checked, "suspected unit").iloc[0]
        assert "looks like kPa" in told["MESSAGE"]
        assert "site sheet" in told["ADVICE"]


def test_mmhg_declared_as_kpa_is_suspected(trial) -> None:
    trial.sites["A"] = {"unit": "kPa"}
    checked = trial.check()
    assert "converted without need" in finding(checked, "suspected unit")["MESSAGE"].iloc[0]


def test_an_unknown_unit_in_the_sheet_sets_the_site_aside(trial) -> None:
    trial.sites["A"] = {"unit": "cmHg"}
    checked = trial.check()
    assert finding(checked, "unit of the site sheet")["ALLOWED"].iloc[0] == "mmHg, kPa"


def test_decimal_commas_are_read_where_the_sheet_says_so(trial) -> None:
    trial.sites["A"] = {"decimal": ",", "delimiter": ";"}
    for row in trial.files["A.csv"]:
        row.update(dbp=row["dbp"].replace(".", ","), bmi=row["bmi"].replace(".", ","))
    checked = trial.check()
    assert checked.findings.empty
    assert 90.5 in checked.adbp["AVAL"].tolist()
    assert 21.4 in checked.adbp.loc[checked.adbp["SITEID"] == "A", "BMI"].tolist()


def test_covariates_missing_unreadable_and_varying(trial) -> None:
    for visit in ("baseline", "month 6", "month 12"):
        trial.row("A", "A0", visit)["bmi"] = "0.0"
    trial.row("A", "A1", "baseline")["age"] = "fifty"
    trial.row("A", "A2", "month 12")["age"] = "99"
    trial.row("B", "B1", "baseline")["sex"] = "m"
    checked = trial.check()
    assert not lost(checked)
    rows = checked.adbp.drop_duplicates("USUBJID").set_index("USUBJID")
    assert pd.isna(rows.loc["A0", "BMI"])
    assert rows.loc["A1", "AGE"] == 51  # from the next visit
    assert rows.loc["A2", "AGE"] == 52
    assert rows.loc["B1", "SEX"] == "Male"
    unread = finding(checked, "covariate unreadable").set_index("USUBJID")
    assert unread.loc["A1", "VALUE"] == "fifty"
    assert "did you mean 'M'" in unread.loc["B1", "MESSAGE"]
    assert finding(checked, "covariate varies")["VALUE"].tolist() == ["99"]


def test_ragged_rows_are_counted_and_set_aside(trial) -> None:
    trial.write()
    path = trial.folder / "A.csv"
    lines = path.read_text().splitlines()
    lines[4] += ",extra"
    path.write_text("\n".join(lines) + "\n")
    checked = trial.check(write=False)
    assert [reading[1:] for reading in lost(checked)] == [
        (5, "SYSBP", "ragged row"),
        (5, "DIABP", "ragged row"),
    ]
    assert checked.account.readings == 72


def test_most_rows_of_one_length_are_one_finding_and_others_keep_theirs(trial) -> None:
    """Seven of nine rows end with a comma, one is short, one is as the header."""
    trial.write()
    path = trial.folder / "A.csv"
    header, *lines = path.read_text().splitlines()
    lines = [f"{line}," for line in lines[:7]] + ["A,A2", lines[8]]
    path.write_text("\n".join([header, *lines]) + "\n")
    checked = trial.check(write=False)
    found = finding(checked, "ragged row")
    assert found["SRCROW"].tolist() == [2, 9]
    assert found["ACTION"].tolist() == ["7 rows set aside", "row set aside"]
    assert "7 of 9 rows have 11 cells" in found["MESSAGE"].iloc[0]
    assert len([reading for reading in lost(checked) if reading[3] == "ragged row"]) == 16


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [f"{lines[0]},", *lines[1:]], "the header ends with a delimiter"),
        (lambda lines: [lines[0], *(f"{line},x" for line in lines[1:])], "without a name"),
        (lambda lines: [lines[0], *(f"{line},x,y" for line in lines[1:])],
         "9 of 9 rows have 12 cells"),
    ],
)  # fmt: skip
def test_rows_that_all_differ_from_the_header_say_how(trial, change, said) -> None:
    trial.write()
    path = trial.folder / "A.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    found = finding(trial.check(write=False), "ragged row")
    assert len(found) == 1
    assert said in found["MESSAGE"].iloc[0]


def with_days(trial, days: dict[str, str]) -> None:
    """Every row its visit's study day."""
    trial.data["columns"]["day"] = "day"
    for rows in trial.files.values():
        for row in rows:
            row["day"] = days[row["visit"]]


RISING = {"baseline": "1", "month 6": "183", "month 12": "366"}


@pytest.mark.parametrize(
    ("visit", "day", "at"),
    [
        ("baseline", "200", ("Month 6", "183", "a visit before it on day 200")),
        ("month 12", "183", ("Month 12", "183", "a visit before it on day 183")),
        ("month 6", "-3", ("Month 6", "-3", "a visit before it on day 1")),
    ],
)
def test_a_visit_that_is_not_later_than_one_before_it_is_told_once(trial, visit, day, at) -> None:
    with_days(trial, RISING)
    trial.row("A", "A1", visit)["day"] = day
    checked = trial.check()
    found = finding(checked, "visits against study days")
    assert found[["USUBJID", "AVISIT", "VALUE"]].values.tolist() == [["A1", *at[:2]]]
    assert at[2] in found["MESSAGE"].iloc[0]
    assert lost(checked) == []


def test_days_that_rise_or_are_missing_are_no_finding(trial) -> None:
    with_days(trial, RISING)
    trial.row("A", "A1", "month 6")["day"] = ""
    trial.row("A", "A2", "month 6")["day"] = "never"  # said as an impossible day, and only so
    trial.files["A.csv"].reverse()
    assert set(trial.check().findings["RULE"]) == {"impossible study day"}


def test_days_that_fall_at_most_patients_of_a_site_are_one_finding(trial) -> None:
    with_days(trial, RISING)
    for rows in (trial.files["A.csv"], trial.files["B.csv"][:6]):
        for row in rows:
            row["day"] = {"1": "400", "183": "200", "366": "1"}[row["day"]]
    found = finding(trial.check(), "visits against study days")
    # all three patients of A are the site's; two of B's three are told one by one
    assert found[["SITEID", "USUBJID"]].values.tolist() == [["A", ""], ["B", "B0"], ["B", "B1"]]
    assert found["MESSAGE"].iloc[0].startswith("at 3 of 3 patients of this site")


@pytest.mark.parametrize(
    ("content", "rule", "readings"),
    [
        (None, "file missing", 54),
        (b"", "file empty", 54),
        (b"site,patient,arm,visit,sbp,dbp,age,sex,bmi,area\n", "no rows", 54),
        (b"site,patient,arm,visit,sbp,age,sex,bmi,area\nA,A1,HIC,baseline,150,51,M,21,rural\n",
         "column missing", 56),
        (b"site,patient\nA,\xff\n", "encoding", 54),
    ],
)  # fmt: skip
def test_an_unusable_file_sets_its_site_aside_and_no_other(
    trial, content: bytes | None, rule: str, readings: int
) -> None:
    trial.write()
    path = trial.folder / "A.csv"
    path.unlink() if content is None else path.write_bytes(content)
    checked = trial.check(write=False)
    line = finding(checked, rule).iloc[0]
    assert (line["SRCFILE"], line["ACTION"]) == ("A.csv", "site set aside")
    assert checked.account.files[0].status == "set aside"
    assert checked.account.readings == readings
    assert set(checked.adbp["SITEID"]) == {"B", "C", "D"}


def test_bad_sites_can_stop_and_all_of_them_are_named(trial) -> None:
    trial.data["rules"]["bad_site"] = "stop"
    trial.write()
    (trial.folder / "A.csv").unlink()
    (trial.folder / "B.csv").write_bytes(b"")
    trial.sites["C"] = {"sha256": hashlib.sha256(b"other").hexdigest()}
    with pytest.raises(DataError) as caught:
        trial.check(write=False)
    told = str(caught.value)
    assert all(f"site {site}" in told for site in "ABC")
    assert "rules.bad_site" in told


def test_the_same_file_under_two_names_is_named(trial) -> None:
    trial.data["columns"]["patient_ids"] = "site"
    del trial.data["columns"]["site"]
    trial.files["B.csv"] = trial.files["A.csv"]
    checked = trial.check()
    assert finding(checked, "same file twice")["SITEID"].tolist() == ["A", "B"]


def test_a_missing_data_folder_is_one_problem(trial) -> None:
    trial.folder = trial.folder / "nowhere"
    with pytest.raises(DataError, match="no such folder"):
        trial.check(write=False)
