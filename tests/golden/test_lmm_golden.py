"""Every mixed model of ../shared/references through `sitewise.lmm`, and what stands of it in docs.

The numbers: R's lme4 and mmrm, and exact rational arithmetic; versions in docs/validation.md.
"""

from pathlib import Path

import pytest

import sitewise
from sitewise.errors import ModelError
from tests.golden.lmm_cases import (
    CROSSED,
    STRUCTURES,
    Case,
    cases,
    fit_of,
    frame_of,
    load,
    measure,
    reference_files,
)
from tests.golden.lmm_exact_cases import REFUSED, exact_cases, measure_exact
from tests.golden.validation import ELSEWHERE, WITHOUT, rows_of_document

ALL = [*cases(), *(exact_cases() if reference_files() else [])]
STRUCTURED = [
    (name, structure)
    for name in reference_files("mmrm")
    for structure, block in load(name).items()
    if isinstance(block, dict) and "reml" in block and structure not in STRUCTURES
]


@pytest.mark.parametrize("case", ALL, ids=str)
def test_reference(case: Case, shared: Path) -> None:
    measured = measure_exact(case) if case.kind == "adversarial" else measure(case)
    assert measured
    beyond = [str(one) for one in measured if not one.within]
    assert not beyond


def test_no_file_is_left_out(shared: Path) -> None:
    own = {case.name for case in ALL} | set(CROSSED) | {f"adv_{name}" for name in REFUSED}
    assert own == set(reference_files("lmm", "lrt", "mmrm", "adversarial"))


def test_the_document_is_up_to_date(shared: Path, root: Path) -> None:
    """In names; its digits are of the last `python -m tests.golden.validation`."""
    written = (root / "docs" / "validation.md").read_text()
    rows = rows_of_document(written)
    assert sorted(rows) == sorted(reference_files())
    assert {case.name for case in ALL} == {name for name, cells in rows.items() if len(cells) > 4}
    for name in (*CROSSED, *(f"adv_{name}" for name in REFUSED if name != "two_visits")):
        assert "refused" in rows[name][-1]
    for kind, (where, _) in ELSEWHERE.items():
        assert not where or (root / where).is_file(), kind
        assert all(WITHOUT.get(name, where) in rows[name][-1] for name in reference_files(kind))


@pytest.mark.parametrize("name", CROSSED)
def test_crossed_groupings_are_refused_by_name(name: str, shared: Path) -> None:
    ref = load(name)
    groups = {"Penicillin": "plate, sample", "InstEval": "s, d", "ScotsSec": "primary, second"}
    with pytest.raises(ModelError) as error:
        fit_of(name, ref.get("r_formula") or ref["models"]["both"], True)
    assert f"{groups[name.split('_', maxsplit=1)[0]]}: " in str(error.value)
    assert "are crossed" in str(error.value)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_estimate_is_refused(name: str, reml: bool, shared: Path) -> None:
    ref = load(f"adv_{name}")
    with pytest.raises(ModelError) as error:
        sitewise.lmm(ref["r_formula"], frame_of(f"adv_{name}"), reml)
    assert REFUSED[name] in str(error.value)


@pytest.mark.parametrize(("name", "structure"), STRUCTURED)
def test_other_structures_are_refused_by_name(name: str, structure: str, shared: Path) -> None:
    with pytest.raises(ModelError) as error:
        fit_of(name, load(name)[structure]["reml"]["formula"], True)
    assert f"the covariance structure {structure}(...) is not implemented" in str(error.value)
    assert "us, cs, csh, ar1, ar1h" in str(error.value)


@pytest.mark.parametrize("reml", [True, False])
def test_collinear_columns_go_as_in_r(reml: bool, shared: Path) -> None:
    fit = fit_of("adv_collinear_fixed", load("adv_collinear_fixed")["r_formula"], reml)
    assert fit.aliased == ("day", "weight_x")
    assert any("day, weight_x" in text for text in fit.warnings)


@pytest.mark.parametrize("reml", [True, False])
def test_confounded_groupings_are_said(reml: bool, shared: Path) -> None:
    name = "adv_one_patient_per_site"
    fit = fit_of(name, load(name)["r_formula"], reml)
    said = [text for text in fit.warnings if "arbitrary" in text]
    assert said
    assert "site" in said[0]
    assert "patient" in said[0]


def test_slope_variance_zero_is_an_estimate(shared: Path) -> None:
    name = "adv_slope_variance_zero"
    fit = fit_of(name, load(name)["r_formula_slopes"], True)
    assert fit.converged
    assert fit.singularity.kind == "variance 0"
    table = fit.varcorr
    assert list(table["term"]) == ["(Intercept)", "time", ""]  # the term stays
    assert table["variance"][1] == 0
    assert table["correlations"][1][0] != table["correlations"][1][0]  # NaN
