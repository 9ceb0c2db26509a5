"""Trust-region Newton with exact Hessians: the search for the optimum of a likelihood.

The step minimises the quadratic model within a ball exactly (`quadratic`). Where a column of a
factor L is 0 the gradient vanishes by symmetry; negative curvature there is followed, so that such
a point is left where it is a saddle and kept where it is the minimum.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from sitewise.lmm.quadratic import Quadratic

ROUNDING = 1e-13  # of |deviance|: a rise by less is no rise
VALUELESS = 1e-9  # of |deviance|: a fall by less is told by slopes, not by values
DECREMENT = 1e-12  # predicted fall of the deviance below which the end is reached
NOTHING = 1e-22  # the same, whose step is rounding: 1e-11 of a standard error
ILL = 1e8  # condition number that calls for another start
LONG = 20  # steps that call for another start
STEPS = 200
RADIUS, LARGEST, SMALLEST = 1.0, 10.0, 1e-9  # of the trust region, in phi
JOINING = (1e-3, 1e-5)  # decrement, and distance of the value it promises from that of a known end,
# below which a search is seen to run into that end
SAME = 1e-8  # difference in deviance, and 1e-12 of it, within which two ends are one optimum


class Objective(Protocol):
    """-2 log-likelihood of phi, (n,), a number of unconstrained parameters."""

    def value(self, phi: np.ndarray) -> float:
        """+inf where not defined."""

    def full(self, phi: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient (n,), Hessian (n, n); a value of +inf where not defined."""


@dataclass(frozen=True)
class Path:
    """One search, from a start to its end.

    start, end: phi, (n,). first, value: -2 log-likelihood at both. gradient, hessian: at the end.
    decrement: fall of the value that the quadratic model still promises. steps: accepted.
    evaluations: of value and of everything, together. reason: why it stopped, in words.
    """

    start: np.ndarray
    end: np.ndarray
    first: float
    value: float
    gradient: np.ndarray = field(repr=False)
    hessian: np.ndarray = field(repr=False)
    decrement: float
    steps: int
    evaluations: int
    converged: bool
    reason: str


@dataclass(frozen=True)
class Minimum:
    """All searches, and the lowest end. optima: one path an optimum, distinct, lowest first."""

    best: Path
    paths: tuple[Path, ...]
    optima: tuple[Path, ...]


def minimise(
    objective: Objective,
    starts: Iterable[np.ndarray],
    *,
    boundary: Callable[[np.ndarray], bool] = lambda phi: False,
    always: int = 1,
    agreeing: float = np.inf,
    max_steps: int = STEPS,
    hopeless: Callable[[Path], bool] = lambda path: False,
    enough: float = DECREMENT,
    last: bool = True,
    size: float = 0.0,
) -> Minimum:
    """The lowest end over `starts`.

    The first `always` starts are searched; the others too where the best end lies on the boundary
    (`boundary`) and fewer than `agreeing` searches have ended there, where it is ill-conditioned,
    did not converge, took long, or where two ends differ; none after two that are `hopeless`. A
    search that is seen to run into the end of another stops there.
    enough: the decrement that ends a search; last: after one step more. A start where the objective
    is not finite is passed over, unless none is left: then ValueError. size: see `search`.
    """
    paths: list[Path] = []
    for number, start in enumerate(starts):
        if number >= always and paths and not _doubtful(paths, boundary, agreeing):
            break
        if sum(hopeless(path) for path in paths) > 1:
            break
        path = search(
            objective, np.asarray(start, dtype=float), max_steps, known=paths, enough=enough,
            last=last, size=size,
        )  # fmt: skip
        if np.isfinite(path.value):
            paths.append(path)
    if not paths:
        raise ValueError("the objective is finite at no start")
    optima: list[Path] = []
    # Stable: a later start wins by more than rounding only, so the answer doesn't hang on noise.
    for path in sorted(paths, key=lambda p: p.value):
        if not any(_same(path.value, other.value) for other in optima):
            optima.append(path)
    same = [path for path in paths if _same(path.value, optima[0].value)]
    best = next((path for path in same if path.converged), same[0])
    return Minimum(best, tuple(paths), (best, *optima[1:]))


