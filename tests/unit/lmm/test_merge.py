"""Moments of batches add up to those of all rows, whatever the batches lack."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.merge import merge
from sitewise.lmm.moments import Moments, moments
from sitewise.lmm.wide import Patients, Wide
from tests.unit.lmm.scheduled import (
    ACROSS,
    FORMULAS,
    LEVELS,
    NESTED,
    RESIDUAL,
    VISITS,
    about,
    trial,
    wide_of,
)


def assert_same(one: Wide, other: Wide) -> None:
    """Equal in words, and in numbers to 1e-12 of the root of the squares of each feature."""
    for name in ("slots", "slot_values", "features", "roles", "nobs", "npatients", "digest",
                 "nframe", "dropped", "factors", "notes"):  # fmt: skip
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_array_equal(one.patterns[one.pattern], other.patterns[other.pattern])
    assert set(one.patients.hashes) == set(other.patients.hashes)
    for a, b in zip(one.fixed, other.fixed, strict=True):
        assert a.name == b.name
        assert [(v.tolist(), j) for v, j in a.parts] == [(v.tolist(), j) for v, j in b.parts]
    for level, same in zip(one.levels, other.levels, strict=True):
        assert level.labels == same.labels
        assert level.parent.tolist() == same.parent.tolist()
        for effect, twin in zip(level.effects, same.effects, strict=True):
            assert effect.across_levels == twin.across_levels
            assert len(effect.parts) == len(twin.parts)
    # About a point near the data, so that what is compared are the digits of the deviations.
    point = one.shift.mean(axis=0)
    own, twin = about(one, point), about(other, point)
    assert set(own) == set(twin)
    total = np.sqrt(sum(np.diag(cell[1:]) for cell in own.values()))
    size = np.vstack([total * np.sqrt(one.n.sum()), np.outer(total, total)]) + 1e-300
    for key, cell in own.items():
        assert np.all(np.abs(cell - twin[key]) <= 1e-12 * size), key


def batches(frame: pd.DataFrame, count: int, seed: int) -> list[pd.DataFrame]:
    rng = np.random.default_rng(seed)
    patients = sorted(set(frame["USUBJID"]))
    batch = dict(zip(patients, rng.integers(0, count, len(patients)), strict=True))
    found = [frame[frame["USUBJID"].map(batch) == k] for k in range(count)]
    return [one.reset_index(drop=True) for one in found if len(one)]


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("count", [2, 5])
def test_batches_add_up_in_any_order(text: str, count: int) -> None:
    frame = trial()
    whole = wide_of(text, frame)
    parts = [wide_of(text, one) for one in batches(frame, count, seed=count)]
    assert_same(whole, merge(*parts))
    assert_same(whole, merge(*parts[::-1]))
    left = parts[0]
    for part in parts[1:]:
        left = merge(left, part)
    assert_same(whole, left)


def test_hospitals_add_up() -> None:
    # One site a batch: units, patterns and countries are all different.
    frame = trial(patients=80)
    parts = [
        wide_of(ACROSS, own.reset_index(drop=True)) for _, own in frame.groupby("SITEID", sort=True)
    ]
    assert_same(wide_of(ACROSS, frame), merge(*parts))


@pytest.mark.parametrize("text", [NESTED, RESIDUAL])
def test_a_batch_without_the_reference_arm(text: str) -> None:
    frame = trial()
    first = frame["USUBJID"] < "P030"
    one = frame[first & (frame["ARM"] != "Placebo")].reset_index(drop=True)
    two = frame[~first & (frame["ARM"] != "Low")].reset_index(drop=True)
    whole = pd.concat([one, two], ignore_index=True)
    assert_same(wide_of(text, whole), merge(wide_of(text, one), wide_of(text, two)))


def test_a_batch_without_a_visit() -> None:
    frame = trial()
    first = frame["USUBJID"] < "P030"
    one = frame[first & (frame["AVISIT"] != VISITS[1])].reset_index(drop=True)
    two = frame[~first & (frame["AVISIT"] != VISITS[3])].reset_index(drop=True)
    whole = pd.concat([one, two], ignore_index=True)
    for text in FORMULAS:
        assert_same(wide_of(text, whole), merge(wide_of(text, one), wide_of(text, two)))


def test_cells_with_other_shifts_keep_their_digits() -> None:
    # Chan's formula: outcomes near 2^40 in steps of 2^-10, every batch with its own shift.
    frame = trial()
    frame["AVAL"] = (frame["AVAL"] * 1024).round() / 1024
    far = frame.assign(AVAL=frame["AVAL"] + 2.0**40)
    text = "AVAL ~ AVISIT + (1 | SITEID) + (1 | USUBJID)"
    near = wide_of(text, frame)
    parts = [wide_of(text, one) for one in batches(far, 4, seed=0)]
    point = np.zeros(len(near.basis))
    move = np.zeros(len(near.basis))
    move[near.outcome] = 2.0**40
    expected, found = about(near, point), about(merge(*parts), move)
    for key, cell in expected.items():
        seen = np.diag(found[key][1:]) > 0
        shown = [s in key[1].split(",") for s in near.slots]
        y = near.outcome[shown]
        np.testing.assert_allclose(found[key][0][y], cell[0][y], rtol=1e-12)
        np.testing.assert_allclose(found[key][1:][np.ix_(y, y)], cell[1:][np.ix_(y, y)], rtol=1e-12)
        assert seen[0]


def test_a_patient_in_two_batches_is_named() -> None:
    frame = trial()
    one, two = (wide_of(NESTED, f) for f in (frame[:100].reset_index(drop=True),
                                             frame[100:].reset_index(drop=True)))  # fmt: skip
    shared = sorted(set(frame["USUBJID"][:100]) & set(frame["USUBJID"][100:]))
    with pytest.raises(ModelError, match=f"{len(shared)} patient") as error:
        merge(one, two)
    assert any(patient in str(error.value) for patient in shared)
    nameless = [Moments({NESTED: w}) for w in (one, two)]
    for part in nameless:
        object.__setattr__(part.parts[NESTED], "patients",
                           Patients(hashes=part.parts[NESTED].patients.hashes))  # fmt: skip
    with pytest.raises(ModelError, match=r"hash [0-9a-f]{16}"):
        nameless[0] + nameless[1]


def test_a_site_in_two_countries_is_crossed() -> None:
    frame = trial()
    one = frame[frame["USUBJID"] < "P030"].reset_index(drop=True)
    two = frame[frame["USUBJID"] >= "P030"].reset_index(drop=True)
    text = "AVAL ~ AVISIT + (1 | COUNTRY) + (1 | SITEID) + (1 | USUBJID)"
    two["COUNTRY"] = two["COUNTRY"].map({"C0": "C1", "C1": "C0"})
    with pytest.raises(ModelError, match=r"SITEID S. lies in two units of COUNTRY"):
        merge(wide_of(text, one), wide_of(text, two))


def test_what_can_not_be_added() -> None:
    frame = trial()
    one = frame[frame["USUBJID"] < "P030"].reset_index(drop=True)
    two = frame[frame["USUBJID"] >= "P030"].reset_index(drop=True)
    undeclared = {"AVISIT": VISITS}
    with pytest.raises(ModelError, match=r"levels of ARM declared as"):
        moments(NESTED, one, LEVELS) + moments(NESTED, two, undeclared)
    with pytest.raises(ModelError, match="only one of them has this formula"):
        moments(NESTED, one, LEVELS) + moments(ACROSS, two, LEVELS)
    steady = two.assign(DOSE=2.5)
    with pytest.raises(ModelError, match=r"DOSE is a .* in one batch, a .* in another"):
        moments(RESIDUAL, one, LEVELS) + moments(RESIDUAL, steady, LEVELS)
    told = {"DOSE": "varying"}
    both = moments(RESIDUAL, one, LEVELS) + moments(RESIDUAL, steady, LEVELS, roles=told)
    whole = pd.concat([one, steady], ignore_index=True)
    assert_same(moments(RESIDUAL, whole, LEVELS).parts[RESIDUAL], both.parts[RESIDUAL])


def test_undeclared_levels_whose_order_nobody_knows() -> None:
    frame = trial()
    text = "AVAL ~ AVISIT * ARM + (1 | SITEID) + (1 | USUBJID)"
    kinds = [pd.CategoricalDtype(levels) for levels in (["Low", "Placebo"], ["High", "Low"])]
    halves = [frame[frame["USUBJID"] < "P030"], frame[frame["USUBJID"] >= "P030"]]
    parts = [
        moments(text, half[half["ARM"].isin(kind.categories)].astype({"ARM": kind}))
        for half, kind in zip(halves, kinds, strict=True)
    ]
    added = (parts[0] + parts[1]).parts[text]  # both sorted: so is their union
    assert added.factors["ARM"] == ("High", "Low", "Placebo")
    kinds[0] = pd.CategoricalDtype(["Placebo", "Low"])
    parts[0] = moments(text, halves[0][halves[0]["ARM"] != "High"].astype({"ARM": kinds[0]}))
    with pytest.raises(ModelError, match="declare them: moments"):
        parts[0] + parts[1]


@pytest.mark.parametrize(
    "text",
    [
        RESIDUAL,
        "AVAL ~ AVISIT + (1 | SITEID) + (1 | COUNTRY) + (1 | SITEID:AVISIT) + (1 | USUBJID)",
    ],
)
def test_a_hospital_whose_country_is_itself(text: str) -> None:
    # In a batch of one site, site and country have the same units: together they do not.
    frame = trial(patients=150, sites=4)
    parts = [wide_of(text, own.reset_index(drop=True)) for _, own in frame.groupby("SITEID")]
    assert {len(part.levels) for part in parts} == {1}
    added = merge(*parts)
    assert [len(level.labels) for level in added.levels] == [4, 2]
    assert_same(wide_of(text, frame), added)
    assert_same(added, merge(merge(parts[3], parts[1]), merge(parts[0], parts[2])))


def test_batches_of_one_patient_a_site_are_refused() -> None:
    frame = trial()
    frame["SITEID"] = "S" + frame["USUBJID"].str[3]
    parts = [frame[frame["USUBJID"].str[2] == k].reset_index(drop=True) for k in "012"]
    text = "AVAL ~ AVISIT + (1 | SITEID) + (1 | USUBJID)"
    with pytest.raises(ModelError, match=r"SITEID and USUBJID have the same units"):
        merge(*(wide_of(text, part) for part in parts))
