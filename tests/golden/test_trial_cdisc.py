"""The CDISC pilot trial in layout `readings` with replicates, against its published derivation.

`analysis_bp.csv` was derived twice, independently of this project (README beside it). Values are
means of whole numbers: they must agree to rounding (1e-12 relative).
"""

from pathlib import Path

import pandas as pd
import pytest

from sitewise.plan.load import read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.plan.sheet import Site, SiteSheet
from sitewise.terms import Fate
from sitewise.trial.pipeline import CheckedTrial, check_data

ARMS = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")
WEEKS = (2, 4, 6, 8, 12, 16, 20, 24, 26)


def cdisc_plan(root: Path, time: str) -> Plan:
    data = read_yaml(root / "config" / "ghana.yaml")
    data |= {
        "trial": "cdiscpilot",
        "design": "individual",
        "randomised_unit": "USUBJID",
        "columns": {
            "layout": "readings", "site": "SITEID", "patient": "USUBJID", "arm": "ARM",
            "visit": "VISIT", "day": "VSDY", "timepoint": "VSTPT", "parameter": "VSTESTCD",
            "value": "VSSTRESN", "unit": "VSSTRESU", "patient_ids": "trial",
        },
        "arms": {
            "order": [{"name": arm, "label": arm} for arm in ARMS],
            "reference": "Placebo", "direction": "arm minus reference", "favours": "lower",
        },
        "visits": [
            {"name": "Baseline", "codes": ["BASELINE"], "week": 0, "baseline": True},
            *({"name": f"Week {w}", "codes": [f"WEEK {w}"], "week": w} for w in WEEKS),
        ],
        "other_visits": [
            "SCREENING 1", "SCREENING 2", "UNSCHEDULED 3.1", "AMBUL ECG PLACEMENT",
            "AMBUL ECG REMOVAL", "RETRIEVAL",
        ],
        "time": time,
        "replicates": "mean",
        "covariates": {
            "AGE": {"column": "AGE", "label": "Age", "type": "number", "unit": "years"},
            "SEX": {"column": "SEX", "label": "Sex", "type": "category",
                    "codes": {"F": "Female", "M": "Male"}},
        },
        "primary": {"model": "site_by_visit", "visit": "Week 24", "arm": ARMS[2],
                    "contrast": "change"},
    }  # fmt: skip
    for name, soft in (("SYSBP", [70, 220]), ("DIABP", [39, 118])):
        del data["endpoints"][name]["column"]
        data["endpoints"][name] |= {"code": name, "soft": soft}
    return validate_plan(data, "cdiscpilot.yaml")


@pytest.fixture(scope="module")
def checked(root: Path, shared: Path) -> CheckedTrial:
    folder = shared / "data" / "cdiscpilot"
    sites = tuple(
        Site(siteid=path.stem.removeprefix("site_"), file=path.name)
        for path in sorted(folder.glob("site_*.csv"))
    )
    return check_data(cdisc_plan(root, "actual"), SiteSheet(sites), folder)


@pytest.fixture(scope="module")
def reference(shared: Path) -> pd.DataFrame:
    text = ["USUBJID", "SITEID", "ARM"]
    path = shared / "data" / "cdiscpilot" / "analysis_bp.csv"
    return pd.read_csv(path, dtype=dict.fromkeys(text, str))


def test_set_b_has_the_published_rows_patients_and_sites(checked: CheckedTrial) -> None:
    sbp = checked.adbp[checked.adbp["PARAMCD"] == "SYSBP"]
    assert len(sbp) == 1801
    assert sbp["USUBJID"].nunique() == 254
    assert sbp["SITEID"].nunique() == 17


@pytest.mark.parametrize(("endpoint", "column"), [("SYSBP", "sbp"), ("DIABP", "dbp")])
def test_every_value_is_the_published_one(
    checked: CheckedTrial, reference: pd.DataFrame, endpoint: str, column: str
) -> None:
    rows = checked.adbp[checked.adbp["PARAMCD"] == endpoint]
    week = rows["AVISIT"].map({"Baseline": 0} | {f"Week {w}": w for w in WEEKS})
    both = rows.assign(week=week).merge(
        reference, on=["USUBJID", "week"], how="outer", indicator=True, suffixes=("", "_ref")
    )
    assert (both["_merge"] == "both").all()
    assert both["AVAL"].to_numpy() == pytest.approx(both[column].to_numpy(), rel=1e-12)
    assert both["BASE"].to_numpy() == pytest.approx(
        both[f"{column}_base"].to_numpy(), rel=1e-12, nan_ok=True
    )
    assert both["WEEK"].to_numpy() == pytest.approx(both["week_actual"].to_numpy(), abs=1e-12)
    assert (both["NREAD"] == both[f"n_{column}"]).all()
    assert (both["TRT01P"] == both["ARM"]).all()
    assert ((both["DTYPE"] == "AVERAGE") == (both["NREAD"] > 1)).all()


def test_every_reading_is_accounted_for(checked: CheckedTrial, reference: pd.DataFrame) -> None:
    account = checked.account
    assert account.rows == account.readings == 16415
    assert sum(count.readings for count in account.counts) == 16415
    by_fate = checked.readings.groupby(["PARAMCD", "FATE"]).size()
    for endpoint, column in (("SYSBP", "n_sbp"), ("DIABP", "n_dbp")):
        fates = by_fate[endpoint]
        assert fates[Fate.ANALYSED] + fates[Fate.AVERAGED] == reference[column].sum()
        assert Fate.SET_ASIDE not in fates.index
    averaged = checked.readings[checked.readings["FATE"] == Fate.AVERAGED]
    named = averaged["USUBJID"] + " / " + averaged["AVISIT"] + " / " + averaged["PARAMCD"]
    assert (averaged["REASON"] == "mean in the record " + named).all()


def test_only_the_sites_without_all_arms_and_the_patient_without_baseline_stand_out(
    checked: CheckedTrial,
) -> None:
    findings = checked.findings
    single = findings[findings["RULE"] == "site with one arm"]
    assert single["SITEID"].tolist() == ["702"]
    missing = findings[findings["RULE"] == "missing baseline"]
    assert missing["USUBJID"].tolist() == ["01-718-1150"] * 2
    assert not (findings["SEVERITY"] == "error").any()
