"""The Ghana trial: counts of its README and of its deposited file, one row a patient."""

from pathlib import Path

import pandas as pd
import pytest

from sitewise.plan.load import load_plan
from sitewise.plan.sheet import load_sheet
from sitewise.terms import Fate
from sitewise.trial.describe import describe
from sitewise.trial.description import Description
from sitewise.trial.pipeline import CheckedTrial, check_data


@pytest.fixture(scope="module")
def checked(root: Path, shared: Path) -> CheckedTrial:
    plan = load_plan(root / "config" / "ghana.yaml")
    sheet = load_sheet(root / "config" / "ghana_sites.csv")
    return check_data(plan, sheet, shared / "data" / "ghana")


@pytest.fixture(scope="module")
def described(root: Path, checked: CheckedTrial) -> Description:
    return describe(load_plan(root / "config" / "ghana.yaml"), checked.adbp)


def test_account(checked: CheckedTrial) -> None:
    fates = checked.readings.groupby(["PARAMCD", "FATE"]).size().to_dict()
    assert fates == {
        ("SYSBP", Fate.ANALYSED): 2003,
        ("SYSBP", Fate.NOT_MEASURED): 5,
        ("DIABP", Fate.ANALYSED): 2002,
        ("DIABP", Fate.NOT_MEASURED): 6,
    }
    assert (checked.account.rows, checked.account.readings) == (2008, 4016)
    assert all(file.status == "used" for file in checked.account.files)


def test_patients_sites_and_visits(described: Description) -> None:
    whole = [row for row in described.flow if row.site == ""]
    assert sum(row.patients for row in whole) == 757
    assert [sum(at) for at in zip(*(row.by_visit for row in whole), strict=True)] == [756, 605, 642]
    assert {row.arm: row.all_visits for row in whole} == {"TASSH+HIC": 281, "HIC": 271}
    assert len({row.site for row in described.flow}) == 32 + 1


def test_each_line_of_the_file_is_where_srcrow_says(checked: CheckedTrial, shared: Path) -> None:
    folder = shared / "data" / "ghana"
    sbp = checked.adbp[checked.adbp["PARAMCD"] == "SYSBP"]
    for line in sbp.iloc[::97].itertuples():
        cells = (folder / line.SRCFILE).read_text().splitlines()[line.SRCROW - 1].split(",")
        assert cells[1] == line.USUBJID
        assert float(cells[5]) == line.AVAL


def test_missing_covariates_are_counted(described: Description) -> None:
    bmi = next(row for row in described.baseline if row.variable == "BMI" and row.arm == "")
    assert (bmi.n, bmi.missing) == (757 - 345, 345)  # 345 patients have bmi 0


def test_means_agree_with_plain_pandas_on_the_raw_files(
    described: Description, shared: Path
) -> None:
    files = sorted((shared / "data" / "ghana" / "sites").glob("site_*.csv"))
    raw = pd.concat([pd.read_csv(path, dtype={"patient": str}) for path in files])
    at = raw[raw["visit"] == "month 12"].groupby("arm")["sbp"].agg(["mean", "std", "count"])
    for row in described.outcomes:
        if row.endpoint == "SYSBP" and row.visit == "Month 12":
            expected = at.loc[row.arm]
            assert row.n == expected["count"]
            assert row.mean == pytest.approx(expected["mean"], rel=1e-12)
            assert row.sd == pytest.approx(expected["std"], rel=1e-12)
