"""Moments without one unit are the moments of the others."""

import numpy as np
import pandas as pd
import pytest

from sitewise import lmm
from sitewise.errors import ModelError
from sitewise.lmm.api import basis_of_part, fit_part, schedule_of
from sitewise.lmm.design import build_design
from sitewise.lmm.tally import build_wide
from sitewise.lmm.without import without_unit

DEEP = "y ~ x * visit + (1 | country) + (1 | country:site) + (1 | patient)"


def rows(seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    found = []
    for c in range(4):
        for s in range(3):
            level = rng.normal()
            for p in range(6):
                own, x = rng.normal(), rng.normal()
                found += [(f"c{c}", f"s{c}{s}", f"p{c}{s}{p}", x, v, level + own + rng.normal())
                          for v in "abc" if rng.random() > 0.2]  # fmt: skip
    columns = ["country", "site", "patient", "x", "visit", "y"]
    return pd.DataFrame(found, columns=columns)


def wide(formula: str, frame: pd.DataFrame):
    design = build_design(formula, frame, {})
    schedule = schedule_of(design)
    return build_wide(formula and design.formula, design.data, design.hierarchy, schedule,
                      fixed=design.columns)  # fmt: skip


@pytest.mark.parametrize(("group", "label", "column"), [
    (("country",), "c1", "country"), (("country", "site"), "c2:s20", "site"),
])  # fmt: skip
def test_a_unit_of_any_level(group, label, column):
    frame = rows()
    left = without_unit(wide(DEEP, frame), group, label)
    kept = frame[frame[column] != label.split(":")[-1]].reset_index(drop=True)
    found = fit_part(left, basis_of_part(left), True)
    expected = lmm(DEEP, kept)
    assert (found.nobs, found.basis.subjects) == (len(kept), kept["patient"].nunique())
    assert found.loglik == pytest.approx(expected.loglik, rel=1e-11)
    np.testing.assert_allclose(found.fixef, expected.fixef, rtol=1e-7)
    np.testing.assert_allclose(found.se, expected.se, rtol=1e-7)


def test_a_start_near_the_optimum_ends_where_the_others_do():
    part = wide(DEEP, rows())
    basis = basis_of_part(part)
    whole = fit_part(part, basis, True)
    again = fit_part(part, basis, True, whole.solution.phi)
    assert again.loglik == pytest.approx(whole.loglik, rel=1e-12)
    assert len(again.certificate.starts) <= len(whole.certificate.starts)


def test_an_unknown_unit_is_told():
    with pytest.raises(ModelError, match="taken apart") as error:
        without_unit(wide(DEEP, rows()), ("country",), "c9")
    assert "c0, c1, c2, c3" in str(error.value)
