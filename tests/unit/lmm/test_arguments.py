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
from sitewise.errors import ComparisonError, ModelError

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
    refused(lambda: each[0] + 1, "the other is a int")


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


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"formulas": []}, "no formula"),
        ({"formulas": None}, "formulas: found None"),
        ({"formulas": [FORMULA, 3]}, "formulas: found"),
        ({"data": None}, "the data are a NoneType"),
        ({"data": {"y": [1]}}, "the data are a dict"),
        ({"roles": {"t": "foo"}}, "t is to be 'foo'"),
        ({"roles": {"nothing": "slot"}}, "no formula has a column 'nothing'"),
        ({"roles": ["visit"]}, "roles is a list"),
        ({"scheduled": "yes"}, "scheduled: found 'yes'"),
        ({"batch_rows": 0}, "batch_rows: found 0"),
        ({"batch_rows": 1.5}, "batch_rows: found 1.5"),
    ],
)
def test_arguments_of_moments(frame: pd.DataFrame, given: dict[str, Any], says: str) -> None:
    whole = {"formulas": FORMULA, "data": frame, **given}
    refused(lambda: sitewise.moments(**whole), says)


def test_what_is_no_moments(frame: pd.DataFrame, tmp_path: Path) -> None:
    one = sitewise.moments(FORMULA, frame)
    refused(lambda: one + 1, "the other is a int")
    refused(lambda: sum([one, 3]), "the other is a int")
    refused(lambda: type(one).load(tmp_path / "none.npz"), "no such file")
    (tmp_path / "rows.csv").write_text("y,x\n1,2\n")
    refused(lambda: sitewise.moments(FORMULA, tmp_path / "rows.csv"), "no Parquet file")
    assert sum([one]) is one


def test_arguments_of_tests_and_intervals(frame: pd.DataFrame) -> None:
    fit = sitewise.lmm(FORMULA, frame)
    for call, says in (
        (lambda: sitewise.lrt(fit, "text"), "fit1: found a str"),
        (lambda: sitewise.lrt(None, fit), "fit0: found a NoneType"),
        (lambda: sitewise.lrt(fit, fit, bootstrap=-3), "bootstrap: found -3"),
        (lambda: sitewise.lrt(fit, fit, bootstrap=2.5), "bootstrap: found 2.5"),
        (lambda: sitewise.lrt(fit, fit, seed="a"), "seed: found 'a'"),
    ):
        with pytest.raises(ComparisonError, match=says):
            call()
    refused(lambda: sitewise.confint(None), "fit: found a NoneType")
    refused(lambda: sitewise.confint(fit, None), "method: found None")
    refused(lambda: sitewise.confint(fit, level="a"), "level: found 'a'")
    refused(lambda: sitewise.confint(fit, "bootstrap", draws=5.5), "draws: found 5.5")
    refused(lambda: sitewise.confint(fit, "bootstrap", seed="a"), "seed: found 'a'")
    refused(lambda: fit.fitted("x"), "the data are a str")
    refused(lambda: fit.ranef(["patient"]), "no random term has the grouping")


@pytest.mark.parametrize("size", [1e200, 1e-200])
@pytest.mark.parametrize("name", ["y", "x"])
def test_numbers_whose_squares_are_none(frame: pd.DataFrame, name: str, size: float) -> None:
    data = frame.assign(x=np.arange(len(frame)) % 7.0)
    data[name] = data[name] * size
    for scheduled in (None, False):
        refused(
            lambda how=scheduled: sitewise.moments("y ~ x + (1 | patient)", data, scheduled=how),
            f"largest value of {name}", "another unit",
        )  # fmt: skip


def test_groupings_that_hold_lists(frame: pd.DataFrame) -> None:
    data = frame.assign(patient=[[p] for p in frame["patient"]])
    refused(lambda: sitewise.lmm(FORMULA, data), "patient holds a list in a row")


def test_fitted_without_the_outcome(frame: pd.DataFrame) -> None:
    fit = sitewise.lmm(FORMULA, frame)
    without = frame.drop(columns="y")
    if any(term.level < 0 for term in fit.basis.terms):
        refused(lambda: fit.fitted(without), "lack y", "give rows with the outcome")
    rows = sitewise.lmm(FORMULA, sitewise.moments(FORMULA, frame, scheduled=False))
    np.testing.assert_allclose(rows.fitted(without), fit.fitted(frame), rtol=1e-9)


@pytest.mark.parametrize("structure", ["us", "csh", "ar1h"])
def test_a_visit_that_does_not_vary(structure: str) -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({
        "patient": np.repeat([f"p{i}" for i in range(40)], 3), "visit": ["a", "b", "c"] * 40,
        "y": rng.normal(size=120) + np.repeat(rng.normal(size=40), 3),
    })  # fmt: skip
    data.loc[data["visit"] == "b", "y"] = 5.0
    fit = sitewise.lmm(f"y ~ visit + {structure}(visit | patient)", data)
    assert not fit.converged
    assert any("residual variance at b ran to 0" in note for note in fit.warnings)