def search(
    objective: Objective,
    start: np.ndarray,
    max_steps: int = STEPS,
    *,
    known: Sequence[Path] = (),
    enough: float = DECREMENT,
    last: bool = True,
    size: float = 0.0,
) -> Path:
    """One trust-region search; never raises, `reason` and `converged` say how it ended.

    known: other searches, into whose ends this one may run. size: of the terms that the value sums;
    in some unit of the outcome they cancel, their rounding stays. enough, last: see `minimise`.
    """
    value, gradient, hessian = _evaluate(objective, start, wary=False)
    first, evaluations, steps, wary, stalled, before = value, 1, 0, False, 0, np.inf
    reason = f"{max_steps} steps were not enough" if np.isfinite(value) else "no finite start"
    phi, radius, converged = start, RADIUS, False
    while np.isfinite(value) and steps < max_steps:
        model = Quadratic(gradient, hessian)
        allowance = ROUNDING * (abs(value) + size) + np.finfo(float).tiny
        joined = _joined(value, model, known)
        if joined is not None:
            return replace(joined, start=start, first=first, steps=steps, evaluations=evaluations,
                           reason="ran into the end of another search")  # fmt: skip
        ended = model.is_minimum() and model.decrement < enough
        # Rounding of the gradient bounds the decrement from below where the value is very large.
        stalled = stalled + 1 if model.decrement < allowance and model.decrement > before / 4 else 0
        ended = ended or (stalled > 1 and model.is_minimum())
        before = model.decrement
        if ended and (model.decrement < NOTHING or not last):  # a last step would move nothing
            converged, reason = True, "the gradient is 0"
            break
        step = model.step(_furthest(phi) if ended else radius)
        promise = model.fall(step)
        trial = _evaluate(objective, phi + step, wary)
        evaluations += 1 + int(wary and np.isfinite(trial[0]))
        if ended:
            if trial[0] <= value + allowance and _is_calmer(model, trial):
                phi, (value, gradient, hessian), steps = phi + step, trial, steps + 1
            converged = True
            reason = "the gradient is 0" if stalled < 2 else "the gradient is 0 but for rounding"
            break
        fallen = value - trial[0]
        if promise < VALUELESS * max(1.0, abs(value)) and np.isfinite(trial[0]):
            fallen = _fall_by_slopes(gradient, trial[1], step)
        gain = (fallen + allowance) / (promise + allowance)
        length = float(np.linalg.norm(step))
        wary = not gain > 0.25
        if wary:
            radius = 0.25 * length
        elif gain > 0.75 and length > 0.8 * radius:
            radius = min(2.5 * radius, _furthest(phi))
        if gain > 1e-4:
            phi, (value, gradient, hessian), steps = phi + step, trial, steps + 1
        elif radius < SMALLEST:
            converged = model.is_minimum() and model.decrement < 1e-6
            reason = "no smaller value within reach"
            break
    decrement = Quadratic(gradient, hessian).decrement if np.isfinite(value) else np.inf
    return Path(start, phi, first, value, gradient, hessian, decrement, steps, evaluations,
                converged, reason)  # fmt: skip


def _joined(value: float, model: Quadratic, known: Sequence[Path]) -> Path | None:
    """The end that a search is about to reach, where it is one known."""
    near, close = JOINING
    if not known or not model.is_minimum() or model.decrement > near:
        return None
    promised = value - model.decrement / 2
    ends = (path for path in known if path.converged)
    return next((path for path in ends if abs(promised - path.value) < close), None)


def _evaluate(
    objective: Objective, phi: np.ndarray, wary: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    """Everything at once; after a refusal the value first, which is cheaper where it is +inf."""
    if wary:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            if not np.isfinite(objective.value(phi)):
                return np.inf, np.empty(0), np.empty((0, 0))
    # A step too far may overflow: its value refuses it, so NumPy need not warn.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value, gradient, hessian = objective.full(phi)
    finite = np.isfinite(value) and np.isfinite(gradient).all() and np.isfinite(hessian).all()
    return (float(value), gradient, hessian) if finite else (np.inf, gradient, hessian)


def _fall_by_slopes(before: np.ndarray, after: np.ndarray, step: np.ndarray) -> float:
    """How far the value falls over a short step, by the slopes at its ends.

    Of two values that differ by less than their rounding the difference says nothing; the slopes
    still do (Hager & Zhang 2005, SIAM J. Optim. 16, 170-192, their approximate Wolfe conditions).
    """
    return float(-0.5 * (before + after) @ step)


def _furthest(phi: np.ndarray) -> float:
    """Largest radius of the trust region: an optimum far from its start is still reached."""
    return LARGEST * max(1.0, float(np.abs(phi).max()))


def _is_calmer(model: Quadratic, trial: tuple[float, np.ndarray, np.ndarray]) -> bool:
    """Whether the last step did not make things worse: rounding decides by then."""
    return Quadratic(trial[1], trial[2]).decrement <= model.decrement


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= max(SAME, 1e-12 * abs(b))


def condition(hessian: np.ndarray) -> float:
    """Condition number of the Hessian scaled to unit diagonal; inf where it is not definite."""
    diagonal = np.diag(hessian)
    if not (diagonal > 0).all():
        return np.inf
    scale = np.sqrt(diagonal)
    values = np.linalg.eigvalsh(hessian / np.outer(scale, scale))
    return float(values[-1] / values[0]) if values[0] > 0 else np.inf


def _doubtful(paths: list[Path], boundary: Callable[[np.ndarray], bool], agreeing: float) -> bool:
    """Whether the ends so far call for another start."""
    best = min(paths, key=lambda p: p.value)
    apart = any(not _same(path.value, best.value) for path in paths)
    ill = condition(best.hessian) > ILL
    if apart or ill or not best.converged or paths[0].steps > LONG:
        return True
    return len(paths) < agreeing and boundary(best.end)
