"""Ill-conditioned trials against 80-bit arithmetic, where programs in doubles lose digits.

Columns that are nearly collinear (correlation 1 - 5e-9) and a residual 5000 times smaller than the
random effects: lme4's log-likelihood is off by 7e-6 and 4e-7 on such data.
"""

import numpy as np
import pandas as pd
import pytest

import sitewise
from sitewise.lmm.design import build_design


def trial(seed: int, residual: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(6):
        at_site = rng.normal(0, 5)
        for p in range(6):
            level, age, arm = rng.normal(0, 3), rng.normal(60, 10), "AB"[rng.integers(2)]
            for t in (0.0, 3.0, 6.0, 9.0):
                if rng.random() < 0.15:
                    continue
                y = 150 + at_site + level + 0.1 * age - 0.3 * t + rng.normal(0, residual)
                rows.append((f"s{s}", f"s{s}p{p}", t, arm, age, age + rng.normal(0, 1e-3), y))
    return pd.DataFrame(rows, columns=["site", "patient", "t", "arm", "age", "again", "y"])


def exact(
    X: np.ndarray, y: np.ndarray, groups: list[np.ndarray], variances: list[float], sigma2: float
) -> float:
    """REML log-likelihood in 80 bits: Cholesky of V, Gram-Schmidt done twice."""
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("no numbers longer than doubles on this machine")
    n, p = X.shape
    V = np.eye(n, dtype=np.longdouble) * np.longdouble(sigma2)
    for own, variance in zip(groups, variances, strict=True):
        V += np.longdouble(variance) * np.equal.outer(own, own)
    L = np.zeros_like(V)
    for j in range(n):
        column = V[j:, j] - L[j:, :j] @ L[j, :j]
        L[j:, j] = column / np.sqrt(column[0])
    whole = np.column_stack([X, y]).astype(np.longdouble)
    C = np.zeros_like(whole)
    for i in range(n):
        C[i] = (whole[i] - L[i, :i] @ C[:i]) / L[i, i]
    lengths = np.ones(p + 1, dtype=np.longdouble)
    for k in range(p + 1):
        for _ in range(2):
            C[:, k] -= C[:, :k] @ (C[:, :k].T @ C[:, k])
        lengths[k] = np.sqrt(C[:, k] @ C[:, k])
        C[:, k] /= lengths[k]
    logs = 2 * (np.log(np.diag(L)).sum() + np.log(lengths[:p]).sum())
    return -float(logs + lengths[p] ** 2 + (n - p) * np.log(2 * np.longdouble(np.pi))) / 2


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("fixed", "residual", "tolerance"), [("t*arm + age + again", 6.0, 1e-9), ("t*arm", 1e-3, 1e-7)]
)
def test_log_likelihood(fixed: str, residual: float, tolerance: float, seed: int) -> None:
    frame = trial(seed, residual)
    text = f"y ~ {fixed} + (1 | site) + (1 | patient)"
    fit = sitewise.lmm(text, frame)
    assert fit.converged
    assert not fit.aliased
    assert fit.sigma is not None
    design = build_design(text, frame, {})
    terms = {term.basis.group: float(term.D[0, 0]) for term in fit.estimates.terms}
    found = exact(
        design.X, frame.y.to_numpy(), [frame[g].to_numpy() for g in terms], [*terms.values()],
        fit.sigma**2,
    )  # fmt: skip
    assert fit.loglik == pytest.approx(found, abs=tolerance)
