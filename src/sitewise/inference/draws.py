"""Outcomes drawn from a model as moments, not rows.

Given the design, a likelihood needs of an outcome y = X b + sum_k S_k u_k + e only cross-products,
and their joint distribution needs of the design only cross-products, too. X b is 0 here: REML and
ML differences between models that share X, and errors of estimates, do not depend on it. The
units' effects u_k ~ N(0, D_k) are handed over as what S spans of y (Gamma of y, see
`lmm.recursion`), so that e alone is left:

- a scheduled trial: for the n patients of a cell with features C (n, F) and pattern P, e has rows
  N(0, R_P). C'e = H g, HH' = C'C, g (r, T) with rows N(0, R_P), r the rank of C; and e'e = g'g +
  W, W ~ Wishart(n - r, R_P) independent of g (Muirhead 1982, Aspects of Multivariate Statistical
  Theory, theorem 3.1.2 and section 3.2). W by Bartlett's decomposition.
- rows without a schedule: e ~ N(0, sigma^2 I). With the columns M = [S_k~ X~] of which the
  moments have the cross-products, M'e = H g, HH' = M'M, and e'e = g'g + sigma^2 chi2(n - r).

Both are exact.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.inference.submodel import covariances_at
from sitewise.lmm.bottoms import RowBottom, SlotBottom
from sitewise.lmm.contraction import Contraction
from sitewise.lmm.likelihood import Likelihood
from sitewise.lmm.model import Model
from sitewise.lmm.recursion import Arrow, LevelCovariance

RANK = 1e-10  # eigenvalue of scaled cross-products that is rounding
MOST_COLUMNS = 4000  # of upper levels' columns that rows without a schedule leave; they stand dense


def drawer(model: Model, v: np.ndarray) -> Callable[[np.random.Generator], Model]:
    """A function that draws: the same model with an outcome from its distribution at v.

    Fixed effects are 0, in conditioned units.
    """
    bottom = model.likelihood.bottom
    covariances = covariances_at(model, v)
    own = v[model.likelihood.split.bottom]
    if isinstance(bottom, SlotBottom):
        source: _Cells | _Rows = _cells(bottom, own)
    elif isinstance(bottom, RowBottom):
        source = _rows(bottom, float(own[0]))
    else:
        raise TypeError(type(bottom).__name__)

    def draw(generator: np.random.Generator) -> Model:
        gammas = _effects(model, covariances, generator)
        changed = source.drawn(generator, gammas)
        old = model.likelihood
        return replace(model, likelihood=Likelihood(changed, old.split, old.reml))

    return draw


def _effects(
    model: Model, covariances: list[LevelCovariance], generator: np.random.Generator
) -> list[np.ndarray]:
    """Gamma of each level with drawn effects in the column of y."""
    found = []
    for gamma, covariance in zip(model.likelihood.bottom.gammas, covariances, strict=True):
        changed = gamma.copy()
        g = generator.standard_normal((len(gamma), covariance.root.shape[1]))
        changed[..., -1] = g @ covariance.root.T
        found.append(changed)
    return found


@dataclass(frozen=True)
class _Cells:
    """A scheduled trial. H: (C, F - T, r) roots of C'C. chol: (P, T, T) of R_P, 0 outside.

    alive: (C, r) which columns of H are not 0. dof: (C,) n - rank.
    """

    bottom: SlotBottom
    H: np.ndarray = field(repr=False)
    alive: np.ndarray = field(repr=False)
    dof: np.ndarray = field(repr=False)
    chol: np.ndarray = field(repr=False)

    def drawn(self, generator: np.random.Generator, gammas: list[np.ndarray]) -> SlotBottom:
        """With new moments of the outcome."""
        cells = self.bottom.contraction.cells
        T = self.chol.shape[-1]
        root = np.swapaxes(self.chol, -1, -2)[cells.pattern]
        g = generator.standard_normal((*self.alive.shape, T)) * self.alive[..., None] @ root
        F = self.H.shape[1]
        G = cells.G.copy()
        cross = self.H @ g
        G[:, :F, F:] = cross
        G[:, F:, :F] = np.swapaxes(cross, 1, 2)
        z = self._wishart_root(generator, T) @ root
        G[:, F:, F:] = np.swapaxes(g, 1, 2) @ g + np.swapaxes(z, 1, 2) @ z
        total = np.add.reduceat(G[cells.order], cells.pattern_starts, axis=0)
        old = self.bottom.contraction
        contraction = Contraction(replace(cells, G=G, total=total), old.atoms, old.shape)
        return replace(self.bottom, gammas=gammas, contraction=contraction)

    def _wishart_root(self, generator: np.random.Generator, T: int) -> np.ndarray:
        """(C, T, T), z'z ~ Wishart(dof, I): Bartlett's triangle; few dof: its rows themselves."""
        place = np.arange(T)
        normal = generator.standard_normal((len(self.dof), T, T))
        degrees = np.maximum(self.dof[:, None] - place, 1)
        chi = np.sqrt(generator.chisquare(degrees))
        upper = np.triu(normal, 1)
        upper[:, place, place] = chi
        few = (self.dof < T)[:, None, None]
        rows = normal * (place < self.dof[:, None])[:, :, None]
        found: np.ndarray = np.where(few, rows, upper)
        return found


def _cells(bottom: SlotBottom, v: np.ndarray) -> _Cells:
    cells = bottom.contraction.cells
    T = cells.patterns.shape[1]
    F = cells.G.shape[1] - T
    R = bottom.covariance.full(v)
    both = cells.patterns[:, :, None] & cells.patterns[:, None, :]
    chol = np.where(both, np.linalg.cholesky(np.where(both, R, np.eye(T))), 0.0)
    C = cells.G[:, :F, :F]
    counts = np.rint(C[:, 0, 0]).astype(np.int64)
    size = np.sqrt(np.maximum(np.einsum("cff->cf", C), 0.0))
    scale = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(C / scale[:, :, None] / scale[:, None, :])
    alive = values > RANK * values[:, -1:]
    # A cell of n patients has rank n at most: rounding must not add to it.
    first = F - np.minimum(counts, F)
    alive &= np.arange(F) >= first[:, None]
    H = vectors * np.sqrt(np.where(alive, values, 0.0))[:, None, :] * scale[:, :, None]
    return _Cells(bottom, H, alive, counts - alive.sum(axis=1), chol)


@dataclass(frozen=True)
class _Rows:
    """Rows without a schedule. inner: (units, q, q) roots of S'S of the innermost level.

    root: (k, r), of the cross-products of the upper levels' columns and X, unit by unit. places: of
    each upper level, where its units' columns stand among k. dof: n - all ranks.
    """

    bottom: RowBottom
    sigma: float
    inner: np.ndarray = field(repr=False)
    root: np.ndarray = field(repr=False)
    places: tuple[np.ndarray, ...] = field(repr=False)
    dof: int

    def drawn(self, generator: np.random.Generator, gammas: list[np.ndarray]) -> RowBottom:
        """With new cross-products of the outcome."""
        crossed = self.bottom.crossed
        rows = [row.copy() for row in crossed.rows]
        g0 = generator.standard_normal(self.inner.shape[::2]) * self._alive
        rows[0][..., -1] = self.sigma * np.einsum("uqr,ur->uq", self.inner, g0)
        g = generator.standard_normal(self.root.shape[1])
        along = self.sigma * self.root @ g
        for row, place in zip(rows[1:], self.places, strict=True):
            row[..., -1] = along[place]
        p = len(crossed.root) - 1
        root = crossed.root.copy()
        root[:p, p] = root[p, :p] = along[len(along) - p :]
        rest = generator.chisquare(self.dof) if self.dof > 0 else 0.0
        root[p, p] = self.sigma**2 * (np.sum(g0**2) + np.sum(g**2) + rest)
        return replace(self.bottom, gammas=gammas, crossed=Arrow(rows, root))

    @property
    def _alive(self) -> np.ndarray:
        found: np.ndarray = np.any(self.inner != 0, axis=1)
        return found


def _rows(bottom: RowBottom, variance: float) -> _Rows:
    shape, crossed = bottom.shape, bottom.crossed
    q = shape.q[0]
    inner = _roots(crossed.rows[0][..., :q])
    p = shape.m - 1
    sizes = [shape.units[k] * shape.q[k] for k in range(1, len(shape.q))]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    total = int(starts[-1]) + p
    if total > MOST_COLUMNS:
        raise ModelError(
            "The bootstrap of this model would not fit in memory.",
            [Problem(f"{total} columns of the upper levels and X stand dense for rows without a"
                     " schedule", allowed=f"{MOST_COLUMNS} of them")],
        )  # fmt: skip
    gram = np.zeros((total, total))
    places = tuple(
        starts[k - 1] + np.arange(sizes[k - 1]).reshape(shape.units[k], shape.q[k])
        for k in range(1, len(shape.q))
    )
    for level in range(1, len(shape.q)):
        _fill(gram, bottom, level, places, total - p)
    gram[total - p :, total - p :] = crossed.root[:p, :p]
    gram = np.triu(gram) + np.triu(gram, 1).T
    root = _roots(gram[None])[0]
    root = root[:, np.any(root != 0, axis=0)]
    rank = int(np.any(inner != 0, axis=1).sum()) + root.shape[1]
    return _Rows(bottom, float(np.sqrt(variance)), inner, root, places, bottom.n - rank)


def _fill(
    gram: np.ndarray, bottom: RowBottom, level: int, places: tuple[np.ndarray, ...], first_x: int
) -> None:
    """Cross-products of one level's columns with its own, those above and X."""
    shape, row = bottom.shape, bottom.crossed.rows[level]
    mine, at = places[level - 1], 0
    for upper in range(level, len(shape.q)):
        theirs = places[upper - 1][shape.ancestors(level, upper)]
        width = shape.q[upper]
        gram[mine[:, :, None], theirs[:, None, :]] = row[..., at : at + width]
        at += width
    gram[mine[:, :, None], np.arange(first_x, len(gram))[None, None]] = row[..., at:-1]


def _roots(gram: np.ndarray) -> np.ndarray:
    """H with HH' = gram, columns of rounding 0; (..., k, k)."""
    size = np.sqrt(np.maximum(np.einsum("ukk->uk", gram), 0.0))
    largest = size.max(initial=0.0)
    scale = np.where(size > 1e-9 * largest, size, np.inf)
    values, vectors = np.linalg.eigh(gram / scale[:, :, None] / scale[:, None, :])
    kept = np.where(values > RANK * np.maximum(values[:, -1:], 1.0), values, 0.0)
    root = vectors * np.sqrt(kept)[:, None, :]
    found: np.ndarray = root * np.where(np.isfinite(scale), scale, 0.0)[:, :, None]
    return found
