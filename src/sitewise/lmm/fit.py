"""Fit a linear mixed model: the door of this room for the workflow.

`fit_formula` for a frame and a formula, `fit_design` for a design that is needed elsewhere too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.lmm.api import fit_frame, schedule_of
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.formula import Formula
from sitewise.lmm.record import check_arguments, record_of
from sitewise.lmm.result import Fit
from sitewise.lmm.score import Scored, score

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RanefRow:
    """One predicted random effect: its BLUP and its SE given the data.

    se: sqrt of the conditional variance, fixed effects and variances taken as known (as lme4's
    condVar). blup, se: units of the outcome per unit of the term.
    """

    group: str
    level: str
    term: str
    blup: float
    se: float


@dataclass(frozen=True)
class Fitted:
    """A fit with what belongs to its rows.

    fitted, residuals: conditional on the random effects, shape (n,), rows used in their order.
    ranef: term by term in the order of the formula, levels sorted.
    """

    fit: Fit
    fitted: np.ndarray = field(repr=False)
    residuals: np.ndarray = field(repr=False)
    ranef: tuple[RanefRow, ...] = field(repr=False)


def fit_formula(
    formula: str | Formula,
    frame: "pd.DataFrame",
    levels: Mapping[str, Sequence[str]],
    *,
    reml: bool = True,
    alpha: float,
    df: str = "satterthwaite",
    hypotheses: Mapping[str, np.ndarray] | None = None,
) -> Fitted:
    """Build the design and fit it; see `build_design` and `fit_design`."""
    design = build_design(formula, frame, levels)
    return fit_design(design, reml=reml, alpha=alpha, df=df, hypotheses=hypotheses or {})


def fit_design(
    design: Design,
    *,
    reml: bool,
    alpha: float,
    hypotheses: Mapping[str, np.ndarray] | None = None,
    df: str = "satterthwaite",
) -> Fitted:
    """Fit by REML or ML: a record as `record_of` makes it, and what belongs to the rows.

    hypotheses: linear combinations of the fixed effects by name, shape (p,) each, tested against 0.
    alpha: intervals have coverage 1 - alpha. Raises ModelError where no estimate exists.
    """
    check_arguments(len(design.names), df, alpha, hypotheses or {})
    fit = fit_frame(design, reml)
    record = record_of(fit, alpha=alpha, df=df, hypotheses=hypotheses)
    own = {column.name: column for column in design.columns}
    scored = score(
        fit.solution, fit.estimates, design.data, design.hierarchy,
        fixed=tuple(own[name] for name in fit.estimates.names), schedule=schedule_of(design),
    )  # fmt: skip
    rows = replace(record, rows=design.rows)
    return Fitted(rows, scored.fitted, scored.residuals, tuple(_ranef(design, scored)))


def _ranef(design: Design, scored: Scored) -> list[RanefRow]:
    by_label = {one.label: one for one in scored.ranef}
    found = []
    for spec in design.formula.random:
        one = by_label[str(spec)]
        order = sorted(range(len(one.labels)), key=lambda k: one.labels[k])
        found += [
            RanefRow(one.group, one.labels[k], name, float(one.blup[k, j]), float(one.se[k, j]))
            for k in order
            for j, name in enumerate(one.terms)
        ]
    return found
