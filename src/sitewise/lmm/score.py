"""What needs rows: fitted values, residuals, random effects of patients, at an optimum."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.columns import Column, column_values
from sitewise.lmm.contraction import SlotWeights
from sitewise.lmm.engine import Solution
from sitewise.lmm.estimates import Estimates, posteriors_of
from sitewise.lmm.hierarchy import Effect, Level
from sitewise.lmm.rows import Rows
from sitewise.lmm.schedule import Schedule, seen_patterns
from sitewise.lmm.structures import INSIDE
from sitewise.lmm.threads import one_thread


@dataclass(frozen=True)
class Predicted:
    """Random effects of one term: labels (k,), terms (q,), blup and se (k, q), data units."""

    label: str
    group: str
    labels: tuple[str, ...] = field(repr=False)
    terms: tuple[str, ...]
    blup: np.ndarray = field(repr=False)
    se: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Scored:
    """fitted, residuals (n,): conditional on the random effects, rows used in their order.

    marginal (n,): y - Xb. ranef: one a random term, in the order of the formula.
    """

    used: np.ndarray = field(repr=False)
    fitted: np.ndarray = field(repr=False)
    residuals: np.ndarray = field(repr=False)
    marginal: np.ndarray = field(repr=False)
    ranef: tuple[Predicted, ...]


@dataclass(frozen=True)
class Places:
    """Where the units and slots of some rows stand in the model.

    units: of each level of the recursion, the model's unit of each unit of the rows. slots: the
    model's slot of each slot of the rows. across: by term, the model's copy of each label.
    """

    units: tuple[np.ndarray, ...]
    slots: np.ndarray
    across: Mapping[str, np.ndarray]


def own_places(solution: Solution, hierarchy: tuple[Level, ...], first: int) -> Places:
    """Of the rows that were fitted: each stands where it stands."""
    levels = hierarchy[first:]
    across = {
        str(e.spec): np.arange(len(e.across_labels)) for level in levels for e in level.effects
    }
    return Places(
        tuple(np.arange(len(level.labels)) for level in levels),
        np.arange(len(solution.model.slots)),
        across,
    )


@one_thread
def score(
    solution: Solution,
    estimates: Estimates,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    *,
    fixed: tuple[Column, ...],
    schedule: Schedule | None,
    places: Places | None = None,
) -> Scored:
    """Score rows: those that were fitted, or others whose units `places` finds in the model.

    fixed: the columns kept.
    """
    first = 0 if schedule is None else 1
    places = places or own_places(solution, hierarchy, first)
    fitted = column_values(fixed, rows) @ estimates.beta
    marginal = rows.y - fitted
    ranef: dict[str, Predicted] = {}
    for term, number, posterior in posteriors_of(solution):
        level = hierarchy[number + first]
        effect = next(e for e in level.effects if str(e.spec) == term.label)
        unit, q = places.units[number], len(term.R)
        mean = posterior.mean.reshape(-1, term.copies, q)[unit]
        variance = np.einsum("uqq->uq", posterior.variance).reshape(-1, term.copies, q)[unit]
        across = np.zeros(1, dtype=np.int64)
        codes = np.zeros(rows.size, dtype=np.int64)
        if effect.across:
            across = places.across[term.label]
            codes = rows.grouping(effect.across)[0]
        mean, variance = mean[:, across], variance[:, across]
        values = column_values(effect.columns, rows)
        fitted = fitted + np.einsum("nq,nq->n", values, mean[level.codes, codes])
        se = np.sqrt(np.maximum(variance, 0.0))
        ranef[term.label] = _predicted(effect, level, rows, mean, se)
    if schedule is not None and hierarchy[0].effects:
        patients = _Patients(solution, rows, hierarchy, schedule, places)
        more, own = patients.predict(rows.y - fitted)
        fitted = fitted + more
        ranef |= own
    order = [str(e.spec) for level in hierarchy for e in level.effects]
    predicted = tuple(ranef[name] for name in order)
    return Scored(rows.used, fitted, rows.y - fitted, marginal, predicted)


def _predicted(
    effect: Effect, level: Level, rows: Rows, mean: np.ndarray, se: np.ndarray
) -> Predicted:
    names = tuple(column.name for column in effect.columns)
    if not effect.across:
        return Predicted(
            str(effect.spec), effect.spec.group_name, level.labels, names, mean[:, 0], se[:, 0]
        )
    # Levels of an interaction: those that occur, labelled in the order of its own columns.
    codes, labels = rows.grouping(effect.spec.group)
    across = rows.grouping(effect.across)[0]
    at = np.empty(len(labels), dtype=np.int64)
    at[codes] = np.arange(len(codes))
    unit, copy = level.codes[at], across[at]
    return Predicted(
        str(effect.spec), effect.spec.group_name, labels, names, mean[unit, copy], se[unit, copy]
    )


class _Patients:
    """Random effects of patients inside R, from their readings less all else."""

    def __init__(
        self, solution: Solution, rows: Rows, hierarchy: tuple[Level, ...],
        schedule: Schedule, places: Places,
    ) -> None:  # fmt: skip
        self.solution, self.rows, self.hierarchy = solution, rows, hierarchy
        self.places = places
        self.patient = hierarchy[0].codes
        self.slot = places.slots[schedule.code]
        self.size = (len(hierarchy[0].labels), len(solution.model.slots))

    def predict(self, left: np.ndarray) -> tuple[np.ndarray, dict[str, Predicted]]:
        """Their part of the fitted values (n,), and the effects by term."""
        model, unit = self.solution.model, self.solution.model.fixed.unit
        wide, seen = np.zeros(self.size), np.zeros(self.size, dtype=bool)
        wide[self.patient, self.slot] = left / unit
        seen[self.patient, self.slot] = True
        patterns, which = seen_patterns(seen)
        W = SlotWeights(patterns, self._covariance()).W[which]
        roots, inside = model.parameters.roots(self.solution.phi), model.parameters.at_level(INSIDE)
        above = self._above()
        fitted, found = np.zeros(self.size), {}
        for k, effect in zip(inside, self._effects(), strict=True):
            Z, D = model.parameters.terms[k].Z, roots[k] @ roots[k].T
            gain = D @ (np.asarray(Z).T @ W)
            mean = np.einsum("nqt,nt->nq", gain, wide)
            variance = D - gain @ np.asarray(Z) @ D
            if above is not None:
                moved = gain @ above[0]
                variance = variance + moved @ above[1] @ np.swapaxes(moved, -1, -2)
            fitted += mean @ np.asarray(Z).T
            back = np.linalg.inv(model.terms[k].R) * unit
            se = np.sqrt(np.maximum(np.einsum("nqq->nq", back @ variance @ back.T), 0.0))
            label, names = str(effect.spec), tuple(column.name for column in effect.columns)
            found[label] = Predicted(
                label, effect.spec.group_name, self.hierarchy[0].labels, names, mean @ back.T, se
            )
        return unit * fitted[self.patient, self.slot], found

    def _effects(self) -> list[Effect]:
        """In the order of the model's terms."""
        own = {str(e.spec): e for e in self.hierarchy[0].effects}
        return [own[t.label] for t in self.solution.model.terms if t.level == INSIDE]

    def _covariance(self) -> np.ndarray:
        model = self.solution.model
        v = model.parameters.natural(self.solution.phi)
        return model.parameters.slot_covariance().full(v)

    def _above(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Columns of S of each patient by slot, conditioned, (N, T, sum q), and its units' Psi."""
        chains = self.solution.point.done.chains
        if not chains:
            return None
        N, T = self.size
        effects = {str(e.spec): e for level in self.hierarchy[1:] for e in level.effects}
        parts = []
        for term in self.solution.model.terms:
            if term.level == INSIDE:
                continue
            effect = effects[term.label]
            raw = column_values(effect.columns, self.rows)
            values = np.linalg.solve(term.R.T, raw.T).T
            block = np.zeros((N, T, term.copies, len(term.R)))
            copy = np.zeros(self.rows.size, dtype=np.int64)
            if effect.across:
                copy = self.places.across[term.label][self.rows.grouping(effect.across)[0]]
            block[self.patient, self.slot, copy] = values
            parts.append(block.reshape(N, T, -1))
        unit = self.places.units[0][self.hierarchy[0].parent]
        return np.concatenate(parts, axis=-1), chains[0].inner[unit]
