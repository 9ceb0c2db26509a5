"""Cells of wide rows against wide rows read off the frame cell by cell."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.columns import column_values
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.hierarchy import build_hierarchy
from sitewise.lmm.reading import read_rows
from sitewise.lmm.schedule import find_schedule, fixed_columns
from sitewise.lmm.tally import build_wide
from sitewise.lmm.wide import Wide, WideColumn
from tests.unit.lmm.scheduled import (
    ACROSS,
    FORMULAS,
    LEVELS,
    NESTED,
    RESIDUAL,
    VISITS,
    about,
    feature_rows,
    trial,
    wide_of,
)


def schedule_of(text: str, frame: pd.DataFrame, **given: object) -> object:
    formula = parse_formula(text)
    rows = read_rows(formula, frame, LEVELS)
    return find_schedule(formula, rows, build_hierarchy(formula, rows), **given)


@pytest.mark.parametrize("text", FORMULAS)
def test_cells_are_the_cross_products_of_wide_rows(text: str) -> None:
    frame = trial()
    wide = wide_of(text, frame)
    patients, f = feature_rows(wide, frame)
    point = np.zeros(f.shape[1])
    found = about(wide, point)
    cells: dict[tuple[str, str], list[int]] = {}
    for i, patient in enumerate(patients):
        own = frame[frame["USUBJID"] == patient]
        seen = ",".join(
            sorted({s for s, y in zip(wide.slots, wide.outcome, strict=True) if f[i, y] != 0})
        )
        site = own["SITEID"].iloc[0]
        unit = f"{own['COUNTRY'].iloc[0]}:{site}" if "COUNTRY/" in text else site
        cells.setdefault((unit, seen), []).append(i)
    assert set(found) == set(cells)
    assert len(wide.n) == len(cells)
    scale = np.abs(f).max(axis=0)
    for key, members in cells.items():
        own = f[members]
        expected = np.vstack([own.sum(axis=0), own.T @ own])
        size = np.vstack([scale, np.outer(scale, scale)]) * len(members)
        # Sums of a few dozen products: 1e-14 of the largest each.
        assert np.all(np.abs(found[key] - expected) <= 1e-14 * size)


@pytest.mark.parametrize("text", FORMULAS)
def test_columns_on_the_wide_row_are_the_columns_of_the_rows(text: str) -> None:
    frame = trial()
    wide = wide_of(text, frame)
    formula = parse_formula(text)
    rows = read_rows(formula, frame, LEVELS)
    patients, f = feature_rows(wide, frame)
    number = {patient: i for i, patient in enumerate(patients)}
    at = np.array([number[p] for p in frame["USUBJID"]])
    joint = frame[list(wide.slot_variables)].astype(str).agg(", ".join, axis=1)
    slot = np.array([wide.slots.index(s) for s in joint])

    def values(column: WideColumn) -> np.ndarray:
        return sum(a[slot] * f[at, j] for a, j in column.parts)

    expected = column_values(fixed_columns(formula, rows), rows)
    assert [c.name for c in wide.fixed] == [c.name for c in fixed_columns(formula, rows)]
    for j, column in enumerate(wide.fixed):
        np.testing.assert_array_equal(values(column), expected[:, j])
    hierarchy = build_hierarchy(formula, rows)
    for effect, made in zip(hierarchy[0].effects, wide.patient_effects, strict=True):
        np.testing.assert_array_equal(column_values(effect.columns, rows), made.values[slot])
    for level, units in zip(hierarchy[1:], wide.levels, strict=True):
        assert level.labels == units.labels
        for effect, made in zip(level.effects, units.effects, strict=True):
            left = column_values(effect.columns, rows)
            copies = [np.ones(len(frame))]
            if effect.across:
                codes, labels = rows.grouping(effect.across)
                assert made.across_labels == labels
                copies = [(codes == k).astype(float) for k in range(len(labels))]
            whole = np.hstack([left * copy[:, None] for copy in copies])
            for j, column in enumerate(made.parts):
                np.testing.assert_array_equal(values(column), whole[:, j])


def test_facts_of_the_moments() -> None:
    frame = trial()
    frame.loc[3, "BASE"] = np.nan
    wide = wide_of(NESTED, frame)
    assert (wide.nframe, wide.nobs, wide.dropped) == (len(frame), len(frame) - 1, {"BASE": 1})
    assert wide.npatients == wide.n.sum()
    assert wide.slot_values["WEEK"] == (0.0, 13.0, 26.0, 52.0)
    assert [e.values.shape for e in wide.patient_effects] == [(4, 2)]
    assert wide.features[0] == "1"
    assert "ARM=Low*BASE" in wide.features
    assert wide.features[-4:] == tuple(f"y@{slot}" for slot in wide.slots)
    order = wide.unit * len(wide.patterns) + wide.pattern
    assert np.all(np.diff(order) > 0)
    shift = wide.shift
    assert np.all(shift[:, [wide.features.index(k) for k in ("1", "ARM=Low")]] == 0)
    outside = ~wide.patterns[wide.pattern]
    assert np.all(shift[:, wide.outcome][outside] == 0)
    assert np.all(wide.sums[:, wide.outcome][outside] == 0)


def test_the_order_of_rows_changes_nothing() -> None:
    frame = trial()
    one, two = (
        wide_of(RESIDUAL, f)
        for f in (frame, frame.sort_values(["USUBJID", "WEEK"], ignore_index=True))
    )
    assert one.digest == two.digest
    np.testing.assert_array_equal(one.products, two.products)
    np.testing.assert_array_equal(one.sums, two.sums)


def test_deviations_keep_their_digits_far_from_zero() -> None:
    # Outcomes near 1e12 with a spread of 8: cross-products about 0 would keep no digit of it.
    frame = trial(offset=0.0)
    near = wide_of("AVAL ~ AVISIT + (1 | SITEID) + (1 | USUBJID)", frame)
    far = frame.assign(AVAL=(frame["AVAL"] * 1024).round() / 1024 + 2.0**40)
    rounded = frame.assign(AVAL=(frame["AVAL"] * 1024).round() / 1024)
    near = wide_of("AVAL ~ AVISIT + (1 | SITEID) + (1 | USUBJID)", rounded)
    moved = wide_of("AVAL ~ AVISIT + (1 | SITEID) + (1 | USUBJID)", far)
    for c in range(len(near.n)):
        y = near.outcome[near.patterns[near.pattern[c]]]
        delta = near.shift[c, y] - (moved.shift[c, y] - 2.0**40)
        s = moved.sums[c, y] - near.n[c] * delta
        G = moved.products[c][np.ix_(y, y)]
        G = G - np.outer(delta, moved.sums[c, y]) - np.outer(s, delta)
        np.testing.assert_allclose(s, near.sums[c, y], atol=1e-10)
        np.testing.assert_allclose(G, near.products[c][np.ix_(y, y)], rtol=1e-12, atol=1e-9)


def test_many_slots_under_a_residual_covariance() -> None:
    rng = np.random.default_rng(0)
    days = [f"D{k:02d}" for k in range(20)]
    rows = [(f"P{i}", day) for i in range(30) for day in days if rng.random() < 0.7]
    frame = pd.DataFrame(rows, columns=["USUBJID", "AVISIT"]).assign(
        AVAL=rng.normal(size=len(rows)), SITEID="S1"
    )
    wide = wide_of_any("AVAL ~ 1 + ar1(AVISIT | USUBJID)", frame)
    assert len(wide.slots) == 20
    assert wide.n.sum() == 30
    for c, p in enumerate(wide.pattern):
        assert np.all((np.diag(wide.products[c])[wide.outcome] == 0) | (wide.n[c] > 1))
        assert np.all((wide.shift[c, wide.outcome] != 0) == wide.patterns[p])


def wide_of_any(text: str, frame: pd.DataFrame) -> Wide:
    formula = parse_formula(text)
    rows = read_rows(formula, frame, {})
    hierarchy = build_hierarchy(formula, rows)
    schedule = find_schedule(formula, rows, hierarchy)
    assert not isinstance(schedule, str), schedule
    return build_wide(formula, rows, hierarchy, schedule)


@pytest.mark.parametrize(
    ("text", "change", "why"),
    [
        ("AVAL ~ ARM + (1 | USUBJID)", {}, "no variable of the model changes"),
        ("AVAL ~ DAY + (1 | USUBJID)", {"DAY": range}, "DAY take more than 15 joint values"),
        ("AVAL ~ AVISIT + (1 + BASE | USUBJID)", {}, "BASE, which is not a function of the visit"),
        ("AVAL ~ AVISIT + (1 | SITEID)", {}, "more than once"),
    ],
)
def test_what_is_no_schedule(text: str, change: dict[str, object], why: str) -> None:
    frame = trial()
    if change:
        frame["DAY"] = np.arange(len(frame), dtype=float)
    found = schedule_of(text, frame)
    assert isinstance(found, str)
    assert why in found


def test_a_visit_twice_under_a_residual_covariance_names_the_rows() -> None:
    frame = trial()
    again = pd.concat([frame, frame.iloc[[7]]], ignore_index=True)
    with pytest.raises(ModelError, match=rf"rows 8, {len(again)}\)") as error:
        schedule_of(RESIDUAL, again)
    assert frame["USUBJID"][7] in str(error.value)


def test_roles_that_other_batches_know() -> None:
    frame = trial()
    frame = frame[frame["AVISIT"] == VISITS[1]].reset_index(drop=True)
    assert isinstance(schedule_of("AVAL ~ WEEK + (1 | SITEID) + (1 | USUBJID)", trial()), object)
    alone = schedule_of("AVAL ~ WEEK * BASE + (1 | SITEID/USUBJID)", frame)
    assert isinstance(alone, str)
    told = schedule_of(
        "AVAL ~ WEEK * BASE + (1 | SITEID/USUBJID)",
        frame,
        roles={"WEEK": "slot", "BASE": "patient"},
    )
    assert told.values == {"WEEK": (13.0,)}
    assert told.roles == {"WEEK": "slot", "BASE": "patient"}


def test_slots_are_in_the_order_of_the_factor() -> None:
    wide = wide_of(ACROSS, trial())
    assert wide.slots == ("0.0, Baseline", "13.0, Month 3", "26.0, Month 6", "52.0, Month 12")
    assert wide_of(RESIDUAL, trial()).slots == VISITS


@pytest.mark.parametrize("step", [2.5, -2.5])
def test_a_variable_that_only_rises_or_only_falls_is_not_constant(step: float) -> None:
    frame = trial()
    frame["DOSE"] = 50 + step * frame.groupby("USUBJID").cumcount()
    assert wide_of(RESIDUAL, frame).roles["DOSE"] == "varying"
    inorder = frame.sort_values("USUBJID", kind="stable", ignore_index=True)
    assert wide_of(RESIDUAL, inorder).roles["DOSE"] == "varying"
