"""The fit that is returned is the optimum that was found and certified."""

import numpy as np
import pandas as pd
import pytest

import sitewise

FORMULA = "y ~ arm * x + (1 + x | site) + (1 + x | patient)"


def rank_one(seed: int) -> pd.DataFrame:
    """Slopes that barely differ between sites: D by site is of rank 1, with a small second row."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(240), 4)
    site = patient // 20
    x = np.tile(np.arange(4.0), 240)
    effect = rng.normal(0, 1.0, 12)
    y = 10 + effect[site] * (1 + 2e-4 * x) + rng.normal(0, 1.5, 240)[patient]
    y = y + 0.3 * rng.normal(size=240)[patient] * x + rng.normal(0, 1, len(x))
    names = {"site": [f"s{i}" for i in site], "patient": [f"p{i}" for i in patient]}
    return pd.DataFrame({**names, "arm": np.where(patient % 2, "B", "A"), "x": x, "y": y})


@pytest.mark.parametrize("seed", range(8))
def test_what_is_returned_is_what_was_certified(seed: int) -> None:
    frame = rank_one(seed)
    fit = sitewise.lmm(FORMULA, frame, reml=False)
    assert fit.converged
    assert fit.deviance == pytest.approx(min(fit.certificate.optima), abs=1e-10 * fit.nobs)
    point = fit.solution
    scale = np.sqrt(np.abs(np.diag(point.hessian))) + 1e-300
    assert np.max(np.abs(point.gradient) / scale) < 1e-4, "of one standard error, and far below"
    other = sitewise.lmm(FORMULA, frame.assign(y=0.1482 * frame["y"]), reml=False)
    np.testing.assert_allclose(other.fixef / 0.1482, fit.fixef, rtol=1e-7, atol=1e-9)
