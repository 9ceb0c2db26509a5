"""From a search to a certified optimum: Newton steps, further starts, the verdict.

Newton works on the full lower triangles without sign constraints: at a variance of 0 the gradient
vanishes by symmetry and the curvature tells a minimum from a saddle.
"""

from dataclasses import dataclass

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.derivatives import Derivatives, derive
from sitewise.lmm.profile import Profile, factors, flatten
from sitewise.lmm.result import Optimum, Singularity
from sitewise.lmm.search import ENGINE, Found, Search, engine_version

SINGULAR = 1e-4  # smallest singular value of a scaled relative factor, relative to sigma
FLAT = 1e-6  # curvature below this share of the largest is none: the derivatives' own noise
SADDLE = 1e-4  # negative curvature beyond this share is a way down, not noise
DECREMENT = 1e-13  # predicted fall of the deviance at which Newton stops
SAME = 1e-6  # difference in deviance between the engine's count and ours that is rounding
BETTER = 1e-7  # fall of the deviance that makes another start the better one
STEPS = 12
EXTREME = 1e5  # theta beyond which a residual variance of 0 is suspected


@dataclass(frozen=True)
class Certified:
    """An optimum: theta (conditioned), derivatives there, and how it was reached."""

    theta: np.ndarray
    derivatives: Derivatives
    optimum: Optimum
    converged: bool
    singularity: Singularity
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Ended:
    """The best end of all starts: steps of Newton taken there; values: deviance of each start."""

    theta: np.ndarray
    derivatives: Derivatives
    found: tuple[Found, ...]
    best: int
    steps: int
    values: tuple[float, ...]


def find_optimum(profile: Profile, reml: bool) -> Certified:
    """Search, polish, and search again from other starts where the first end is doubtful."""
    search = Search(profile, reml)
    found, best = [_run(search, None)], 0
    _refuse_degenerate(profile, found[0].theta)
    theta, derivatives, steps = _polish(profile, found[0], reml)
    values = [profile.deviance(derivatives.state, reml)]
    for start in () if _certain(profile, theta, derivatives, steps) else _starts(profile):
        found.append(_run(search, start))
        values.append(profile.deviance(profile.state(found[-1].theta), reml))
        # A later start wins by more than rounding only, so that the answer doesn't hang on noise.
        if values[-1] < values[best] - BETTER:
            best = len(found) - 1
            theta, derivatives, steps = _polish(profile, found[best], reml)
            values[best] = profile.deviance(derivatives.state, reml)
    theta, derivatives = _settle(profile, theta, derivatives, reml)
    ended = _Ended(theta, derivatives, tuple(found), best, steps, tuple(values))
    return _certified(profile, ended, reml)


def singularity(profile: Profile, theta: np.ndarray) -> Singularity:
    """The scale-free verdict; see `sitewise.lmm.result.Singularity`."""
    smallest, where, kind = np.inf, "", ""
    for block, factor in zip(profile.design.blocks, factors(profile.design.blocks, theta),
                             strict=True):  # fmt: skip
        value = float(np.linalg.svd(factor, compute_uv=False)[-1])
        if value < smallest:
            smallest = value
            where = str(block.spec)
            no_variance = np.linalg.norm(factor, axis=1).min() < SINGULAR
            kind = "variance 0" if no_variance else "correlation"
    singular = smallest < SINGULAR
    return Singularity(singular, smallest, SINGULAR, where if singular else "",
                       kind if singular else "")  # fmt: skip


def _run(search: Search, start: np.ndarray | None) -> Found:
    try:
        return search.run(start)
    except (RuntimeError, ValueError, np.linalg.LinAlgError) as error:
        raise ModelError(
            "The engine could not fit the model.",
            [Problem(f"{ENGINE}: {' '.join(str(error).split())}",
                     where=search.profile.design.formula.text,
                     fix="see whether the model asks more than the data can tell; simplify it")],
        ) from error  # fmt: skip


def _starts(profile: Profile) -> list[np.ndarray]:
    """Diagonal factors, small and large."""
    blocks = profile.design.blocks
    return [
        flatten([np.eye(block.values.shape[1]) * size for block in blocks]) for size in (0.1, 1.0)
    ]


def _polish(profile: Profile, found: Found, reml: bool) -> tuple[np.ndarray, Derivatives, int]:
    """Newton steps from where the engine stopped."""
    theta = found.theta.copy()
    derivatives = derive(profile, theta, reml)
    for taken in range(STEPS):
        value = profile.deviance(derivatives.state, reml)
        step, decrement = _newton(derivatives)
        if decrement < DECREMENT:
            return theta, derivatives, taken
        scale = 1.0
        while scale > 1e-4:
            trial = profile.deviance(profile.state(theta + scale * step), reml)
            if trial <= value + 1e-13 * abs(value):
                break
            scale /= 4
        else:
            return theta, derivatives, taken
        theta = theta + scale * step
        derivatives = derive(profile, theta, reml)
    return theta, derivatives, STEPS


