"""What needs rows: fitted values, residuals, random effects of patients, at an optimum."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.columns import Column, column_values
from sitewise.lmm.contraction import SlotWeights
from sitewise.lmm.engine import Solution
from sitewise.lmm.estimates import Estimates, posteriors_of
from sitewise.lmm.hierarchy import Effect, Level
from sitewise.lmm.recursion import Chain
from sitewise.lmm.rows import Rows
from sitewise.lmm.schedule import Schedule
from sitewise.lmm.structures import INSIDE


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

    ranef: one a random term, in the order of the formula.
    """

    fitted: np.ndarray = field(repr=False)
    residuals: np.ndarray = field(repr=False)
    ranef: tuple[Predicted, ...]


def predicted_levels(
    solution: Solution, hierarchy: tuple[Level, ...], first: int
) -> Iterator[tuple[int, Effect, np.ndarray, np.ndarray]]:
    """Level, effect, means (units, copies, q) and SEs of it; `first`: level 0 of the recursion."""
    found = posteriors_of(solution)
    for term, level, posterior in found:
        own = hierarchy[level + first]
        effect = next(e for e in own.effects if str(e.spec) == term.label)
        units, q = len(own.labels), len(term.R)
        mean = posterior.mean.reshape(units, term.copies, q)
        variances = np.einsum("uqq->uq", posterior.variance).reshape(units, term.copies, q)
        yield level + first, effect, mean, np.sqrt(np.maximum(variances, 0.0))


def score(
    solution: Solution,
    estimates: Estimates,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    fixed: tuple[Column, ...],
    schedule: Schedule | None,
) -> Scored:
    """Score the rows that were fitted. fixed: the columns kept."""
    fitted = column_values(fixed, rows) @ estimates.beta
    ranef: dict[str, Predicted] = {}
    first = 0 if schedule is None else 1
    for number, effect, mean, se in predicted_levels(solution, hierarchy, first):
        level = hierarchy[number]
        values = column_values(effect.columns, rows)
        across = rows.grouping(effect.across)[0] if effect.across else 0
        fitted = fitted + np.einsum("nq,nq->n", values, mean[level.codes, across])
        ranef[str(effect.spec)] = _predicted(effect, level, rows, mean, se)
    if schedule is not None and hierarchy[0].effects:
        more, own = _patients(solution, estimates, rows, hierarchy, schedule, rows.y - fitted)
        fitted = fitted + more
        ranef |= own
    order = [str(e.spec) for level in hierarchy for e in level.effects]
    return Scored(fitted, rows.y - fitted, tuple(ranef[name] for name in order))


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


def _patients(
    solution: Solution,
    estimates: Estimates,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    schedule: Schedule,
    left: np.ndarray,
) -> tuple[np.ndarray, dict[str, Predicted]]:
    """Patients' random effects, and their part of the fitted values; left: y less all else."""
    model = solution.model
    patient, unit = hierarchy[0].codes, model.fixed.unit
    N, T = len(hierarchy[0].labels), len(model.slots)
    wide, seen = np.zeros((N, T)), np.zeros((N, T), dtype=bool)
    wide[patient, schedule.code] = left / unit
    seen[patient, schedule.code] = True
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    bottom = model.likelihood.bottom
    covariance = bottom.covariance  # type: ignore[attr-defined]
    v = model.parameters.natural(solution.phi)[model.likelihood.split.bottom]
    W = SlotWeights(patterns, covariance.full(v)).W[which]
    roots = model.parameters.roots(solution.phi)
    inside = model.parameters.at_level(INSIDE)
    above = _slot_columns(solution, rows, hierarchy, schedule, N, T)
    fitted = np.zeros((N, T))
    found: dict[str, Predicted] = {}
    for i, effect in enumerate(hierarchy[0].effects):
        Z, D = model.parameters.terms[inside[i]].Z, roots[inside[i]] @ roots[inside[i]].T
        R = model.terms[inside[i]].R
        gain = D @ (Z.T @ W)
        mean = np.einsum("nqt,nt->nq", gain, wide)
        variance = D - gain @ Z @ D
        if above is not None:
            spread, chain = above
            moved = gain @ spread
            variance = variance + moved @ chain.inner @ np.swapaxes(moved, -1, -2)
        fitted += mean @ Z.T
        back = np.linalg.inv(R) * unit
        names = tuple(column.name for column in effect.columns)
        se = np.sqrt(np.maximum(np.einsum("nqq->nq", back @ variance @ back.T), 0.0))
        label = str(effect.spec)
        found[label] = Predicted(
            label, effect.spec.group_name, hierarchy[0].labels, names, mean @ back.T, se
        )
    return unit * fitted[patient, schedule.code], found


def _slot_columns(
    solution: Solution,
    rows: Rows,
    hierarchy: tuple[Level, ...],
    schedule: Schedule,
    N: int,
    T: int,
) -> tuple[np.ndarray, Chain] | None:
    """Columns of S of each patient by slot, conditioned, (N, T, sum q), and its unit's chain."""
    chains = solution.point.done.chains
    if not chains:
        return None
    parts = []
    terms = [t for t in solution.model.terms if t.level >= 0]
    effects = [e for level in hierarchy[1:] for e in level.effects]
    for term, effect in zip(terms, effects, strict=True):
        values = np.linalg.solve(term.R.T, column_values(effect.columns, rows).T).T
        block = np.zeros((N, T, term.copies, len(term.R)))
        across = rows.grouping(effect.across)[0] if effect.across else 0
        block[hierarchy[0].codes, schedule.code, across] = values
        parts.append(block.reshape(N, T, -1))
    unit = hierarchy[0].parent
    own = Chain(chains[0].coefficients[unit], chains[0].inner[unit])
    return np.concatenate(parts, axis=-1), own
