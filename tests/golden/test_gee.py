"""GEE against geepack (R): independence to 1e-7; exchangeable too, with geepack's moments."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.classical.gee import fit_gee

Design = tuple[np.ndarray, np.ndarray, np.ndarray]
TOLERANCE = 1e-7


def cdisc(shared: Path, outcome: str) -> Design:
    rows = pd.read_csv(shared / "data" / "cdiscpilot" / "analysis_bp.csv", dtype={"USUBJID": str})
    rows = rows[rows[outcome].notna()]
    low, high = (
        (rows["ARM"] == f"Xanomeline {dose} Dose").to_numpy(float) for dose in ("Low", "High")
    )
    week = rows["week"].to_numpy(float)
    X = np.column_stack([np.ones(len(rows)), week, low, high, week * low, week * high])
    return X, rows[outcome].to_numpy(float), pd.factorize(rows["USUBJID"])[0]


def orthodont(shared: Path) -> Design:
    rows = pd.read_csv(shared / "data" / "public" / "Orthodont.csv")
    female, age = (rows["Sex"] == "Female").to_numpy(float), rows["age"].to_numpy(float)
    X = np.column_stack([np.ones(len(rows)), age, female, age * female])
    return X, rows["distance"].to_numpy(float), pd.factorize(rows["Subject"])[0]


def sleepstudy(shared: Path) -> Design:
    rows = pd.read_csv(shared / "data" / "public" / "sleepstudy.csv")
    X = np.column_stack([np.ones(len(rows)), rows["Days"].to_numpy(float)])
    return X, rows["Reaction"].to_numpy(float), pd.factorize(rows["Subject"])[0]


def fev(shared: Path) -> Design:
    rows = pd.read_csv(shared / "data" / "public" / "fev_data.csv")
    rows = rows[rows["FEV1"].notna()]
    visits = sorted(rows["AVISIT"].unique())
    t = rows["AVISIT"].map({v: float(i) for i, v in enumerate(visits)}).to_numpy(float)
    treated = (rows["ARMCD"] == "TRT").to_numpy(float)
    race = [(rows["RACE"] == r).to_numpy(float) for r in ("Black or African American", "White")]
    male = (rows["SEX"] == "Male").to_numpy(float)
    X = np.column_stack([np.ones(len(rows)), *race, male, treated, t, treated * t])
    return X, rows["FEV1"].to_numpy(float), pd.factorize(rows["USUBJID"])[0]


def dietox(shared: Path) -> Design:
    rows = pd.read_csv(shared / "data" / "public" / "dietox.csv")
    time = rows["Time"].to_numpy(float)
    some, more = ((rows["Cu"] == dose).to_numpy(float) for dose in ("Cu035", "Cu175"))
    X = np.column_stack([np.ones(len(rows)), time, some, more, time * some, time * more])
    return X, rows["Weight"].to_numpy(float), pd.factorize(rows["Pig"])[0]


CASES: dict[str, Callable[[Path], Design]] = {
    "cdisc_sbp_gee": lambda shared: cdisc(shared, "sbp"),
    "cdisc_dbp_gee": lambda shared: cdisc(shared, "dbp"),
    "Orthodont_gee": orthodont,
    "sleepstudy_gee": sleepstudy,
    "fev_gee": fev,
    "dietox_gee": dietox,
}


@pytest.mark.parametrize("kind", ["independence", "exchangeable"])
@pytest.mark.parametrize("name", CASES)
def test_geepack(shared: Path, name: str, kind: str) -> None:
    reference: dict[str, Any] = json.loads((shared / "references" / f"{name}.json").read_text())
    expected = reference[kind]
    found = fit_gee(*CASES[name](shared), exchangeable=kind == "exchangeable")
    assert found.clusters == reference["clusters"]
    assert found.beta.tolist() == pytest.approx(expected["estimate"], rel=TOLERANCE)
    se = np.sqrt(np.diag(found.robust.vcov["none"]))
    assert se.tolist() == pytest.approx(expected["robust_se"], rel=TOLERANCE)
    if kind == "exchangeable":
        assert found.rho == pytest.approx(expected["alpha"], rel=TOLERANCE)
        assert found.phi == pytest.approx(expected["phi"], rel=TOLERANCE)


def test_statsmodels_bias_reduced(shared: Path) -> None:
    # Mancl & DeRouen by another program, at one correlation: statsmodels' moments differ.
    from statsmodels.genmod.cov_struct import Exchangeable, Independence
    from statsmodels.genmod.generalized_estimating_equations import GEE

    X, y, codes = orthodont(shared)
    for structure, exchangeable in ((Independence(), False), (Exchangeable(), True)):
        theirs = GEE(y, X, groups=codes, cov_struct=structure).fit(cov_type="bias_reduced")
        ours = fit_gee(X, y, codes, exchangeable=exchangeable)
        se = np.sqrt(np.diag(ours.robust.vcov["md"]))
        assert se.tolist() == pytest.approx(theirs.bse.tolist(), rel=1e-9)
