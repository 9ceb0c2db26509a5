"""Residuals of rows: raw, Pearson, scaled; marginal or conditional on the random effects.

Marginal: y - X b, of covariance V; conditional: y - X b - Z u, measured by the residual covariance
R alone. Pearson: over the square root of the diagonal. Scaled: C^-1 r with C the lower Cholesky
factor of a block, V of a unit of the outermost grouping (a site: its patients, one after the other,
each by visit, or as the rows stand) or R of a patient: what each reading has beyond those before
it, in its own SD (marginal: as VCIRY of SAS PROC MIXED; conditional: as "normalized" of R's nlme).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.columns import column_values
from sitewise.lmm.score_frame import placed_rows

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.score_frame import PlacedRows

KINDS = ("raw", "pearson", "scaled")
LEVELS = ("marginal", "conditional")
SAME = {"response": "raw"}
MOST_ROWS = 4000  # of a block whose Cholesky factor is taken


@dataclass(frozen=True)
class _Term:
    """Values of a random term by row (n, q), who shares its effect (n,), its D (q, q)."""

    values: np.ndarray = field(repr=False)
    units: np.ndarray = field(repr=False)
    D: np.ndarray = field(repr=False)


def residual_values(
    fit: "LmmFit", frame: "pd.DataFrame", kind: str, level: str
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of the frame are used, and their residuals in that order.

    Raises ModelError for other words, and for scaled marginal residuals of a unit with more rows
    than MOST_ROWS.
    """
    kind = SAME.get(kind, kind)
    _check(kind, level)
    placed = placed_rows(fit, frame)
    rows = placed.rows
    if level == "conditional":
        from sitewise.lmm.score_frame import score_frame

        left = score_frame(fit, frame).residuals
        terms: list[_Term] = []
    else:
        left = rows.y - column_values(placed.columns, rows) @ fit.estimates.beta
        terms = _terms(fit, placed)
    if kind == "pearson":
        left = left / np.sqrt(_variances(fit, placed, terms))
    elif kind == "scaled":
        left = _scaled(fit, placed, terms, left, _blocks(placed, level == "marginal"))
    return rows.used, left


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


def _terms(fit: "LmmFit", placed: "PlacedRows") -> list[_Term]:
    """Every random term of the model on the rows."""
    rows = placed.rows
    D = {term.basis.label: term.D for term in fit.estimates.terms}
    found = []
    for level in placed.hierarchy:
        for effect in level.effects:
            units = level.codes.astype(np.int64)
            if effect.across:
                across, labels = rows.grouping(effect.across)
                units = units * len(labels) + across
            found.append(_Term(column_values(effect.columns, rows), units, D[str(effect.spec)]))
    return found


def _variances(fit: "LmmFit", placed: "PlacedRows", terms: list[_Term]) -> np.ndarray:
    own = np.full(placed.rows.size, fit.residual_variance)
    R = fit.estimates.residual
    if R is not None and placed.schedule is not None:
        own = np.diag(np.asarray(R))[placed.schedule.code]
    for term in terms:
        own = own + np.einsum("nq,qr,nr->n", term.values, term.D, term.values)
    return np.asarray(own)


def _blocks(placed: "PlacedRows", whole: bool) -> Iterator[np.ndarray]:
    """Rows of each block, its patients one after the other, each by visit.

    whole: blocks are units of the outermost grouping, else of the innermost.
    """
    inner = placed.hierarchy[0].codes
    slot = np.arange(placed.rows.size) if placed.schedule is None else placed.schedule.code
    block = placed.hierarchy[-1].codes if whole else inner
    order = np.lexsort((slot, *(level.codes for level in placed.hierarchy), block))
    ends = np.flatnonzero(np.diff(block[order])) + 1
    yield from np.split(order, ends)


def _scaled(
    fit: "LmmFit",
    placed: "PlacedRows",
    terms: list[_Term],
    left: np.ndarray,
    blocks: Iterator[np.ndarray],
) -> np.ndarray:
    if not terms and fit.estimates.residual is None:
        return np.asarray(left / np.sqrt(fit.residual_variance))
    covariance = _covariance(fit, placed, terms)
    found = np.empty(len(left))
    for at in blocks:
        if len(at) > MOST_ROWS:
            top = placed.hierarchy[-1]
            raise ModelError(
                "These residuals can't be scaled.",
                [Problem(f"{top.labels[top.codes[at[0]]]} of {':'.join(top.group)} has {len(at)}"
                         " rows, which are all correlated", where=fit.formula,
                         allowed=f"{MOST_ROWS} rows in a unit of the outermost grouping",
                         fix='use level="conditional", or kind="pearson"')],
            )  # fmt: skip
        found[at] = np.linalg.solve(np.linalg.cholesky(covariance(at)), left[at])
    return found


def _covariance(
    fit: "LmmFit", placed: "PlacedRows", terms: list[_Term]
) -> Callable[[np.ndarray], np.ndarray]:
    """Of some rows, as a function of which."""
    R = fit.estimates.residual
    patient = placed.hierarchy[0].codes

    def of(at: np.ndarray) -> np.ndarray:
        if R is None or placed.schedule is None:
            V = fit.residual_variance * np.eye(len(at))
        else:
            slot = placed.schedule.code[at]
            same = patient[at][:, None] == patient[at]
            V = np.where(same, np.asarray(R)[np.ix_(slot, slot)], 0.0)
        for term in terms:
            z, unit = term.values[at], term.units[at]
            V = V + (unit[:, None] == unit) * (z @ term.D @ z.T)
        return V

    return of
