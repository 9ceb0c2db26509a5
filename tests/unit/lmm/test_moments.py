"""Moments from Parquet and in files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.moments import Moments, moments
from tests.unit.lmm.scheduled import ACROSS, FORMULAS, LEVELS, NESTED, RESIDUAL, trial
from tests.unit.lmm.test_merge import assert_same


def written(frame: pd.DataFrame, path: Path, group: int) -> Path:
    frame.sort_values(["USUBJID", "WEEK"]).to_parquet(path, index=False, row_group_size=group)
    return path


@pytest.mark.parametrize("group", [7, 50, 10_000])
def test_parquet_by_row_groups_is_the_frame(tmp_path: Path, group: int) -> None:
    frame = trial(patients=120)
    path = written(frame, tmp_path / "rows.parquet", group)
    found = moments(FORMULAS, path, LEVELS, batch_rows=60)
    whole = moments(FORMULAS, frame, LEVELS)
    assert list(found.parts) == list(whole.parts)
    for text in FORMULAS:
        assert_same(whole.parts[text], found.parts[text])


def test_files_are_batches(tmp_path: Path) -> None:
    frame = trial(patients=120)
    paths = [
        written(own, tmp_path / f"{site}.parquet", 40)
        for site, own in frame.groupby("SITEID", sort=True)
    ]
    found = moments(ACROSS, paths, LEVELS)
    assert_same(moments(ACROSS, frame, LEVELS).parts[ACROSS], found.parts[ACROSS])
    with pytest.raises(ModelError, match="in two batches"):
        moments(ACROSS, [*paths, paths[0]], LEVELS)


def test_a_variable_that_changes_in_a_late_batch_only(tmp_path: Path) -> None:
    # The dose is constant in all but the last patients: earlier batches are read again.
    frame = trial(patients=120)
    frame.loc[frame["USUBJID"] < "P100", "DOSE"] = 5.0
    path = written(frame, tmp_path / "rows.parquet", 30)
    found = moments(RESIDUAL, path, LEVELS, batch_rows=60).parts[RESIDUAL]
    assert found.roles["DOSE"] == "varying"
    assert_same(moments(RESIDUAL, frame, LEVELS).parts[RESIDUAL], found)


def test_a_file_that_scatters_patients_is_refused(tmp_path: Path) -> None:
    frame = trial(patients=120)
    frame.sample(frac=1, random_state=1).to_parquet(tmp_path / "rows.parquet", row_group_size=50)
    with pytest.raises(ModelError, match="sort the file by patient"):
        moments(NESTED, tmp_path / "rows.parquet", LEVELS, batch_rows=100)


def test_a_file_without_a_column_is_refused_by_name(tmp_path: Path) -> None:
    path = written(trial().drop(columns="BASE"), tmp_path / "rows.parquet", 50)
    with pytest.raises(ModelError, match=r"rows\.parquet: unknown column 'BASE'"):
        moments(NESTED, path, LEVELS)


def test_a_file_of_moments_gives_them_back(tmp_path: Path) -> None:
    made = moments(FORMULAS, trial(), LEVELS)
    made.save(tmp_path / "a.npz")
    moments(FORMULAS, trial(), LEVELS).save(tmp_path / "b.npz")
    content = (tmp_path / "a.npz").read_bytes()
    assert content == (tmp_path / "b.npz").read_bytes()
    assert b"P001" not in content  # moments travel without patients' names
    read = Moments.load(tmp_path / "a.npz")
    for text in FORMULAS:
        own, same = made.parts[text], read.parts[text]
        assert_same(own, same)
        for name in ("unit", "pattern", "n", "shift", "sums", "products"):
            np.testing.assert_array_equal(getattr(own, name), getattr(same, name))
        assert same.patients.labels is None
        for a, b in zip(own.patient_effects, same.patient_effects, strict=True):
            np.testing.assert_array_equal(a.values, b.values)
    with pytest.raises(ModelError, match="in two batches"):
        read + made


def test_what_is_no_file_of_moments(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"text")
    with pytest.raises(ModelError, match=r"a\.npz"):
        Moments.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    with pytest.raises(ModelError, match=r"moments\.json"):
        Moments.load(tmp_path / "b.npz")


def test_a_formula_that_the_moments_lack_names_its_columns() -> None:
    made = moments(NESTED, trial(), LEVELS)
    with pytest.raises(ModelError, match="no moments of SEX"):
        made.part("AVAL ~ AVISIT + SEX + (1 | USUBJID)")
    assert made.part(NESTED) is made.parts[NESTED]
