"""The covariance parameters of a model: which structure stands where, in what order.

Blocks stand in the order of the terms (levels innermost first, patient terms inside R before them)
and the residual last; phi and v are the blocks' own, one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from sitewise.lmm.covariances import Structure, Unstructured, sds_and_correlations
from sitewise.lmm.residuals import ScaledIdentity

INSIDE = -1  # the level of a patient's random term that is part of R
Start = str | int


@dataclass(frozen=True)
class Term:
    """One random term: D = I_copies (x) D0.

    group: as `SITEID` or `SITEID:AVISIT`. columns: names left of the bar, (q,). level: index of its
    level, innermost 0; INSIDE for a patient's term within R. copies: labels across. Z: (T, q), the
    columns as functions of the slot, for INSIDE only. unit: (q,), see `Unstructured`.
    rms: (q,), root mean square of each column over the rows, for the verdict on singularity; ones
    where empty.
    """

    group: str
    columns: tuple[str, ...]
    level: int
    copies: int = 1
    Z: np.ndarray | None = field(default=None, repr=False)
    unit: tuple[float, ...] = ()
    rms: tuple[float, ...] = ()

    @property
    def structure(self) -> Unstructured:
        """Of D0."""
        return Unstructured(len(self.columns), self.unit)

    def __str__(self) -> str:
        """`(Intercept) + WEEK | USUBJID`."""
        return f"{' + '.join(self.columns)} | {self.group}"


@dataclass(frozen=True)
class Reported:
    """A covariance matrix to read: sds (n,), correlations (n, n), NaN where an sd is 0."""

    where: str
    labels: tuple[str, ...]
    matrix: np.ndarray
    sds: np.ndarray
    correlations: np.ndarray


class Parameters:
    """All covariance parameters of a model.

    terms: random terms in order. residual: sigma^2 I or a covariance over the slots. slots: labels
    of the slots, () where the row is the unit. sigma: a typical residual sd, the scale of starts.
    Read-only: structures (blocks in order), phi_at and v_at (slices by block), n_phi, n_v.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        residual: Structure,
        slots: tuple[str, ...] = (),
        sigma: float = 1.0,
    ) -> None:
        self.terms = tuple(terms)
        self.residual = residual
        self.slots = slots
        self.sigma = sigma
        self.structures: tuple[Structure, ...] = (*(t.structure for t in terms), residual)
        self.phi_at = _slices([s.n_phi for s in self.structures])
        self.v_at = _slices([s.n_v for s in self.structures])
        self.n_phi, self.n_v = self.phi_at[-1].stop, self.v_at[-1].stop

    @property
    def has_sigma(self) -> bool:
        """Whether R = sigma^2 I beside the random terms."""
        return isinstance(self.residual, ScaledIdentity)

    @property
    def linear(self) -> bool:
        """Whether V is linear in v."""
        return self.residual.second(self.residual.natural(np.zeros(self.residual.n_phi))) is None

    def natural(self, phi: np.ndarray) -> np.ndarray:
        """v, (n_v,)."""
        return np.concatenate(
            [s.natural(phi[at]) for s, at in zip(self.structures, self.phi_at, strict=True)]
        )

    def jacobian(self, phi: np.ndarray) -> np.ndarray:
        """dv/dphi, (n_v, n_phi), block-diagonal."""
        slopes = np.zeros((self.n_v, self.n_phi))
        for s, rows, columns in zip(self.structures, self.v_at, self.phi_at, strict=True):
            slopes[rows, columns] = s.jacobian(phi[columns])
        return slopes

    def curvature(self, phi: np.ndarray, g: np.ndarray) -> np.ndarray:
        """sum_j g_j d2 v_j/dphi2: Hessian_phi = J'H_v J + curvature(phi, g), g = d(dev)/dv."""
        bends = np.zeros((self.n_phi, self.n_phi))
        for s, own, at in zip(self.structures, self.v_at, self.phi_at, strict=True):
            bends[at, at] = s.curvature(phi[at], g[own])
        return bends

    def mmrm(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dv/dtheta (n_v, n_phi) and d2v/dtheta2 (n_v, n_phi, n_phi) in mmrm's theta."""
        slopes = np.zeros((self.n_v, self.n_phi))
        bends = np.zeros((self.n_v, self.n_phi, self.n_phi))
        for s, own, at in zip(self.structures, self.v_at, self.phi_at, strict=True):
            slopes[own, at], bends[own, at, at] = s.mmrm(phi[at])
        return slopes, bends

    def covariances(self, phi: np.ndarray) -> list[np.ndarray]:
        """D0 of each term, (q, q)."""
        return [root @ root.T for root in self.roots(phi)]

    def roots(self, phi: np.ndarray) -> list[np.ndarray]:
        """L of each term, D0 = L L'."""
        return [t.structure.root(phi[self.phi_at[i]]) for i, t in enumerate(self.terms)]

    def scale(self, i: int, phi: np.ndarray) -> np.ndarray:
        """sigma over the root mean square of each column of term i: its natural size, (q,)."""
        rms = self.terms[i].rms
        sizes = np.array(rms) if rms else np.ones(len(self.terms[i].columns))
        return np.asarray(np.sqrt(self.sigma2(phi)) / sizes)

    def relative_root(self, i: int, phi: np.ndarray) -> np.ndarray:
        """L of term i, its rows over their `scale`: free of units, (q, q)."""
        root = self.terms[i].structure.root(phi[self.phi_at[i]])
        relative: np.ndarray = root / self.scale(i, phi)[:, None]
        return relative

    def at_level(self, level: int) -> tuple[int, ...]:
        """Indices of the terms of a level."""
        return tuple(i for i, term in enumerate(self.terms) if term.level == level)

    def positions(self, level: int) -> np.ndarray:
        """Where in v the entries of a level's D stand, in the order of `level_covariance`."""
        return _places([self.v_at[i] for i in self.at_level(level)])

    def level_covariance(
        self, level: int, phi: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """D (q, q), its root (q, q), D = root root', and E = dD/dv (n, q, q) of a whole level.

        Terms in order, block-diagonal; within a term label by label across.
        """
        chosen = self.at_level(level)
        roots = self.roots(phi)
        blocks = [np.kron(np.eye(self.terms[i].copies), roots[i]) for i in chosen]
        edges = _slices([len(block) for block in blocks])
        q = edges[-1].stop if edges else 0
        root, slopes = np.zeros((q, q)), []
        for i, at, block in zip(chosen, edges, blocks, strict=True):
            root[at, at] = block
            own = self.terms[i].structure.first(phi[self.phi_at[i]])
            whole = np.zeros((len(own), q, q))
            whole[:, at, at] = np.kron(np.eye(self.terms[i].copies)[None], own)
            slopes.append(whole)
        return root @ root.T, root, np.concatenate(slopes) if slopes else np.zeros((0, q, q))

    def sigma2(self, phi: np.ndarray) -> float:
        """sigma^2 where `has_sigma`; the mean variance over the slots otherwise."""
        if self.has_sigma:
            return float(self.residual.natural(phi[self.phi_at[-1]])[0])
        return float(np.mean(np.diag(self.residual_matrix(phi))))

    def residual_matrix(self, phi: np.ndarray) -> np.ndarray:
        """The residual covariance without patient terms, (T, T)."""
        return self.residual.matrix(self.residual.natural(phi[self.phi_at[-1]]))

    def slot_covariance(self) -> "SlotCovariance":
        """R over the slots: patient terms and residual."""
        inside = self.at_level(INSIDE)
        at = [*(self.v_at[i] for i in inside), self.v_at[-1]]
        return SlotCovariance(tuple(self.terms[i] for i in inside), self.residual, _places(at))

    def words(self) -> tuple[str, ...]:
        """What each v is: `variance of (Intercept) by SITEID`, `residual variance`."""
        said = []
        for term, structure in zip(self.terms, self.structures, strict=False):
            said += [f"{w} by {term.group}" for w in structure.words(term.columns)]
        own = self.residual.words(self.slots)
        if isinstance(self.residual, Unstructured):
            own = tuple(f"residual {word}" for word in own)
        return (*said, *own)

    def report(self, phi: np.ndarray) -> list[Reported]:
        """Each term's D0 and, last, the residual."""
        labels = [(f"{term}", term.columns) for term in self.terms] + [("residual", self.slots)]
        if self.has_sigma:
            labels[-1] = ("residual", ("residual",))
        last = np.array([[self.sigma2(phi)]]) if self.has_sigma else self.residual_matrix(phi)
        matrices = [*self.covariances(phi), last]
        return [
            Reported(where, names, matrix, *sds_and_correlations(matrix))
            for (where, names), matrix in zip(labels, matrices, strict=True)
        ]

    def phi_of(self, covariances: Sequence[np.ndarray], residual: np.ndarray) -> np.ndarray:
        """phi of given D0, term by term, and residual matrix (T, T), or (1, 1) for sigma^2."""
        return np.concatenate(
            [
                s.from_matrix(np.asarray(m, dtype=float))
                for s, m in zip(self.structures, [*covariances, residual], strict=True)
            ]
        )

    def start(self, how: Start = "default", residual: np.ndarray | None = None) -> np.ndarray:
        """A start, (n_phi,): "default", "small", "tiny", "zero" random effects, or a seed.

        residual: a guess of the residual covariance, (T, T); sigma^2 I without one.
        """
        if residual is None:
            residual = self.sigma**2 * np.eye(self.residual.size)
        size = {"default": 0.5, "small": 0.1, "tiny": 1e-3, "zero": 0.0}.get(str(how), 1.0)
        roots = [size * np.diag(t.structure.units()) for t in self.terms]
        phi = self.phi_of([root @ root.T for root in roots], residual)
        if isinstance(how, str):
            return phi
        generator = np.random.default_rng(how)
        for at in self.phi_at[:-1]:
            phi[at] = generator.standard_normal(at.stop - at.start)
        at = self.phi_at[-1]
        phi[at] += 0.3 * generator.standard_normal(at.stop - at.start)
        return phi

    def generic(self) -> np.ndarray:
        """phi of an interior point without symmetry, where identifiability is judged."""
        covariances = []
        for k, term in enumerate(self.terms):
            q = len(term.columns)
            rows, columns = np.indices((q, q))
            root = np.tril(0.3 * np.cos(1.0 + rows + 2.0 * columns + k))
            root[np.diag_indices(q)] = 0.7 + 0.2 * np.cos(3.0 * np.arange(q) + k)
            root = term.structure.units()[:, None] * root
            covariances.append(root @ root.T)
        slot = np.arange(self.residual.size)
        shape = 0.3 ** np.abs(np.subtract.outer(slot, slot)) * (1.0 + 0.1 * np.cos(slot))
        return self.phi_of(covariances, self.sigma**2 * 0.5 * (shape + shape.T))


@dataclass(frozen=True)
class SlotCovariance:
    """R_full = sum_k Z_k D_k Z_k' + residual, over the T slots of a patient.

    positions: where its parameters stand in the model's v, (n,); `first` and `second` are in their
    order. All methods take the model's whole v.
    """

    terms: tuple[Term, ...]
    residual: Structure
    positions: np.ndarray

    def full(self, v: np.ndarray) -> np.ndarray:
        """R, (T, T)."""
        own, at = v[self.positions], 0
        total = np.zeros((self.residual.size, self.residual.size))
        for term in self.terms:
            Z, n = _slot_columns(term), term.structure.n_v
            total += Z @ term.structure.matrix(own[at : at + n]) @ Z.T
            at += n
        total += self.residual.matrix(own[at:])
        return total

    def first(self, v: np.ndarray) -> np.ndarray:
        """dR/dv, (n, T, T): Z E Z' for entries of D."""
        own, at, slopes = v[self.positions], 0, []
        for term in self.terms:
            Z, n = _slot_columns(term), term.structure.n_v
            slopes.append(Z @ term.structure.first(own[at : at + n]) @ Z.T)
            at += n
        return np.concatenate([*slopes, self.residual.first(own[at:])])

    def second(self, v: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
        """(j, k, d2R/dv_j dv_k (T, T)), j <= k in the order of `positions`; only those not 0."""
        own = v[self.positions]
        at = len(own) - self.residual.n_v
        bends = self.residual.second(own[at:])
        if bends is None:
            return []
        return [
            (at + j, at + k, bends[j, k])
            for j in range(len(bends))
            for k in range(j, len(bends))
            if bends[j, k].any()
        ]


def power_of_two(value: float) -> float:
    """The power of two nearest below `value`, 1 for 0: a scale that costs no digits."""
    return float(2.0 ** np.floor(np.log2(value))) if value > 0 else 1.0


def _slices(sizes: Sequence[int]) -> tuple[slice, ...]:
    stops = list(accumulate(sizes))
    return tuple(slice(stop - size, stop) for size, stop in zip(sizes, stops, strict=True))


def _places(slices: Sequence[slice]) -> np.ndarray:
    return np.array([i for at in slices for i in range(at.start, at.stop)], dtype=np.int64)


def _slot_columns(term: Term) -> np.ndarray:
    if term.Z is None:
        raise ValueError(f"the term {term} has no columns over the slots")
    return term.Z
