"""A hospital of one patient can't tell which of the two is the patient; its moments count."""

from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.errors import ModelError
from sitewise.lmm.moments import Moments, moments

VISITS = ("M0", "M1", "M2", "M3")
LEVELS = {"ARM": ["A", "B"], "VISIT": list(VISITS)}
NESTED = [
    "y ~ ARM + VISIT + (1 | SITE) + (1 | PATIENT)",
    "y ~ ARM + VISIT + (1 | PATIENT) + (1 | SITE)",  # the guess is wrong and turned round
    "y ~ ARM + VISIT + (1 | SITE/PATIENT)",
    "y ~ ARM + WEEK + (1 + ARM | SITE) + (1 + WEEK | PATIENT)",
    "y ~ ARM + VISIT + (1 | COUNTRY) + (1 | PATIENT) + (1 | SITE)",
    "y ~ ARM + VISIT + (1 | SITE) + (1 | SITE:VISIT) + (1 | PATIENT)",
]
RESIDUAL = [
    "y ~ ARM + VISIT + (1 | SITE) + us(VISIT | PATIENT)",
    "y ~ ARM + VISIT + (1 | SITE) + (1 | SITE:VISIT) + cs(VISIT | PATIENT)",
]


def trial() -> pd.DataFrame:
    """Five sites in two countries; site S1 has a single patient, with three visits."""
    rng = np.random.default_rng(8)
    rows = []
    for site, patients in enumerate((6, 1, 7, 5, 8)):
        u, v = rng.normal(0, 2), rng.normal(0, 1, 4)
        for k in range(patients):
            p, arm = rng.normal(0, 1.5), "AB"[int(rng.integers(2))]
            for t in range(3 if patients == 1 else 4):
                y = 40 + u + v[t] + p + 0.4 * t * (arm == "B") + rng.normal()
                rows.append((f"C{site % 2}", f"S{site}", f"P{k}{site}", arm, VISITS[t], t * 2.0, y))
    return pd.DataFrame(rows, columns=["COUNTRY", "SITE", "PATIENT", "ARM", "VISIT", "WEEK", "y"])


def agree(text: str, found: Moments, frame: pd.DataFrame) -> None:
    """The same fit as that of all rows, to 1e-9."""
    one, other = sitewise.lmm(text, found), sitewise.lmm(text, frame, levels=LEVELS)
    assert one.nobs == other.nobs == len(frame.dropna())
    np.testing.assert_allclose(one.loglik, other.loglik, rtol=1e-12)
    np.testing.assert_allclose(one.fixef, other.fixef, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.se, other.se, rtol=1e-9)
    order = ["group", "term"]
    a, b = (f.varcorr.sort_values(order)["variance"].to_numpy() for f in (one, other))
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("scheduled", [None, False])
@pytest.mark.parametrize("text", [*NESTED, *RESIDUAL])
def test_hospitals_one_of_which_has_one_patient(
    text: str, scheduled: bool | None, saved: bool, tmp_path: Path
) -> None:
    frame = trial()
    sites = [own for _, own in frame.groupby("SITE")]
    parts = [moments(text, own, levels=LEVELS, scheduled=scheduled) for own in sites]
    if saved:
        for k, part in enumerate(parts):
            part.save(tmp_path / f"{k}.npz")
        parts = [Moments.load(tmp_path / f"{k}.npz") for k in range(len(parts))]
    agree(text, reduce(add, parts), frame)
    agree(text, reduce(add, [parts[1], parts[3], parts[0], parts[4], parts[2]]), frame)


@pytest.mark.parametrize("text", [*NESTED[:3], *RESIDUAL[:1]])
def test_parquet_a_few_rows_at_a_time(text: str, tmp_path: Path) -> None:
    frame = trial()
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=3)
    found = moments(text, tmp_path / "rows.parquet", LEVELS, batch_rows=3)
    agree(text, found, frame)


