"""What only the whole trial shows: the design, and what its models need."""

import dataclasses

import pytest

from sitewise.errors import DataError
from sitewise.trial.account import FileRow
from sitewise.trial.checks import check_batch
from sitewise.trial.ingest import ingest_batch
from sitewise.trial.trial_checks import check_trial


def stopped(trial) -> str:
    with pytest.raises(DataError) as caught:
        trial.check()
    return str(caught.value)


def test_cluster_design_with_mixed_arms_stops_and_counts(trial) -> None:
    for row in trial.files["A.csv"][:3]:
        row["arm"] = "TASSH+HIC"
    told = stopped(trial)
    assert "1 of 4 sites" in told
    assert "A (HIC 2, TASSH+HIC 1)" in told
    assert "design: individual" in told


def individual(trial) -> None:
    trial.data |= {"design": "individual", "randomised_unit": "USUBJID"}


def test_individual_design_with_constant_arms_stops(trial) -> None:
    individual(trial)
    told = stopped(trial)
    assert "each of the 4 sites" in told
    assert "design: cluster" in told


def test_individual_design_warns_of_a_site_with_one_arm(trial) -> None:
    individual(trial)
    for row in trial.files["A.csv"][:3]:
        row["arm"] = "TASSH+HIC"
    findings = trial.check().findings
    assert findings["RULE"].tolist() == ["site with one arm"] * 3
    assert findings["SITEID"].tolist() == ["B", "C", "D"]
    assert set(findings["SEVERITY"]) == {"warning"}


def test_one_site_only(trial) -> None:
    individual(trial)
    trial.files = {"A.csv": trial.files["A.csv"]}
    for row in trial.files["A.csv"][:3]:
        row["arm"] = "TASSH+HIC"
    assert "no variance between sites" in stopped(trial)


def test_one_arm_only(trial) -> None:
    trial.files = {name: trial.files[name] for name in ("A.csv", "B.csv")}
    assert "only one arm is left: HIC" in stopped(trial)


def test_a_visit_missing_everywhere(trial) -> None:
    trial.files = {
        name: [row for row in rows if row["visit"] != "month 6"]
        for name, rows in trial.files.items()
    }
    told = stopped(trial)
    assert "no reading of SYSBP at Month 6" in told
    assert "no reading of DIABP at Month 6" in told


def test_all_outcomes_of_an_endpoint_missing(trial) -> None:
    for rows in trial.files.values():
        for row in rows:
            row["dbp"] = ""
    assert "no reading of DIABP is left" in stopped(trial)


def test_nothing_left_names_the_sites_and_why(trial) -> None:
    trial.write()
    for name in trial.files:
        (trial.folder / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"no reading is left.*A \(the file is empty\)"):
        trial.check(write=False)


def test_problems_of_all_stages_come_at_once(trial) -> None:
    trial.data["rules"] |= {"unknown_visit": "stop", "bad_site": "stop"}
    trial.row("C", "C1", "month 6")["visit"] = "later"
    for row in trial.files["A.csv"][:3]:
        row["arm"] = "TASSH+HIC"
    trial.sites["D"] = {"sha256": "0" * 64}
    told = stopped(trial)
    assert all(part in told for part in ("site D", "C.csv line 6", "design: cluster"))


def test_missing_baseline_and_lonely_patients_are_notes(trial) -> None:
    trial.row("A", "A1", "baseline")["sbp"] = ""
    trial.files["B.csv"] = trial.files["B.csv"][:3]
    findings = trial.check().findings
    missing = findings[findings["RULE"] == "missing baseline"]
    assert missing[["USUBJID", "PARAMCD", "AVISIT"]].to_numpy().tolist() == [
        ["A1", "SYSBP", "Baseline"]
    ]
    # A1's first reading that is left stands at month 6, line 6: header, three rows of A0, baseline.
    place = missing[["SRCFILE", "SRCROW", "COLUMN", "VALUE"]]
    assert place.to_numpy().tolist() == [["A.csv", 6, "sbp", ""]]
    assert findings.loc[findings["RULE"] == "site with one patient", "SITEID"].tolist() == ["B"]


def test_findings_of_one_rule_are_counted_by_message(trial) -> None:
    trial.row("A", "A1", "baseline").update(sbp="", dbp="")
    trial.row("A", "A2", "baseline")["sbp"] = ""
    account = trial.check().account
    told = {f.message: f.findings for f in account.findings if f.rule == "missing baseline"}
    assert told == {
        "the patient has DIABP readings, but none at Baseline": 1,
        "the patient has SYSBP readings, but none at Baseline": 2,
    }


def test_few_messages_of_one_column_are_told_one_by_one(trial) -> None:
    trial.row("A", "A0", "baseline")["age"] = "fifty"
    trial.row("B", "B0", "baseline")["age"] = "sixty"
    found = [f for f in trial.check().account.findings if f.rule == "covariate unreadable"]
    assert [(f.message, f.findings, f.sites) for f in found] == [
        ("Age 'fifty' is not a number", 1, ("A",)),
        ("Age 'sixty' is not a number", 1, ("B",)),
    ]


def test_many_messages_of_one_rule_are_told_by_an_example(trial) -> None:
    for name in "AB":
        for patient in range(3):
            trial.row(name, f"{name}{patient}", "baseline")["age"] = f"x{name}{patient}"
    (found,) = (f for f in trial.check().account.findings if f.rule == "covariate unreadable")
    assert (found.findings, found.sites) == (6, ("A", "B"))
    assert found.message == "for example: Age 'xA0' is not a number"


