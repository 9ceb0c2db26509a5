"""Each hard input: its message, where its readings went, and the page that lists them."""

import re

import pytest

from tests.hard_inputs.page import CASES, GROUPS, PAGE, answer, page


@pytest.mark.parametrize("name", list(CASES))
def test_a_hard_input_is_answered_and_loses_nothing(name: str) -> None:
    case, said = CASES[name], answer(name)
    for sentence in case.says:
        assert sentence in said.text, f"not said: {sentence}\nsaid:\n{said.text}"
    assert dict(said.fates) == dict(case.fates)
    assert "Traceback" not in said.text


@pytest.mark.parametrize("name", list(CASES))
def test_an_answer_says_what_is_allowed_and_what_to_do(name: str) -> None:
    """Each block of an answer: a finding or a problem, with the lines below it."""
    blocks = re.split(r"^(?=error: |warning: |note: |  \d+\. )", answer(name).text, flags=re.M)
    for block in blocks[1:]:
        assert "allowed:" in block, block
        assert "to do:" in block, block


def test_names_are_unique() -> None:
    assert len(CASES) == sum(map(len, GROUPS.values()))


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "renew docs/inputs.md: python -m tests.hard_inputs.page"
    )
