"""Type III hypotheses from treatment coding, against cell means and sums of squares by hand."""

import numpy as np
import pandas as pd
import pytest

from sitewise.classical.type3 import (
    EFFECTS,
    INTERACTION,
    cell_rows,
    f_p_value,
    type3_hypotheses,
    wald_f,
)
from sitewise.lmm.design import build_design

ARMS, VISITS = ("A", "B", "C"), ("v0", "v1", "v2", "v3")


def cells_of_design():
    rng = np.random.default_rng(2)
    pairs = [(a, v) for a in ARMS for v in VISITS for _ in range(3)]
    frame = pd.DataFrame(pairs, columns=["TRT01P", "AVISIT"])
    frame["AVAL"], frame["USUBJID"] = rng.normal(size=36), np.tile(["p", "q", "r"], 12)
    design = build_design(
        "AVAL ~ AVISIT*TRT01P + (1 | USUBJID)", frame, {"TRT01P": ARMS, "AVISIT": VISITS}
    )
    return cell_rows(design, ARMS, VISITS)


def differences(k):
    return np.column_stack([-np.ones(k - 1), np.eye(k - 1)])


def mean(k):
    return np.full((1, k), 1 / k)


def test_f_is_that_of_the_cell_means():
    # b are treatment-coded effects with any covariance; m = C b are the cell means, whose type III
    # hypotheses are Kronecker products of differences and means (Searle 1987, ch. 4).
    rng = np.random.default_rng(4)
    cells = cells_of_design()
    C = cells.reshape(12, 12)
    b, root = rng.normal(size=12), rng.normal(size=(12, 12))
    V = root @ root.T
    expected = {
        "TRT01P": np.kron(differences(3), mean(4)),
        "AVISIT": np.kron(mean(3), differences(4)),
        INTERACTION: np.kron(differences(3), differences(4)),
    }
    found = type3_hypotheses(cells)
    assert tuple(found) == EFFECTS
    for effect, K in expected.items():
        value, covariance = K @ C @ b, K @ C @ V @ C.T @ K.T
        f = value @ np.linalg.inv(covariance) @ value / len(K)
        assert len(found[effect]) == len(K)
        assert wald_f(found[effect], b, V) == pytest.approx(f, rel=1e-8)


def test_no_number_where_there_is_none():
    L = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert np.isnan(wald_f(L, np.ones(2), np.eye(2)))
    assert np.isnan(f_p_value(3.0, 2, np.nan))
    assert np.isnan(f_p_value(np.nan, 2, 10))


def test_p_value_of_the_tables():
    assert f_p_value(4.10, 2, 10) == pytest.approx(0.05, abs=5e-4)  # 5% point of F(2, 10): 4.10
