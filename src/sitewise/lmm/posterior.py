"""Best linear unbiased predictions of the random effects of the levels, from moments alone.

u = D S'V^-1 r with r = y - Xb (Henderson 1975, Biometrics 31, 423-447), level by level from the
outermost; the variance of u given y, fixed effects and covariances taken as known (lme4's condVar).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.recursion import Eliminated, LevelCovariance


@dataclass(frozen=True)
class LevelPosterior:
    """Of one level, in conditioned units: mean (units, q), variance (units, q, q)."""

    mean: np.ndarray = field(repr=False)
    variance: np.ndarray = field(repr=False)


def level_posteriors(
    done: Eliminated,
    gammas: Sequence[np.ndarray],
    covariances: Sequence[LevelCovariance],
    b: np.ndarray,
) -> tuple[LevelPosterior, ...]:
    """Means and variances of every level, innermost first."""
    shape, r = done.shape, np.append(-b, 1.0)
    found = []
    for level, left in enumerate(done.levels):
        up = shape.above(level)
        K = left.K
        if up:
            above = done.chains[level + 1].coefficients[shape.parents[level]]
            K = K[..., up:] + K[..., :up] @ above
        mean = (K @ r) @ covariances[level].D
        found.append(LevelPosterior(mean, _variance(done, gammas, level)))
    return tuple(found)


def _variance(done: Eliminated, gammas: Sequence[np.ndarray], level: int) -> np.ndarray:
    """Psi of a level's own columns.

    Psi stands in columns S_above - S Gamma for those above, so the effects of S itself are
    c - Gamma c_above.
    """
    q, up = done.shape.q[level], done.shape.above(level)
    inner = done.chains[level].inner
    if not up:
        return inner
    T = np.concatenate([np.tile(np.eye(q), (len(inner), 1, 1)), -gammas[level][..., :up]], axis=-1)
    found: np.ndarray = T @ inner @ np.swapaxes(T, -1, -2)
    return found
