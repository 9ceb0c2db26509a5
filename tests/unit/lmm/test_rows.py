"""Rows: types, missing values, levels, groupings; against plain Python on small frames."""

import numpy as np
import pandas as pd
import pytest

from sitewise.errors import ModelError
from sitewise.lmm.digest import digest, row_sums, text_hashes
from sitewise.lmm.encode import natural_order, text_codes
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.reading import read_rows
from sitewise.lmm.rows import Rows, compact


def rows(formula: str, frame: pd.DataFrame, **levels: list[str]) -> Rows:
    return read_rows(parse_formula(formula), frame, levels)


def texts(found: Rows, name: str) -> list[str]:
    return [found.labels[name][i] for i in found.codes[name]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.Series(["b", "a", None, "b", ""]), ["b", "a", None, "b", None]),
        (pd.Series(["b", "a", None, "b", ""], dtype=object), ["b", "a", None, "b", None]),
        (pd.Series([10, 2, 10]), ["10", "2", "10"]),
        (pd.Series([10.0, 2.0, np.nan]), ["10", "2", None]),
        (pd.Series([10, None, 2], dtype="Int64"), ["10", None, "2"]),
        (pd.Series([1, "1", 2, None], dtype=object), ["1", "1", "2", None]),
        (pd.Series([True, False, True]), ["True", "False", "True"]),
        (pd.Series(["x", None, "y"], dtype="category"), ["x", None, "y"]),
        (pd.Series(pd.Categorical([1.0, 2.0, None])), ["1", "2", None]),
        (pd.Series(["007", "7", "1001E3"]), ["007", "7", "1001E3"]),
    ],
)
def test_text_codes(values: pd.Series, expected: list[str | None]) -> None:
    codes, labels = text_codes(values)
    assert codes.dtype == np.int32
    assert [labels[i] if i >= 0 else None for i in codes] == expected
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_long_columns_with_and_without_runs(dtype: str, shuffled: bool) -> None:
    rng = np.random.default_rng(1)
    plain = [None if i % 7 == 3 else f"p{i // 6}" for i in range(24_000)]
    if shuffled:
        plain = [plain[i] for i in rng.permutation(len(plain))]
    codes, labels = text_codes(pd.Series(plain, dtype=object).astype(dtype))
    assert [labels[i] if i >= 0 else None for i in codes.tolist()] == plain


def test_groupings_of_several_columns() -> None:
    rng = np.random.default_rng(2)
    n = 400
    frame = pd.DataFrame({"y": rng.normal(size=n), "a": rng.choice(list("zyx"), n)})
    frame["b"], frame["c"] = rng.choice(["v2", "v10", "v1"], n), rng.integers(0, 40, n)
    found = rows("y ~ b + (1 | a:b:c)", frame, b=["v1", "v2", "v10"])
    codes, labels = found.grouping(("a", "b", "c"))
    assert codes.dtype == np.int64
    expected = [f"{a}:{b}:{c}" for a, b, c in zip(frame["a"], frame["b"], frame["c"], strict=True)]
    assert [labels[i] for i in codes] == expected
    order = [label.split(":") for label in labels]
    keys = [(a, ["v1", "v2", "v10"].index(b), c) for a, b, c in order]
    assert keys == sorted(keys)
    assert len(labels) == len(set(expected))


def test_compact_by_marking_and_by_sorting() -> None:
    codes = np.array([7, 3, 7, 900, 3])
    for size in (1000, 10**12):
        found, present = compact(codes, size)
        assert found.tolist() == [1, 0, 1, 2, 0]
        assert present.tolist() == [3, 7, 900]


def test_levels_that_occur_only_in_dropped_rows_are_gone() -> None:
    frame = pd.DataFrame(
        {
            "y": [1.0, 2, np.nan, 4, 5],
            "g": ["a", "b", "c", "a", "b"],
            "f": ["u", "v", "w", "u", "v"],
        }
    )
    found = rows("y ~ f + (1 | g)", frame, f=["w", "v", "u"])
    assert found.labels == {"f": ("v", "u"), "g": ("a", "b")}
    assert texts(found, "f") == ["u", "v", "u", "v"]
    assert "no row used has w; the reference is v" in found.notes[0]
    assert found.used.tolist() == [True, True, False, True, True]
    assert {k: v.tolist() for k, v in found.dropped.items()} == {
        "y": [False, False, True, False, False]
    }


