"""The smaller model of a test: what it estimates, and where it lies within the larger one."""

from dataclasses import dataclass, field

import numpy as np

from sitewise.errors import ComparisonError, Problem
from sitewise.inference.submodel import (
    Embedding,
    Submodel,
    congruence,
    stacked,
)
from sitewise.lmm.covariances import Structure, Unstructured, triangle
from sitewise.lmm.formula import parse_formula
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.model import Model
from sitewise.lmm.newton import minimise
from sitewise.lmm.residuals import CompoundSymmetry, Correlated, ScaledIdentity

# A residual covariance is a special case of these; None is sigma^2 I.
WIDER = {
    None: (None, "cs", "csh", "ar1", "ar1h", "us"),
    "cs": ("cs", "csh", "us"),
    "csh": ("csh", "us"),
    "ar1": ("ar1", "ar1h", "us"),
    "ar1h": ("ar1h", "us"),
    "us": ("us",),
}


@dataclass(frozen=True)
class SmallTerm:
    """A random term of the smaller model: D in the units of the data, (q, q).

    Z: (T, q), its columns over the slots, where it is a patient's within R; else None.
    """

    label: str
    group: str
    names: tuple[str, ...]
    copies: int
    D: np.ndarray = field(repr=False)
    Z: np.ndarray | None = field(repr=False)


@dataclass(frozen=True)
class Smaller:
    """The smaller model, fitted.

    fixed: names of its columns, aliased ones too; kept: without those. residual: name of the
    residual covariance, None for sigma^2 I. last: phi of its residual, in the units of the data.
    slots: their labels.
    """

    text: str
    deviance: float
    npar: int
    npar_cov: int
    fixed: tuple[str, ...]
    kept: tuple[str, ...]
    terms: tuple[SmallTerm, ...]
    residual: str | None
    patient: str
    last: np.ndarray = field(repr=False)
    slots: tuple[str, ...]


def smaller_of(fit: LmmFit) -> Smaller:
    """From a fit."""
    model = fit.solution.model
    parameters = model.parameters
    terms = []
    for own, term in zip(fit.estimates.terms, parameters.terms, strict=True):
        Z = None if term.Z is None else term.Z @ own.basis.R
        terms.append(
            SmallTerm(own.basis.label, own.basis.group, own.basis.names, own.basis.copies, own.D, Z)
        )
    last = rescaled(parameters.residual, fit.solution.phi[parameters.phi_at[-1]], model.fixed.unit)
    residual = fit.basis.formula.residual
    return Smaller(
        fit.formula, fit.deviance, fit.npar, fit.npar_cov,
        (*fit.estimates.names, *fit.aliased), fit.estimates.names, tuple(terms), model.residual,
        residual.group_name if residual else "", last, model.slots,
    )  # fmt: skip


def least_squares(text: str, larger: LmmFit) -> Smaller:
    """The larger fit's model without any random term or residual covariance: y ~ fixed.

    text: its formula, which must have the fixed part of the larger model (as a text).
    """
    parsed = parse_formula(f"{text} + (1 | .none.)".replace(".none.", "none"))
    own = larger.basis.formula
    if parsed.fixed != own.fixed or parsed.response != own.response or len(parsed.random) > 1:
        raise ComparisonError(
            "The smaller model of the test can't be made.",
            [Problem("a model given as a text is the larger one without its random terms and"
                     " residual covariance", where=text, allowed=f"{own.response} ~ {own.fixed}",
                     fix="fit it by sitewise.lmm where it has a random term")],
        )  # fmt: skip
    model = larger.solution.model
    names = larger.estimates.names
    unit = model.fixed.unit
    variance = larger.solution.point.rss / model.likelihood.degrees
    variance = max(variance, 1e-8) if np.isfinite(variance) else 1.0
    fixed = (*names, *larger.aliased)
    start = Smaller(text, np.nan, len(names) + 1, 1, fixed, names, (), None, "",
                    np.array([0.5 * np.log(variance) + np.log(unit)]), model.slots)  # fmt: skip
    embedding, psi = embedded(start, larger)
    end = minimise(Submodel(model, embedding), [psi, np.zeros(1)], always=1).best
    phi = embedding.phi(end.end)[:1] + np.log(unit)
    return Smaller(text, end.value, len(names) + 1, 1, fixed, names, (), None, "", phi, model.slots)


