"""What makes an end of the search an optimum, and what the data cannot tell: a certificate.

Judged in the space of the covariance matrices D, where the boundary is where a variance is 0. With
G the symmetric gradient of the deviance in D, an end is a (local) minimum over positive
semidefinite D where G D = 0 and N'GN is positive semidefinite on the null space N of D (the
Karush-Kuhn-Tucker conditions), and where the Hessian is positive on the free directions.
"""

from dataclasses import dataclass

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.covariances import Unstructured, triangle
from sitewise.lmm.newton import Minimum, condition
from sitewise.lmm.result import Singularity
from sitewise.lmm.structures import Parameters

SINGULAR = 1e-4  # smallest singular value of the scaled L / sigma
STATIONARY = 1e-6  # of the gradient in D, per unit of the root of the largest curvature
NOT_IDENTIFIED = 1e-10  # eigenvalue of the information scaled to unit diagonal
NAMED = 0.05  # share of an eigenvector above which a parameter is named in a combination


@dataclass(frozen=True)
class TermCertificate:
    """One random term, or the residual ("residual").

    stationarity: ||G D||, scaled; of the residual: norm of its gradient in phi. multiplier:
    smallest eigenvalue of N'GN, scaled; inf where D has full rank. rank: of D.
    """

    where: str
    stationarity: float
    multiplier: float
    rank: int


@dataclass(frozen=True)
class Certificate:
    """Why the end is taken for the optimum.

    terms: first-order conditions by term. tolerance: what they are held against. curvatures:
    eigenvalues of the Hessian on the free directions, ascending. condition: of the Hessian in phi,
    scaled. decrement, steps, evaluations, reason: of the best search. starts: deviance at the start
    and at the end of each search. optima: deviances of the distinct optima, lowest first.
    holds: all conditions met and the search converged. problems: what is not met, in words.
    """

    terms: tuple[TermCertificate, ...]
    tolerance: float
    curvatures: tuple[float, ...]
    condition: float
    decrement: float
    steps: int
    evaluations: int
    reason: str
    starts: tuple[tuple[float, float], ...]
    optima: tuple[float, ...]
    singularity: Singularity
    holds: bool
    problems: tuple[str, ...]


def certify(parameters: Parameters, minimum: Minimum, g: np.ndarray) -> Certificate:
    """The certificate of the best end; g: gradient of the deviance in v there, (n_v,)."""
    best = minimum.best
    terms = first_order(parameters, best.end, g)
    free = free_directions(parameters, best.end)
    values = np.linalg.eigvalsh(free.T @ best.hessian @ free)
    largest = float(np.abs(np.linalg.eigvalsh(best.hessian)).max())
    tolerance = STATIONARY * max(1.0, float(np.sqrt(largest)))
    problems = [] if best.converged else [f"the search did not converge: {best.reason}"]
    for term in terms:
        if not term.stationarity <= tolerance:
            problems.append(f"{term.where}: the gradient is not 0 ({term.stationarity:.2g})")
        if term.multiplier < -tolerance:
            problems.append(f"{term.where}: a variance of 0 could grow ({term.multiplier:.2g})")
    if len(values) and values[0] < -1e-7 * largest:
        problems.append(f"the deviance curves down in a free direction ({values[0]:.2g})")
    return Certificate(
        terms=terms,
        tolerance=tolerance,
        curvatures=tuple(float(value) for value in values),
        condition=condition(best.hessian),
        decrement=best.decrement,
        steps=best.steps,
        evaluations=sum(path.evaluations for path in minimum.paths),
        reason=best.reason,
        starts=tuple((path.first, path.value) for path in minimum.paths),
        optima=tuple(path.value for path in minimum.optima),
        singularity=singularity(parameters, best.end),
        holds=not problems,
        problems=tuple(problems),
    )


def first_order(
    parameters: Parameters, phi: np.ndarray, g: np.ndarray
) -> tuple[TermCertificate, ...]:
    """The conditions term by term, D and G scaled as `relative_root`."""
    found = []
    for i, term in enumerate(parameters.terms):
        scale = parameters.scale(i, phi)
        G = term.structure.gradient_matrix(g[parameters.v_at[i]]) * np.outer(scale, scale)
        root = parameters.relative_root(i, phi)
        left, sizes, _ = np.linalg.svd(root)
        null = left[:, sizes < SINGULAR]
        multiplier = np.inf
        if null.shape[1]:
            multiplier = float(np.linalg.eigvalsh(null.T @ G @ null)[0])
        slope = float(np.linalg.norm(G @ root @ root.T))
        found.append(TermCertificate(str(term), slope, multiplier, len(root) - null.shape[1]))
    at, own = parameters.phi_at[-1], parameters.v_at[-1]
    slope = float(np.linalg.norm(parameters.residual.jacobian(phi[at]).T @ g[own]))
    found.append(TermCertificate("residual", slope, np.inf, parameters.residual.size))
    return tuple(found)


