"""Coverage of the primary contrast under Kenward-Roger, by draws with known truth: few, seeded.

`benchmarks/coverage.py` makes the long table of docs/coverage.md; here the same code on a trial
small enough that the methods of degrees of freedom part.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DRAWS = 100


@pytest.fixture(scope="module")
def coverage(root: Path) -> ModuleType:
    path = root / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_of_contrasts", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_few_randomised_sites(coverage: ModuleType) -> None:
    """8 sites: Kenward-Roger not below 95% by three errors, z tests below it."""
    case = next(c for c in coverage.CASES if c.key == "cluster-visit-large")
    found = coverage.count(case, 8, DRAWS)
    assert found.draws + found.failed == DRAWS
    assert found.failed <= 1
    share = {name: n / found.draws for name, n in found.covered.items()}
    assert share["kenward-roger"] >= 0.95 - 3 * found.error()
    # The same draws, and intervals that lie within Kenward-Roger's: a difference is no chance.
    assert share["asymptotic"] <= share["kenward-roger"] - 0.01
    # Six degrees of freedom between sites, twice that with two changes a site.
    assert 5 < found.df < 14
    assert 0.8 < found.ratio < 1.25


def test_the_truth_is_what_was_asked(coverage: ModuleType) -> None:
    """Variances estimated on average are those that were drawn from."""
    case = next(c for c in coverage.CASES if c.key == "clda")
    fits = [f for f in coverage.fits_by_moments(case, 20, 40, 3) if f is not None]
    site = sum(float(f.terms()[0].D[0, 0]) for f in fits) / len(fits)
    last = sum(float(f.residual_cov.iloc[-1, -1]) for f in fits) / len(fits)
    # SE of a mean of 40: about 10 / sqrt(40) = 1.7 of 30, and 26 / sqrt(40) = 4 of 289.
    assert site == pytest.approx(30.0, abs=3.5 * 1.7)
    assert last == pytest.approx(289.0, abs=3.5 * 4.2)