def rescaled(structure: Structure, phi: np.ndarray, unit: float) -> np.ndarray:
    """phi of a residual covariance of an outcome measured in units smaller by `unit`."""
    found = np.array(phi, dtype=float)
    if isinstance(structure, Unstructured):
        return found * unit
    sds = len(found) if isinstance(structure, ScaledIdentity) else -1
    found[: sds if sds > 0 else max(len(found) - 1, 1)] += np.log(unit)
    return found


def homes(small: Smaller, larger: LmmFit) -> "list[int | None] | str":
    """For each term of the smaller model the term of the larger that holds it; None: its residual.

    A text, the reason, where there is none.
    """
    model = larger.solution.model
    residual = larger.basis.formula.residual
    if model.residual not in WIDER[small.residual]:
        return (
            f"a residual covariance {small.residual or 'sigma^2 I'} is no special case of"
            f" {model.residual or 'sigma^2 I'}"
        )
    held: dict[int, set[str]] = {i: set() for i in range(len(model.terms))}
    found: list[int | None] = []
    for term in sorted(small.terms, key=lambda t: len(t.names)):
        home = next(
            (
                i
                for i, basis in enumerate(model.terms)
                if sorted(basis.group.split(":")) == sorted(term.group.split(":"))
                and set(term.names) <= set(basis.names)
                and not held[i] & set(term.names)
            ),
            None,
        )
        if home is not None:
            held[home] |= set(term.names)
        elif not _absorbed(term, small, residual.group_name if residual else "", model):
            return f"the larger model has no place for ({term.label})"
        found.append(home)
    order = sorted(range(len(small.terms)), key=lambda i: len(small.terms[i].names))
    back: list[int | None] = [None] * len(found)
    for place, i in enumerate(order):
        back[i] = found[place]
    return back


def _absorbed(term: SmallTerm, small: Smaller, patient: str, model: Model) -> bool:
    """Whether a patient's random term is a special case of the larger residual covariance."""
    same = sorted(term.group.split(":")) == sorted(patient.split(":"))
    if not same or small.residual is not None or term.Z is None:
        return False
    if len(term.Z) != len(model.slots):
        return False
    return model.residual == "us" or (
        model.residual in ("cs", "csh") and term.names == ("(Intercept)",)
    )


def embedded(small: Smaller, larger: LmmFit) -> tuple[Embedding, np.ndarray]:
    """The smaller model within the larger one's v, and its psi at its estimates.

    Raises NotEmbeddedError where no affine map is known (the pair may be nested all the same).
    """
    model = larger.solution.model
    parameters, unit = model.parameters, model.fixed.unit
    placed = homes(small, larger)
    if isinstance(placed, str):
        raise NotEmbeddedError(placed)
    structures: list[Structure] = []
    columns, phis, free = [], [], []
    for term, home in zip(small.terms, placed, strict=True):
        M, size = _columns_of(term, home, model)
        structure = Unstructured(len(term.names))
        rows = parameters.v_at[home if home is not None else -1]
        block = np.zeros((parameters.n_v, structure.n_v))
        block[rows] = _into_residual(M, model) if home is None else congruence(M)
        structures.append(structure)
        columns.append(block)
        phis.append(structure.from_matrix(term.D * np.outer(size, size) / unit**2))
        free.append(np.eye(structure.n_v))
    own, A, fixed, phi, select = _residual(small, model)
    structures.append(own)
    block = np.zeros((parameters.n_v, own.n_v))
    block[parameters.v_at[-1]] = A
    free.append(select)
    B = stacked(free)
    b = np.concatenate([*(np.zeros(len(p)) for p in phis), fixed])
    embedding = Embedding(
        tuple(structures), b, B, np.zeros(parameters.n_v), np.hstack([*columns, block])
    )
    return embedding, embedding.psi(np.concatenate([*phis, phi]))