def free_directions(parameters: Parameters, phi: np.ndarray) -> np.ndarray:
    """Orthonormal directions in phi that move a covariance to first order, (n_phi, free).

    Along the others D moves to second order only (out of the boundary) or not at all.
    """
    blocks = np.zeros((parameters.n_phi, 0))
    for structure, at in zip(parameters.structures, parameters.phi_at, strict=True):
        slopes = structure.jacobian(phi[at])
        if isinstance(structure, Unstructured):
            i, j = triangle(structure.size)
            slopes = slopes / (structure.units()[i] * structure.units()[j])[:, None]
        _, sizes, right = np.linalg.svd(slopes)
        kept = right[: len(sizes)][sizes > SINGULAR * max(1.0, sizes.max(initial=0.0))]
        whole = np.zeros((parameters.n_phi, len(kept)))
        whole[at] = kept.T
        blocks = np.hstack([blocks, whole])
    return blocks


def on_boundary(parameters: Parameters, phi: np.ndarray) -> bool:
    """Whether the verdict is singular: for `minimise`."""
    return singularity(parameters, phi).singular


def singularity(parameters: Parameters, phi: np.ndarray) -> Singularity:
    """The verdict, free of units: see `sitewise.lmm.result.Singularity`.

    Relative to sigma; with a residual covariance, to the root of the mean residual variance.
    """
    smallest, where, kind = np.inf, "", ""
    for i, term in enumerate(parameters.terms):
        root = parameters.relative_root(i, phi)
        value = float(np.linalg.svd(root, compute_uv=False)[-1])
        if value < smallest:
            smallest, where = value, str(term)
            no_variance = np.linalg.norm(root, axis=1).min() < SINGULAR
            kind = "variance 0" if no_variance else "correlation"
    singular = smallest < SINGULAR
    return Singularity(singular, smallest, SINGULAR, where if singular else "",
                       kind if singular else "")  # fmt: skip


def not_identified(
    parameters: Parameters, information: np.ndarray, silent: np.ndarray | None = None
) -> tuple[tuple[str, ...], ...]:
    """Combinations of covariance parameters on which the data say nothing, in words.

    information: expected information E in v, (n_v, n_v), at a generic interior point
    (`Parameters.generic`), where singular fits do not disturb the verdict. silent: (n_v,) bool, of
    which it is known beforehand. One parameter alone: the data say nothing about it. Several: they
    cannot be told apart.
    """
    words, reach = parameters.words(), _reach(parameters)
    own = np.sqrt(np.maximum(np.diag(information), 0.0)) * reach
    dead = own <= 1e-10 * own.max()
    if silent is not None:
        dead |= silent
    said = [(words[k],) for k in np.flatnonzero(dead)]
    live = np.flatnonzero(~dead)
    if len(live) == 0:
        return tuple(said)
    sizes = own[live] / reach[live]
    values, vectors = np.linalg.eigh(information[np.ix_(live, live)] / np.outer(sizes, sizes))
    flat = vectors[:, values < NOT_IDENTIFIED] / own[live][:, None]
    for combination in _sparse(flat):
        named = live[np.abs(combination) > NAMED * np.abs(combination).max()]
        said.append(tuple(words[k] for k in named))
    return tuple(said)


def refuse_not_identified(parameters: Parameters, information: np.ndarray, formula: str) -> None:
    """Raise ModelError, one problem a combination, where `not_identified` finds any."""
    found = not_identified(parameters, information)
    if not found:
        return
    raise ModelError(
        "The data cannot tell the covariance parameters of the model apart.",
        [
            Problem(
                f"no information on the {names[0]}"
                if len(names) == 1
                else "these change together without a trace in the data: " + "; ".join(names),
                where=formula,
                allowed="random effects and a residual that the readings distinguish",
                fix="drop one of these terms, or columns left of its bar",
            )
            for names in found
        ],
    )


def _reach(parameters: Parameters) -> np.ndarray:
    """Natural size of each v: products of units; squares of sigma; 1 for logs."""
    sizes = []
    for structure in parameters.structures:
        if isinstance(structure, Unstructured):
            i, j = triangle(structure.size)
            sizes.append(structure.units()[i] * structure.units()[j])
        elif structure.second(structure.natural(np.zeros(structure.n_phi))) is None:
            sizes.append(np.full(structure.n_v, parameters.sigma**2))
        else:
            sizes.append(np.ones(structure.n_v))
    return np.concatenate(sizes)


def _sparse(basis: np.ndarray) -> list[np.ndarray]:
    """A basis of the same space with a pivot of its own in each vector, so that few are named."""
    rest, pivots = basis.copy(), []
    for k in range(basis.shape[1]):
        row = int(np.argmax(np.abs(rest[:, k:]).max(axis=1)))
        column = k + int(np.argmax(np.abs(rest[row, k:])))
        rest[:, [k, column]] = rest[:, [column, k]]
        rest[:, k] /= rest[row, k]
        others = [c for c in range(basis.shape[1]) if c != k]
        rest[:, others] -= np.outer(rest[:, k], rest[row, others])
        pivots.append(row)
    return [rest[:, k] for k in np.argsort(pivots)]
