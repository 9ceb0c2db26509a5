"""Two fits side by side: why no test is valid, or what the larger one adds and where."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sitewise.errors import ComparisonError, Problem
from sitewise.inference.mixture import ROUNDING
from sitewise.inference.smaller import (
    NotEmbeddedError,
    Smaller,
    embedded,
    homes,
    least_squares,
    null_columns,
    smaller_of,
)
from sitewise.inference.submodel import (
    Embedding,
    point_at,
    value_at,
    with_columns,
)
from sitewise.inference.tangent import ChiBar, block_null, chi_bar, constraint
from sitewise.lmm.covariances import Unstructured
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.model import Model

SINGULAR = 1e-4  # singular value of a root relative to sigma, as the engine's verdict


@dataclass(frozen=True)
class AddedEffect:
    """A random effect of the larger model alone. partners: effects that it is correlated with."""

    label: str
    group: str
    term: str
    partners: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Pair:
    """A smaller model within a larger one.

    fixed: columns that the larger one adds; random: effects; covariances: among effects that the
    smaller one has already; residual: how the residual covariance widens, "" where it does not.
    null_singular: the random term of the smaller model without variance in some direction, or "".
    """

    small: Smaller
    larger: LmmFit = field(repr=False)
    fixed: tuple[str, ...]
    random: tuple[AddedEffect, ...]
    covariances: int
    residual: str
    null_singular: str

    @property
    def widened(self) -> bool:
        """Whether covariance parameters are tested."""
        return bool(self.random or self.covariances or self.residual)

    @property
    def units(self) -> int | None:
        """Levels of the grouping with the fewest among those tested; None: no random effect is."""
        return min((self.larger.units(one.label) for one in self.random), default=None)

    @property
    def model(self) -> Model:
        """The larger one."""
        return self.larger.solution.model

    @cached_property
    def embedding(self) -> tuple[Embedding, np.ndarray]:
        """The smaller model in the larger one's v; NotEmbeddedError where not known."""
        return embedded(self.small, self.larger)

    @cached_property
    def null_model(self) -> Model:
        """The larger model on the smaller one's columns."""
        if not self.fixed:
            return self.model
        return with_columns(self.model, null_columns(self.small, self.larger))

    def chi_bar(self, seed: int) -> ChiBar:
        """The null distribution by projection on the tangent cones; see `tangent`."""
        embedding, psi = self.embedding
        v = embedding.natural(psi)
        information = point_at(self.model, v).expected
        A, starts, roots = self._directions(embedding, psi)
        parameters = self.model.parameters
        sigma = float(np.sqrt(self._size(v)))
        null = constraint([block_null(D, SINGULAR * sigma) for D in roots], starts, A.shape[1])
        blocks = [
            term.structure.matrix(v[at])
            for term, at in zip(parameters.terms, parameters.v_at, strict=False)
        ]
        full = constraint(
            [block_null(D, SINGULAR * sigma) for D in blocks],
            [at.start for at in parameters.v_at[:-1]], len(v),
        )  # fmt: skip
        return chi_bar(information, A, null, full, seed=seed)

    def _size(self, v: np.ndarray) -> float:
        """A typical residual variance, in conditioned units."""
        parameters = self.model.parameters
        return float(np.mean(np.diag(parameters.residual.matrix(v[parameters.v_at[-1]]))))

    def _directions(
        self, embedding: Embedding, psi: np.ndarray
    ) -> tuple[np.ndarray, list[int], list[np.ndarray]]:
        """Directions of the smaller model in v, where its blocks start among them, and their D."""
        phi = embedding.phi(psi)
        columns, starts, blocks = [], [], []
        at = v_at = count = 0
        for number, structure in enumerate(embedding.structures):
            own = embedding.A[:, v_at : v_at + structure.n_v]
            entries = phi[at : at + structure.n_phi]
            if number < len(self.small.terms) and isinstance(structure, Unstructured):
                starts.append(count)
                blocks.append(structure.matrix(structure.natural(entries)))
            else:
                rows = embedding.B[at : at + structure.n_phi]
                free = rows[:, np.any(rows != 0, axis=0)]
                own = own @ structure.jacobian(entries) @ free
            columns.append(own)
            count += own.shape[1]
            at, v_at = at + structure.n_phi, v_at + structure.n_v
        return np.hstack(columns), starts, blocks


def place(fit0: LmmFit | str, fit1: LmmFit) -> Pair:
    """Raises ComparisonError with every reason why the test would be invalid."""
    small = fit0 if isinstance(fit0, str) else smaller_of(fit0)
    reasons: list[Problem] = []
    if isinstance(small, str):
        small = least_squares(small, fit1)
    elif isinstance(fit0, LmmFit):
        reasons += _not_comparable(fit0, fit1)
    if not fit1.converged:
        reasons.append(Problem("did not converge, so its log-likelihood is not its maximum",
                               where=fit1.formula))  # fmt: skip
    placed = homes(small, fit1)
    larger_fixed = {*fit1.estimates.names, *fit1.aliased}
    missing = [name for name in small.fixed if name not in larger_fixed]
    if isinstance(placed, str):
        reasons.append(_not_nested(small, fit1, placed))
    elif missing:
        reasons.append(
            _not_nested(
                small,
                fit1,
                f"it lacks the columns {', '.join(missing)} (or has them written otherwise)",
            )
        )
    elif fit1.npar <= small.npar:
        reasons.append(Problem("it has no parameter beyond those of the smaller model",
                               where=fit1.formula, fix="give the smaller model first"))  # fmt: skip
    if reasons or isinstance(placed, str):
        raise ComparisonError("This likelihood-ratio test would be invalid.", reasons)
    pair = _pair(small, fit1, placed, fit0)
    _check_values(pair)
    return pair


