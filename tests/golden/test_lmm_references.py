"""Degrees of freedom, marginal means and tests of the workflow's door, against R.

lme4, lmerTest and emmeans (../shared/references; versions in each file). Estimates, SEs, variances,
BLUPs and likelihoods are in test_lmm_golden.py.
"""

from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sitewise.lmm.design import Design, build_design
from sitewise.lmm.fit import Fitted, fit_design
from sitewise.lmm.formula import fixed_columns
from tests.golden.lmm_cases import CROSSED, TOLERANCES, frame_of, load, reference_files

LOGLIK = TOLERANCES["log-likelihood"][0]  # absolute
FIXED = TOLERANCES["fixed effects"][0]  # of max(|estimate|, SE)
SE = TOLERANCES["SEs"][0]  # relative
DF = 1e-3  # relative: numerical derivatives on R's side

# What is not compared, and why.
EXCUSED = {
    "df of singular fits": "lmerTest drops eigenvalues of a numerical Hessian there, so its df hang"
    " on noise; the references' README says so",
    "lm": "a least-squares null is no mixed model: this door refuses it; its log-likelihood is"
    " taken from the file",
}


@lru_cache
def design_of(name: str, formula: str) -> Design:
    ref = load(name)
    frame = frame_of(name)
    # Files without levels leave the order to R: alphabetical.
    return build_design(formula, frame, ref["factor_levels"] or {})


@lru_cache
def fit_of(name: str, formula: str, reml: bool, with_means: bool = False) -> Fitted:
    design = design_of(name, formula)
    hypotheses = means_of(name, design) if with_means else {}
    return fit_design(design, reml=reml, alpha=0.05, hypotheses=hypotheses)


def means_of(name: str, design: Design) -> dict[str, np.ndarray]:
    """emmeans' reference grid: numbers at their mean, other factors averaged equally."""
    table = load(name).get("emmeans_satterthwaite")
    if table is None:
        return {}
    means = table["means"]
    asked = [c for c in means if c not in ("emmean", "SE", "df", "lower.CL", "upper.CL")]
    frame = frame_of(name)[design.used]
    found = {}
    for i in range(len(means["emmean"])):
        cell = {}
        for column in fixed_columns(design.formula):
            if column in asked:
                cell[column] = [means[column][i]]
            elif column in design.levels:
                cell[column] = list(design.levels[column])
            else:
                cell[column] = [frame[column].mean()]
        grid = pd.DataFrame(list(product(*cell.values())), columns=list(cell))
        found[f"mean {i}"] = design.fixed_rows(grid).mean(axis=0)
    first = next(c for c in asked if c not in by_columns(table["specs"]))
    pairs = table.get("pairs")
    if pairs:
        found |= _pairs(means, pairs, first, by_columns(table["specs"]), found)
    return found


def by_columns(specs: str) -> list[str]:
    return [c.strip() for c in specs.split("|")[1].split("*")] if "|" in specs else []


def _pairs(means: Any, pairs: Any, first: str, by: list[str], rows: Any) -> dict[str, np.ndarray]:
    """emmeans' pairwise differences, in its order: within each `by` cell, i < j."""
    cells: dict[tuple[Any, ...], list[int]] = {}
    for i in range(len(means[first])):
        cells.setdefault(tuple(means[c][i] for c in by), []).append(i)
    order = [(a, b) for members in cells.values() for k, a in enumerate(members)
             for b in members[k + 1 :]]  # fmt: skip
    assert len(order) == len(pairs["estimate"])
    return {f"pair {k}": rows[f"mean {a}"] - rows[f"mean {b}"] for k, (a, b) in enumerate(order)}


CASES = [
    (name, block)
    for name in reference_files("lmm")
    for block in ("reml", "ml")
    if name not in CROSSED
]


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest, shared: Path) -> tuple[dict[str, Any], Fitted, str]:
    name, block = request.param
    ref = load(name)
    return ref, fit_of(name, ref["r_formula"], block == "reml", True), block


def test_satterthwaite(case: tuple[dict[str, Any], Fitted, str]) -> None:
    ref, fitted, block = case
    if ref[block]["singular"]:
        pytest.skip(EXCUSED["df of singular fits"])
    expected = ref[block]["fixed"]["satterthwaite"]
    for own, df, t, p in zip(fitted.fit.fixef, expected["df"], expected["t"], expected["p"],
                             strict=True):  # fmt: skip
        assert own.df == pytest.approx(df, rel=DF)
        assert own.t == pytest.approx(t, rel=2 * FIXED, abs=2 * FIXED)
        assert own.p == pytest.approx(p, rel=0.05 if p < 1e-10 else 2e-3)


MEANS = [n for n in reference_files("lmm") if "emmeans_satterthwaite" in load(n)]


@pytest.mark.parametrize("name", MEANS)
def test_marginal_means(name: str, shared: Path) -> None:
    """Arbitrary linear combinations: means and pairwise differences, their SE and df."""
    ref = load(name)
    fitted = fit_of(name, ref["r_formula"], True, True)
    own = {e.name: e for e in fitted.fit.hypotheses}
    table = ref["emmeans_satterthwaite"]
    for kind, key, block in (("mean", "emmean", table["means"]),
                             ("pair", "estimate", table.get("pairs", {}))):  # fmt: skip
        for i, estimate in enumerate(block.get(key, [])):
            found, se = own[f"{kind} {i}"], block["SE"][i]
            assert found.estimate == pytest.approx(estimate, abs=FIXED * max(abs(estimate), se))
            assert found.se == pytest.approx(se, rel=SE)
            if not ref["reml"]["singular"]:
                assert found.df == pytest.approx(block["df"][i], rel=DF)
            if kind == "mean" and not ref["reml"]["singular"]:
                assert found.lower == pytest.approx(block["lower.CL"][i], abs=1e-3 * se)
                assert found.upper == pytest.approx(block["upper.CL"][i], abs=1e-3 * se)
