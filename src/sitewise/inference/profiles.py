"""Profile-likelihood intervals: where the deviance, all else at its best, has risen by chi2(1).

By ML whatever the fit (as lme4's `profile`), so that fixed effects have a profile, too. A number is
held at a value by writing the model in parameters of which it is one (`Submodel`): the first entry
of a factor L whose first row is its own is a standard deviation; the second row as
s (r, sqrt(1 - r^2)) holds a correlation at r; sigma^2 = V / c - sum V holds an intraclass
correlation at c; a fixed effect is taken out of y.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sitewise.inference.held import held_at
from sitewise.inference.quantities import CORRELATION, FIXED, ICC, SD, Quantity
from sitewise.inference.submodel import (
    Embedding,
    Part,
    Submodel,
    congruence,
    stacked,
    with_columns,
    with_method,
)
from sitewise.lmm.covariances import Structure, Unstructured
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.model import Model
from sitewise.lmm.newton import Objective, minimise

CLOSE = 1e-7  # of the root of the rise of the deviance
LEAST, MOST = 1e-7, 1 - 1e-9  # where an intraclass correlation counts as 0 and as 1
STEPS = 60


@dataclass(frozen=True)
class Profile:
    """Profiles of one fit. model: by ML. phi: its optimum. lowest: its deviance there."""

    fit: LmmFit = field(repr=False)
    model: Model = field(repr=False)
    phi: np.ndarray
    lowest: float

    def interval(self, quantity: Quantity, level: float, step: float) -> tuple[float, float, str]:
        """Lower and upper end and a note; step: a guess of an end's distance."""
        from scipy import special

        rise = float(np.sqrt(special.chdtri(1, 1 - level)))
        held = self._held(quantity)
        if held is None:
            return np.nan, np.nan, "no profile with a residual covariance"
        least, most, middle, cost = held
        root = _Root(cost, self.lowest, rise, middle)
        return root.end(-1.0, least, step), root.end(1.0, most, step), ""

    def _held(
        self, quantity: Quantity
    ) -> tuple[float, float, float, Callable[[float], float]] | None:
        """(least value, most, estimate by ML, deviance at a value)."""
        v = self.model.parameters.natural(self.phi)
        if quantity.kind == FIXED:
            b = self.model.point(self.phi).b
            middle = float(self.model.fixed.back(b)[quantity.block])
            return -np.inf, np.inf, middle, self._fixed(quantity.block)
        assert quantity.of is not None
        middle = quantity.of(v)
        if quantity.kind == ICC:
            if self.model.residual:
                return None
            return 0.0, 1.0, middle, self._icc(quantity)
        if quantity.kind == CORRELATION:
            least = -1.0
            structure = self.model.parameters.structures[quantity.block]
            if not isinstance(structure, Unstructured) and structure.size > 1:
                least = -1.0 if _neighbours(structure) else -1.0 / (structure.size - 1)
            return least, 1.0, middle, self._covariance(quantity)
        return 0.0, np.inf, middle, self._covariance(quantity)

    def _fixed(self, j: int) -> Callable[[float], float]:
        fixed = self.model.fixed
        p = fixed.R.shape[1]
        row = np.linalg.solve(fixed.R.T, np.eye(p)[j])
        N = np.linalg.svd(row[None])[2][1:].T
        start = self.phi

        def cost(value: float) -> float:
            b = row * ((value - fixed.offset[j]) / fixed.unit) / (row @ row)
            M = np.zeros((p + 1, p))
            M[:p, : p - 1], M[:p, p - 1], M[p, p - 1] = N, -b, 1.0
            return _lowest(with_columns(self.model, M), [start])[0]

        return cost

    def _covariance(self, quantity: Quantity) -> Callable[[float], float]:
        parameters = self.model.parameters
        block = quantity.block % len(parameters.structures)
        last: list[np.ndarray] = []

        def cost(value: float) -> float:
            embedding, own = self._embedding(block, quantity, value)
            phi = np.concatenate(
                [own if i == block else self.phi[at] for i, at in enumerate(parameters.phi_at)]
            )
            starts = [*last[-1:], embedding.psi(phi)]
            found, end = _lowest(Submodel(self.model, embedding), starts)
            if np.isfinite(found):
                last.append(end)
            return found

        return cost

    def _embedding(
        self, block: int, quantity: Quantity, value: float
    ) -> tuple[Embedding, np.ndarray]:
        """The model with one number of a block held, and the block's phi at the optimum."""
        parameters = self.model.parameters
        structures: list[Part] = list(parameters.structures)
        A, b, B, own = self._block(block, quantity, value)
        whole = parameters.structures[block]
        if isinstance(whole, Unstructured):
            of_sd = quantity.kind == SD
            structures[block] = Unstructured(whole.size) if of_sd else held_at(whole, value)
        maps = [A if i == block else np.eye(s.n_v) for i, s in enumerate(structures)]
        free = [B if i == block else np.eye(s.n_phi) for i, s in enumerate(structures)]
        fixed = [b if i == block else np.zeros(s.n_phi) for i, s in enumerate(structures)]
        embedding = Embedding(
            tuple(structures), np.concatenate(fixed), stacked(free),
            np.zeros(parameters.n_v), stacked(maps),
        )  # fmt: skip
        return embedding, own

    def _block(
        self, block: int, quantity: Quantity, value: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A, b, B of the block that holds the number, and its phi at the optimum."""
        parameters, unit = self.model.parameters, self.model.fixed.unit
        structure = parameters.structures[block]
        own = self.phi[parameters.phi_at[block]]
        if not isinstance(structure, Unstructured):
            held = quantity.entries[0] if quantity.kind == SD else len(own) - 1
            b = np.zeros(len(own))
            b[held] = np.log(value / unit) if value > 0 else -np.inf
            if quantity.kind == CORRELATION:
                b[held] = _logit_of(structure, value)
            return np.eye(structure.n_v), b, np.delete(np.eye(len(own)), held, axis=1), own
        q = structure.size
        order = [*quantity.entries, *(k for k in range(q) if k not in quantity.entries)]
        R = self.model.terms[block].R if block < len(parameters.terms) else np.eye(q)
        size = np.linalg.norm(R[:, order], axis=0)
        M = R[:, order] / size
        inverse = np.linalg.inv(M)
        D = structure.matrix(structure.natural(own))
        phi = Unstructured(q).from_matrix(inverse @ D @ inverse.T)
        b, B = np.zeros(len(own)), np.eye(len(own))
        if quantity.kind == SD:
            b[0] = value / unit * size[0]
            return congruence(M), b, B[:, 1:], phi
        own_part = held_at(structure, value)
        n = own_part.n_phi
        return congruence(M), np.zeros(n), np.eye(n), own_part.near(phi)

    def _icc(self, quantity: Quantity) -> Callable[[float], float]:
        parameters = self.model.parameters
        n = parameters.n_v
        rows = np.zeros((len(parameters.terms), n))
        for i, basis in enumerate(self.model.terms):
            if "(Intercept)" in basis.names:
                back = np.linalg.inv(basis.R)[basis.names.index("(Intercept)")][None]
                rows[i, parameters.v_at[i]] = congruence(back)[0]
        shared = rows[list(quantity.entries)].sum(axis=0)
        everything = rows.sum(axis=0)
        v = parameters.natural(self.phi)
        own, rest = float(shared @ v), float((everything - shared) @ v + v[-1])
        structures: tuple[Structure, ...] = parameters.structures[:-1]
        k = parameters.phi_at[-1].start

        def cost(value: float) -> float:
            value = min(max(value, LEAST), MOST)
            A = np.eye(n)[:, :-1]
            A[-1] = (shared / value - everything)[:-1]
            embedding = Embedding(structures, np.zeros(k), np.eye(k), np.zeros(n), A)
            start = self.phi[:k].copy()
            # Stretched so that the share is `value` while all else stays.
            stretch = np.sqrt(value / (1 - value) * rest / own) if own > 0 else 1.0
            for i in quantity.entries:
                start[parameters.phi_at[i]] *= stretch
                if own <= 0:
                    start[parameters.phi_at[i]] += np.sqrt(value * rest)
            return _lowest(Submodel(self.model, embedding), [start])[0]

        return cost


def profile_of(fit: LmmFit) -> Profile:
    """By ML, from the optimum of the fit."""
    model = with_method(fit.solution.model, False)
    starts = [fit.solution.phi, model.parameters.start("default")]
    best = minimise(model, starts, always=2 if fit.singular else 1).best
    return Profile(fit, model, best.end, best.value)


@dataclass(frozen=True)
class _Root:
    """Ends of one profile: cost(value) is a deviance, lowest at `middle`."""

    cost: Callable[[float], float]
    lowest: float
    rise: float
    middle: float

    def _gap(self, value: float) -> float:
        """Root of the rise less the rise wanted: negative inside the interval."""
        found = self.cost(value)
        if not np.isfinite(found):
            return 1e3
        return float(np.sqrt(max(found - self.lowest, 0.0))) - self.rise

    def end(self, sign: float, bound: float, step: float) -> float:
        """The end in one direction; `bound` where the deviance rises too little before it."""
        inner, low = self.middle, -self.rise
        step = abs(step) if np.isfinite(step) and step != 0 else max(abs(self.middle), 1e-3)
        beyond = sign * (bound - self.middle) <= 0
        if np.isfinite(bound) and (beyond or self._gap(bound) <= 0):
            return bound
        for _ in range(STEPS):
            outer = self.middle + sign * step
            if np.isfinite(bound) and sign * (bound - outer) <= 0:
                outer = inner + 0.9 * (bound - inner)
            high = self._gap(outer)
            if high > 0:
                return self._between(inner, low, outer, high)
            inner, low, step = outer, high, 1.7 * step
        return float("nan")

    def _between(self, a: float, fa: float, b: float, fb: float) -> float:
        """False position with Illinois' halving (Dowell & Jarratt 1971, BIT 11, 168-174)."""
        for _ in range(STEPS):
            c = b - fb * (b - a) / (fb - fa)
            fc = self._gap(c)
            if abs(fc) < CLOSE or abs(b - a) < 1e-12 * max(abs(a), abs(b)):
                return c
            if (fc > 0) != (fb > 0):
                a, fa = b, fb
            else:
                fa /= 2
            b, fb = c, fc
        return b


def _lowest(objective: Objective, starts: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """The least value and where it is; +inf where no start has one (a residual SD of 0)."""
    values = [objective.value(start) for start in starts]
    if not np.isfinite(values).any():
        return np.inf, starts[0]
    # The lowest first: where a variance has gone to 0 on the way, no search comes back from it.
    best = minimise(objective, [starts[i] for i in np.argsort(values)], always=1).best
    return best.value, best.end


def _neighbours(structure: Structure) -> bool:
    return getattr(structure, "family", "") == "ar1"


def _logit_of(structure: Structure, value: float) -> float:
    """phi of a correlation; infinite at its bounds."""
    if _neighbours(structure):
        return float(value / np.sqrt(1 - value * value)) if abs(value) < 1 else np.inf * value
    a = 1.0 / (structure.size - 1)
    share = (value + a) / (1 + a)
    if not 0 < share < 1:
        return np.inf if share >= 1 else -np.inf
    return float(np.log(share / (1 - share)))
