"""Estimates in the units of the data, from a solution in conditioned units."""

from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.conditioned import TermBasis
from sitewise.lmm.engine import SINGULAR, Solution
from sitewise.lmm.posterior import LevelPosterior, level_posteriors
from sitewise.lmm.result import Singularity
from sitewise.lmm.threads import one_thread


@dataclass(frozen=True)
class TermCovariance:
    """Covariance of one random term: D (q, q), squared units of the outcome per units of the term.

    relative: D in units of the residual variance and of the columns' root mean squares.
    """

    basis: TermBasis
    D: np.ndarray
    relative: np.ndarray


@dataclass(frozen=True)
class Estimates:
    """What a model estimates, p fixed effects.

    names: of the fixed effects kept. beta (p,), vcov (p, p). terms: in the order of the model.
    sigma2: residual variance, None with a residual covariance. residual: that covariance (T, T).
    """

    names: tuple[str, ...]
    aliased: tuple[str, ...]
    beta: np.ndarray
    vcov: np.ndarray = field(repr=False)
    terms: tuple[TermCovariance, ...]
    sigma2: float | None
    residual: np.ndarray | None


def estimates_of(solution: Solution) -> Estimates:
    """Map a solution back."""
    model, point = solution.model, solution.point
    fixed, unit2 = model.fixed, model.fixed.unit**2
    back = np.linalg.inv(fixed.R)
    vcov = unit2 * back @ point.phi @ back.T
    terms = []
    size = model.parameters.sigma2(solution.phi)
    for L, basis in zip(model.parameters.roots(solution.phi), model.terms, strict=True):
        own = np.linalg.solve(basis.R, L)
        rms = np.linalg.norm(basis.R, axis=0)
        scaled = rms[:, None] * own
        terms.append(TermCovariance(basis, unit2 * own @ own.T, scaled @ scaled.T / size))
    R = model.parameters.residual_matrix(solution.phi) * unit2
    kept = fixed.kept
    return Estimates(
        tuple(n for n, keep in zip(fixed.names, kept, strict=True) if keep),
        tuple(n for n, keep in zip(fixed.names, kept, strict=True) if not keep),
        fixed.back(point.b), (vcov + vcov.T) / 2, tuple(terms),
        None if model.residual else float(R[0, 0]), R if model.residual else None,
    )  # fmt: skip


def singularity_of(estimates: Estimates) -> Singularity:
    """The scale-free verdict; see `sitewise.lmm.result.Singularity`."""
    smallest, where, kind = np.inf, "", ""
    for term in estimates.terms:
        value = float(np.sqrt(max(np.linalg.eigvalsh(term.relative)[0], 0.0)))
        if value < smallest:
            smallest, where = value, term.basis.label
            no_variance = np.sqrt(np.diag(term.relative).min()) < SINGULAR
            kind = "variance 0" if no_variance else "correlation"
    singular = smallest < SINGULAR
    if not estimates.terms:
        smallest = 1.0
    return Singularity(
        singular, smallest, SINGULAR, where if singular else "", kind if singular else ""
    )


def edge_notes(found: Singularity) -> tuple[str, ...]:
    """A sentence on a fit at the edge of its parameter space."""
    if not found.singular:
        return ()
    if found.kind == "variance 0":
        what = "a variance is estimated as 0"
    else:
        what = "a combination of its effects is estimated to have no variance"
    return (f"Singular: {found.kind} in ({found.where}): {what}; the term stays.",)


@one_thread
def posteriors_of(solution: Solution) -> tuple[tuple[TermBasis, int, LevelPosterior], ...]:
    """Predictions of each random term of the levels: the term, its level, and its own posterior.

    In data units: mean (units, copies q), variance (units, copies q, copies q).
    """
    model = solution.model
    covariances = model.covariances(solution.phi)
    gammas = model.likelihood.bottom.gammas
    found = []
    posteriors = level_posteriors(solution.point.done, gammas, covariances, solution.point.b)
    for level, posterior in enumerate(posteriors):
        at = 0
        for term in model.terms:
            if term.level != level:
                continue
            q = len(term.R) * term.copies
            cut = slice(at, at + q)
            back = np.kron(np.eye(term.copies), np.linalg.inv(term.R)) * model.fixed.unit
            own = LevelPosterior(
                posterior.mean[:, cut] @ back.T, back @ posterior.variance[:, cut, cut] @ back.T
            )
            found.append((term, level, own))
            at += q
    return tuple(found)
