"""One optimum from any start where there is one; the higher of two, with both said, where not."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

import sitewise
from sitewise.lmm import newton
from tests.golden.lmm_cases import TOLERANCES, fit_of, load, reference_files

SAME = 1e-8  # deviances of one optimum


def spread(name: str) -> float:
    found: float = max(
        load(name)[b]["optimum"]["deviance_spread_over_starts"] for b in ("reml", "ml")
    )
    return found


HARD = [name for name in reference_files("lmm") if spread(name) > 1e-3]


def test_the_hard_ones_are_those_of_the_readme(shared: Path) -> None:
    assert set(HARD) == {
        "Orthodont_ri_rs", "dietox_slopes_both", "fev_ri_rs", "cdisc_sbp_main",
        "cdisc_sbp_trt_by_site",
    }  # fmt: skip


@pytest.mark.parametrize("block", ["reml", "ml"])
@pytest.mark.parametrize("name", HARD)
def test_every_start_reaches_the_optimum(name: str, block: str, shared: Path) -> None:
    fit = fit_of(name, load(name)["r_formula"], block == "reml")
    model = fit.solution.model
    ends = [
        newton.search(model, model.parameters.start(how)).value
        for how in ("zero", "tiny", "default", *range(10))
    ]
    np.testing.assert_allclose(ends, fit.deviance, rtol=0, atol=SAME)
    expected = load(name)[block]["minus2loglik"]
    assert fit.deviance == pytest.approx(expected, abs=2 * TOLERANCES["log-likelihood"][0], rel=0)


# Two maxima, found by searching small one-way layouts on a fine grid (that restricted likelihoods
# may have several: Henn & Hodges 2014, Int. Stat. Rev. 82, 437-458): large groups that agree and a
# single reading far off, an outlier of theirs or the sign of a large variance between groups.
# sizes, means, half the distance of the readings of a group, REML.
TWO_MAXIMA = {
    "inside is higher": ((20, 1, 20), (0.0, 14.3, 0.1), 3.5, False),
    "boundary is higher": ((1, 20, 20), (3.2, -0.2, -0.1), 0.9256, False),
    "by REML": ((10, 20, 1, 10, 1, 10), (0.1, 0.0, -4.9, 0.1, 0.0, 0.1), 1.0, True),
}


def readings(sizes: tuple[int, ...], means: tuple[float, ...], half: float) -> pd.DataFrame:
    rows = [
        (f"g{k}", mean + (half * (-1) ** i if size > 1 else 0.0))
        for k, (size, mean) in enumerate(zip(sizes, means, strict=True))
        for i in range(size)
    ]
    return pd.DataFrame(rows, columns=["group", "y"])


def deviance(data: pd.DataFrame, ratio: float, reml: bool) -> float:
    """-2 log-likelihood of the one-way layout, profiled over mean and residual variance.

    Searle, Casella & McCulloch (1992), Variance Components, section 3.8.
    """
    by = data.groupby("group")["y"]
    n, mean = by.count().to_numpy(), by.mean().to_numpy()
    within = float(((data["y"] - by.transform("mean")) ** 2).sum())
    w = n / (1 + n * ratio)
    mu = w @ mean / w.sum()
    d = n.sum() - reml
    s2 = (within + w @ (mean - mu) ** 2) / d
    value = np.log(1 + n * ratio).sum() + d * (np.log(s2) + 1 + np.log(2 * np.pi))
    return float(value + (np.log(w.sum()) if reml else 0.0))


def local_minima(data: pd.DataFrame, reml: bool) -> list[tuple[float, float]]:
    """(deviance, ratio) of all, lowest first: on a grid, then refined."""
    grid = np.concatenate([[0.0], 10 ** np.linspace(-5, 6, 1101)])
    values = np.array([deviance(data, r, reml) for r in grid])
    found = [(values[0], 0.0)] if values[0] < values[1] else []
    for i in range(1, len(grid) - 1):
        if values[i] < min(values[i - 1], values[i + 1]):
            best = minimize_scalar(
                lambda r: deviance(data, r, reml), method="bounded",
                bounds=(grid[i - 1], grid[i + 1]), options={"xatol": 1e-10},
            )  # fmt: skip
            found.append((float(best.fun), float(best.x)))
    return sorted(found)


@pytest.mark.parametrize("which", TWO_MAXIMA)
def test_the_higher_of_two_maxima(which: str) -> None:
    sizes, means, half, reml = TWO_MAXIMA[which]
    data = readings(sizes, means, half)
    expected: list[Any] = local_minima(data, reml)
    assert len(expected) == 2
    assert expected[1][0] - expected[0][0] > 0.1
    fit = sitewise.lmm("y ~ 1 + (1 | group)", data, reml)
    assert fit.converged
    assert fit.deviance == pytest.approx(expected[0][0], abs=SAME, rel=0)
    assert fit.certificate.optima == pytest.approx([e[0] for e in expected], abs=SAME, rel=0)
    ratio = fit.varcorr["variance"][0] / fit.sigma**2
    assert ratio == pytest.approx(expected[0][1], abs=1e-5)
    assert fit.singular == (which == "boundary is higher")