def _newton(derivatives: Derivatives) -> tuple[np.ndarray, float]:
    """The step and the fall of the deviance that it predicts."""
    values, vectors = np.linalg.eigh(derivatives.hessian)
    slopes = vectors.T @ derivatives.gradient
    largest = float(np.abs(values).max())
    curved = np.abs(values) > FLAT * largest
    moves = np.where(curved, -slopes / np.where(curved, np.abs(values), 1.0), 0.0)
    # On negative curvature at a point of symmetry the gradient is 0: leave it along the axis.
    saddle = (values < -SADDLE * largest) & (np.abs(moves) < 0.05)
    moves = np.where(saddle, np.where(slopes > 0, -0.05, 0.05), moves)
    step = derivatives.unit * (vectors @ np.clip(moves, -2.0, 2.0))
    return step, float(np.abs(slopes @ moves)) + float(saddle.any())


def _certain(profile: Profile, theta: np.ndarray, derivatives: Derivatives, steps: int) -> bool:
    """Whether a further start is not worth its time."""
    values = np.linalg.eigvalsh(derivatives.hessian)
    inside = not singularity(profile, theta).singular
    return bool(inside and steps <= 3 and values[0] > FLAT * values[-1])


def _settle(
    profile: Profile, theta: np.ndarray, derivatives: Derivatives, reml: bool
) -> tuple[np.ndarray, Derivatives]:
    """Exact zeros where Newton only approaches them, then diagonals that are not negative."""
    tidy = []
    for factor in factors(profile.design.blocks, theta):
        copy = factor.copy()
        copy[:, np.linalg.norm(copy, axis=0) < SINGULAR] = 0.0
        copy[np.linalg.norm(copy, axis=1) < SINGULAR, :] = 0.0
        signs = np.where(np.diag(copy) < 0, -1.0, 1.0)
        tidy.append(copy * signs)
    candidate = flatten(tidy) + 0.0
    if np.array_equal(candidate, theta):
        return theta, derivatives
    moved = derive(profile, candidate, reml)
    before, after = (profile.deviance(d.state, reml) for d in (derivatives, moved))
    # A zero that costs likelihood is no zero: the approach is kept then.
    return (candidate, moved) if after <= before + 1e-8 else (theta, derivatives)


def _refuse_degenerate(profile: Profile, theta: np.ndarray) -> None:
    """Raise ModelError where the random effects fit the outcome exactly: no maximum exists."""
    if np.abs(theta).max() < EXTREME:
        return
    from scipy import sparse

    blocks = []
    for block, scale in zip(profile.design.blocks, profile.scales, strict=True):
        q = len(scale)
        rows = np.repeat(np.arange(profile.n), q)
        columns = (block.codes[:, None] * q + np.arange(q)).ravel()
        blocks.append(sparse.csr_array(((block.values / scale).ravel(), (rows, columns))))
    everything = sparse.hstack([*blocks, sparse.csr_array(profile.Q)], format="csr")
    from scipy.sparse.linalg import lsqr

    solution = lsqr(everything, profile.y, atol=1e-15, btol=1e-15, iter_lim=20 * profile.n)[0]
    rest = float(np.sum((profile.y - everything @ solution) ** 2))
    if rest < profile.n * 1e-26:
        raise ModelError(
            "The residual variance is 0.",
            [Problem("the random effects reproduce every outcome exactly: the likelihood grows"
                     " without bound and no estimate exists", where=profile.design.formula.text,
                     allowed="readings that vary within the innermost grouping",
                     fix="see whether readings were copied from visit to visit; or drop the"
                     " innermost random term")],
        )  # fmt: skip


def _certified(profile: Profile, ended: _Ended, reml: bool) -> Certified:
    derivatives, found, values = ended.derivatives, ended.found, ended.values
    curvatures = np.linalg.eigvalsh(derivatives.hessian)
    _, decrement = _newton(derivatives)
    converged = bool(decrement < 1e-7 and curvatures[0] > -SADDLE * curvatures[-1])
    engine = found[ended.best]
    own = profile.deviance(profile.state(engine.theta), reml)
    warnings = [f"{ENGINE}: {text}" for text in engine.warnings]
    if abs(own - engine.deviance) > SAME * max(1.0, 1e-6 * abs(own)):
        warnings.append(
            f"{ENGINE} counts a deviance of {engine.deviance:.8g} where the project's own count"
            f" is {own:.8g}; the latter is reported."
        )
    if max(values) - min(values) > 1e-3:
        warnings.append(
            f"{len(values)} starts ended at deviances up to {max(values) - min(values):.4g} apart;"
            " the lowest is reported."
        )
    flat = int(np.sum(curvatures < FLAT * curvatures[-1]))
    if flat:
        warnings.append(
            f"The likelihood is flat in {flat} direction(s) of the covariance parameters:"
            " the data do not tell them apart."
        )
    if not converged:
        warnings.append(f"Not converged: the deviance could still fall by about {decrement:.3g}.")
    optimum = Optimum(
        engine=ENGINE,
        engine_version=engine_version(),
        optimizer=engine.optimizer,
        iterations=sum(f.iterations for f in found),
        evaluations=sum(f.evaluations for f in found),
        gradient_norm=float(np.linalg.norm(derivatives.gradient)),
        message=f"{engine.message}; start {ended.best + 1} of {len(found)}; {ended.steps} Newton"
        f" step(s) lowered the deviance by {max(own - values[ended.best], 0.0):.1e}",
    )
    verdict = singularity(profile, ended.theta)
    return Certified(ended.theta, derivatives, optimum, converged, verdict, tuple(warnings))
