"""The demo trials: the same seed, the same bytes; what was spoilt is what is found."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import RunError
from sitewise.run.readiness import read_plan
from sitewise.simulate.demo import TRIALS, TRUTH, write_demo
from sitewise.simulate.draw import draw_trial
from sitewise.simulate.generator import CLUSTER, INDIVIDUAL, Design
from sitewise.simulate.hospitals import HEADER, HOSPITALS, SIZES
from sitewise.simulate.leaving import CONSTANTS, REASONS, draw_reasons
from sitewise.terms import Fate
from sitewise.trial.pipeline import CheckedTrial, check_data

# What a check must say of each thing that was spoilt, and at which of its places.
RULES = {
    "swapped": "SYSBP not above DIABP",
    "row twice": "duplicate, same value",
    "row twice, different": "duplicate, different values",
    "misspelt visit": "unknown visit",
    "two hospitals": "patient at two sites",
    "digit too many": "outside the hard limits",
    "no baseline": "missing baseline",
    "trouble": "bad site",
    "kPa": "converted from kPa",
}
BEFORE_REASONS = {"individual": "da090600e8fffe2a", "cluster": "4868cf0f9ab12919"}
DESIGNS: tuple[Design, ...] = ("individual", "cluster")


def truth_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module", params=[("individual", None), ("individual", 7), ("cluster", None)])
def trial(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], CheckedTrial]:
    """The truth of a demo trial, and the trial as checked."""
    design, seed = request.param
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder, design, **({} if seed is None else {"seed": seed}))
    plan, sheet = read_plan(root / "config" / f"{TRIALS[design]}.yaml")
    return truth_of(folder), check_data(plan, sheet, folder)


@pytest.mark.parametrize("design", DESIGNS)
def test_same_seed_same_bytes(tmp_path: Path, design: Design) -> None:
    one, two, other = (
        [path.read_bytes() for path in write_demo(tmp_path / name, design, seed)]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == two
    assert all(x != y for x, y in zip(one, other, strict=True))
    assert len(one) == 21


def test_other_files_are_never_joined_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "hospital_001.csv").write_text("real patients")
    with pytest.raises(RunError, match=r"hospital_001\.csv"):
        write_demo(tmp_path)
    assert (tmp_path / "hospital_001.csv").read_text() == "real patients"
    write_demo(tmp_path / "new", "individual", 1)
    write_demo(tmp_path / "new", "cluster", 1)  # an earlier demo may be replaced
    assert truth_of(tmp_path / "new")["trial"] == "demo_cluster"


def test_twenty_hospitals_500_patients_six_visits(tmp_path: Path) -> None:
    write_demo(tmp_path)
    subjects = set()
    for hospital in HOSPITALS:
        with (tmp_path / hospital.file).open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter=hospital.delimiter))
        assert {row["hospital"] for row in rows} == {hospital.siteid}
        subjects |= {row["subject"] for row in rows}
    assert len(HOSPITALS) == 20
    assert len(subjects) == sum(SIZES) == 500
    assert {"007", "1001E3"} <= subjects


def test_the_site_sheet_says_how_the_files_are_written(root: Path) -> None:
    _, sheet = read_plan(root / "config" / "demo.yaml")
    said = [(s.siteid, s.file, s.delimiter, s.decimal, s.unit or "mmHg") for s in sheet.sites]
    assert said == [(h.siteid, h.file, h.delimiter, h.decimal, h.unit) for h in HOSPITALS]


def test_each_wart_is_found_where_it_was_put(trial: tuple[dict[str, Any], CheckedTrial]) -> None:
    truth, checked = trial
    findings = checked.findings
    for wart in truth["warts"]:
        rule = RULES.get(wart["kind"])
        if rule is None:  # the identifiers and the decimal comma: nothing is wrong with them
            continue
        found = findings[findings["RULE"] == rule]
        if wart["kind"] != "trouble":
            found = found[found["SITEID"] != "013"]
        assert wart["SITEID"] in set(found["SITEID"]), wart["kind"]
        if not wart["places"] or wart["kind"] in ("two hospitals", "no baseline"):
            assert set(wart["subjects"]) <= set(found["USUBJID"])
            continue
        places = set(found["SRCFILE"] + ":" + found["SRCROW"].astype("Int64").astype(str))
        wanted = set(wart["places"])
        # of a row entered twice with the same values the first is kept
        assert places == (wanted - {wart["places"][0]} if wart["kind"] == "row twice" else wanted)


def test_nothing_else_is_lost(trial: tuple[dict[str, Any], CheckedTrial]) -> None:
    """Readings set aside: those that the truth counts, to the last one."""
    truth, checked = trial
    lost = checked.readings[checked.readings["FATE"] == Fate.SET_ASIDE]
    by_kind = sum(wart["readings that can't be used"] for wart in truth["warts"])
    assert len(lost) == by_kind
    errors = checked.findings[checked.findings["SEVERITY"] == "error"]
    rules = set(errors.loc[errors["SITEID"] != "013", "RULE"])
    assert rules == set(RULES.values()) - {"bad site", "missing baseline", "converted from kPa"}


def test_identifiers_stay_text(trial: tuple[dict[str, Any], CheckedTrial]) -> None:
    adbp = trial[1].adbp
    assert "007" in set(adbp["SITEID"])
    assert "007" in set(adbp.loc[adbp["SITEID"] == "007", "USUBJID"])
    assert "1001E3" in set(adbp.loc[adbp["SITEID"] == "010", "USUBJID"])


def test_what_was_drawn_is_what_is_analysed(tmp_path: Path, root: Path) -> None:
    """Every analysed value is the drawn one; kPa with one digit is right within 0.38 mmHg."""
    write_demo(tmp_path, "individual", 5)
    plan, sheet = read_plan(root / "config" / "demo.yaml")
    adbp = check_data(plan, sheet, tmp_path).adbp
    drawn = draw_trial(INDIVIDUAL, SIZES, 5)
    start = np.cumsum([0, *SIZES])
    for j, hospital in enumerate(HOSPITALS):
        names = {hospital.identifier(i): start[j] + i for i in range(hospital.patients)}
        own = adbp[adbp["SITEID"] == hospital.siteid]
        place = own["USUBJID"].map(names).to_numpy(dtype=int)
        visit = own["AVISITN"].to_numpy()
        sbp = (own["PARAMCD"] == "SYSBP").to_numpy()
        value = np.where(sbp, drawn.sbp[place, visit], drawn.dbp[place, visit])
        allowed = 0.376 if hospital.unit == "kPa" else 0.0
        assert np.abs(own["AVAL"].to_numpy() - value).max(initial=0.0) <= allowed


@pytest.fixture(scope="module")
def large() -> Any:
    return draw_trial(INDIVIDUAL, SIZES * 100, 11)


def test_only_patients_within_the_limits_are_enrolled(large: Any) -> None:
    low, high = INDIVIDUAL.enrolled
    assert (large.sbp[:, 0].min(), large.sbp[:, 0].max()) == (low, high)
    assert not np.isnan(large.dbp[:, 0]).any()


def test_dropout_depends_on_arm_and_last_value(large: Any) -> None:
    """Logistic regression of leaving before the second visit gives back the constants.

    50 000 patients; four standard errors. Standard errors from the information matrix.
    """
    last = (large.sbp[:, 0] - 150) / 10
    left = (large.dropped == 1).astype(float)
    for arm in (0, 1):
        own = large.arm == arm
        X = np.column_stack([np.ones(own.sum()), last[own]])
        b = np.zeros(2)
        for _ in range(20):
            p = 1 / (1 + np.exp(-X @ b))
            information = (X * (p * (1 - p))[:, None]).T @ X
            b += np.linalg.solve(information, X.T @ (left[own] - p))
        ses = np.sqrt(np.diag(np.linalg.inv(information)))
        wanted = np.array([INDIVIDUAL.dropout[arm], INDIVIDUAL.dropout_last[arm]])
        assert (np.abs(b - wanted) < 4 * ses).all()


def test_arms_are_balanced_within_hospitals_or_constant(large: Any) -> None:
    counts = pd.crosstab(large.site, large.arm)
    assert (counts[0] - counts[1]).abs().max() <= 2  # blocks of four
    cluster = draw_trial(CLUSTER, SIZES, 11)
    counts = pd.crosstab(cluster.site, cluster.arm)
    assert (counts.to_numpy() > 0).sum(axis=0).tolist() == [10, 10]
    assert ((counts > 0).sum(axis=1) == 1).all()


@pytest.mark.parametrize("design", DESIGNS)
def test_the_files_without_the_reasons_are_those_of_before(tmp_path: Path, design: Design) -> None:
    """Reasons have a stream of their own: sha256 of all other cells before there were any."""
    assert HEADER[-1] == "reason_left"
    cells = hashlib.sha256()
    for path in write_demo(tmp_path, design):
        if path.suffix == ".csv":
            lines = path.read_text(encoding="utf-8").replace(";", ",").splitlines()
            cells.update("".join(line.rpartition(",")[0] + "\n" for line in lines).encode())
    assert cells.hexdigest()[:16] == BEFORE_REASONS[design]


@pytest.mark.parametrize("design", DESIGNS)
def test_reasons_stand_in_the_last_row_of_those_who_left(tmp_path: Path, design: Design) -> None:
    write_demo(tmp_path, design)
    counts: dict[str, dict[str, int]] = {}
    for hospital in HOSPITALS:
        rows = pd.read_csv(
            tmp_path / hospital.file, sep=hospital.delimiter, dtype=str, keep_default_na=False
        )
        last = rows.groupby("subject", sort=False).tail(1)
        assert (rows["reason_left"] != "").sum() == (last["reason_left"] != "").sum()
        assert not (last.loc[last["visit"] == "Week 24", "reason_left"] != "").any()
        for arm, reason in last[["treatment", "reason_left"]].itertuples(index=False):
            own = counts.setdefault(arm, {})
            own[reason] = own.get(reason, 0) + 1
    for arm, told in truth_of(tmp_path)["leaving"]["patients who left"].items():
        assert {code: counts[arm][code] for code in REASONS} == {c: told[c] for c in REASONS}


def test_reasons_depend_on_arm_and_last_value(large: Any) -> None:
    """Shares of the reasons at a last reading of 150 to 160 mmHg, 50 000 patients.

    The wanted shares are the mean of those at each patient's own last reading; four standard
    errors of a share.
    """
    reasons = draw_reasons(large, np.random.default_rng(3))
    visits = large.sbp.shape[1]
    assert (reasons[large.dropped == visits] == "").all()
    filled = pd.DataFrame(large.sbp).ffill(axis=1).iloc[:, -1].to_numpy()
    for arm in (0, 1):
        for low in (120, 150):
            own = (large.dropped < visits) & (large.arm == arm)
            own &= (filled >= low) & (filled < low + 10)
            weights = np.array(
                [
                    np.exp(
                        CONSTANTS.weight[c][arm]
                        + CONSTANTS.weight_last[c] * (filled[own] - 150) / 10
                    )
                    for c in REASONS
                ]
            )
            wanted = (1 - CONSTANTS.unwritten) * (weights / weights.sum(axis=0)).mean(axis=1)
            for code, share in zip(REASONS, wanted, strict=True):
                found = (reasons[own] == code).mean()
                assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / own.sum()), code
