"""Moments of rows without a schedule: any batches of whole patients give the fit of all rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.moments import Moments
from tests.unit.lmm.scheduled import LEVELS, trial

TEXT = (
    "AVAL ~ DOSE * ARM + (1 | COUNTRY) + (1 + DOSE | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)"
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rows = trial(patients=70, sites=6)
    more = rows.sample(frac=0.5, random_state=2)
    twice = pd.concat([rows, more.assign(AVAL=more["AVAL"] + 2.0)], ignore_index=True)
    site = twice["SITEID"].str[1:].astype(int)
    twice["AVAL"] += 1e6 + 4.0 * site + 0.3 * twice["DOSE"] * (site % 3)
    return twice


def parts_of(frame: pd.DataFrame, how: str) -> list[pd.DataFrame]:
    patient = frame["USUBJID"].str[1:].astype(int)
    codes = frame["SITEID"] if how == "by site" else patient % 3
    return [frame[codes == code] for code in sorted(set(codes))]


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("how", ["by site", "sites split"])
def test_batches(frame: pd.DataFrame, how: str, saved: bool, tmp_path: Path) -> None:
    whole = sitewise.lmm(TEXT, frame, levels=LEVELS)
    assert not whole.solution.model.slots
    total = None
    for i, part in enumerate(parts_of(frame, how)):
        own = sitewise.moments(TEXT, part, LEVELS, scheduled=False)
        if saved:
            own.save(tmp_path / f"{i}.npz")
            own = Moments.load(tmp_path / f"{i}.npz")
        total = own if total is None else total + own
    assert total is not None
    fit = sitewise.lmm(TEXT, total)
    assert fit.nobs == whole.nobs == len(frame)
    assert fit.loglik == pytest.approx(whole.loglik, abs=1e-7)
    assert fit.fixef.to_numpy() == pytest.approx(whole.fixef.to_numpy(), rel=1e-9, abs=1e-6)
    assert fit.se.to_numpy() == pytest.approx(whole.se.to_numpy(), rel=1e-6)
    ours, theirs = fit.ranef("SITEID"), whole.ranef("SITEID")
    assert list(ours.index) == sorted(theirs.index, key=list(ours.index).index)
    assert ours.to_numpy() == pytest.approx(theirs.loc[ours.index].to_numpy(), abs=1e-5)


def test_names_do_not_travel(frame: pd.DataFrame, tmp_path: Path) -> None:
    sitewise.moments(TEXT, frame, LEVELS, scheduled=False).save(tmp_path / "m.npz")
    assert b"P001" not in (tmp_path / "m.npz").read_bytes()


def test_same_bytes(frame: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("a", "b"):
        sitewise.moments(TEXT, frame, LEVELS, scheduled=False).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_patient_in_two_batches(frame: pd.DataFrame, tmp_path: Path) -> None:
    one = sitewise.moments(TEXT, frame, LEVELS, scheduled=False)
    with pytest.raises(ModelError, match=r"P001.*in two batches"):
        _ = one + one
    one.save(tmp_path / "m.npz")
    with pytest.raises(ModelError, match="in two batches"):
        _ = one + Moments.load(tmp_path / "m.npz")


def test_undeclared_levels_that_differ(frame: pd.DataFrame) -> None:
    low = frame[frame["ARM"] != "High"]
    patients = set(low["USUBJID"])
    high = frame[~frame["USUBJID"].isin(patients)]
    a = sitewise.moments(TEXT, low, scheduled=False)
    b = sitewise.moments(TEXT, high, scheduled=False)
    with pytest.raises(ModelError, match="declare the levels"):
        _ = a + b


def test_levels_that_never_occur_are_no_columns(frame: pd.DataFrame) -> None:
    low = frame[frame["ARM"] != "High"]
    made = sitewise.moments(TEXT, low, LEVELS, scheduled=False)
    fit = sitewise.lmm(TEXT, made)
    same = sitewise.lmm(TEXT, low, levels=LEVELS)
    assert list(fit.fixef.index) == list(same.fixef.index)
    assert fit.aliased == same.aliased == ()
    assert fit.loglik == pytest.approx(same.loglik, abs=1e-7)
    assert np.all(np.isfinite(fit.se))
