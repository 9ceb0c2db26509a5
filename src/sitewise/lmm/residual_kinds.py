"""Residuals of rows: raw, Pearson, scaled; marginal or conditional on the random effects.

Marginal: y - X b, of covariance V; conditional: y - X b - Z u, measured by the residual covariance
R alone. Pearson: over the square root of the diagonal. Scaled: C^-1 r with C the lower Cholesky
factor of a block, V of a unit of the outermost grouping (a site: its patients, one after the other,
each by visit, or as the rows stand) or R of a patient: what each reading has beyond those before
it, in its own SD (marginal: as VCIRY of SAS PROC MIXED; conditional: as "normalized" of R's nlme).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import column_values
from sitewise.lmm.innovations import NestedEffects, innovations
from sitewise.lmm.schedule import seen_patterns
from sitewise.lmm.score_frame import placed_rows, score_placed

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.hierarchy import Effect, Level
    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.rows import Rows
    from sitewise.lmm.score import Scored
    from sitewise.lmm.score_frame import PlacedRows

KINDS = ("raw", "pearson", "scaled")
LEVELS = ("marginal", "conditional")
SAME = {"response": "raw"}


def residual_values(
    fit: "LmmFit", frame: "pd.DataFrame", kind: str, level: str
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of the frame are used, and their residuals in that order.

    Raises ModelError for other words.
    """
    kind = SAME.get(kind, kind)
    _check(kind, level)
    placed = placed_rows(fit, frame)
    rows = placed.rows
    if level == "conditional":
        return rows.used, _of_kind(fit, placed, [], score_placed(fit, placed).residuals, kind)
    left = rows.y - column_values(placed.columns, rows) @ fit.estimates.beta
    return rows.used, _of_kind(fit, placed, _effects(fit, placed), left, kind)


def every_kind(
    fit: "LmmFit", placed: "PlacedRows", scored: "Scored"
) -> dict[tuple[str, str], np.ndarray]:
    """By kind and level, (n,) each, of rows that are placed and scored already."""
    levels: tuple[tuple[str, np.ndarray, list[NestedEffects]], ...] = (
        ("conditional", scored.residuals, []),
        ("marginal", scored.marginal, _effects(fit, placed)),
    )
    return {
        (kind, level): _of_kind(fit, placed, effects, left, kind)
        for level, left, effects in levels
        for kind in KINDS
    }


def _of_kind(
    fit: "LmmFit", placed: "PlacedRows", effects: list[NestedEffects], left: np.ndarray, kind: str
) -> np.ndarray:
    """Raw residuals `left` as another kind; effects: what stands in their covariance beside R."""
    if kind == "pearson":
        return np.asarray(left / np.sqrt(_variances(fit, placed, effects)))
    return _scaled(fit, placed, effects, left) if kind == "scaled" else left


def _check(kind: str, level: str) -> None:
    problems = []
    if kind not in KINDS:
        allowed = f"{', '.join(KINDS)} (raw is also called response)"
        problems.append(Problem(f"kind is {kind!r}", where="residuals", allowed=allowed))
    if level not in LEVELS:
        problems.append(
            Problem(f"level is {level!r}", where="residuals", allowed=", ".join(LEVELS))
        )
    if problems:
        raise ModelError("There are no such residuals.", problems)


def _effects(fit: "LmmFit", placed: "PlacedRows") -> list[NestedEffects]:
    """The random effects of each level that has some, innermost first."""
    D = {term.basis.label: term.D for term in fit.estimates.terms}
    found = []
    for level in placed.hierarchy:
        if not level.effects:
            continue
        parts = [_copied(effect, placed.rows) for effect in level.effects]
        whole = np.zeros((sum(len(part[0]) for part in parts),) * 2)
        at = 0
        for effect, (columns, copies) in zip(level.effects, parts, strict=True):
            own = slice(at, at := at + len(columns))
            whole[own, own] = np.kron(np.eye(copies), D[str(effect.spec)])
        values = np.concatenate([columns for columns, _ in parts]).T
        found.append(NestedEffects(level.codes, values, whole))
    return found


def _copied(effect: "Effect", rows: "Rows") -> tuple[np.ndarray, int]:
    """Values of a term's columns (copies * q, n), a copy for each label across, and copies."""
    values = column_values(effect.columns, rows).T
    if not effect.across:
        return values, 1
    codes, labels = rows.grouping(effect.across)
    own = codes == np.arange(len(labels))[:, None]
    return (own[:, None] * values).reshape(-1, rows.size), len(labels)


def _variances(fit: "LmmFit", placed: "PlacedRows", effects: list[NestedEffects]) -> np.ndarray:
    own = np.full(placed.rows.size, fit.residual_variance)
    R = fit.estimates.residual
    if R is not None and placed.schedule is not None:
        own = np.diag(np.asarray(R))[placed.schedule.code]
    for level in effects:
        own = own + np.einsum("nq,qr,nr->n", level.values, level.D, level.values)
    return np.asarray(own)


def _scaled(
    fit: "LmmFit", placed: "PlacedRows", effects: list[NestedEffects], left: np.ndarray
) -> np.ndarray:
    """The residual covariance R is scaled away first: C = chol(R) chol(I + what stands above)."""
    values = np.column_stack([left, *(level.values for level in effects)])
    R = fit.estimates.residual
    if R is None or placed.schedule is None:
        values /= np.sqrt(fit.residual_variance)
    else:
        _whiten(values, np.asarray(R), placed.hierarchy[0], placed.schedule.code)
    if not effects:
        return values[:, 0]
    cuts = np.cumsum([1, *(len(level.D) for level in effects)])[:-1]
    whitened = [
        replace(level, values=own)
        for level, own in zip(effects, np.split(values, cuts, axis=1)[1:], strict=True)
    ]
    slot = np.arange(placed.rows.size) if placed.schedule is None else placed.schedule.code
    order = np.lexsort((slot, *(level.codes for level in placed.hierarchy)))
    return innovations(values[:, 0], whitened, placed.hierarchy[-1].codes, order)


def _whiten(values: np.ndarray, R: np.ndarray, patients: "Level", slot: np.ndarray) -> None:
    """Rows (n, k) of each patient, by visit, become chol(R)^-1 of themselves, in place."""
    place = np.full((len(patients.labels), len(R)), -1)
    place[patients.codes, slot] = np.arange(len(slot))
    patterns, which = seen_patterns(place >= 0)
    for k, seen in enumerate(patterns):
        at = place[which == k][:, seen]
        values[at] = np.linalg.solve(np.linalg.cholesky(R[np.ix_(seen, seen)]), values[at])
