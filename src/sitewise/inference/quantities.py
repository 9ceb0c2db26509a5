"""What a fit estimates, one number at a time, as functions of the covariance parameters v.

Standard deviations, variances and correlations of random effects and residuals, intraclass
correlations, fixed effects: what `confint` gives intervals for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.lmm.covariances import Unstructured
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.model import Model
from sitewise.lmm.residuals import CompoundSymmetry, Correlated

SD, VARIANCE, CORRELATION, FIXED, ICC = "sd", "variance", "correlation", "fixed", "icc"


@dataclass(frozen=True)
class Quantity:
    """One number.

    kind: sd, variance, correlation, fixed or icc. group: grouping, `Residual`, or "" for a fixed
    effect. term: column, `a, b` for a correlation, slot of a residual. block: index of its
    structure in the model's parameters, -1 the residual; of a fixed effect its position among
    those kept. entries: rows of the block that it is of; of an ICC the blocks whose intercepts are
    shared.
    of: from v (n_v,) to the number; None for a fixed effect.
    """

    kind: str
    group: str
    term: str
    estimate: float
    block: int
    entries: tuple[int, ...]
    of: Callable[[np.ndarray], float] | None = field(repr=False)


def quantities(fit: LmmFit) -> tuple[Quantity, ...]:
    """All of them: random effects, residual, intraclass correlations, fixed effects."""
    v = fit.solution.model.parameters.natural(fit.solution.phi)
    found = [*_random(fit, v), *_residual(fit.solution.model, v), *_iccs(fit, v)]
    found += [
        Quantity(FIXED, "", name, float(value), j, (), None)
        for j, (name, value) in enumerate(zip(fit.estimates.names, fit.estimates.beta, strict=True))
    ]
    return tuple(found)


def data_block(model: Model, block: int) -> Callable[[np.ndarray], np.ndarray]:
    """The covariance of a block in the units of the data, as a function of v."""
    parameters = model.parameters
    structure, at = parameters.structures[block], parameters.v_at[block]
    unit2 = model.fixed.unit**2
    if block in (-1, len(parameters.terms)):
        return lambda v: unit2 * structure.matrix(v[at])
    back = np.linalg.inv(model.terms[block].R)
    return lambda v: unit2 * back @ structure.matrix(v[at]) @ back.T


@dataclass(frozen=True)
class _Block:
    """A covariance in the units of the data at v, where it stands and what its rows are."""

    v: np.ndarray
    matrix: Callable[[np.ndarray], np.ndarray]
    index: int
    group: str
    names: tuple[str, ...]

    def spread(self, k: int) -> Iterator[Quantity]:
        """SD and variance of a row."""

        def variance(v: np.ndarray) -> float:
            return float(self.matrix(v)[k, k])

        def sd(v: np.ndarray) -> float:
            return float(np.sqrt(max(variance(v), 0.0)))

        for kind, of in ((SD, sd), (VARIANCE, variance)):
            yield Quantity(kind, self.group, self.names[k], of(self.v), self.index, (k,), of)

    def correlation(self, j: int, k: int) -> Quantity:
        """Of two rows; NaN where one has no variance."""

        def of(v: np.ndarray) -> float:
            D = self.matrix(v)
            size = D[j, j] * D[k, k]
            return float(np.clip(D[j, k] / np.sqrt(size), -1.0, 1.0)) if size > 0 else np.nan

        term = f"{self.names[j]}, {self.names[k]}" if self.names[j] else ""
        return Quantity(CORRELATION, self.group, term, of(self.v), self.index, (j, k), of)

    def all(self) -> Iterator[Quantity]:
        """Every row and every pair."""
        for k in range(len(self.names)):
            yield from self.spread(k)
            for j in range(k):
                yield self.correlation(j, k)


def _random(fit: LmmFit, v: np.ndarray) -> Iterator[Quantity]:
    model = fit.solution.model
    order = {str(spec): i for i, spec in enumerate(fit.basis.formula.random)}
    for i in sorted(range(len(model.terms)), key=lambda i: order[model.terms[i].label]):
        basis = model.terms[i]
        yield from _Block(v, data_block(model, i), i, basis.group, basis.names).all()


def _residual(model: Model, v: np.ndarray) -> Iterator[Quantity]:
    structure = model.parameters.residual
    matrix = data_block(model, -1)
    if isinstance(structure, Unstructured):
        yield from _Block(v, matrix, -1, "Residual", model.slots).all()
        return
    own = isinstance(structure, Correlated) and structure.heterogeneous
    block = _Block(v, matrix, -1, "Residual", model.slots if own else ("", ""))
    for k in range(len(model.slots) if own else 1):
        yield from block.spread(k)
    if isinstance(structure, CompoundSymmetry | Correlated):
        # Of neighbours for ar1, of any two otherwise.
        yield replace(block.correlation(0, 1), term="")


def _iccs(fit: LmmFit, v: np.ndarray) -> Iterator[Quantity]:
    """As `LmmFit.icc`: the intercepts of a grouping and of those above it, over the total."""
    model = fit.solution.model
    table = fit.icc()
    with_intercept = [
        (i, basis.names.index("(Intercept)"))
        for i, basis in enumerate(model.terms)
        if "(Intercept)" in basis.names
    ]
    for position, group in enumerate(table.index):
        above = set(table.index[: position + 1])
        own = tuple(i for i, _ in with_intercept if model.terms[i].group in above)

        def share(v: np.ndarray, own: tuple[int, ...] = own) -> float:
            sizes = {i: data_block(model, i)(v)[k, k] for i, k in with_intercept}
            residual = float(np.mean(np.diag(data_block(model, -1)(v))))
            return float(sum(sizes[i] for i in own) / (sum(sizes.values()) + residual))

        yield Quantity(ICC, str(group), "", share(v), -2, own, share)
