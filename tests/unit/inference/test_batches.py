"""Moments by batch, fit from moments alone, score from wide rows: as from all rows at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.inference.batch import add_moments, batch_moments
from sitewise.inference.fitting import fit_batches, fit_planned
from sitewise.inference.planned_fit import PlannedFit, with_score
from sitewise.inference.scoring import score_batches
from sitewise.inference.tally import Tally, add_tallies, visit_rest
from sitewise.lmm.moments import Moments
from sitewise.plan.load import read_yaml
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data, read_part
from sitewise.store.frames import read_frame, read_frames, write_frame
from sitewise.store.results import read_result, write_result
from sitewise.trial.selection import Selections
from sitewise.trial.wide_rows import long_rows, wide_rows

VISITS = (("Baseline", 0.0), ("Month 6", 26.0), ("Month 12", 52.0))
MODELS = {
    "full": "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)",
    "slope": "AVAL ~ WEEK*TRT01P + AGE + AREA + (1 | SITEID) + (1 + WEEK | USUBJID)",
    "us": "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + us(AVISIT | USUBJID)",
}


def plan_of(root: Path, formulas: dict[str, str] | None = None, **changes: Any) -> Plan:
    data = read_yaml(root / "config" / "ghana.yaml")
    formulas = formulas or MODELS
    data["models"] = {
        name: {"label": name, "formula": formula, "set": "FAS", "reml": True}
        for name, formula in formulas.items()
    }
    first = next(iter(formulas))
    area = {"column": "area", "label": "Area", "type": "category"}  # no codes: levels as found
    data["covariates"]["AREA"] = area
    data |= {"comparisons": [], "primary": {**data["primary"], "model": first}, **changes}
    return Plan.model_validate(data)


def trial(seed: int = 3, sites: int = 9, patients: int = 8) -> pd.DataFrame:
    """Missing readings, some covariates missing; every hospital in one arm; site s8 is empty."""
    rng = np.random.default_rng(seed)
    found = []
    for s in range(sites):
        arm, u = ("TASSH+HIC" if s % 2 else "HIC"), rng.normal(0, 3)
        for p in range(patients):
            b, slope = rng.normal(0, 6), rng.normal(0, 0.1)
            age = np.nan if rng.random() < 0.05 else float(rng.integers(30, 80))
            for v, (visit, week) in enumerate(VISITS):
                if rng.random() < 0.12:
                    continue
                y = 150 + u + b + (slope - 0.1) * week + rng.normal(0, 5)
                area = ("c", "a", "b")[s // 3]
                found.append((f"s{s}", f"s{s}p{p}", arm, visit, v, week, y, age, area))
    frame = pd.DataFrame(
        found,
        columns=["SITEID", "USUBJID", "TRT01P", "AVISIT", "AVISITN", "WEEK", "AVAL", "AGE", "AREA"],
    )
    frame["PARAMCD"], frame["ANL01FL"] = "SYSBP", "Y"
    frame["FASFL"] = np.where(frame["SITEID"] == "s8", "N", "Y")
    frame["SRCFILE"], frame["SRCROW"] = frame["SITEID"] + ".csv", np.arange(len(frame)) + 2
    frame["ABLFL"] = np.where(frame["AVISIT"] == "Baseline", "Y", "")
    base = frame[frame["ABLFL"] == "Y"].set_index("USUBJID")["AVAL"]
    frame["BASE"] = frame["USUBJID"].map(base)
    frame["NREAD"] = 1
    return frame.astype({"FASFL": "str", "ABLFL": "str"})


def by_files(
    plan: Plan, frame: pd.DataFrame, model: str, batches: list[list[str]], folder: Path
) -> tuple[PlannedFit, Any]:
    """As the rules do it: a part of the plan each, everything through files."""
    tallies, parts, wide = [], [], []
    for i, sites in enumerate(batches):
        rows = frame[frame["SITEID"].isin(sites)].reset_index(drop=True)
        made = batch_moments(read_part(part_data(plan, "moments")), rows, "SYSBP")[model]
        made.moments.save(folder / f"{i}.npz")
        write_result(folder / f"{i}.json", made.tally)
        write_frame(folder / f"{i}.parquet", wide_rows(rows, "SYSBP"))
        tallies.append(read_result(folder / f"{i}.json", Tally))
        parts.append(Moments.load(folder / f"{i}.npz"))
        wide.append(folder / f"{i}.parquet")
    part = read_part(part_data(plan, "fit"))
    planned = fit_batches(part, "SYSBP", model, tallies, parts)
    write_result(folder / "fit.json", planned)
    back = read_result(folder / "fit.json", PlannedFit)
    part = read_part(part_data(plan, "score"))
    rows = Selections(part, long_rows(read_frames(wide)), planned.endpoint)
    return planned, score_batches(part, rows, back, parts)


BATCHES = {
    "one": [[f"s{s}" for s in range(9)]],
    "three, the last without a usable row": [
        ["s0", "s3", "s4"], ["s1", "s2", "s5", "s6", "s7"], ["s8"],
    ],
    "one hospital each": [[f"s{s}"] for s in (8, 2, 0, 1, 3, 4, 5, 6, 7)],
}  # fmt: skip


@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("model", MODELS)
def test_batches_give_the_fit_of_all_rows(
    root: Path, tmp_path: Path, model: str, batches: list[list[str]]
) -> None:
    plan, frame = plan_of(root), trial()
    whole = fit_planned(plan, frame, "SYSBP", model)
    planned, scored = by_files(plan, frame, model, batches, tmp_path)
    one = with_score(planned, scored.score)
    assert one.fit.loglik == pytest.approx(whole.planned.fit.loglik, rel=1e-11)
    for a, b in zip(one.fit.fixef, whole.planned.fit.fixef, strict=True):
        assert a.name == b.name
        assert (a.estimate, a.se, a.df) == pytest.approx((b.estimate, b.se, b.df), rel=1e-6)
    for a, b in zip(one.means, whole.planned.means, strict=True):
        assert (a.arm, a.visit) == (b.arm, b.visit)
        assert a.result.estimate == pytest.approx(b.result.estimate, rel=1e-8)
    same = ("patients", "sites", "uses", "cautions")
    assert [getattr(one, n) for n in same] == [getattr(whole.planned, n) for n in same]
    assert [m.visit for m in one.missed] == [m.visit for m in whole.planned.missed]
    assert one.fit.rows == whole.planned.fit.rows
    order = ["SRCFILE", "SRCROW"]
    mine = scored.use.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(mine, whole.use.sort_values(order, ignore_index=True), rtol=1e-6)
    pd.testing.assert_frame_equal(scored.ranef, whole.ranef, rtol=1e-5, atol=1e-6)


def test_counts_are_those_of_the_rows(root: Path, tmp_path: Path) -> None:
    frame = trial()
    planned, scored = by_files(
        plan_of(root), frame, "slope", BATCHES["one hospital each"], tmp_path
    )
    used = frame[(frame["FASFL"] == "Y") & frame["AGE"].notna()]
    assert planned.fit.nobs == len(used)
    assert (planned.patients, planned.sites) == (used["USUBJID"].nunique(), 8)
    assert sum(use.rows for use in scored.score.uses) == len(scored.use) == len(frame)
    means = {(m.arm, m.visit): m.result.estimate for m in planned.means}
    beta = {e.name: e.estimate for e in planned.fit.fixef}
    expected = beta["(Intercept)"] + 26 * beta["WEEK"] + beta["AGE"] * used["AGE"].mean()
    expected += (beta["AREAb"] + beta["AREAc"]) / 3
    assert means["HIC", "Month 6"] == pytest.approx(expected, rel=1e-9)


def test_exact_days_are_fitted_row_by_row(root: Path, tmp_path: Path) -> None:
    """Patients of row moments are known by hash; the score finds them again."""
    formulas = {"slope": MODELS["slope"].replace(" + AREA", ""), "area": MODELS["slope"]}
    plan = plan_of(root, formulas).model_copy(update={"time": "actual"})
    frame = trial()
    late = np.random.default_rng(5).integers(-14, 15, len(frame)) / 7 * (frame["AVISITN"] > 0)
    frame["WEEK"] = frame["WEEK"] + late
    whole = fit_planned(plan, frame, "SYSBP", "slope")
    _, scored = by_files(plan, frame, "slope", BATCHES["one hospital each"], tmp_path)
    assert set(scored.ranef["LEVEL"]) >= {"s0p0", "s7"}
    pd.testing.assert_frame_equal(scored.ranef, whole.ranef, rtol=1e-5, atol=1e-6)
    # Levels that the plan does not name can't be told from one batch.
    with pytest.raises(ModelError, match="AREA has the levels"):
        by_files(plan, frame, "area", BATCHES["one hospital each"], tmp_path)


def test_a_hospital_more_changes_no_other_batch(root: Path, tmp_path: Path) -> None:
    plan, frame = plan_of(root), trial()
    for name, rows in (("all", frame), ("fewer", frame[frame["SITEID"] != "s7"])):
        own = rows[rows["SITEID"].isin(["s0", "s1"])].reset_index(drop=True)
        batch_moments(plan, own, "SYSBP")["full"].moments.save(tmp_path / f"{name}.npz")
    assert (tmp_path / "all.npz").read_bytes() == (tmp_path / "fewer.npz").read_bytes()


def test_the_same_counts_of_other_rows_are_other_rows(root: Path) -> None:
    """Equal outcomes of different patients: only the identifiers tell them apart."""
    plan, frame = plan_of(root), trial()
    frame["AVAL"] = frame["AVAL"].round()
    twins = frame[frame["AVAL"].duplicated(keep=False)].sort_values("AVAL").index[:2]
    digests = {
        batch_moments(plan, frame.drop(index=i), "SYSBP")["full"].tally.identity for i in twins
    }
    assert frame["AVAL"][twins].nunique() == 1
    assert len(digests) == 2


def test_no_row_in_any_batch_is_an_error(root: Path) -> None:
    plan = plan_of(root)
    frame = trial().assign(FASFL="N")
    made = batch_moments(plan, frame, "SYSBP")["full"]
    assert made.moments.parts == {}
    with pytest.raises(ModelError, match="no rows of SYSBP") as caught:
        fit_batches(plan, "SYSBP", "full", [made.tally] * 2, [made.moments] * 2)
    assert "not in the analysis set FAS" in str(caught.value)
    assert add_moments([]).parts == {}


def test_products_by_visit_add_up(root: Path) -> None:
    """Mean and SD of outcome less line at each visit, from batches with other levels of AREA."""
    plan, frame = plan_of(root), trial()
    used = frame[(frame["FASFL"] == "Y") & frame["AGE"].notna()]
    tallies = [
        batch_moments(plan, own.reset_index(drop=True), "SYSBP")["slope"].tally
        for _, own in frame.groupby("SITEID")
    ]
    beta = {"(Intercept)": 3.0, "WEEK": 0.5, "AGE": -0.2, "AREAb": 2.0, "AREAc": -1.0}
    line = 3 + 0.5 * used["WEEK"] - 0.2 * used["AGE"]
    line += used["AREA"].map({"a": 0.0, "b": 2.0, "c": -1.0}).astype(float)
    rest = used["AVAL"] - line
    for one in add_tallies(tallies).by_visit:
        own = rest[used["AVISIT"] == one.visit]
        assert one.rows == len(own)
        assert visit_rest(one, beta) == pytest.approx((own.mean(), own.std(ddof=1)), rel=1e-11)


def test_wide_rows_and_back(tmp_path: Path) -> None:
    frame = trial()
    parts = []
    for i, (_, own) in enumerate(frame.groupby(["SITEID"])):
        write_frame(
            tmp_path / f"{i}.parquet", wide_rows(own.sample(frac=1, random_state=1), "SYSBP")
        )
        parts.append(tmp_path / f"{i}.parquet")
    assert len(read_frame(parts[0])) == frame.loc[frame["SITEID"] == "s0", "USUBJID"].nunique()
    order = ["SITEID", "USUBJID", "AVISITN"]
    expected = frame.sort_values(order, ignore_index=True)
    back = long_rows(read_frames(parts))[list(frame.columns)]
    pd.testing.assert_frame_equal(back, expected, check_dtype=False)
    assert back["SRCROW"].dtype == back["AVISITN"].dtype == np.int64
    write_frame(tmp_path / "none.parquet", wide_rows(frame, "DIABP"))
    assert len(long_rows(read_frame(tmp_path / "none.parquet"))) == 0
