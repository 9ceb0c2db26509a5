"""Tests, F tests and marginal means beside R's, file by file; see `linear_cases`."""

import pytest

from tests.golden.linear_cases import linear_cases, measure_linear
from tests.golden.lmm_cases import Case

CASES = linear_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reference(case: Case) -> None:
    found = measure_linear(case)
    assert found
    assert not [str(gap) for gap in found if not gap.within]


def test_there_are_references() -> None:
    if not CASES:
        pytest.skip("the references are not beside the project")
    assert len(CASES) > 80
