"""A small trial in ADaM columns with everything that a cross-check can meet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.plan.load import load_plan, read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.store.results import to_plain

VISITS = {"Baseline": 0.0, "Month 6": 26.0, "Month 12": 52.0}


@pytest.fixture(scope="session")
def plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


@pytest.fixture(scope="session")
def replan(root: Path) -> Callable[..., Plan]:
    """The same plan with whole sections replaced."""

    def changed(**sections: Any) -> Plan:
        return validate_plan(read_yaml(root / "config" / "ghana.yaml") | sections, "changed")

    return changed


def trial(
    sites: int = 6, patients: int = 8, seed: int = 5, patient_sd: float = 8.0
) -> pd.DataFrame:
    """Whole sites alternate between arms; every patient has all three visits."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(sites):
        site = rng.normal(0, 3)
        for i in range(patients):
            patient = rng.normal(0, patient_sd)
            values = 150 + site + patient + rng.normal(0, 6, 3) - np.array([0, 12, 14])
            rows += [
                (f"S{s}", f"S{s}-{i}", ("HIC", "TASSH+HIC")[s % 2], visit, week, value)
                for (visit, week), value in zip(VISITS.items(), values, strict=True)
            ]
    columns = ["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL"]
    frame = pd.DataFrame(rows, columns=columns)
    base = frame[frame["AVISIT"] == "Baseline"].set_index("USUBJID")["AVAL"]
    frame["BASE"] = base.reindex(frame["USUBJID"]).to_numpy()
    frame["CHG"] = frame["AVAL"] - frame["BASE"]
    frame["ABLFL"] = np.where(frame["AVISIT"] == "Baseline", "Y", "")
    return frame.assign(PARAMCD="SYSBP", ANL01FL="Y", FASFL="Y")


@pytest.fixture
def make_trial() -> Callable[..., pd.DataFrame]:
    return trial


@pytest.fixture
def facts(plan: Plan) -> Callable[..., dict[str, Any]]:
    """A fit of the first engine as plain data."""

    def fit(frame: pd.DataFrame, model: str = "nested") -> dict[str, Any]:
        from sitewise.lmm.fit import fit_formula
        from sitewise.trial.selection import factor_levels, select_rows

        rows = select_rows(plan, frame, "SYSBP", model).candidates
        spec = plan.models[model]
        result = fit_formula(spec.formula, rows, factor_levels(plan), alpha=0.05).fit
        numbers = to_plain(result)
        primary = {"result": numbers["fixef"][-1]}
        return {
            "model": model,
            "label": spec.label,
            "patients": int(rows["USUBJID"].nunique()),
            "fit": numbers,
            "primary": primary,
        }

    return fit
