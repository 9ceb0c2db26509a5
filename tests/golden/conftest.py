"""Analysis rows of the real trials, built here by hand: independent of the trial room."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sitewise.inference.fitting import PlannedResult, fit_planned
from sitewise.plan.load import load_plan, read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.store.results import to_plain

GHANA_VISITS = {"baseline": "Baseline", "month 6": "Month 6", "month 12": "Month 12"}


def analysis_rows(long: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """ADaM columns from SITEID, USUBJID, TRT01P, AVISIT, WEEK, PARAMCD, AVAL; blanks dropped."""
    rows = long[long["AVAL"].notna()].reset_index(drop=True)
    at_base = rows[rows["AVISIT"] == baseline].set_index(["PARAMCD", "USUBJID"])["AVAL"]
    keys = pd.MultiIndex.from_frame(rows[["PARAMCD", "USUBJID"]])
    rows["BASE"] = at_base.reindex(keys).to_numpy()
    rows["CHG"] = rows["AVAL"] - rows["BASE"]
    rows["ABLFL"] = rows["AVISIT"].eq(baseline).map({True: "Y", False: ""})
    rows["ANL01FL"] = "Y"
    rows["FASFL"] = "Y"
    rows["SRCROW"] = range(2, len(rows) + 2)
    rows["SRCFILE"] = "all.csv"
    return rows


@pytest.fixture(scope="session")
def ghana_plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


@pytest.fixture(scope="session")
def ghana_adbp(shared: Path) -> pd.DataFrame:
    files = sorted((shared / "data" / "ghana" / "sites").glob("site_*.csv"))
    raw = pd.concat([pd.read_csv(f, dtype={"site": str, "patient": str}) for f in files])
    raw = raw.rename(columns={"site": "SITEID", "patient": "USUBJID", "arm": "TRT01P"})
    raw["AVISIT"], raw["WEEK"] = raw["visit"].map(GHANA_VISITS), raw["week"].astype(float)
    both = [raw.assign(PARAMCD=p, AVAL=raw[c]) for p, c in (("SYSBP", "sbp"), ("DIABP", "dbp"))]
    return analysis_rows(pd.concat(both), "Baseline")


@pytest.fixture(scope="session")
def ghana_fits(ghana_plan: Plan, ghana_adbp: pd.DataFrame) -> dict[str, PlannedResult]:
    """Every planned model of SYSBP."""
    return {m: fit_planned(ghana_plan, ghana_adbp, "SYSBP", m) for m in ghana_plan.models}


@pytest.fixture(scope="session")
def ghana_facts(ghana_fits: dict[str, PlannedResult]) -> dict[str, Any]:
    """The same as plain data, as the scripts read them."""
    return {name: to_plain(result.planned) for name, result in ghana_fits.items()}


@pytest.fixture(scope="session")
def cdisc_adbp(shared: Path) -> pd.DataFrame:
    path = shared / "data" / "cdiscpilot" / "analysis_bp.csv"
    raw = pd.read_csv(path, dtype={"USUBJID": str, "SITEID": str})
    raw = raw.rename(columns={"ARM": "TRT01P", "VISIT": "AVISIT"})
    rows = raw.assign(PARAMCD="SYSBP", AVAL=raw["sbp"], WEEK=raw["week"].astype(float))
    return analysis_rows(rows, "BASELINE")


@pytest.fixture(scope="session")
def cdisc_plan(root: Path) -> Plan:
    """A plan of the CDISC pilot: three arms, ten visits, patients randomised within sites."""
    weeks = (0, 2, 4, 6, 8, 12, 16, 20, 24, 26)
    arms = ("Placebo", "Xanomeline Low Dose", "Xanomeline High Dose")
    data = read_yaml(root / "config" / "ghana.yaml")
    data |= {
        "design": "individual",
        "randomised_unit": "USUBJID",
        "arms": {
            "order": [{"name": arm, "label": arm} for arm in arms],
            "reference": "Placebo",
            "direction": "arm minus reference",
            "favours": "lower",
        },
        "visits": [
            {"name": "BASELINE" if w == 0 else f"WEEK {w}", "week": w, "baseline": w == 0}
            for w in weeks
        ],
        "models": {"nested": data["models"]["nested"]},
        "comparisons": [],
        "primary": {
            "model": "nested",
            "visit": "WEEK 24",
            "arm": "Xanomeline High Dose",
            "contrast": "change",
        },
    }
    return validate_plan(data, "cdisc")


@pytest.fixture(scope="session")
def cdisc_fit(cdisc_plan: Plan, cdisc_adbp: pd.DataFrame) -> PlannedResult:
    return fit_planned(cdisc_plan, cdisc_adbp, "SYSBP", "nested")
