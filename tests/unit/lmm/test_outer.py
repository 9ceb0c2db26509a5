"""Second derivatives in an unstructured covariance: by outer products as by pairs."""

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.lmm import outer


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    rows = [
        (f"p{i:02d}", f"s{i % 7}", f"v{k}", "AB"[i // 7 % 2], 10.0 * k, rng.normal() + i % 5)
        for i in range(70)
        for k in range(5)
        if k == 0 or rng.random() > 0.2
    ]
    return pd.DataFrame(rows, columns=["patient", "site", "visit", "arm", "week", "y"])


@pytest.mark.parametrize("random", ["", " + (1 | site)", " + (1 + week | site)"])
@pytest.mark.parametrize("reml", [True, False])
def test_as_by_pairs(
    frame: pd.DataFrame, random: str, reml: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = sitewise.lmm(f"y ~ visit*arm{random} + us(visit | patient)", frame, reml=reml)
    model = fit.solution.model
    phi = model.parameters.generic()  # away from an optimum, where nothing cancels
    quick = model.point(phi)
    monkeypatch.setattr(outer, "MOST", 0)
    monkeypatch.setattr("sitewise.lmm.bottoms.fits", outer.fits)
    model._last.clear()
    slow = model.point(phi)
    for name in ("hessian", "expected", "average", "second"):
        own, other = getattr(quick, name), getattr(slow, name)
        np.testing.assert_allclose(own, other, rtol=0, atol=1e-11 * np.abs(other).max())


def test_only_entries_of_a_whole_triangle() -> None:
    rows, columns = np.triu_indices(3)
    units = np.zeros((6, 3, 3))
    units[np.arange(6), rows, columns] = units[np.arange(6), columns, rows] = 1.0
    found = outer.entries(units)
    assert found is not None
    assert found.tolist() == [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]
    assert outer.entries(units[:5]) is None
    assert outer.entries(2 * units) is None
