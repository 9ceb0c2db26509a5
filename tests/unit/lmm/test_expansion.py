"""Expansion of terms against the matrix builder's own reading of them."""

from pathlib import Path

import pytest
from formulaic import Formula

from sitewise.lmm.expansion import expand_terms


@pytest.mark.parametrize(
    "terms",
    [
        "a", "1", "0 + a", "a*b", "a*b*c", "a + b:c + d", "(a + b)*c", "(a + b + c)**2", "a:b*c",
        "a*b - a", "(a + b):(c + d)", "- 1 + a", "a*b - a:b + c", "((a))", "a**2 + b",
        "a*(b + c:d)", "(a + b)^2 - a:b",
    ],
)  # fmt: skip
def test_same_terms(terms: str) -> None:
    expected = {frozenset(str(factor) for factor in term.factors) for term in Formula(terms)} - {
        frozenset({"1"})
    }
    assert set(expand_terms(terms)) == expected


def test_checking_a_plan_stays_light(root: Path) -> None:
    import subprocess
    import sys

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
