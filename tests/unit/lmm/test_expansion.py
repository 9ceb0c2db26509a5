"""What a terms text stands for, against R's reading and formulaic's."""

import subprocess
import sys
from pathlib import Path

import pytest
from formulaic import Formula
from hypothesis import given, settings
from hypothesis import strategies as st

from sitewise.errors import ModelError
from sitewise.lmm.expansion import expand_terms
from sitewise.lmm.tokens import check_terms, split_tokens


def valid(text: str) -> bool:
    try:
        check_terms(text, split_tokens(text))
    except ModelError:
        return False
    return True


def by_formulaic(text: str) -> list[frozenset[str]]:
    terms = [frozenset(map(str, term.factors)) - {"1"} for term in Formula(text)]
    return sorted(dict.fromkeys(terms), key=len)


# R 4.2: attr(terms(~ ..., keep.order = FALSE), "term.labels"), and "intercept".
@pytest.mark.parametrize(
    ("text", "intercept", "labels"),
    [
        ("1", True, ""),
        ("0 + a", False, "a"),
        ("- 1 + a", False, "a"),
        ("a - 0", True, "a"),
        ("a*b - 1", False, "a b a:b"),
        ("b + a*b", True, "b a b:a"),
        ("a*b*c", True, "a b c a:b a:c b:c a:b:c"),
        ("a + b:c + d", True, "a d b:c"),
        ("(a + b + c)^2", True, "a b c a:b a:c b:c"),
        ("(a + b + c)^2 - a:b", True, "a b c a:c b:c"),
        ("a*b - a", True, "b a:b"),
        ("(a + b):(c + d)", True, "a:c a:d b:c b:d"),
        ("a:b*c", True, "c a:b a:b:c"),
        ("a^2 + b", True, "a b"),
        ("a*(b + c:d)", True, "a b c:d a:b a:c:d"),
        ("a - a", True, ""),
        ("(a + b)^999999999", True, "a b a:b"),
    ],
)
def test_as_r_reads_it(text: str, intercept: bool, labels: str) -> None:
    assert valid(text)
    found = expand_terms(text)
    assert (() in found) == intercept
    assert " ".join(":".join(term) for term in found if term) == labels


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, st.sampled_from([" + ", " - ", "*", ":"]), inner)
    bracketed = st.tuples(inner, st.sampled_from(["", "^2", "^3"]))
    return pair.map("".join) | bracketed.map(lambda parts: f"({parts[0]}){parts[1]}")


TERMS = st.recursive(st.sampled_from("abcd"), _grown, max_leaves=8)


@settings(max_examples=300, deadline=None)
@given(TERMS, st.sampled_from(["", "1 + ", "0 + ", "- 1 + "]))
def test_same_terms_in_the_same_order_as_formulaic(terms: str, before: str) -> None:
    text = before + terms
    assert valid(text)
    assert [frozenset(term) for term in expand_terms(text)] == by_formulaic(text)


def test_columns_of_a_term_stand_as_first_named() -> None:
    assert expand_terms("z + y:z + a:y")[1:] == (("z",), ("z", "y"), ("y", "a"))


@pytest.mark.parametrize("text", ["a:0", "0*a", "1^2", "a + 0:b", "(a + b*1)"])
def test_numbers_are_not_multiplied(text: str) -> None:
    with pytest.raises(ModelError, match=r"[01] is no column"):
        check_terms(text, split_tokens(text))


def test_checking_a_plan_stays_light(root: Path) -> None:
    heavy = ("pandas", "scipy", "formulaic", "mixedlm")
    code = (
        "import sys; from pathlib import Path; from sitewise.plan.load import load_plan;"
        "from sitewise.inference.fitting import check_models;"
        "assert check_models(load_plan(Path('config/ghana.yaml'))) == [];"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True,
                           text=True, check=True)  # fmt: skip
    assert found.stdout.strip() == "[]"
