"""Look-alikes are told apart and never made one."""

import pytest

from sitewise.trial.likeness import difference, near_miss, plain


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("A1", "a1", "upper and lower case"),
        ("A1", "A 1", "blanks or unseen characters"),
        ("A1", "A\u200b1", "blanks or unseen characters"),
        ("A\u00a01", "A 1", "blanks or unseen characters"),
        ("caf\u00e9", "cafe\u0301", "how accents are encoded"),
        ("caf\u00e9", "cafe", "accents"),
        (
            "Caf\u00e9 1",
            "cafe1",
            "upper and lower case and blanks or unseen characters and accents",
        ),
        ("A1", "A2", ""),
        ("A-1", "A1", ""),
    ],
)
def test_the_difference_is_the_smallest_that_explains(one: str, other: str, told: str) -> None:
    assert difference(one, other) == told
    assert (plain(one) == plain(other)) is bool(told)


def test_a_look_alike_comes_before_a_similar_text() -> None:
    known = ["month 60", "month 6"]
    assert near_miss("Month 6", known).startswith("; did you mean 'month 6'? They differ only in")
    assert near_miss("month6x", known).startswith("; did you mean 'month 6")
    assert near_miss("later", known) == ""