def test_an_undeclared_value_in_a_dropped_row_is_no_fault() -> None:
    frame = pd.DataFrame({"y": [1.0, 2, np.nan, 4], "g": list("abab"), "f": ["u", "v", "?", "u"]})
    assert rows("y ~ f + (1 | g)", frame, f=["u", "v"]).labels["f"] == ("u", "v")
    frame["y"] = [1.0, 2, 3, 4]
    with pytest.raises(ModelError, match=r"f has '\?' \(first rows: 3\)"):
        rows("y ~ f + (1 | g)", frame, f=["u", "v"])


def test_order_of_levels() -> None:
    frame = pd.DataFrame({"y": [1.0, 2, 3, 4], "g": list("abab")})
    frame["f"] = pd.Categorical(["u", "v", "w", "u"], categories=["w", "x", "u", "v"])
    assert rows("y ~ f + (1 | g)", frame).labels["f"] == ("w", "u", "v")
    assert rows("y ~ f + (1 | g)", frame, f=["v", "w", "u"]).labels["f"] == ("v", "w", "u")
    assert rows("y ~ 1 + (1 | f)", frame).labels["f"] == ("u", "v", "w")  # a grouping is sorted
    frame["f"] = frame["f"].astype(str)
    assert rows("y ~ f + (1 | g)", frame).labels["f"] == ("u", "v", "w")
    frame["f"] = [8, 10, 8, 10]
    assert rows("y ~ f + (1 | g)", frame, f=["8", "10"]).labels["f"] == ("8", "10")
    found = rows("y ~ f + (1 | g)", frame)
    assert found.numbers["f"].tolist() == [8.0, 10, 8, 10]
    assert found.factors == ()


def test_objects_that_are_numbers_are_numbers() -> None:
    frame = pd.DataFrame({"y": [1.0, 2, 3, 4], "g": list("abab"), "x": [1, 2.5, None, 3]})
    frame["x"] = frame["x"].astype(object)
    assert rows("y ~ x + (1 | g)", frame).numbers["x"].tolist() == [1, 2.5, 3]


def test_slot_of_a_residual_covariance_is_a_factor() -> None:
    frame = pd.DataFrame({"y": [1.0, 2, 3, 4], "id": list("aabb"), "v": ["m12", "m6"] * 2})
    found = rows("y ~ 1 + us(v | id)", frame, v=["m0", "m6", "m12"])
    assert found.labels["v"] == ("m6", "m12")
    assert found.factors == ()
    assert "v" in found.declared


@pytest.mark.parametrize(
    ("formula", "change", "says"),
    [
        ("y ~ 1 + us(week | id)", {}, "week is the slot of a residual covariance and holds num"),
        ("y ~ week + us(week | id)", {}, "and name another column among the terms"),
        ("y ~ day + (1 | id)", {"day": pd.to_datetime(["2020-01-01"] * 4)}, "day is a date"),
        ("y ~ f + (1 | id)", {"f": list("uvuv")}, "name 'u' twice"),
        ("y ~ week + (1 | id)", {"week": [0, -np.inf, 1, np.inf]}, "in 2 rows: 2, 4"),
    ],
)
def test_refused(formula: str, change: dict[str, object], says: str) -> None:
    frame = pd.DataFrame({"y": [1.0, 2, 3, 5], "id": list("aabb"), "week": [0.0, 6, 0, 6]})
    with pytest.raises(ModelError) as error:
        rows(formula, frame.assign(**change), f=["u", "v", "u"])
    assert says in str(error.value)


def test_one_name_for_two_columns() -> None:
    frame = pd.DataFrame([[1.0, 2.0, "a"], [2.0, 1.0, "b"]], columns=["y", "y", "g"])
    with pytest.raises(ModelError, match="2 columns of the data are called 'y'"):
        rows("y ~ 1 + (1 | g)", frame)


def test_natural_order() -> None:
    assert natural_order(["m 12", "m 6", "base", "m 6b"]) == ["base", "m 6", "m 6b", "m 12"]


def test_digests_add_up_and_forget_order() -> None:
    rng = np.random.default_rng(4)
    keys, y = text_hashes([f"p{i}" for i in range(50)]), rng.normal(size=50)
    whole = row_sums([keys], y)
    turn = rng.permutation(50)
    assert row_sums([keys[turn]], y[turn]) == whole
    parts = [row_sums([keys[part]], y[part]) for part in (slice(0, 20), slice(20, 50))]
    assert tuple(sum(column) % 2**64 for column in zip(*parts, strict=True)) == whole
    y[3] = np.nextafter(y[3], 9)
    assert digest(row_sums([keys], y)) != digest(whole)
    swapped = np.concatenate([y[:3][::-1], y[3:]])
    assert digest(row_sums([keys], swapped)) != digest(row_sums([keys], y))