@pytest.mark.parametrize("text", [NESTED[0], RESIDUAL[0]])
def test_files_without_rows_are_counted(text: str, tmp_path: Path) -> None:
    frame = trial()
    frame.loc[frame["SITE"] == "S1", "y"] = np.nan
    for k, (_, own) in enumerate(frame.groupby("SITE")):
        own.to_parquet(tmp_path / f"{k}.parquet")
    frame.iloc[:0].to_parquet(tmp_path / "none.parquet")
    paths = [tmp_path / f"{k}.parquet" for k in ("1", "none", "0", "2", "3", "4")]
    found = moments(text, [tmp_path / "none.parquet", *paths], LEVELS)
    agree(text, found, frame)
    part = found.part(text)
    assert (part.nframe, dict(part.dropped)) == (len(frame), {"y": 3})
    with pytest.raises(ModelError, match="No row is left"):
        moments(text, [tmp_path / "none.parquet"], LEVELS)


def test_names_that_may_be_patients_do_not_travel(tmp_path: Path) -> None:
    frame = trial()
    alone = frame[frame["SITE"] == "S1"]
    for text in NESTED[:2]:
        for scheduled in (None, False):
            moments(text, alone, LEVELS, scheduled=scheduled).save(tmp_path / "m.npz")
            content = (tmp_path / "m.npz").read_bytes()
            assert b"P01" not in content
    for text in (NESTED[2], RESIDUAL[0]):  # here the formula says who is whose
        moments(text, alone, LEVELS).save(tmp_path / "m.npz")
        content = (tmp_path / "m.npz").read_bytes()
        assert b"P01" not in content
        assert b"S1" in content


def test_one_site_in_two_batches_by_name_and_by_hash(tmp_path: Path) -> None:
    text, frame = NESTED[0], trial()
    first = (frame["SITE"] == "S0") & (frame["PATIENT"] == "P00")
    moments(text, frame[first], LEVELS).save(tmp_path / "m.npz")
    rest = moments(text, frame[~first], LEVELS)
    found = Moments.load(tmp_path / "m.npz") + rest
    agree(text, found, frame)
    assert list(sitewise.lmm(text, found).ranef("SITE").index) == [f"S{k}" for k in range(5)]


@pytest.mark.parametrize("scheduled", [None, False])
def test_one_patient_in_every_site(scheduled: bool | None) -> None:
    text, frame = NESTED[0], trial()
    frame = frame[frame["PATIENT"].str[1] == "0"]
    sites = [own for _, own in frame.groupby("SITE")]
    found = reduce(add, [moments(text, own, LEVELS, scheduled=scheduled) for own in sites])
    fit = sitewise.lmm(text, found)
    assert any("can't tell these apart" in note for note in fit.warnings)
    whole = sitewise.lmm(text, frame, levels=LEVELS)
    np.testing.assert_allclose(fit.loglik, whole.loglik, rtol=1e-12)


def test_a_level_that_no_row_has_is_no_random_effect() -> None:
    text = "y ~ WEEK + (1 + ARM | SITE) + (1 | PATIENT)"
    frame = trial()
    found = moments(text, frame, {"ARM": ["A", "B", "C"]}, scheduled=False)
    agree(text, found, frame)


def test_units_known_by_hash_are_named_by_the_rows(tmp_path: Path) -> None:
    text, frame = NESTED[2], trial()
    moments(text, frame, LEVELS, scheduled=False).save(tmp_path / "m.npz")
    fit = sitewise.lmm(text, Moments.load(tmp_path / "m.npz"))
    assert fit.ranef("SITE:PATIENT").index.str.startswith("#").all()
    found = fit.ranef("SITE:PATIENT", data=frame)
    wanted = sitewise.lmm(text, frame, levels=LEVELS).ranef("SITE:PATIENT", data=frame)
    assert list(found.index) == list(wanted.index)
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)
