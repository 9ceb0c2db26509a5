"""Rows of a frame scored with a fit, any part of them: levels, groupings, visits are the model's.

One patient, one visit or one arm is enough: nothing is read from these rows that the fit knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.basis import FittedTerm
from sitewise.lmm.columns import Column, model_columns
from sitewise.lmm.hashed import hidden
from sitewise.lmm.hierarchy import Effect, Level, random_columns
from sitewise.lmm.reading import read_rows
from sitewise.lmm.rows import Rows, compact
from sitewise.lmm.schedule import Schedule, slot_labels
from sitewise.lmm.score import Places, Scored, score
from sitewise.lmm.structures import INSIDE

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit


@dataclass(frozen=True)
class PlacedRows:
    """Rows of a frame with the levels of a fit; schedule.code: the model's slot of each row.

    columns: of X, those estimated. hierarchy: levels, innermost first. schedule: None by rows.
    """

    rows: Rows
    columns: tuple[Column, ...]
    hierarchy: tuple[Level, ...]
    schedule: Schedule | None


def placed_rows(fit: "LmmFit", frame: "pd.DataFrame") -> PlacedRows:
    """The rows of a frame that a fit uses; raises ModelError as `score_frame`."""
    rows, columns = _rows_as_fitted(fit, frame)
    hierarchy = _hierarchy_as_fitted(fit, rows)
    schedule = _schedule_as_fitted(fit, rows, hierarchy) if fit.solution.model.slots else None
    return PlacedRows(rows, columns, hierarchy, schedule)


def score_frame(fit: "LmmFit", frame: "pd.DataFrame") -> Scored:
    """Score the rows of a frame: patients by their readings in it, other groupings as fitted.

    Raises ModelError for a unit, a visit or a level that the model does not know.
    """
    return score_placed(fit, placed_rows(fit, frame))


def score_placed(fit: "LmmFit", placed: PlacedRows) -> Scored:
    """As `score_frame`, of rows that stand in their places already."""
    hierarchy, schedule = placed.hierarchy, placed.schedule
    places = _find_places(fit, hierarchy[0 if schedule is None else 1 :])
    return score(
        fit.solution, fit.estimates, placed.rows, hierarchy, fixed=placed.columns,
        schedule=schedule, places=places,
    )  # fmt: skip


def _rows_as_fitted(fit: "LmmFit", frame: "pd.DataFrame") -> tuple[Rows, tuple[Column, ...]]:
    """The rows with all levels of the fit, and the columns of X that were estimated."""
    basis = fit.basis
    # Moments by rows keep declared levels that never occur, and with them another reference.
    for levels in ({**basis.declared, **basis.levels}, {**basis.levels, **basis.declared}):
        rows = read_rows(basis.formula, frame, levels, whole=True)
        factors = {name: rows.labels[name] for name in rows.factors}
        own = {c.name: c for c in model_columns(basis.formula.fixed, factors, rows.numbers)}
        if set(fit.estimates.names) <= set(own):
            return rows, tuple(own[name] for name in fit.estimates.names)
    lost = [name for name in fit.estimates.names if name not in own]
    raise ModelError(
        "These rows lack columns of the model.",
        [Problem(f"no column of these rows is {name}", where=basis.formula.text,
                 fix="give columns of the same types as those that were fitted") for name in lost],
    )  # fmt: skip


def _hierarchy_as_fitted(fit: "LmmFit", rows: Rows) -> tuple[Level, ...]:
    """The model's levels, those of the rows' units; ModelError where they do not nest."""
    basis, specs = fit.basis, {str(spec): spec for spec in fit.basis.formula.random}
    places: dict[tuple[str, ...], list[FittedTerm]] = {}
    if basis.patient:
        places[basis.patient] = [term for term in basis.terms if term.level == INSIDE]
    for term in sorted(basis.terms, key=lambda term: term.level):
        if term.level != INSIDE:
            places.setdefault(term.place, []).append(term)
    levels: list[Level] = []
    above: tuple[np.ndarray, str] | None = None
    for group, terms in reversed(places.items()):
        codes, labels = rows.grouping(group)
        codes, labels = _occurring(codes, labels)
        parent = np.zeros(len(labels), dtype=np.int64)
        if above is not None:
            parent[codes] = above[0]
            wrong = np.flatnonzero(parent[codes] != above[0])
            if len(wrong):
                raise ModelError(
                    "These rows can't be scored with this fit.",
                    [Problem(f"{':'.join(group)} {labels[codes[wrong[0]]]} is in several of"
                             f" {above[1]}", where=fit.formula,
                             allowed="units nested as in the rows that were fitted")],
                )  # fmt: skip
        effects = tuple(
            Effect(
                specs[term.label], random_columns(specs[term.label], rows), term.across,
                rows.grouping(term.across)[1] if term.across else (),
            )
            for term in terms
        )  # fmt: skip
        levels.append(Level(group, codes, labels, parent, effects))
        above = codes, ":".join(group)
    return tuple(reversed(levels))


def _occurring(codes: np.ndarray, labels: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Without labels that no row has (a grouping that is a factor, too)."""
    codes, present = compact(codes, len(labels))
    if len(present) == len(labels):
        return codes, labels
    return codes, tuple(labels[i] for i in present.tolist())


