"""Names, levels and formulas as people write them: read as meant, or told how to write them."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ComparisonError, ModelError
from tests.unit.lmm.scheduled import LEVELS, trial

FORMULA = "AVAL ~ WEEK + (1 | USUBJID)"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return trial(patients=40, sites=4, seed=3)


def said(formula: str, data: Any, **more: Any) -> str:
    with pytest.raises(ModelError) as error:
        sitewise.lmm(formula, data, **more)
    return str(error.value)


def test_numpy_bools_are_bools(frame: pd.DataFrame) -> None:
    assert not sitewise.lmm(FORMULA, frame, reml=np.bool_(False)).reml  # type: ignore[arg-type]


def test_levels_of_no_column(frame: pd.DataFrame) -> None:
    text = said(FORMULA, frame, levels={"WEEKS": [0, 1]})
    assert "no column is named 'WEEKS'" in text
    assert "did you mean 'WEEK'?" in text
    with pytest.raises(ModelError, match="no column is named 'WEEKS'"):
        sitewise.moments(FORMULA, frame, levels={"WEEKS": [0, 1]})


def test_levels_of_no_column_of_a_file(frame: pd.DataFrame, tmp_path: Any) -> None:
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ModelError, match="no column is named 'WEEKS'"):
        sitewise.moments(FORMULA, tmp_path / "rows.parquet", levels={"WEEKS": ["0", "1"]})


def test_levels_of_whole_numbers_as_floats(frame: pd.DataFrame) -> None:
    weeks = sorted(frame["WEEK"].unique())
    fit = sitewise.lmm(FORMULA, frame, levels={"WEEK": [float(week) for week in weeks]})
    assert fit.levels["WEEK"] == tuple(str(int(week)) for week in weeks)


def test_a_date_with_declared_levels_is_a_factor(frame: pd.DataFrame) -> None:
    days = np.where(np.arange(len(frame)) % 2, "2020-01-01", "2020-01-02")
    held = pd.Series([datetime.date.fromisoformat(day) for day in days], index=frame.index)
    levels = {"WEEK": ["2020-01-02", "2020-01-01"]}
    fit = sitewise.lmm(FORMULA, frame.assign(WEEK=held), levels=levels)
    assert fit.levels["WEEK"] == ("2020-01-02", "2020-01-01")


@pytest.mark.parametrize(("kind", "words"), [(str, "text"), (bool, "true or false")])
def test_an_outcome_of_text_or_bool(frame: pd.DataFrame, kind: type, words: str) -> None:
    text = said(FORMULA, frame.assign(AVAL=frame.AVAL.round().map(kind)))
    assert f"must be a number, found {words}" in text
    assert "pandas.to_numeric(data['AVAL'])" in text


def test_letters_of_other_alphabets(frame: pd.DataFrame) -> None:
    named = frame.rename(columns={"WEEK": "Größe", "USUBJID": "пациент"})
    fit = sitewise.lmm("AVAL ~ Größe + (1 | пациент)", named)
    same = sitewise.lmm(FORMULA, frame)
    assert fit.loglik == pytest.approx(same.loglik, abs=1e-9)
    assert list(fit.fixef.index) == ["(Intercept)", "Größe"]


@pytest.mark.parametrize("name", ["_x", "`my x`", "²x"])
def test_other_names_are_to_be_renamed(frame: pd.DataFrame, name: str) -> None:
    assert "data.rename(columns=" in said(f"AVAL ~ {name} + (1 | USUBJID)", frame)


def test_moments_know_a_formula_by_what_it_says(frame: pd.DataFrame) -> None:
    held = sitewise.moments("AVAL ~ WEEK + (1 | SITEID) + (1 | USUBJID)", frame)
    fit = sitewise.lmm("AVAL~WEEK+(1|SITEID)+(1|USUBJID)", held)
    assert fit.nobs == len(frame.dropna(subset=["AVAL"]))
    assert repr(held) == "Moments('AVAL ~ WEEK + (1 | SITEID) + (1 | USUBJID)')"


def test_random_effects_are_sorted_and_known_by_either_order(frame: pd.DataFrame) -> None:
    text = "AVAL ~ WEEK + (1 | SITEID:AVISIT) + (1 | USUBJID)"
    fit = sitewise.lmm(text, frame, levels=LEVELS)
    pd.testing.assert_frame_equal(fit.ranef("AVISIT:SITEID"), fit.ranef("SITEID:AVISIT"))
    patients = fit.ranef("USUBJID", frame)
    assert list(patients.index) == sorted(patients.index)


def test_levels_may_be_an_array_but_no_set(frame: pd.DataFrame) -> None:
    for own in (np.array(LEVELS["ARM"]), pd.Index(LEVELS["ARM"])):
        levels: Any = {"ARM": own}
        assert (
            sitewise.lmm("AVAL ~ ARM + (1 | USUBJID)", frame, levels=levels).levels["ARM"]
            == (LEVELS["ARM"])
        )
    assert "the levels of ARM are {" in said(FORMULA, frame, levels={"ARM": {"Low", "High"}})


def test_other_outcomes_of_the_same_number_of_rows(frame: pd.DataFrame) -> None:
    small = sitewise.lmm(FORMULA, frame.assign(AVAL=2 * frame.AVAL))
    full = sitewise.lmm("AVAL ~ WEEK + (1 | SITEID) + (1 | USUBJID)", frame)
    with pytest.raises(ComparisonError, match="rows each, but other outcomes AVAL or other rows"):
        sitewise.lrt(small, full)


def test_a_smaller_model_written_otherwise_is_told_so(frame: pd.DataFrame) -> None:
    small = sitewise.lmm("AVAL ~ 0 + AVISIT + ARM + (1 | USUBJID)", frame, False, LEVELS)
    full = sitewise.lmm("AVAL ~ AVISIT * ARM + (1 | USUBJID)", frame, False, LEVELS)
    with pytest.raises(ComparisonError, match="written otherwise") as error:
        sitewise.lrt(small, full)
    assert "write fixed parts alike" in str(error.value)


def test_a_test_is_shown_in_a_notebook(frame: pd.DataFrame) -> None:
    small = sitewise.lmm(FORMULA, frame, False)
    full = sitewise.lmm("AVAL ~ WEEK + ARM + (1 | USUBJID)", frame, False, LEVELS)
    shown = sitewise.lrt(small, full)._repr_html_()
    assert shown.startswith("<pre>Likelihood-ratio test (ML)")
    assert "(1 | USUBJID)" in shown


def test_a_mean_variance_is_called_one(frame: pd.DataFrame) -> None:
    under = sitewise.lmm("AVAL ~ WEEK + cs(AVISIT | USUBJID)", frame, levels=LEVELS)
    assert "(mean over visits)" in under.summary()
    assert "(mean over visits)" not in sitewise.lmm(FORMULA, frame).summary()


def test_the_patient_stands_right_of_the_bar(frame: pd.DataFrame) -> None:
    text = said("AVAL ~ WEEK + us(AVISIT | SITEID)", frame, levels=LEVELS)
    assert "us(AVISIT | SITEID:USUBJID)" in text
    assert "SITEID:SITEID" not in text
