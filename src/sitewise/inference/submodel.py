"""A model within a larger one: fewer parameters, an affine picture of them in the larger one's.

What tests and profiles need is always the larger model's likelihood over part of its parameters:
the null of a test, or the models with a standard deviation held at a value. With psi the free
parameters of the part,

    phi = b + B psi,    v_own = natural(phi) block by block,    v = a + A v_own

and the derivatives follow by the chain rule from those in v.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from sitewise.lmm.bottoms import RowBottom, SlotBottom
from sitewise.lmm.contraction import Contraction
from sitewise.lmm.likelihood import Likelihood, Point
from sitewise.lmm.model import Model
from sitewise.lmm.recursion import Arrow, LevelCovariance


class Part(Protocol):
    """What is asked of a structure here; see `lmm.covariances.Structure`."""

    @property
    def n_v(self) -> int:
        """Natural parameters."""

    @property
    def n_phi(self) -> int:
        """Parameters of its own."""

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """v, (n_v,)."""

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """dv/dphi, (n_v, n_phi)."""

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """sum_j g_j d2 v_j / dphi2, (n_phi, n_phi)."""


@dataclass(frozen=True)
class Embedding:
    """The map psi (k,) -> v (n_v,) of the larger model; shapes as in the module's text."""

    structures: tuple[Part, ...]
    b: np.ndarray = field(repr=False)
    B: np.ndarray = field(repr=False)
    a: np.ndarray = field(repr=False)
    A: np.ndarray = field(repr=False)

    def phi(self, psi: np.ndarray) -> np.ndarray:
        """All parameters of the part."""
        found: np.ndarray = self.b + self.B @ psi
        return found

    def psi(self, phi: np.ndarray) -> np.ndarray:
        """The free ones, by least squares."""
        found: np.ndarray = np.linalg.lstsq(self.B, phi - self.b, rcond=None)[0]
        return found

    def natural(self, psi: np.ndarray) -> np.ndarray:
        """v of the larger model."""
        phi = self.phi(psi)
        own = [s.natural(phi[at]) for s, at, _ in self._blocks()]
        found: np.ndarray = self.a + self.A @ np.concatenate(own)
        return found

    def jacobian(self, psi: np.ndarray) -> np.ndarray:
        """dv/dpsi, (n_v, k)."""
        phi = self.phi(psi)
        slopes = np.zeros((self.A.shape[1], len(phi)))
        for structure, at, v_at in self._blocks():
            slopes[v_at, at] = structure.jacobian(phi[at])
        found: np.ndarray = self.A @ slopes @ self.B
        return found

    def curvature(self, psi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """sum_j g_j d2 v_j / dpsi2, (k, k)."""
        phi, own = self.phi(psi), self.A.T @ g
        bends = np.zeros((len(phi), len(phi)))
        for structure, at, v_at in self._blocks():
            bends[at, at] = structure.curvature(phi[at], own[v_at])
        found: np.ndarray = self.B.T @ bends @ self.B
        return found

    def _blocks(self) -> list[tuple[Part, slice, slice]]:
        found, p, v = [], 0, 0
        for structure in self.structures:
            found.append((structure, slice(p, p + structure.n_phi), slice(v, v + structure.n_v)))
            p, v = p + structure.n_phi, v + structure.n_v
        return found


@dataclass(frozen=True)
class Submodel:
    """-2 log-likelihood of the part, in psi: an objective for `newton.minimise`."""

    model: Model
    embedding: Embedding
    _last: dict[bytes, Point] = field(init=False, default_factory=dict, repr=False, compare=False)

    def value(self, psi: np.ndarray) -> float:
        """In the units of the data; +inf outside."""
        with np.errstate(over="ignore", invalid="ignore"):
            v = self.embedding.natural(psi)
        return value_at(self.model, v)

    def full(self, psi: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian in psi."""
        k = len(psi)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                point = self.point(psi)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros(k), np.zeros((k, k))
        J = self.embedding.jacobian(psi)
        hessian = J.T @ point.hessian @ J + self.embedding.curvature(psi, point.gradient)
        value = point.deviance + self.model.constant
        return value, J.T @ point.gradient, (hessian + hessian.T) / 2

    def point(self, psi: np.ndarray) -> Point:
        """Everything in the v of the larger model; the last one is kept. LinAlgError outside."""
        key = psi.tobytes()
        if key not in self._last:
            self._last.clear()
            self._last[key] = point_at(self.model, self.embedding.natural(psi))
        return self._last[key]


def covariances_at(model: Model, v: np.ndarray) -> list[LevelCovariance]:
    """D, a root and its derivatives level by level, at natural parameters v."""
    parameters = model.parameters
    phi = np.zeros(parameters.n_phi)
    for term, own, at in zip(parameters.terms, parameters.v_at, parameters.phi_at, strict=False):
        phi[at] = term.structure.from_matrix(term.structure.matrix(v[own]))
    levels = len(model.likelihood.bottom.shape.q)
    return [LevelCovariance(*parameters.level_covariance(k, phi)) for k in range(levels)]


def value_at(model: Model, v: np.ndarray) -> float:
    """-2 log-likelihood at natural parameters, in the units of the data; +inf outside."""
    if not np.all(np.isfinite(v)):
        return np.inf
    found = model.likelihood.value(v, covariances_at(model, v)) + model.constant
    return float(found) if np.isfinite(found) else np.inf


def point_at(model: Model, v: np.ndarray) -> Point:
    """All derivatives at natural parameters; LinAlgError outside."""
    if not np.all(np.isfinite(v)):
        raise np.linalg.LinAlgError("not finite")
    return model.likelihood.point(v, covariances_at(model, v))


def with_method(model: Model, reml: bool) -> Model:
    """The same model under the other likelihood."""
    old = model.likelihood
    return replace(model, likelihood=Likelihood(old.bottom, old.split, reml))


def with_columns(model: Model, M: np.ndarray) -> Model:
    """The same model on other columns: [X~ y~] M in place of [X~ y~], M (m, m').

    For ML, or where M keeps the space of X: the constant of REML is not adapted.
    """
    bottom = model.likelihood.bottom
    m = M.shape[0]
    shape = replace(bottom.shape, m=M.shape[1])

    def mapped(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[..., :-m], values[..., -m:] @ M], axis=-1)

    gammas = [mapped(gamma) for gamma in bottom.gammas]
    changed: RowBottom | SlotBottom
    if isinstance(bottom, SlotBottom):
        atoms = replace(bottom.contraction.atoms, K=bottom.contraction.atoms.K @ M)
        contraction = Contraction(bottom.contraction.cells, atoms, shape)
        changed = replace(bottom, shape=shape, gammas=gammas, contraction=contraction)
    elif isinstance(bottom, RowBottom):
        crossed = Arrow([mapped(row) for row in bottom.crossed.rows], M.T @ bottom.crossed.root @ M)
        changed = replace(bottom, shape=shape, gammas=gammas, crossed=crossed)
    else:
        raise TypeError(type(bottom).__name__)
    old = model.likelihood
    return replace(model, likelihood=Likelihood(changed, old.split, old.reml))


def stacked(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Block-diagonal matrix."""
    rows = sum(block.shape[0] for block in blocks)
    columns = sum(block.shape[1] for block in blocks)
    found = np.zeros((rows, columns))
    i = j = 0
    for block in blocks:
        found[i : i + block.shape[0], j : j + block.shape[1]] = block
        i, j = i + block.shape[0], j + block.shape[1]
    return found


def congruence(M: np.ndarray) -> np.ndarray:
    """Matrix of D -> M D M' on lower triangles by column: (n_v of q1, n_v of q0), M (q1, q0)."""
    q1, q0 = M.shape
    columns0, rows0 = np.triu_indices(q0)
    columns1, rows1 = np.triu_indices(q1)
    E = np.zeros((len(rows0), q0, q0))
    place = np.arange(len(rows0))
    E[place, rows0, columns0] = 1.0
    E[place, columns0, rows0] = 1.0
    found: np.ndarray = (M @ E @ M.T)[:, rows1, columns1].T
    return found