def _schedule_as_fitted(fit: "LmmFit", rows: Rows, hierarchy: tuple[Level, ...]) -> Schedule:
    """The model's slot of each row; ModelError for other visits, or a patient's visit twice."""
    model, variables = fit.solution.model, fit.basis.slot_variables
    known = {label: i for i, label in enumerate(model.slots)}
    code = np.zeros(rows.size, dtype=np.int64)
    for variable in variables:
        numbers = rows.numbers.get(variable)
        values = rows.codes[variable] if numbers is None else numbers
        own = np.unique(values, return_inverse=True)[1]
        code = np.unique(code * (own.max() + 1) + own, return_inverse=True)[1]
    first = np.unique(code, return_index=True)[1]
    labels = slot_labels(variables, {v: _shown(rows, v, first) for v in variables})
    lost = [label for label in labels if label not in known]
    if lost:
        raise ModelError("These rows can't be scored with this fit.", [_lost(fit, "visit", lost)])
    slot = np.array([known[label] for label in labels], dtype=np.int64)[code]
    patient = hierarchy[0].codes
    counts = np.bincount(patient * len(known) + slot)
    if counts.max() > 1:
        twice, at = divmod(int(np.argmax(counts)), len(known))
        raise ModelError(
            "A patient has a visit twice.",
            [Problem(f"{hierarchy[0].labels[twice]} has {model.slots[at]} {counts.max()} times",
                     where=fit.formula, allowed="one row a patient and visit")],
        )  # fmt: skip
    return Schedule({}, variables, model.slots, {}, slot, first)


def _shown(rows: Rows, variable: str, at: np.ndarray) -> tuple[str | float, ...]:
    if variable in rows.numbers:
        return tuple(float(value) for value in rows.numbers[variable][at])
    return tuple(rows.labels[variable][code] for code in rows.codes[variable][at].tolist())


def _find_places(fit: "LmmFit", levels: Sequence[Level]) -> Places:
    """Match labels; ModelError that names what the model lacks."""
    problems: list[Problem] = []
    terms = {t.label: t for t in fit.basis.terms}

    def places(wanted: tuple[str, ...], known: tuple[str, ...], what: str) -> np.ndarray:
        at = {label: i for i, label in enumerate(known)}
        if any(label not in at for label in wanted):  # saved moments know some units by hash
            pairs = zip(wanted, hidden(wanted), strict=True)
            at |= {label: at[own] for label, own in pairs if label not in at and own in at}
        lost = [label for label in wanted if label not in at]
        if lost:
            problems.append(_lost(fit, what, lost))
        return np.array([at.get(label, 0) for label in wanted], dtype=np.int64)

    units, across = [], {}
    for level in levels:
        own = [terms[str(e.spec)] for e in level.effects]
        units.append(places(level.labels, own[0].labels, ":".join(level.group)))
        for effect, term in zip(level.effects, own, strict=True):
            if effect.across:
                across[term.label] = places(
                    effect.across_labels, term.across_labels, ":".join(effect.across)
                )
    if problems:
        raise ModelError("These rows can't be scored with this fit.", problems)
    return Places(tuple(units), np.arange(len(fit.solution.model.slots)), across)


def _lost(fit: "LmmFit", what: str, lost: Sequence[str]) -> Problem:
    return Problem(
        f"{what} {', '.join(lost[:5])} was not in the fit ({len(lost)} in all)",
        where=fit.formula, fix="score rows of the units that were fitted",
    )  # fmt: skip