class NotEmbeddedError(Exception):
    """The smaller model has no affine picture in the larger one's parameters; the text says why."""


def _columns_of(term: SmallTerm, home: int | None, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """M with D~ = M L L' M', and the sizes of the columns, D = L L' / sizes sizes'."""
    if home is None:
        if term.Z is None:
            raise NotEmbeddedError(f"({term.label}) is no function of the visit")
        size = np.sqrt(np.mean(term.Z**2, axis=0))
        return term.Z / size, size
    basis = model.terms[home]
    at = [basis.names.index(name) for name in term.names]
    size = np.linalg.norm(basis.R[:, at], axis=0)
    return basis.R[:, at] / size, size


def _into_residual(M: np.ndarray, model: Model) -> np.ndarray:
    if model.residual == "us":
        return congruence(M)
    if model.residual == "cs":
        return np.array([[0.0], [float(M[0, 0] ** 2)]])
    raise NotEmbeddedError("a random intercept has no affine picture in csh")


def _residual(
    small: Smaller, model: Model
) -> tuple[Structure, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The smaller model's residual: structure, A, fixed phi, phi, and which of phi are free."""
    T = model.parameters.residual.size
    log_unit = np.log(model.fixed.unit)
    last, name = small.last, small.residual
    if name == model.residual:
        structure = model.parameters.residual
        n = structure.n_v
        phi = rescaled(structure, last, 1 / model.fixed.unit)
        return structure, np.eye(n), np.zeros(n), phi, np.eye(n)
    if name is None and model.residual in ("us", "cs"):
        A = vech(np.eye(T))[:, None] if model.residual == "us" else np.array([[1.0], [0.0]])
        return ScaledIdentity(T), A, np.zeros(1), last - log_unit, np.eye(1)
    if name == "cs" and model.residual == "us":
        A = np.column_stack([vech(np.eye(T)), vech(np.ones((T, T)))])
        phi = last - np.array([log_unit, 0.0])
        return CompoundSymmetry(T), A, np.zeros(2), phi, np.eye(2)
    if name in (None, "cs", "ar1") and model.residual in ("csh", "ar1", "ar1h"):
        family = "exchangeable" if model.residual == "csh" else "ar1"
        at_zero = -np.log(T - 1.0) if family == "exchangeable" else 0.0
        sds = model.parameters.residual.n_v - 1
        A = stacked([np.ones((sds, 1)), np.eye(1)])
        if name is None:
            phi = np.array([last[0] - log_unit, at_zero])
            return Correlated(T, family, False), A, np.array([0.0, at_zero]), phi, np.eye(2)[:, :1]
        phi = last - np.array([log_unit, 0.0])
        return Correlated(T, family, False), A, np.zeros(2), phi, np.eye(2)
    raise NotEmbeddedError(f"{name} has no affine picture in {model.residual}")


def vech(matrix: np.ndarray) -> np.ndarray:
    """Lower triangle by column."""
    found: np.ndarray = matrix[triangle(len(matrix))]
    return found


def null_columns(small: Smaller, larger: LmmFit, *, drawn: bool = False) -> np.ndarray:
    """M (m, m'): the smaller model's [X~ y~] are the larger one's [X~ y~] M.

    drawn: of an outcome drawn about 0. That of the data stands less X offset, of which the smaller
    columns may not span all: that part is given back.
    Raises NotEmbeddedError where the smaller model's columns are not among those kept.
    """
    fixed = larger.solution.model.fixed
    kept = larger.estimates.names
    if not set(small.kept) <= set(kept):
        raise NotEmbeddedError("its columns are other ones after collinear ones were dropped")
    at = [kept.index(name) for name in kept if name in small.kept]
    Q = np.linalg.qr(fixed.R[:, at])[0]
    M = stacked([Q, np.eye(1)])
    if not drawn:
        gone = fixed.R @ fixed.offset / fixed.unit
        M[:-1, -1] = gone - Q @ (Q.T @ gone)
    return M
