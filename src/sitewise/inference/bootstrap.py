"""The parametric bootstrap: draw from a model, refit, again and again, from one seed."""

from collections.abc import Iterable, Iterator

import numpy as np

from sitewise.inference.draws import drawer
from sitewise.inference.placed import Pair
from sitewise.inference.smaller import null_columns
from sitewise.inference.submodel import Submodel, with_columns
from sitewise.lmm.model import Model
from sitewise.lmm.newton import Minimum, Objective, Path, minimise
from sitewise.lmm.residuals import Correlated

ENOUGH = (
    1e-6  # decrement that ends a search: the step after it leaves less than 1e-9 of a statistic
)
NEAR = 1e-3  # the same where no step follows: statistics are off by 3e-4 at most in 180 draws


def null_statistics(pair: Pair, draws: int, seed: int) -> Iterator[tuple[float, bool]]:
    """The likelihood-ratio statistic of each outcome drawn from the smaller model, one by one.

    Also whether both refits converged. Both models see the same moments.
    """
    embedding, psi = pair.embedding
    model = pair.model
    v = embedding.natural(psi)
    draw, near = drawer(model, v), inner_start(model, v)
    columns = null_columns(pair.small, pair.larger, drawn=True) if pair.fixed else None
    for generator in generators(seed, draws):
        drawn = draw(generator)
        null = drawn if columns is None else with_columns(drawn, columns)
        submodel = Submodel(null, embedding)
        smaller = _minimum(submodel, [psi, _inner(psi)], NEAR, last=False).best
        at = drawn.scored_start(near) if pair.fixed else _beyond(submodel, smaller, near)
        larger = _minimum(drawn, [at, _default(drawn)], NEAR, last=False).best
        statistic = max(_promised(smaller) - _promised(larger), 0.0)
        yield statistic, smaller.converged and larger.converged


def _beyond(submodel: Submodel, end: Path, near: np.ndarray) -> np.ndarray:
    """Where a step of scoring leads from the end of the smaller model, off every 0."""
    try:
        point = submodel.point(end.end)
        return submodel.model.scored_from(submodel.embedding.natural(end.end), point, near)
    except np.linalg.LinAlgError:
        return near


def _promised(end: Path) -> float:
    """The least value, by the quadratic model at an end that is near it."""
    return end.value - end.decrement / 2 if end.converged else end.value


def generators(seed: int, draws: int) -> Iterable[np.random.Generator]:
    """One stream a draw: draw k is the same whatever the number of draws."""
    for child in np.random.SeedSequence(seed).spawn(draws):
        yield np.random.default_rng(child)


def refit(model: Model, near: np.ndarray | None = None) -> Minimum:
    """The optimum of a drawn model, from `near`; from another start where that is doubtful."""
    return _minimum(model, [*([near] if near is not None else []), _default(model)])


def inner_start(model: Model, v: np.ndarray) -> np.ndarray:
    """phi at v, no variance 0: there the gradient of a factor would vanish by symmetry."""
    parameters = model.parameters
    at = parameters.v_at[-1]
    residual = parameters.residual
    own = v[at]
    matrix = residual.matrix(own)
    size = float(np.mean(np.diag(matrix)))
    last = own if isinstance(residual, Correlated) else residual.from_matrix(matrix)
    phis = [
        term.structure.from_matrix(term.structure.matrix(v[place]) + 0.05 * size * np.eye(n))
        for term, place in zip(parameters.terms, parameters.v_at, strict=False)
        for n in (len(term.columns),)
    ]
    return np.concatenate([*phis, last])


def _default(model: Model) -> np.ndarray:
    return model.parameters.start("default")


def _minimum(
    objective: Objective, starts: list[np.ndarray], enough: float = ENOUGH, last: bool = True
) -> Minimum:
    return minimise(objective, starts, enough=enough, last=last)


def _inner(psi: np.ndarray) -> np.ndarray:
    """Off every zero, where the gradient of a factor would vanish by symmetry."""
    return psi + 0.3
