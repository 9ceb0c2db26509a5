"""What a caller of the library gives by mistake is told by name, never taken for something else."""

import datetime
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError

FORMULA = "y ~ arm * t + (1 | site) + (1 | patient)"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    patient = np.repeat(np.arange(60), 4)
    site = patient // 6
    made = {
        "site": [f"s{i}" for i in site],
        "patient": [f"p{i}" for i in patient],
        "arm": np.where(patient % 2, "B", "A"),
        "t": np.tile(np.arange(4.0), 60),
        "y": rng.normal(0, 2, 10)[site] + rng.normal(0, 3, 60)[patient] + rng.normal(0, 1, 240),
    }
    return pd.DataFrame(made)


def refused(call: Any, *words: str) -> None:
    with pytest.raises(ModelError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_weights_and_offsets_are_refused_by_name(frame: pd.DataFrame) -> None:
    refused(lambda: sitewise.lmm(FORMULA, frame, weights="w", offset=1),
            "weights of rows", "an offset", "leave `weights` out")  # fmt: skip
    refused(lambda: sitewise.lmm(FORMULA, frame, remel=True), "no argument 'remel'")


@pytest.mark.parametrize("reml", ["ML", None, 0, 1])
def test_the_likelihood_is_named_by_true_or_false(frame: pd.DataFrame, reml: Any) -> None:
    refused(lambda: sitewise.lmm(FORMULA, frame, reml), repr(reml), "True (REML) or False (ML)")


def test_levels_of_no_column_and_levels_that_are_no_list(frame: pd.DataFrame) -> None:
    refused(
        lambda: sitewise.lmm(FORMULA, frame, levels={"Arm": ["A", "B"], "arm": "A"}),
        "no column is named 'Arm'", "the levels of arm are 'A'",
    )  # fmt: skip
    wrong: Any = ["A", "B"]
    refused(lambda: sitewise.lmm(FORMULA, frame, levels=wrong), "levels is a list")


def test_formula_and_data_of_other_kinds_are_told_together(frame: pd.DataFrame) -> None:
    swapped: Any = frame
    refused(lambda: sitewise.lmm(swapped, FORMULA), "the formula is a DataFrame", "data are a str")


def test_rows_are_asked_for(frame: pd.DataFrame) -> None:
    fit = sitewise.lmm(FORMULA, frame)
    refused(fit.fitted, "needs rows", "data=frame")
    refused(fit.residuals, "needs rows", "data=frame")


def test_moments_of_nothing_and_of_no_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    many: Any = [frame, frame]
    refused(lambda: sitewise.moments([], tmp_path / "no.parquet"), "no formula", "no such file")
    refused(lambda: sitewise.moments(FORMULA, []), "no data were given")
    refused(lambda: sitewise.moments(FORMULA, many), "a DataFrame among the files", "add them")


def test_moments_are_summed_and_shown_in_a_line(frame: pd.DataFrame) -> None:
    batches = [own for _, own in frame.groupby("site")]
    each = [sitewise.moments(FORMULA, own, levels={"arm": ["A", "B"]}) for own in batches]
    whole = sitewise.lmm(FORMULA, sum(each))  # type: ignore[call-overload]
    assert whole.loglik == sitewise.lmm(FORMULA, reduce(add, each)).loglik
    assert repr(each[0]) == f"Moments({FORMULA!r})"
    with pytest.raises(TypeError):
        _ = each[0] + 1  # type: ignore[operator]


def test_a_variance_that_differs_by_level_is_named_beside_the_iccs(frame: pd.DataFrame) -> None:
    fit = sitewise.lmm("y ~ arm + (0 + arm | site) + (1 | patient)", frame)
    table = fit.icc()
    assert list(table.index) == ["patient"]
    assert "(0 + arm | site)" in table.attrs["note"]
    assert list(sitewise.lmm(FORMULA, frame).icc().index) == ["site", "patient"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([datetime.date(2024, 1, 1 + i) for i in range(4)], "date"),
        (pd.to_timedelta(range(4), unit="D"), "duration"),
    ],
)
def test_times_are_no_factors_by_themselves(frame: pd.DataFrame, values: Any, kind: str) -> None:
    data = frame.assign(day=list(values) * 60)
    refused(lambda: sitewise.lmm("y ~ day + (1 | patient)", data), f"day is a {kind}", "days since")


def test_a_complex_outcome_is_no_number(frame: pd.DataFrame) -> None:
    refused(lambda: sitewise.lmm(FORMULA, frame.assign(y=frame["y"] + 1j)), "y must be a number")


def test_pearson_residuals_of_visits_that_read_as_numbers() -> None:
    """A missing visit makes the column float: 1.0 is still the visit 1."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame({
        "patient": np.repeat([f"p{i}" for i in range(30)], 3), "visit": np.tile([0.0, 1, 2], 30),
        "y": rng.normal(size=90),
    })  # fmt: skip
    data.loc[4, "visit"] = np.nan
    fit = sitewise.lmm("y ~ visit + us(visit | patient)", data, levels={"visit": ["0", "1", "2"]})
    sds = np.sqrt(np.diag(fit.residual_cov))
    wanted = fit.residuals(data) / data["visit"].map(dict(enumerate(sds)))
    found = fit.residuals(data, "pearson")
    assert found.notna().sum() == 89
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
