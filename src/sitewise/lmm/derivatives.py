"""Numerical derivatives of the likelihood and of the fixed effects' covariance in theta.

Central differences of fourth order (mixed second derivatives: second order), in conditioned
theta taken relative to its own size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.profile import Profile, State

STEP = 1e-3
SMALLEST = 0.3  # theta below this is stepped as if it were this: it may be 0


@dataclass(frozen=True)
class Derivatives:
    """Derivatives at one theta of m entries, p fixed effects, in tau = theta / unit.

    state: at theta. unit: max(|theta|, SMALLEST), shape (m,), so that tau is of order one even
    where theta is not. gradient: of the profiled deviance, (m,). hessian: of the profiled
    deviance, (m, m). joint: of the deviance in (tau, s), s = sigma over its estimate,
    (m + 1, m + 1). vcov: (Q'V^-1Q)^-1, (p, p); vcov_slopes: its derivative in tau, (m, p, p).
    """

    state: State = field(repr=False)
    unit: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    joint: np.ndarray
    vcov: np.ndarray = field(repr=False)
    vcov_slopes: np.ndarray = field(repr=False)


def derive(profile: Profile, theta: np.ndarray, reml: bool) -> Derivatives:
    """All derivatives at `theta` (conditioned), 4 m + 2 m (m - 1) evaluations."""
    m = len(theta)
    k = profile.denominator(reml)
    centre = profile.state(theta)
    sigma2 = centre.penalised / k
    unit = np.maximum(np.abs(theta), SMALLEST)

    def parts(state: State) -> np.ndarray:
        """(deviance at fixed sigma, penalised / sigma^2), up to constants."""
        relative = state.penalised / sigma2
        logs = state.log_v + (state.log_x if reml else 0.0)
        return np.array([logs + relative, relative])

    def at(move: np.ndarray) -> State:
        return profile.state(theta + STEP * unit * move)

    centre_parts, axes = parts(centre), np.eye(m)
    slopes = np.zeros((m, 2))
    curvature = np.zeros((m, m))
    vcov_slopes = np.zeros((m, profile.p, profile.p))
    for i in range(m):
        states = {j: at(j * axes[i]) for j in (-2, -1, 1, 2)}
        f = {j: parts(s) for j, s in states.items()}
        slopes[i] = _first(f)
        curvature[i, i] = _second(f, centre_parts)[0]
        vcov_slopes[i] = _first({j: np.linalg.inv(s.information) for j, s in states.items()})
        for j in range(i):
            corners = [
                a * b * parts(at(a * axes[i] + b * axes[j]))[0] for a in (1, -1) for b in (1, -1)
            ]
            curvature[i, j] = curvature[j, i] = sum(corners) / (4 * STEP**2)
    joint = np.zeros((m + 1, m + 1))
    joint[:m, :m] = curvature
    joint[:m, m] = joint[m, :m] = -2 * slopes[:, 1]
    joint[m, m] = 4 * k
    hessian = curvature - np.outer(joint[:m, m], joint[:m, m]) / (4 * k)
    return Derivatives(
        centre, unit, slopes[:, 0], hessian, joint, np.linalg.inv(centre.information), vcov_slopes
    )


def _first(f: Mapping[int, np.ndarray]) -> np.ndarray:
    """First derivative from values at -2, -1, 1, 2 steps."""
    slope: np.ndarray = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * STEP)
    return slope


def _second(f: Mapping[int, np.ndarray], centre: np.ndarray) -> np.ndarray:
    """Second derivative from values at -2, -1, 0, 1, 2 steps."""
    bend: np.ndarray = 16 * (f[1] + f[-1]) - (f[2] + f[-2]) - 30 * centre
    return bend / (12 * STEP**2)
