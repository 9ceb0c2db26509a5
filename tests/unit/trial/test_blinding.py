"""The arm split off: what stays tells no arm, whatever the arms are."""

from pathlib import Path

import pandas as pd
import pytest

from sitewise.inference.blinded_plan import blinded_plan
from sitewise.plan.load import validate_plan
from sitewise.plan.parts import part_data, read_part
from sitewise.terms import SITEID, TRT01P, USUBJID
from sitewise.trial.blinding import WITHHELD, split_arms
from sitewise.trial.ingest import ingest_batch
from sitewise.trial.pipeline import CheckedTrial, check_data
from sitewise.trial.rows import ANOTHER, ARM, POOLED
from tests.small_trial import Trial, small_trial

SWAPPED = {"HIC": "TASSH+HIC", "TASSH+HIC": "HIC"}


@pytest.fixture
def small(root: Path, tmp_path: Path) -> Trial:
    """Patients and hospitals of both arms, and everything that can be wrong with an arm."""
    made = small_trial(root, tmp_path)
    made.data["blinded"] = True
    made.data["rules"]["bad_site_share"] = 1.0
    made.row("A", "A0", "month 6")["arm"] = "TASSH+HIC"  # an arm that changes
    made.row("B", "B1", "baseline")["arm"] = "Zqx"  # no arm of the plan
    made.row("C", "C2", "month 12")["arm"] = ""
    made.files["D.csv"].append(made.files["D.csv"][-1] | {"patient": "", "arm": "Total"})
    return made


def individual(trial: Trial) -> Trial:
    """The same with patients randomised: both arms in each hospital."""
    trial.data |= {"design": "individual", "randomised_unit": "USUBJID"}
    for rows in trial.files.values():
        for row in rows:
            if row["patient"].endswith("1"):
                row["arm"] = SWAPPED.get(row["arm"], row["arm"])
    return trial


def checked(trial: Trial) -> CheckedTrial:
    trial.write()
    written = validate_plan(trial.data, "test.yaml")
    return check_data(blinded_plan(written), trial.sheet, trial.folder, written=written)


def texts(found: CheckedTrial) -> str:
    frames = (found.readings, found.findings, found.adbp)
    return "\n".join([*(frame.to_csv() for frame in frames), str(found.account)])


@pytest.mark.parametrize("design", ["individual", "cluster"])
def test_no_arm_no_code_and_no_wrong_code_is_left(small: Trial, design: str) -> None:
    told = texts(checked(individual(small) if design == "individual" else small))
    for word in ("HIC", "TASSH", "Zqx"):
        assert word not in told, word


@pytest.mark.parametrize("design", ["individual", "cluster"])
def test_other_arms_leave_the_same_bytes(small: Trial, design: str) -> None:
    """Nothing that is derived from these rows can depend on an arm, for the rows do not."""
    trial = individual(small) if design == "individual" else small
    before = checked(trial)
    for rows in trial.files.values():
        for row in rows:
            row["arm"] = SWAPPED.get(row["arm"], row["arm"])
    trial.row("B", "B1", "baseline")["arm"] = "Other"
    if design == "individual":  # one patient's arm alone
        for visit in ("baseline", "month 6", "month 12"):
            row = trial.row("D", "D0", visit)
            row["arm"] = SWAPPED[row["arm"]]
    after = checked(trial)
    for name in ("readings", "findings", "adbp"):
        pd.testing.assert_frame_equal(getattr(before, name), getattr(after, name))
    assert before.account.counts == after.account.counts
    assert before.account.findings == after.account.findings


def test_wrong_arms_are_found_without_their_values(small: Trial) -> None:
    found = checked(small)
    by_rule = dict(tuple(found.findings.groupby("RULE")))
    assert {"arm changes", "unknown arm", "missing treatment arm"} <= by_rule.keys()
    assert by_rule["arm changes"]["MESSAGE"].tolist() == [
        f"the patient's rows name the arms {POOLED} and {ANOTHER}"
    ]
    assert by_rule["arm changes"]["SRCROW"].tolist() == [3], "where the arm first changes"
    assert set(by_rule["unknown arm"]["VALUE"]) == {WITHHELD}


def test_the_same_readings_are_set_aside_as_unblinded(small: Trial) -> None:
    blinded = checked(small)
    small.data["blinded"] = False
    open_ = small.check()
    columns = ["SITEID", "USUBJID", "SRCROW", "PARAMCD", "FATE", "REASON"]
    pd.testing.assert_frame_equal(blinded.readings[columns], open_.readings[columns])
    assert len(blinded.findings) == len(open_.findings)


def test_the_arms_are_in_the_file_apart(small: Trial) -> None:
    small.write()
    plan = validate_plan(small.data, "test.yaml")
    read = ingest_batch(read_part(part_data(plan, "ingest")), small.sheet.sites, small.folder)
    split = split_arms(read.rows)
    assert set(split.rows[TRT01P].dropna()) == {POOLED, ANOTHER}
    joined = read.rows.merge(split.arms, on=["SRCFILE", "SRCROW"], suffixes=("", "_apart"))
    pd.testing.assert_series_equal(joined[ARM], joined[f"{ARM}_apart"], check_names=False)
    own = [name for name in read.rows if name not in (TRT01P, ARM)]
    pd.testing.assert_frame_equal(split.rows[own], read.rows[own])
    assert {SITEID, USUBJID} <= set(split.arms)


def test_a_covariate_of_the_arms_column_is_refused(small: Trial) -> None:
    small.data["covariates"]["GROUP"] = {"column": "arm", "label": "Group", "type": "category"}
    with pytest.raises(Exception, match="the trial is blinded"):
        validate_plan(small.data, "test.yaml")
