"""The parametric bootstrap: draw from a model, refit, again and again, from one seed."""

from collections.abc import Iterable

import numpy as np

from sitewise.inference.draws import drawer
from sitewise.inference.placed import Pair
from sitewise.inference.smaller import null_columns
from sitewise.inference.submodel import Submodel, with_columns
from sitewise.lmm.model import Model
from sitewise.lmm.newton import Minimum, Objective, minimise
from sitewise.lmm.residuals import Correlated

ENOUGH = (
    1e-6  # decrement that ends a search: the step after it leaves less than 1e-9 of a statistic
)


def null_statistics(pair: Pair, draws: int, seed: int) -> tuple[np.ndarray, int]:
    """The likelihood-ratio statistics (draws,) of outcomes drawn from the smaller model.

    Also how many refits did not converge. Both models see the same moments.
    """
    embedding, psi = pair.embedding
    model = pair.model
    draw = drawer(model, embedding.natural(psi))
    columns = null_columns(pair.small, pair.larger, drawn=True) if pair.fixed else None
    near = inner_start(model, embedding.natural(psi))
    statistics, failed = np.empty(draws), 0
    for k, generator in enumerate(generators(seed, draws)):
        drawn = draw(generator)
        null = drawn if columns is None else with_columns(drawn, columns)
        smaller = _minimum(Submodel(null, embedding), [psi, _inner(psi)])
        larger = refit(drawn, drawn.scored_start(near))
        failed += not (smaller.best.converged and larger.best.converged)
        statistics[k] = max(smaller.best.value - larger.best.value, 0.0)
    return statistics, failed


def generators(seed: int, draws: int) -> Iterable[np.random.Generator]:
    """One stream a draw: draw k is the same whatever the number of draws."""
    for child in np.random.SeedSequence(seed).spawn(draws):
        yield np.random.default_rng(child)


def refit(model: Model, near: np.ndarray | None = None) -> Minimum:
    """The optimum of a drawn model, from `near`; from another start where that is doubtful."""
    starts = [*([near] if near is not None else []), model.parameters.start("default")]
    return _minimum(model, starts)


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


def _minimum(objective: Objective, starts: list[np.ndarray]) -> Minimum:
    return minimise(objective, starts, always=1, boundary=lambda phi: False, enough=ENOUGH)


def _inner(psi: np.ndarray) -> np.ndarray:
    """Off every zero, where the gradient of a factor would vanish by symmetry."""
    return psi + 0.3