def test_an_arm_without_readings_at_a_visit_is_named(trial) -> None:
    for name in ("A.csv", "B.csv"):
        for row in trial.files[name]:
            if row["visit"] == "month 12":
                row["sbp"] = ""
    findings = trial.check().findings
    told = findings.loc[findings["RULE"] == "arm without readings", "MESSAGE"].tolist()
    assert len(told) == 1
    assert "no SYSBP reading: HIC at Month 12" in told[0]


def test_an_account_that_does_not_add_up_stops(trial) -> None:
    trial.write()
    ingested = ingest_batch(trial.plan, trial.sheet.sites, trial.folder)
    checked = check_batch(trial.plan, ingested.rows)
    wrong: list[FileRow] = [
        dataclasses.replace(file, readings=file.readings + 1) for file in ingested.files
    ]
    with pytest.raises(DataError, match="does not add up"):
        check_trial(trial.plan, [checked.rows], wrong, [ingested.findings], {})
    with pytest.raises(DataError, match="does not add up"):
        check_trial(trial.plan, [checked.rows.iloc[:-1]], ingested.files, [ingested.findings], {})


def test_a_stratification_factor_outside_a_model_is_a_finding(trial) -> None:
    """One a model and factor, in the findings and in the account; nothing is lost by it."""
    trial.data["stratification"] = ["AREA", "SITEID"]
    nested = trial.data["models"]["nested"]
    nested["formula"] = nested["formula"].replace("~ ", "~ AREA + ")
    checked = trial.check()
    found = checked.findings[checked.findings["RULE"] == "stratification factor left out"]
    places = found[["COLUMN", "SEVERITY", "SITEID", "SRCFILE"]].to_numpy().tolist()
    without_area = sorted(set(trial.plan.models) - {"nested"})
    assert places == sorted(
        [[f"models.{name}.formula", "warning", "", ""] for name in [*without_area, "patient"]]
    )
    by_patient = found[found["COLUMN"] == "models.patient.formula"]
    area, site = by_patient.sort_values("MESSAGE").to_dict("records")
    assert "the model patient does not contain AREA" in area["MESSAGE"]
    assert area["ADVICE"].startswith("add + AREA to the formula")
    assert site["ADVICE"].startswith("add + (1 | SITEID) to the formula")
    assert "grouping of a random term" in area["ALLOWED"]
    assert "caution" in area["ACTION"]
    counted = [f for f in checked.account.findings if f.rule == "stratification factor left out"]
    assert sum(f.findings for f in counted) == len(found)
    assert set(checked.readings["FATE"]) == {"analysed"}


def test_patients_are_counted_by_what_became_of_them(trial) -> None:
    """A0 has no reading left, and the reason of most of them; A1 lost one and stays."""
    for visit in ("baseline", "month 6"):
        trial.row("A", "A0", visit).update(sbp="900", dbp="")
    trial.row("A", "A0", "month 12").update(sbp="901", dbp="")
    trial.row("A", "A1", "baseline").update(sbp="900")
    counts = {(c.arm, c.reason): c.patients for c in trial.check().account.patients}
    lost = {key: n for key, n in counts.items() if key[1]}
    assert sum(counts.values()) == 12
    assert list(lost.values()) == [1]
    assert next(iter(lost))[0] == "HIC"
    assert counts["HIC", ""] == 5
    assert counts["TASSH+HIC", ""] == 6


def test_a_patient_at_two_sites_is_one_patient_of_the_arm_known_of_it(trial) -> None:
    """A1 stands at A and B; a row of A claims B0, who is analysed at B; a totals row is nobody."""
    for row in trial.files["B.csv"][3:6]:  # all rows of B1
        row["patient"] = "A1"
    trial.row("A", "A2", "month 12").update(patient="B0", site="B")
    trial.files["A.csv"].append(
        trial.files["A.csv"][0] | {"patient": "Total", "arm": "", "visit": "", "sbp": "5000"}
    )
    account = trial.check().account
    counts = {(c.arm, c.reason): c.patients for c in account.patients}
    assert sum(counts.values()) == 11
    assert counts["HIC", "patient at two sites"] == 1
    assert sum(n for (_, reason), n in counts.items() if reason) == 1
    allocated = {c.arm: (c.sites, c.patients) for c in account.arms}
    assert allocated == {"HIC": (2, 5), "TASSH+HIC": (2, 6)}


def test_allocated_counts_hospitals_and_patients_that_are_set_aside(trial) -> None:
    for row in trial.files["B.csv"]:
        row["sbp"], row["dbp"] = "900", ""
    account = trial.check().account
    assert [file.status for file in account.files] == ["used", "set aside", "used", "used"]
    allocated = {c.arm: (c.sites, c.patients) for c in account.arms}
    assert allocated == {"HIC": (2, 6), "TASSH+HIC": (2, 6)}


def test_an_earlier_file_is_told_with_its_file_and_as_a_warning(trial) -> None:
    trial.write()
    ingested = ingest_batch(trial.plan, trial.sheet.sites, trial.folder)
    checked = check_batch(trial.plan, ingested.rows)
    kept = [{"site": "A", "file": "A.csv", "told": "an earlier file is used: so and so"}]
    _, said, account = check_trial(
        trial.plan, [checked.rows], ingested.files, [ingested.findings], {}, kept=kept
    )
    assert [file.file for file in account.files if file.kept] == ["A.csv"]
    found = said[said["RULE"] == "earlier file kept"]
    assert list(found["SITEID"]) == ["A"]
    assert list(found["SEVERITY"]) == ["warning"]
    assert list(found["MESSAGE"]) == ["an earlier file is used: so and so"]
