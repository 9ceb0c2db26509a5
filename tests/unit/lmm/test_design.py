"""Designs: columns, rows lost, factors, aliasing, refusals."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.design import build_design, independent_columns

LEVELS = {"visit": ["base", "later [m 6]"], "arm": ["HIC", "TASSH+HIC"]}


def frame(n_sites: int = 4, n_patients: int = 3) -> pd.DataFrame:
    rows = [
        {
            "site": f"s{s}", "patient": f"s{s}p{p}", "arm": LEVELS["arm"][p % 2],
            "visit": visit, "week": 26.0 * v, "age": 40.0 + 3 * p + s,
            "y": 100.0 + s + 2 * p + 3 * v + (s * p + v) % 5,
        }
        for s in range(n_sites) for p in range(n_patients)
        for v, visit in enumerate(LEVELS["visit"])
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_names_are_those_of_r() -> None:
    design = build_design("y ~ visit*arm + age + (1 | site)", frame(), LEVELS)
    assert design.names == (
        "(Intercept)", "visitlater [m 6]", "armTASSH+HIC", "age", "visitlater [m 6]:armTASSH+HIC",
    )  # fmt: skip
    assert design.levels == {"visit": ("base", "later [m 6]"), "arm": ("HIC", "TASSH+HIC")}


def test_interactions_name_factors_in_order_of_appearance() -> None:
    design = build_design("y ~ age*week + visit*age + (1 | site)", frame(), LEVELS)
    assert "age:visitlater [m 6]" in design.names + design.aliased


def test_no_intercept_gives_every_level() -> None:
    design = build_design("y ~ 0 + arm + (0 + arm | site)", frame(), LEVELS)
    assert design.names == ("armHIC", "armTASSH+HIC")
    assert [c.name for c in design.terms[0].columns] == ["armHIC", "armTASSH+HIC"]


def test_fixed_rows_are_rows_of_x() -> None:
    data = frame()
    design = build_design("y ~ visit*arm + age + (1 | site)", data, LEVELS)
    np.testing.assert_array_equal(design.fixed_rows(data), design.X)
    one = pd.DataFrame({"visit": ["base"], "arm": ["TASSH+HIC"], "age": [50.0]})
    np.testing.assert_array_equal(design.fixed_rows(one), [[1, 0, 1, 50, 0]])
    with pytest.raises(ModelError, match="is not a level"):
        design.fixed_rows(one.assign(visit="month 9"))


def test_missing_cells_drop_rows_and_say_why() -> None:
    data = frame()
    data.loc[[0, 5], "age"] = np.nan
    data.loc[5, "y"] = np.nan
    data.loc[7, "patient"] = ""
    design = build_design("y ~ age + (1 | patient)", data, LEVELS)
    assert design.used.sum() == len(data) - 3
    assert {name: list(np.flatnonzero(mask)) for name, mask in design.dropped.items()} == {
        "y": [5], "age": [0, 5], "patient": [7],
    }  # fmt: skip
    assert len(design.y) == len(data) - 3
    assert design.terms[0].codes.dtype == np.int64


def test_unused_level_is_dropped_and_named() -> None:
    data = frame()
    levels = {**LEVELS, "visit": ["screening", *LEVELS["visit"]]}
    design = build_design("y ~ visit + (1 | site)", data, levels)
    assert design.levels["visit"] == ("base", "later [m 6]")
    assert "no row used has screening" in design.data.notes[0]


def test_interaction_grouping_and_labels() -> None:
    design = build_design("y ~ arm + (1 | site:visit)", frame(2), LEVELS)
    assert design.terms[0].labels == (
        "s0:base", "s0:later [m 6]", "s1:base", "s1:later [m 6]",
    )  # fmt: skip
    assert list(design.terms[0].codes[:3]) == [0, 1, 0]


def test_integer_and_whole_float_groups_are_identifiers() -> None:
    data = frame()
    data["number"] = np.repeat([1.0, 2.0, 3.0, 4.0], 6)
    assert build_design("y ~ 1 + (1 | number)", data, {}).terms[0].labels == ("1", "2", "3", "4")


def test_text_without_declared_levels_is_a_sorted_factor() -> None:
    design = build_design("y ~ arm + (1 | site)", frame(), {})
    assert design.levels == {"arm": ("HIC", "TASSH+HIC")}


def test_aliased_columns_and_estimability() -> None:
    data = frame()
    data["day"] = 7 * data["week"]
    design = build_design("y ~ week + day + arm + (1 | site)", data, LEVELS)
    assert design.aliased == ("day",)
    grid = pd.DataFrame({"week": [26.0, 26.0], "day": [182.0, 0.0], "arm": ["HIC", "HIC"]})
    broken = design.alias_rows(grid)
    assert abs(broken[0, 0]) < 1e-9
    assert abs(broken[1, 0]) > 1


def test_empty_cell_is_not_estimable() -> None:
    data = frame()
    data = data[~((data["arm"] == "TASSH+HIC") & (data["visit"] == "later [m 6]"))]
    design = build_design("y ~ visit*arm + (1 | site)", data.reset_index(drop=True), LEVELS)
    assert design.aliased == ("visitlater [m 6]:armTASSH+HIC",)
    cell = pd.DataFrame({"visit": ["later [m 6]", "base"], "arm": ["TASSH+HIC"] * 2})
    np.testing.assert_array_equal(design.alias_rows(cell)[:, 0], [1, 0])


def test_independent_columns_goes_from_the_left() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 3))
    full = np.column_stack([x[:, 0], x[:, 1], x[:, 0] - 2 * x[:, 1], x[:, 2], 3 * x[:, 2]])
    kept, combinations = independent_columns(full)
    assert kept.tolist() == [True, True, False, True, False]
    np.testing.assert_allclose(full[:, ~kept], full[:, kept] @ combinations, atol=1e-12)


def test_digest_is_of_the_rows_not_their_order() -> None:
    data = frame()
    names = ("patient", "visit")
    first = build_design("y ~ arm + (1 | site)", data, LEVELS, identifiers=names)
    turned = data.sample(frac=1, random_state=3).reset_index(drop=True)
    other = build_design("y ~ visit + (1 | site)", turned, LEVELS, identifiers=names)
    less = build_design("y ~ arm + (1 | site)", data.iloc[1:], LEVELS, identifiers=names)
    assert first.rows == other.rows
    assert first.rows != less.rows


@pytest.mark.parametrize(
    ("formula", "change", "says"),
    [
        ("y ~ Visit + (1 | site)", {}, "did you mean 'visit'?"),
        ("y ~ q1 + (1 | zz)", {}, "2. "),
        ("y ~ arm + (1 | site)", {"site": "one"}, "site has one level: one"),
        ("y ~ arm + (1 | site)", {"arm": "HIC"}, "arm has one level only"),
        ("y ~ arm + (1 | site)", {"arm": "TASH"}, "'TASH'"),
        ("y ~ arm + (1 | patient:visit)", {}, "(1 | patient:visit)"),
        ("y ~ arm + (1 + week | patient)", {}, "(1 + week | patient)"),
        ("y ~ arm + (1 | site)", {"y": 7.0}, "does not vary"),
        ("y ~ arm + (1 | site)", {"y": np.inf}, "infinite"),
        ("y ~ arm + (1 | site)", {"y": np.nan}, "No row is left"),
        ("site ~ arm + (1 | patient)", {}, "must be a number, found text 's0' in row 1"),
        ("y ~ week + (1 | week)", {}, "both a number among the terms and a grouping"),
        ("y ~ arm + (1 | age)", {"age": 0.5}, "holds fractions"),
        ("y ~ 0 + (1 | site)", {}, "no fixed effect"),
    ],
)
def test_refused(formula: str, change: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError) as error:
        build_design(formula, frame().assign(**change), LEVELS)
    assert says in str(error.value)


def test_what_costs_is_built_when_asked_for() -> None:
    design = build_design("y ~ visit + (1 | site) + (1 | patient)", frame(), LEVELS)
    built = {"_aliasing", "hierarchy", "rows"}
    assert not built & set(vars(design))
    assert [level.group for level in design.hierarchy] == [("patient",), ("site",)]


def test_a_crossed_design_is_built_its_hierarchy_refused() -> None:
    data = frame().assign(rater=["a", "b", "c", "d", "a"] * 4 + ["a", "b", "c", "d"])
    design = build_design("y ~ 1 + (1 | patient) + (1 | rater)", data, LEVELS)
    assert len(design.terms) == 2
    with pytest.raises(ModelError, match="come later"):
        _ = design.hierarchy


def test_kept_columns_of_many_rows_are_those_of_few() -> None:
    # The steps over rows must not change the verdict, whatever the scales of the columns.
    rng = np.random.default_rng(3)
    few = rng.normal(size=(300, 4)) * [1e-6, 1, 1e6, 1]
    few = np.column_stack([np.ones(300), few, few[:, 0] * 1e12 + few[:, 2], 1e8 + few[:, 1]])
    many = np.tile(few, (500, 1))
    kept, combinations = independent_columns(many)
    assert kept.tolist() == [True, True, True, True, True, False, False]
    found = many[:, kept] @ combinations
    np.testing.assert_allclose(found, many[:, ~kept], rtol=1e-9, atol=1e-9 * 1e6)


def residual_frame() -> pd.DataFrame:
    return frame(4, 5)


def test_residual_covariance() -> None:
    design = build_design("y ~ visit*arm + us(visit | patient)", residual_frame(), LEVELS)
    assert [level.group for level in design.hierarchy] == [("patient",)]
    assert design.hierarchy[0].effects == ()


@pytest.mark.parametrize(
    ("formula", "change", "says"),
    [
        ("y ~ arm + us(visit | patient)", {"visit": "base"}, "visit has one level: base"),
        ("y ~ arm + us(visit | patient)", {"patient": "p"}, "patient has one level: p"),
        ("y ~ arm + us(visit | site)", {}, "8 site x visit occur more than once: s0 at base (rows"),
        ("y ~ arm + cs(arm | patient)", {}, "s0p0 at HIC (rows 1, 2)"),
        ("y ~ 1 + ar1(when | patient)", {"when": ["m12", "m6"] * 20}, "sorted as text it is m12"),
    ],
)
def test_residual_covariances_refused(formula: str, change: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError) as error:
        build_design(formula, residual_frame().assign(**change), LEVELS)
    assert says in str(error.value)


def test_rows_of_a_repeated_slot_are_those_of_the_frame() -> None:
    data = residual_frame()
    data.loc[0, "y"] = np.nan
    data = pd.concat([data, data.iloc[[7]].assign(y=3.0)], ignore_index=True)
    with pytest.raises(ModelError, match=r"s0p3 at later \[m 6\] \(rows 8, 41\)"):
        build_design("y ~ arm + us(visit | patient)", data, LEVELS)
