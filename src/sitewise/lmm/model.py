"""A conditioned model: its parameters, its likelihood in them, and the way back to data units."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.lmm.bottoms import RowBottom, SlotBottom
from sitewise.lmm.conditioned import FixedBasis, TermBasis
from sitewise.lmm.contraction import Contraction
from sitewise.lmm.likelihood import Likelihood, Point, Split
from sitewise.lmm.recursion import LevelCovariance, Shape
from sitewise.lmm.residuals import ScaledIdentity, residual_structure
from sitewise.lmm.structures import INSIDE, Parameters, Term

LEAST = 0.01  # variance that a scored start keeps, in units of the start that it was scored from


@dataclass(frozen=True)
class Model:
    """A conditioned model, ready for the optimiser (`value`, `full`).

    terms: the bases of the random terms, in the order of `parameters.terms`. slots: labels, ()
    where the row is the unit. residual: name of the residual covariance, None for sigma^2 I.
    """

    parameters: Parameters
    terms: tuple[TermBasis, ...]
    fixed: FixedBasis
    likelihood: Likelihood = field(repr=False)
    slots: tuple[str, ...]
    residual: str | None
    _last: dict[bytes, Point] = field(init=False, default_factory=dict, repr=False, compare=False)

    @property
    def constant(self) -> float:
        """Deviance in the units of the data less that in conditioned units."""
        log_det = self.fixed.log_det if self.likelihood.reml else 0.0
        return 2 * self.likelihood.degrees * float(np.log(self.fixed.unit)) + log_det

    def covariances(self, phi: np.ndarray) -> list[LevelCovariance]:
        """D, a root of it and its derivatives, level by level."""
        levels = len(self.likelihood.bottom.shape.q)
        return [LevelCovariance(*self.parameters.level_covariance(k, phi)) for k in range(levels)]

    def start(self, how: str | int) -> np.ndarray:
        """phi of `Parameters.start`, all variances scaled together to fit best."""
        parameters = self.parameters
        phi = parameters.start(how)
        try:
            factor = self.likelihood.scale(parameters.natural(phi), self.covariances(phi))
        except np.linalg.LinAlgError:
            return phi
        residual = factor * parameters.residual_matrix(phi)
        return parameters.phi_of([factor * D for D in parameters.covariances(phi)], residual)

    def scored_start(self, phi: np.ndarray) -> np.ndarray:
        """One step of Fisher scoring in v from phi, kept inside: near the optimum in most data.

        With V linear in v it is MIVQUE at phi (Rao 1971, J. Multivariate Anal. 1, 445-456).
        """
        try:
            point = self.point(phi)
        except np.linalg.LinAlgError:
            return phi
        return self.scored_from(self.parameters.natural(phi), point, phi)

    def scored_from(self, v: np.ndarray, point: Point, phi: np.ndarray) -> np.ndarray:
        """The same step from natural parameters v and their point; phi: what bounds it from 0."""
        parameters = self.parameters
        if any(s.second(s.natural(np.zeros(s.n_phi))) is not None for s in parameters.structures):
            return phi
        try:
            v = v - np.linalg.solve(2 * point.expected, point.gradient)
        except np.linalg.LinAlgError:
            return phi
        before = [*parameters.covariances(phi), parameters.residual_matrix(phi)]
        after = [
            _inside(structure.matrix(v[at]), least)
            for structure, at, least in zip(
                parameters.structures, parameters.v_at, before, strict=True
            )
        ]
        return parameters.phi_of(after[:-1], after[-1])

    def value(self, phi: np.ndarray) -> float:
        """-2 log-likelihood in the units of the data; +inf outside."""
        with np.errstate(over="ignore", invalid="ignore"):
            v = self.parameters.natural(phi)
            if not np.all(np.isfinite(v)):
                return np.inf
            found = self.likelihood.value(v, self.covariances(phi)) + self.constant
        return found if np.isfinite(found) else np.inf

    def point(self, phi: np.ndarray) -> Point:
        """Everything, in v and conditioned units; the last one and the lowest one are kept."""
        key = phi.tobytes()
        if key not in self._last:
            found = self.likelihood.point(self.parameters.natural(phi), self.covariances(phi))
            # The end of the first search is asked for again after the others.
            lowest = min(self._last, key=lambda k: self._last[k].deviance, default=key)
            for other in set(self._last) - {lowest}:
                del self._last[other]
            self._last[key] = found
        return self._last[key]

    def full(self, phi: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian in phi; a value of +inf outside."""
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                point = self.point(phi)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros(len(phi)), np.zeros((len(phi), len(phi)))
        return point.deviance + self.constant, *self.in_phi(phi, point)

    def in_phi(self, phi: np.ndarray, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and Hessian in phi of a point."""
        J = self.parameters.jacobian(phi)
        hessian = J.T @ point.hessian @ J + self.parameters.curvature(phi, point.gradient)
        return J.T @ point.gradient, (hessian + hessian.T) / 2


def slot_model(
    *, n: int, shape: Shape, gammas: list[np.ndarray], fixed: FixedBasis,
    terms: Sequence[TermBasis], Z: Sequence[np.ndarray], slots: tuple[str, ...],
    contraction: Contraction, residual: str | None, reml: bool,
) -> Model:  # fmt: skip
    """The model of a scheduled trial."""
    inside = iter(Z)
    own = [_term(t, next(inside) if t.level == INSIDE else None) for t in terms]
    last = (
        ScaledIdentity(len(slots)) if residual is None else residual_structure(residual, len(slots))
    )
    parameters = Parameters(own, last, slots)
    covariance = parameters.slot_covariance()
    # The bottom is given its own parameters only.
    own_v = replace(covariance, positions=np.arange(len(covariance.positions)))
    bottom = SlotBottom(n, shape, gammas, contraction, own_v)
    split = _split(parameters, covariance.positions, shape)
    return Model(parameters, tuple(terms), fixed, Likelihood(bottom, split, reml), slots, residual)


def row_model(
    bottom: RowBottom, fixed: FixedBasis, terms: Sequence[TermBasis], reml: bool
) -> Model:
    """The model of rows without a schedule."""
    parameters = Parameters([_term(t, None) for t in terms], ScaledIdentity(1))
    last = np.array([parameters.n_v - 1])
    split = _split(parameters, last, bottom.shape)
    return Model(parameters, tuple(terms), fixed, Likelihood(bottom, split, reml), (), None)


def _inside(matrix: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The matrix with eigenvalues of a hundredth or more, in units of the definite `scale`."""
    root = np.linalg.cholesky(scale)
    half = np.linalg.solve(root, np.linalg.solve(root, matrix).T)
    values, vectors = np.linalg.eigh((half + half.T) / 2)
    back = root @ vectors
    found: np.ndarray = (back * np.maximum(values, LEAST)) @ back.T
    return found


def _split(parameters: Parameters, bottom: np.ndarray, shape: Shape) -> Split:
    return Split(bottom, tuple(parameters.positions(k) for k in range(len(shape.q))))


def _term(basis: TermBasis, Z: np.ndarray | None) -> Term:
    return Term(basis.group, basis.names, basis.level, basis.copies, Z)
