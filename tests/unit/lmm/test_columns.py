"""Columns of a model matrix: R's columns, names and order; values by a written-out product.

R_COLUMNS is `colnames(model.matrix(~ terms, d))` of R 4.2.2 with a, b, c factors of levels p q r,
s t and u v, and x, z numbers.
"""

import numpy as np
import pytest

from sitewise.lmm.columns import Column, column_values, model_columns
from sitewise.lmm.rows import NewRows

FACTORS = {"a": ("p", "q", "r"), "b": ("s", "t"), "c": ("u", "v")}

# fmt: off
# ruff: noqa: E501
R_COLUMNS = [
    ("a*b", "(Intercept) aq ar bt aq:bt ar:bt"),
    ("a:b", "(Intercept) ap:bs aq:bs ar:bs ap:bt aq:bt ar:bt"),
    ("(a+b+c)^2", "(Intercept) aq ar bt cv aq:bt ar:bt aq:cv ar:cv bt:cv"),
    ("b:a + a*b", "(Intercept) aq ar bt bt:aq bt:ar"),
    ("0+a", "ap aq ar"),
    ("-1+a", "ap aq ar"),
    ("a-1", "ap aq ar"),
    ("0+1+a", "(Intercept) aq ar"),
    ("1+a-1", "ap aq ar"),
    ("a+0", "ap aq ar"),
    ("a*b-a", "(Intercept) bt aq:bs ar:bs aq:bt ar:bt"),
    ("x^2", "(Intercept) x"),
    ("c:b+a", "(Intercept) aq ar cu:bs cv:bs cu:bt cv:bt"),
    ("a + 1 - 1 + 1", "(Intercept) aq ar"),
    ("-1", ""),
    ("x:a", "(Intercept) x:ap x:aq x:ar"),
    ("0+x:a", "x:ap x:aq x:ar"),
    ("x*a", "(Intercept) x aq ar x:aq x:ar"),
    ("0+x+a", "x ap aq ar"),
    ("0+a:b", "ap:bs aq:bs ar:bs ap:bt aq:bt ar:bt"),
    ("0+x+a:b", "x ap:bs aq:bs ar:bs ap:bt aq:bt ar:bt"),
    ("a+a:b", "(Intercept) aq ar ap:bt aq:bt ar:bt"),
    ("b+a:b", "(Intercept) bt bs:aq bt:aq bs:ar bt:ar"),
    ("a*b*c", "(Intercept) aq ar bt cv aq:bt ar:bt aq:cv ar:cv bt:cv aq:bt:cv ar:bt:cv"),
    ("a:b:c", "(Intercept) ap:bs:cu aq:bs:cu ar:bs:cu ap:bt:cu aq:bt:cu ar:bt:cu ap:bs:cv aq:bs:cv ar:bs:cv ap:bt:cv aq:bt:cv ar:bt:cv"),
    ("x+a:x+b:x", "(Intercept) x x:aq x:ar x:bt"),
    ("a:x+x:z*b", "(Intercept) bt ap:x aq:x ar:x x:z x:z:bt"),
    ("0+a+b", "ap aq ar bt"),
    ("a:b+c:b", "(Intercept) ap:bs aq:bs ar:bs ap:bt aq:bt ar:bt bs:cv bt:cv"),
    ("x*z", "(Intercept) x z x:z"),
    ("a:x:b", "(Intercept) ap:x:bs aq:x:bs ar:x:bs ap:x:bt aq:x:bt ar:x:bt"),
    ("b*x+c*a", "(Intercept) bt x cv aq ar bt:x cv:aq cv:ar"),
    ("0+x", "x"),
    ("a-a", "(Intercept)"),
    ("1", "(Intercept)"),
    ("(a+x)*(b+z)", "(Intercept) aq ar x bt z aq:bt ar:bt aq:z ar:z x:bt x:z"),
    ("a:b:x + a", "(Intercept) aq ar ap:bs:x aq:bs:x ar:bs:x ap:bt:x aq:bt:x ar:bt:x"),
    ("b + a*b:x", "(Intercept) bt aq ar bs:x bt:x bs:aq:x bt:aq:x bs:ar:x bt:ar:x"),
    ("(a+b)^2-b", "(Intercept) aq ar ap:bt aq:bt ar:bt"),
    ("z:a:x+x*b", "(Intercept) x bt x:bt z:ap:x z:aq:x z:ar:x"),
]
# fmt: on


@pytest.mark.parametrize(("terms", "names"), R_COLUMNS)
def test_columns_are_those_of_r(terms: str, names: str) -> None:
    found = model_columns(terms, FACTORS, ("x", "z"))
    assert " ".join(column.name for column in found) == names


def test_atoms() -> None:
    factors = {"AVISIT": ("base", "month 6: x"), "ARM": ("A", "B")}
    columns = model_columns("AVISIT*ARM*age.y", factors, ("age.y",))
    assert columns[0] == Column("(Intercept)", ())
    assert columns[-1] == Column(
        "AVISITmonth 6: x:ARMB:age.y",
        (("AVISIT", "month 6: x"), ("ARM", "B"), ("age.y", None)),
    )


def test_names_that_mean_something_to_a_parser() -> None:
    names = ("class", "lambda", "C", "Q", "I", "in", "v0")
    columns = model_columns("v0 + " + " + ".join(names), {}, names)
    assert [c.name for c in columns] == ["(Intercept)", "v0", *names[:-1]]


def test_unknown_columns_are_an_error() -> None:
    with pytest.raises(KeyError, match="age"):
        model_columns("a + age", FACTORS, ())


def test_values() -> None:
    rng = np.random.default_rng(5)
    codes = {"a": rng.integers(0, 3, 50), "b": rng.integers(0, 2, 50)}
    x = rng.normal(size=50)
    data = NewRows(50, {"x": x}, codes, FACTORS)
    columns = model_columns("a*b*x", FACTORS, ("x",))
    values = column_values(columns, data)
    by_name = dict(zip((c.name for c in columns), values.T, strict=True))
    for row in range(50):
        a, b = FACTORS["a"][codes["a"][row]], FACTORS["b"][codes["b"][row]]
        assert by_name["(Intercept)"][row] == 1
        for level in ("q", "r"):
            assert by_name[f"a{level}"][row] == (a == level)
            assert by_name[f"a{level}:x"][row] == (x[row] if a == level else 0)
            assert by_name[f"a{level}:bt:x"][row] == (x[row] if (a, b) == (level, "t") else 0)
        assert by_name["bt:x"][row] == (x[row] if b == "t" else 0)
