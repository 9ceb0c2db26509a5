"""mixedlm on its own design: its numbers under the names of the first engine's columns."""

import numpy as np
import pandas as pd
import pytest

from sitewise.classical.by_mixedlm import fit_mixedlm
from sitewise.classical.second_fit import NotExpressibleError
from sitewise.lmm.design import build_design

LEVELS = {"visit": ["Base", "Month 6", "Month 12"], "arm": ["B", "A"]}


def frame(seed: int = 4) -> pd.DataFrame:
    """Balanced: 6 sites of 4 patients in two arms, three visits with means 0, 10, 30."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(6):
        site = rng.normal(0, 6)
        for p in range(4):
            patient = rng.normal(0, 3)
            for v, visit in enumerate(LEVELS["visit"]):
                y = (0, 10, 30)[v] + 5 * (p % 2) + site + patient + rng.normal()
                rows.append((f"s{s}", f"s{s}p{p}", visit, float(v), "BA"[p % 2], y))
    return pd.DataFrame(rows, columns=["site", "patient", "visit", "week", "arm", "y"])


def test_coefficients_are_those_of_the_levels_in_their_order():
    # Balanced, so generalised least squares is the difference of means (no month 12 for month 6).
    data = frame()
    design = build_design("y ~ visit + arm + (1 | site) + (1 | patient)", data, LEVELS)
    found = dict(zip(design.names, fit_mixedlm(design, reml=True).fixef, strict=True))
    means, arms = data.groupby("visit")["y"].mean(), data.groupby("arm")["y"].mean()
    for visit in ("Month 6", "Month 12"):
        assert found[f"visit{visit}"] == pytest.approx(means[visit] - means["Base"], abs=1e-6)
    assert found["armA"] == pytest.approx(arms["A"] - arms["B"], abs=1e-6)


def test_variances_and_errors_are_the_anova_s():
    data = frame()
    design = build_design("y ~ visit + (1 | patient) + (1 | site)", data, LEVELS)
    found = fit_mixedlm(design, reml=True)
    values = data["y"].to_numpy().reshape(6, 4, 3)
    rest = values - values.mean(axis=2, keepdims=True) - values.mean(axis=(0, 1))
    ms_rest = ((rest + values.mean()) ** 2).sum() / 46
    ms_site = 12 * values.mean(axis=(1, 2)).var(ddof=1)
    within = values.mean(axis=2) - values.mean(axis=(1, 2))[:, None]
    ms_patient = 3 * (within**2).sum() / 18
    assert ms_site > ms_patient > ms_rest
    assert found.sigma2 == pytest.approx(ms_rest, rel=1e-4)
    assert found.variances["patient", "(Intercept)"] == pytest.approx(
        (ms_patient - ms_rest) / 3, rel=1e-3
    )
    assert found.variances["site", "(Intercept)"] == pytest.approx(
        (ms_site - ms_patient) / 12, rel=1e-3
    )
    assert found.se[1] == pytest.approx(np.sqrt(2 * ms_rest / 24), rel=1e-4)


def test_other_columns_are_no_replication():
    # Products without their main effect: R gives arm A its own column at every visit.
    data = frame()
    design = build_design("y ~ visit + visit:arm + (1 | patient)", data, LEVELS)
    with pytest.raises(NotExpressibleError, match="makes other columns of the fixed part"):
        fit_mixedlm(design, reml=True)


def test_two_terms_of_one_group_keep_their_own_variances():
    rng = np.random.default_rng(2)
    data = frame()
    effect = dict(zip(sorted(set(data["patient"])), rng.normal(0, 20, 24), strict=True))
    data["y"] = data["y"] + data["patient"].map(effect) * data["week"]
    design = build_design("y ~ week + (1 + week || patient)", data, LEVELS)
    found = fit_mixedlm(design, reml=True).variances
    assert set(found) == {("patient", "(Intercept)"), ("patient", "week")}
    assert found["patient", "week"] > 10 * found["patient", "(Intercept)"]
