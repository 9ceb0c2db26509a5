"""From moments to an optimum: build the conditioned model, search, settle."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import column_values
from sitewise.lmm.conditioned import wide_bottom
from sitewise.lmm.conditioned_rows import (
    BasedMoments,
    RowLevel,
    RowTerm,
    based_moments,
    condition_rows,
)
from sitewise.lmm.covariances import Unstructured
from sitewise.lmm.hierarchy import Level
from sitewise.lmm.joint import is_singular
from sitewise.lmm.likelihood import Point
from sitewise.lmm.model import Model, row_model, slot_model
from sitewise.lmm.newton import (
    DECREMENT,
    ROUNDING,
    Minimum,
    Path,
    minimise,
    search,
)
from sitewise.lmm.quadratic import Quadratic
from sitewise.lmm.rows import Rows
from sitewise.lmm.wide import Wide

if TYPE_CHECKING:
    from sitewise.lmm.columns import Column

SINGULAR = 1e-4  # smallest singular value of a scaled relative factor, relative to sigma
EXTREME = 1e-10  # residual variance, relative to the outcome's, below which it is suspected to be 0
ROUNDED = 1e-28  # the same below which nothing is left of an outcome's digits but rounding
STARTS = ("scored", "small", "zero", 1, 2)  # see `minimise`
FEW = 50  # units of some grouping below which a second maximum is to be reckoned with


@dataclass(frozen=True)
class Solution:
    """An optimum: phi, all derivatives there (in v and in phi), and how it was found."""

    model: Model = field(repr=False)
    phi: np.ndarray
    point: Point = field(repr=False)
    gradient: np.ndarray = field(repr=False)
    hessian: np.ndarray = field(repr=False)
    deviance: float
    found: Minimum = field(repr=False)


def row_moments_of(
    rows: Rows, hierarchy: tuple[Level, ...], fixed: "tuple[Column, ...]"
) -> BasedMoments:
    """Moments of rows without a schedule."""
    levels = [
        RowLevel(
            level.codes,
            level.parent,
            len(level.labels),
            tuple(
                RowTerm(
                    effect.spec.group_name,
                    str(effect.spec),
                    tuple(column.name for column in effect.columns),
                    column_values(effect.columns, rows),
                    rows.grouping(effect.across)[0] if effect.across else None,
                    len(effect.across_labels) or 1,
                )
                for effect in level.effects
            ),
        )
        for level in hierarchy
    ]
    names = tuple(column.name for column in fixed)
    return based_moments(levels, column_values(fixed, rows), names, rows.y)


def build_model(part: Wide | BasedMoments, reml: bool) -> Model:
    """The conditioned model of one formula's moments."""
    if isinstance(part, BasedMoments):
        bottom, fixed = condition_rows(part)
        return row_model(bottom, fixed, part.terms, reml)
    wide = wide_bottom(part)
    return slot_model(
        n=wide.n, shape=wide.shape, gammas=wide.gammas, fixed=wide.fixed, terms=wide.terms,
        Z=wide.Z, slots=wide.slots, contraction=wide.contraction,
        residual=part.residual.structure if part.residual else None, reml=reml,
    )  # fmt: skip


def solve(model: Model, where: str, near: np.ndarray | None = None) -> Solution:
    """The optimum; raises ModelError where the likelihood has none.

    near: phi of a fit to almost the same rows. It is the first start, and the only one where its
    end leaves no doubt.
    """
    starts: Iterable[np.ndarray] = (_start(model, how) for how in STARTS)
    few = min(model.likelihood.bottom.shape.units, default=FEW) < FEW
    starts = starts if near is None else chain([near], starts)
    found = minimise(
        model, starts, boundary=lambda phi: _on_boundary(model, phi),
        always=2 if few and near is None else 1, agreeing=np.inf if few else 2,
        hopeless=lambda path: is_singular(model, path), size=model.likelihood.bottom.n,
    )  # fmt: skip
    _refuse_degenerate(model, found.best, where)
    end = _settled(model, found.best)
    # What is returned is what is certified.
    found = replace(found, best=end, optima=(end, *found.optima[1:]))
    point = model.point(end.end)
    return Solution(model, end.end, point, end.gradient, end.hessian, end.value, found)


def _start(model: Model, how: str | int) -> np.ndarray:
    """phi of a start; "scored": one step of Fisher scoring from the default one."""
    if how == "scored":
        return model.scored_start(model.start("default"))
    return model.start(how)


