"""Generalised estimating equations of a Gaussian outcome, identity link.

Liang & Zeger 1986. Working correlation exchangeable within a cluster (or independent); the
correlation and phi by moments, as geepack has them: phi = sum e^2 / n, and the mean product of the
pairs of a cluster over phi. Closed forms throughout, so that clusters may be large.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.clustered import Exchangeable, Sandwich, sandwich
from sitewise.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST = 200
CLOSE = 1e-12  # of the correlation between two rounds


@dataclass(frozen=True)
class Gee:
    """beta (p,); robust covariances of each correction; rho: working correlation; phi: scale."""

    beta: "Floats"
    robust: Sandwich
    rho: float
    phi: float
    clusters: int


def fit_gee(X: "Floats", y: "Floats", codes: "Ints", *, exchangeable: bool = True) -> Gee:
    """Alternate between b by weighted least squares and the correlation by moments.

    X: shape (n, p), full rank; y: (n,); codes: (n,), the cluster of each row, 0..clusters-1.
    Raises ModelError where no cluster has two rows, where the correlation leaves its range
    (-1 / (largest size - 1), 1), or where the rounds do not settle.
    """
    clusters = Exchangeable(codes)
    sizes = clusters.sizes
    pairs = float((sizes * (sizes - 1) / 2).sum())
    if exchangeable and pairs == 0:
        raise ModelError("no cluster has two readings, so there is no correlation to estimate")
    XX, Xy, own = X.T @ X, X.T @ y, clusters.sums(X)
    level = clusters.sums(y[:, None])[:, 0]
    for _ in range(MOST):
        # W^-1 is (I - shrink J) / (1 - rho): a round needs sums by cluster alone.
        shrink = clusters.shrink
        left, right = XX - own.T @ (shrink[:, None] * own), Xy - own.T @ (shrink * level)
        beta = np.asarray(np.linalg.solve(left, right), dtype=np.float64)
        residuals = y - X @ beta
        total = clusters.sums(residuals[:, None])[:, 0]
        # What rounding left in the normal equations, by the residuals themselves.
        beta += np.linalg.solve(left, X.T @ residuals - own.T @ (shrink * total))
        residuals = y - X @ beta
        phi = float(residuals @ residuals) / len(y)
        if not exchangeable:
            break
        total = clusters.sums(residuals[:, None])[:, 0]
        products = (float(total @ total) - float(residuals @ residuals)) / 2
        rho = products / pairs / phi
        if not -1 / (sizes.max() - 1) < rho < 1:
            raise ModelError(f"the working correlation, {rho:.4g}, leaves its range")
        settled = abs(rho - clusters.rho) < CLOSE
        clusters = Exchangeable(codes, rho)
        if settled:
            break
    else:
        raise ModelError(f"the estimating equations did not settle in {MOST} rounds")
    return Gee(beta, sandwich(X, residuals, clusters), clusters.rho, phi, len(sizes))