def _not_comparable(fit0: LmmFit, fit1: LmmFit) -> list[Problem]:
    found = []
    where = f"{fit0.formula}  within  {fit1.formula}"
    own, other = fit0.basis.formula.response, fit1.basis.formula.response
    if own != other:
        found.append(Problem(f"the outcomes differ: {own} and {other}", where=where))
    elif fit0.nobs != fit1.nobs or fit0.basis.digest != fit1.basis.digest:
        differ = (
            f"the models use other rows ({fit0.nobs} and {fit1.nobs})" if fit0.nobs != fit1.nobs
            else f"the models use {fit0.nobs} rows each, but other outcomes {own} or other rows"
        )  # fmt: skip
        found.append(
            Problem(f"{differ}: likelihoods of different data can't be compared", where=where,
                    allowed="both fitted to the same rows, both from a frame or both from moments",
                    fix="drop the rows that either model drops for a missing value, then fit both")
        )  # fmt: skip
    if fit0.reml != fit1.reml:
        found.append(Problem("one is fitted by REML and one by ML: the two likelihoods are not on"
                             " one scale", where=where, fix="fit both by one of them"))  # fmt: skip
    elif fit0.reml and _fixed(fit0) != _fixed(fit1):
        found.append(
            Problem("the fixed parts differ, and REML likelihoods of different fixed parts can't be"
                    " compared", where=where, fix="fit both by ML: reml=False")
        )  # fmt: skip
    if not fit0.converged:
        found.append(Problem("did not converge, so its log-likelihood is not its maximum",
                             where=fit0.formula))  # fmt: skip
    return found


def _fixed(fit: LmmFit) -> list[str]:
    return sorted([*fit.estimates.names, *fit.aliased])


def _not_nested(small: Smaller, fit1: LmmFit, why: str) -> Problem:
    return Problem(
        f"the smaller model is not nested in the larger: {why}", where=f"{small.text}  within "
        f" {fit1.formula}", allowed="a smaller model each of whose terms the larger one has, as far"
        " as names tell", fix="give the smaller model first; write fixed parts alike (1 + AVISIT"
        " and 0 + AVISIT have other columns); compare others by AIC",
    )  # fmt: skip


def _pair(small: Smaller, fit1: LmmFit, placed: "list[int | None]", fit0: LmmFit | str) -> Pair:
    random: list[AddedEffect] = []
    covariances = 0
    for i, basis in enumerate(fit1.solution.model.terms):
        blocks = [t.names for t, home in zip(small.terms, placed, strict=True) if home == i]
        held = tuple(name for names in blocks for name in names)
        new = [name for name in basis.names if name not in held]
        random += [AddedEffect(basis.label, basis.group, name, held) for name in new]
        within = sum(len(names) * (len(names) - 1) // 2 for names in blocks)
        covariances += len(held) * (len(held) - 1) // 2 - within
    own = fit1.solution.model.residual
    widens = own != small.residual or any(home is None for home in placed)
    residual = f"{small.residual or 'sigma^2 I'} to {own}" if widens else ""
    fixed = tuple(n for n in fit1.estimates.names if n not in small.kept)
    singular = fit0.singularity.where if isinstance(fit0, LmmFit) else ""
    return Pair(small, fit1, fixed, tuple(random), covariances, residual, singular)


def _check_values(pair: Pair) -> None:
    """The smaller model is what its names say, and the larger one has the higher likelihood."""
    scale = ROUNDING * (1 + 1e-4 * abs(pair.small.deviance))
    try:
        embedding, psi = pair.embedding
        within = value_at(pair.null_model, embedding.natural(psi))
    except NotEmbeddedError:
        within = pair.small.deviance
    if not abs(within - pair.small.deviance) <= 10 * scale:
        raise ComparisonError(
            "This likelihood-ratio test would be invalid.",
            [_not_nested(pair.small, pair.larger,
                         f"at the smaller model's estimates the larger one has a deviance of"
                         f" {within:.6f}, the smaller one of {pair.small.deviance:.6f}")],
        )  # fmt: skip
    if pair.larger.deviance > pair.small.deviance + scale:
        raise ComparisonError(
            "This likelihood-ratio test would be invalid.",
            [Problem(f"the larger model has the lower log-likelihood ({pair.larger.loglik:.6f}"
                     f" against {-pair.small.deviance / 2:.6f}), impossible at its maximum",
                     where=pair.larger.formula, fix="see its certificate: fit.certificate")],
        )  # fmt: skip
