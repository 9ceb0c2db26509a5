"""Three levels with a residual covariance against a dense n x n likelihood maximised by scipy.

Nothing but textbook formulas (Searle, Casella & McCulloch 1992, Variance Components, ch. 6): V is
written out entry by entry, covariance parameters are those of this file.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

import sitewise

VISITS = ["v1", "v2", "v3", "v4"]
LEVELS = {"visit": VISITS, "arm": ["A", "B"]}


def trial(seed: int = 5) -> pd.DataFrame:
    """Eight sites in two countries, readings missing, some patients seen once."""
    rng = np.random.default_rng(seed)
    slot = np.arange(4)
    root = np.linalg.cholesky(
        np.outer([3, 4, 5, 6], [3, 4, 5, 6]) * 0.5 ** np.abs(np.subtract.outer(slot, slot))
    )
    rows = []
    for s in range(8):
        u, arm_by_site = rng.normal(0, 4), rng.normal(0, 3)
        for p in range(5):
            y = 120 + u + (p % 2) * (arm_by_site - 2) + root @ rng.normal(size=4)
            seen = [t for t in range(4) if rng.random() > 0.25] or [0]
            rows += [(f"s{s}", f"s{s}p{p}", "AB"[p % 2], VISITS[t], y[t]) for t in seen]
    return pd.DataFrame(rows, columns=["site", "patient", "arm", "visit", "y"])


def correlation(structure: str, phi: np.ndarray) -> np.ndarray:
    """The residual covariance from log sds and then tanh of correlations, (4, 4)."""
    n_sd = 1 if structure in ("cs", "ar1") else 4
    sd = np.exp(phi[:n_sd]) * np.ones(4)
    if structure == "us":  # rows of a Cholesky factor of length 1
        L, at = np.eye(4), n_sd
        for i in range(1, 4):
            L[i, :i] = phi[at : at + i]
            at += i
            L[i] /= np.linalg.norm(L[i])
        C = L @ L.T
    else:
        lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
        rho = np.tanh(phi[n_sd])
        C = rho ** (lag if structure.startswith("ar1") else (lag > 0))
    return np.asarray(sd[:, None] * C * sd)


class Dense:
    """The likelihood of `y ~ visit * arm + (1 + arm | site) + structure(visit | patient)`."""

    def __init__(self, data: pd.DataFrame, slope: bool, reml: bool) -> None:
        visit = np.array([[v == own for own in VISITS] for v in data["visit"]], dtype=float)
        arm = (data["arm"] == "B").to_numpy(dtype=float)
        self.X = np.column_stack(
            [np.ones(len(arm)), visit[:, 1:], arm, visit[:, 1:] * arm[:, None]]
        )
        self.y, self.reml = data["y"].to_numpy(), reml
        self.slots = visit.argmax(axis=1)
        self.one_patient = np.equal.outer(data["patient"].to_numpy(), data["patient"].to_numpy())
        self.one_site = np.equal.outer(data["site"].to_numpy(), data["site"].to_numpy())
        self.Z = np.column_stack([np.ones(len(arm)), arm]) if slope else np.ones((len(arm), 1))

    def gls(self, D: np.ndarray, R: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """-2 log-likelihood, estimates, their covariance."""
        V = self.one_site * (self.Z @ D @ self.Z.T)
        V = V + self.one_patient * R[np.ix_(self.slots, self.slots)]
        factor = cho_factor(V, lower=True)
        WX = cho_solve(factor, self.X)
        vcov = np.linalg.inv(self.X.T @ WX)
        b = vcov @ WX.T @ self.y
        r = self.y - self.X @ b
        n, p = self.X.shape
        value = 2 * np.log(np.diag(factor[0])).sum() + r @ cho_solve(factor, r)
        if self.reml:
            value -= np.linalg.slogdet(vcov)[1]
        return float(value + (n - p * self.reml) * np.log(2 * np.pi)), b, vcov

    def maximum(self, structure: str) -> float:
        """The lowest -2 log-likelihood that scipy finds from a plain start."""
        q = self.Z.shape[1]
        n_sd = 1 if structure in ("cs", "ar1") else 4
        start = np.concatenate(
            [[1.0], [0.0, 0.5] if q == 2 else [], np.full(n_sd, 1.3),
             np.full(6 if structure == "us" else 1, 0.3)]
        )  # fmt: skip

        def value(phi: np.ndarray) -> float:
            L = np.array([[phi[0], 0.0], [phi[1], phi[2]]]) if q == 2 else phi[:1, None]
            cut = 3 if q == 2 else 1
            try:
                return self.gls(L @ L.T, correlation(structure, phi[cut:]))[0]
            except np.linalg.LinAlgError:
                return 1e6  # outside: scipy's differences can't bear infinity

        return _polished(value, start)


def _polished(value: Callable[[np.ndarray], float], start: np.ndarray) -> float:
    found = minimize(value, start, method="BFGS", options={"gtol": 1e-5})
    again = minimize(value, found.x, method="BFGS", options={"gtol": 1e-6})
    return float(min(found.fun, again.fun))


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("structure", ["us", "cs", "csh", "ar1", "ar1h"])
def test_three_levels_with_a_residual_covariance(structure: str, slope: bool, reml: bool) -> None:
    data = trial()
    random = "(1 + arm | site)" if slope else "(1 | site)"
    fit = sitewise.lmm(
        f"y ~ visit * arm + {random} + {structure}(visit | patient)", data, reml, LEVELS
    )
    assert fit.converged
    dense = Dense(data, slope, reml)

    # At our own estimates: the same likelihood, fixed effects and covariance of these.
    table = fit.varcorr[fit.varcorr["group"] == "site"]
    sds = table["sd"].to_numpy()
    D = np.diag(sds**2)
    if slope:
        D[0, 1] = D[1, 0] = table["correlations"].iloc[1][0] * sds.prod()
    value, b, vcov = dense.gls(D, fit.residual_cov.to_numpy())
    assert fit.deviance == pytest.approx(value, abs=1e-8, rel=0)
    ses = np.sqrt(np.diag(vcov))
    np.testing.assert_allclose((fit.fixef - b) / ses, 0, atol=1e-8)
    np.testing.assert_allclose(fit.vcov / np.outer(ses, ses), vcov / np.outer(ses, ses), atol=1e-8)

    # And no other optimiser finds more: scipy ends within its own precision of it, never below.
    best = dense.maximum(structure)
    assert best == pytest.approx(fit.deviance, abs=1e-5, rel=0)
    assert fit.deviance <= best + 1e-8