def _on_boundary(model: Model, phi: np.ndarray) -> bool:
    """Whether some random term is singular relative to sigma."""
    sigma = np.sqrt(model.parameters.sigma2(phi))
    return any(
        np.linalg.svd(root, compute_uv=False)[-1] < SINGULAR * sigma
        for root in model.parameters.roots(phi)
    )


def _settled(model: Model, best: Path) -> Path:
    """Exact zeros where Newton only approaches them, then diagonals that are not negative.

    A small row of L is a zero only if the likelihood says so: in a D of rank 1 it may well be an
    estimate. A zero is kept where the optimum with it held is one of the whole likelihood too.
    """
    end = best
    for part in ("columns", "rows"):
        held = _nearly_zero(model, end.end, part)
        if np.any(end.end[held] != 0):
            end = _with_zeros(model, end, held) or end
    tidy = _upright(model, end.end)
    if np.array_equal(tidy, end.end):
        return replace(end, end=tidy)
    value, gradient, hessian = model.full(tidy)
    return replace(end, end=tidy, value=value, gradient=gradient, hessian=hessian)


def _nearly_zero(model: Model, phi: np.ndarray, part: str) -> np.ndarray:
    """Which of phi stand in a column, or in a row, of some L that is small beside sigma, (n,)."""
    parameters = model.parameters
    small = SINGULAR * np.sqrt(parameters.sigma2(phi))
    held = np.zeros(len(phi), dtype=bool)
    for term, at in zip(parameters.terms, parameters.phi_at, strict=False):
        L = term.structure.scaled_root(phi[at])
        columns, rows = np.triu_indices(len(L))
        if part == "columns":
            held[at] = (np.linalg.norm(L, axis=0) < small)[columns]
        else:
            held[at] = (np.linalg.norm(L, axis=1) < small)[rows]
    return held


def _with_zeros(model: Model, end: Path, held: np.ndarray) -> Path | None:
    """The optimum with `held` at 0; None where it is none of the whole likelihood."""
    whole = Held(model, np.where(held, 0.0, end.end), ~held)
    phi = whole.point
    value, gradient, hessian = model.full(phi)
    if not np.isfinite(value):
        return None
    if Quadratic(gradient, hessian).decrement > DECREMENT:
        phi = whole.phi(search(whole, phi[~held], size=model.likelihood.bottom.n).end)
        value, gradient, hessian = model.full(phi)
    promise = Quadratic(gradient, hessian)
    if value > end.value + ROUNDING * (abs(value) + model.likelihood.bottom.n):
        return None
    if not promise.is_minimum() or promise.decrement > max(DECREMENT, end.decrement):
        return None
    return replace(end, end=phi, value=value, gradient=gradient, hessian=hessian,
                   decrement=promise.decrement)  # fmt: skip


@dataclass(frozen=True)
class Held:
    """A model with some of phi held where `point` has them: for `search` over the `free` ones."""

    model: Model
    point: np.ndarray
    free: np.ndarray

    def phi(self, own: np.ndarray) -> np.ndarray:
        """All of phi."""
        whole = self.point.copy()
        whole[self.free] = own
        return whole

    def value(self, own: np.ndarray) -> float:
        """-2 log-likelihood."""
        return self.model.value(self.phi(own))

    def full(self, own: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Value, gradient and Hessian in the free ones."""
        value, gradient, hessian = self.model.full(self.phi(own))
        return value, gradient[self.free], hessian[np.ix_(self.free, self.free)]


def _upright(model: Model, phi: np.ndarray) -> np.ndarray:
    """The same covariances by factors whose diagonals are not negative."""
    tidy = phi.copy()
    for term, at in zip(model.parameters.terms, model.parameters.phi_at, strict=False):
        structure: Unstructured = term.structure
        L = structure.scaled_root(phi[at])
        L = L * np.where(np.diag(L) < 0, -1.0, 1.0)
        columns, rows = np.triu_indices(len(L))
        tidy[at] = L[rows, columns] + 0.0
    return tidy


def _refuse_degenerate(model: Model, end: Path, where: str) -> None:
    """Raise ModelError where the random effects fit the outcome exactly: no maximum exists."""
    variance = model.parameters.sigma2(end.end)
    if variance > EXTREME or (end.converged and variance > ROUNDED):
        return
    raise ModelError(
        "The residual variance is 0.",
        [Problem("the random effects reproduce every outcome exactly: the likelihood grows"
                 " without bound and no estimate exists", where=where,
                 allowed="readings that vary within the innermost grouping",
                 fix="see whether readings were copied from visit to visit; or drop the"
                 " innermost random term")],
    )  # fmt: skip
