"""Satterthwaite degrees of freedom, as lmerTest defines them.

Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13), sec. 2: df = 2 f^2 / (g'A g),
f = l'C l the variance of a linear combination, g its gradient in (theta, sigma), A = 2 H^-1 the
covariance of (theta, sigma) from the Hessian H of the deviance. Directions without curvature are
left out of A, so parameters on the boundary contribute nothing (there g is 0 by symmetry).
"""

import numpy as np

from sitewise.lmm.derivatives import Derivatives

FLAT = 1e-10


def satterthwaite(derivatives: Derivatives, rows: np.ndarray) -> np.ndarray:
    """Degrees of freedom of each row of `rows`, shape (k, p), in the basis Q; shape (k,)."""
    values, vectors = np.linalg.eigh(derivatives.joint)
    kept = values > FLAT * values[-1]
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    f = np.einsum("ki,ij,kj->k", rows, derivatives.vcov, rows)
    slopes = np.einsum("ki,mij,kj->km", rows, derivatives.vcov_slopes, rows)
    # In s = sigma over its estimate the covariance is s^2 sigma^2 C, so its slope is 2 f.
    g = np.column_stack([slopes, 2 * f])
    df: np.ndarray = 2 * f**2 / np.einsum("ki,ij,kj->k", g, 2 * inverse, g)
    return df
