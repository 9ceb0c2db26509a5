"""Satterthwaite degrees of freedom of linear combinations, as lmerTest defines them.

Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13), sec. 2: df = 2 f^2 / (g'A g),
f = l'C l the variance of a combination, g its gradient, A = 2 H^-1 with H the observed Hessian of
the deviance, here in phi (L of each random term and log sigma; at an optimum any smooth
parametrisation gives the same). Directions without curvature are left out of A, so parameters on
the boundary contribute nothing: there g is 0 by symmetry.
"""

import numpy as np

from sitewise.lmm.engine import Solution

FLAT = 1e-10


def satterthwaite(solution: Solution, rows: np.ndarray) -> np.ndarray:
    """Degrees of freedom (k,) of each row of `rows` (k, p), over the fixed effects kept."""
    model, point = solution.model, solution.point
    conditioned = np.linalg.solve(model.fixed.R.T, np.atleast_2d(rows).T).T
    values, vectors = np.linalg.eigh(solution.hessian)
    kept = values > FLAT * values[-1]
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    projected = conditioned @ point.phi
    f = np.einsum("ka,ka->k", projected, conditioned)
    # dPhi/dv = Phi (X'V^-1 dV V^-1 X) Phi, and first is minus what stands between.
    slopes = -np.einsum("ka,jab,kb->kj", projected, point.first, projected)
    g = slopes @ model.parameters.jacobian(solution.phi)
    df: np.ndarray = 2 * f**2 / np.einsum("ki,ij,kj->k", g, 2 * inverse, g)
    return df
