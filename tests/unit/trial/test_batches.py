"""What is said of a trial does not hang on how its hospitals go to batches."""

import pandas as pd
import pytest

from sitewise.errors import DataError
from sitewise.trial.pipeline import CheckedTrial


def spoilt(trial) -> None:
    """Something for each check that looks across hospitals, and for most that don't."""
    trial.data |= {"design": "individual", "randomised_unit": "USUBJID"}
    for row in trial.files["A.csv"][:3]:
        row["arm"] = "TASSH+HIC"
    for row in trial.files["C.csv"][3:6]:
        row["patient"] = "A1"  # at two hospitals
    trial.row("D", "D2", "month 6")["arm"] = "HIC"
    for row in trial.files["D.csv"][:3]:
        row["patient"] = "b0"  # looks like B0
    trial.row("B", "B1", "baseline").update(sbp="", dbp="900")
    trial.files["B.csv"] = trial.files["B.csv"][:7]
    for place, row in enumerate(trial.files["C.csv"][:3]):
        row["arm"] = f"code {place}"


def checked(trial, batches: int) -> CheckedTrial:
    trial.data["sites"] = trial.data["sites"] | {"batches": batches}
    return trial.check()


def ordered(frame: pd.DataFrame, *keys: str) -> pd.DataFrame:
    return frame.sort_values(list(keys), kind="stable", ignore_index=True)


@pytest.mark.parametrize("batches", [2, 4])
def test_batches_change_nothing_but_the_order_of_rows(trial, batches: int) -> None:
    spoilt(trial)
    one, several = checked(trial, 1), checked(trial, batches)
    rules = set(one.findings["RULE"])
    assert {"patient at two sites", "arm changes", "identifiers look alike",
            "missing baseline", "outside the hard limits"} <= rules  # fmt: skip
    pd.testing.assert_frame_equal(one.findings, several.findings)
    assert one.account == several.account
    for name, keys in (
        ("readings", ("SITEID", "SRCROW", "PARAMCD")),
        ("adbp", ("SITEID", "USUBJID", "PARAMCD", "AVISITN")),
    ):
        pd.testing.assert_frame_equal(
            ordered(getattr(one, name), *keys), ordered(getattr(several, name), *keys)
        )


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_what_stops_a_run_is_told_alike(trial, batches: int) -> None:
    trial.files["A.csv"][0]["arm"] = "TASSH+HIC"  # a hospital of two arms, where hospitals were
    for rows in trial.files.values():
        for row in rows:
            row["dbp"] = ""
    trial.data["sites"] = trial.data["sites"] | {"batches": batches}
    with pytest.raises(DataError) as caught:
        trial.check()
    told = str(caught.value)
    assert "no reading of DIABP is left" in told
    assert len(caught.value.rows) == 72
