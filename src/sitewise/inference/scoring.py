"""What a planned fit needs rows for: use of each row, residuals, random effects (rule score)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.inference.planned_fit import PlannedFit, PlannedScore, UseCount
from sitewise.inference.planned_rows import table_uses
from sitewise.inference.spread import held_sd, spread_of, uneven
from sitewise.plan.model import Plan
from sitewise.terms import AVISIT, USUBJID, Use
from sitewise.trial.selection import as_modelled

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.formula import Formula
    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.moments import Moments
    from sitewise.lmm.score import Predicted, Scored
    from sitewise.lmm.score_frame import PlacedRows
    from sitewise.trial.selection import Selection, Selections

# Columns of the primary model: kind and level of residual.
PRIMARY_KINDS = {
    "PEARSON": ("pearson", "conditional"),
    "NORMALIZED": ("scaled", "conditional"),
    "MARGINAL": ("raw", "marginal"),
    "MPEARSON": ("pearson", "marginal"),
    "SCALED": ("scaled", "marginal"),
}
PREDICTED = ("FITTED", "RESIDUAL", *PRIMARY_KINDS)


@dataclass(frozen=True)
class ScoredRows:
    """A score with its tables.

    use: one row an analysis row of the endpoint: SRCFILE, SRCROW, USUBJID, AVISIT, USE, REASON,
    FITTED, RESIDUAL (conditional on the random effects) and, of the primary model alone where it
    converged, PEARSON and NORMALIZED (those by Pearson and scaled), MARGINAL, MPEARSON and SCALED
    (marginal: raw, by Pearson, scaled); null unless used as outcome.
    ranef: GROUP, LEVEL, TERM, BLUP, SE.
    """

    score: PlannedScore
    use: "pd.DataFrame" = field(repr=False)
    ranef: "pd.DataFrame" = field(repr=False)


def score_batches(
    plan: Plan, selections: "Selections", planned: PlannedFit, moments: "Sequence[Moments]"
) -> ScoredRows:
    """Score the analysis rows of an endpoint with the fit `planned`, without a search.

    moments: those of all batches that were fitted, in the same order.
    """
    from sitewise.inference.batch import add_moments
    from sitewise.lmm.record import refit_at

    fit = refit_at(planned.fit.formula, add_moments(moments), planned.fit)
    scored = score_fit(plan, selections, planned, fit)
    return _withheld(scored) if plan.blinded else scored


def _withheld(scored: ScoredRows) -> ScoredRows:
    """While the trial is blinded: no predictions, which tell of a hospital, and so of its arm."""
    use = scored.use.assign(**dict.fromkeys(PREDICTED, np.nan))
    return replace(scored, use=use, ranef=scored.ranef.iloc[:0])


def score_fit(
    plan: Plan, selections: "Selections", planned: PlannedFit, fit: "LmmFit"
) -> ScoredRows:
    """As `score_batches`, with the fit at hand."""
    from sitewise.lmm.formula import formula_columns
    from sitewise.lmm.score_frame import placed_rows, score_placed

    selection = selections.selected(planned.model)
    rows = selection.candidates
    placed = placed_rows(fit, as_modelled(plan, rows))
    scored = score_placed(fit, placed)
    lacking = {name: rows[name].isna().to_numpy() for name in formula_columns(fit.basis.formula)}
    use = table_uses(selection, scored, {n: mask for n, mask in lacking.items() if mask.any()})
    kinds = _primary_kinds(plan, planned, fit, placed, scored)
    for column in PRIMARY_KINDS:
        use[column] = _at(selection, scored, kinds.get(column))
    visit = rows[AVISIT].to_numpy(dtype=object)[scored.used]
    visits = [v.name for v in plan.visits if (visit == v.name).any()]
    known = {v: kinds["SCALED"][visit == v] for v in visits} if kinds else {}
    spread = spread_of({v: scored.marginal[visit == v] for v in visits}, known)
    score = PlannedScore(
        planned.endpoint, planned.model, _count_uses(use), spread, uneven(planned.fit, spread),
        held_sd(planned.fit),
    )  # fmt: skip
    return ScoredRows(score, use, _ranef_table(fit.basis.formula, scored.ranef))


def _primary_kinds(
    plan: Plan, planned: PlannedFit, fit: "LmmFit", placed: "PlacedRows", scored: "Scored"
) -> dict[str, np.ndarray]:
    """Residuals by column, (n,) of the rows used; of other models, or not converged, none."""
    from sitewise.lmm.residual_kinds import every_kind

    if planned.model != plan.primary.model or not planned.fit.converged:
        return {}
    every = every_kind(fit, placed, scored)
    return {column: every[kind] for column, kind in PRIMARY_KINDS.items()}


def _at(selection: "Selection", scored: "Scored", values: np.ndarray | None) -> np.ndarray:
    """Values of the rows used at their places among all rows of the endpoint, else NaN."""
    found = np.full(len(selection.rows), np.nan)
    if values is not None:
        found[np.flatnonzero(selection.candidate)[scored.used]] = values
    return found


def _count_uses(use: "pd.DataFrame") -> tuple[UseCount, ...]:
    """Rows and patients by use and reason: outcomes first, then in order of size."""
    order = [kind.value for kind in (Use.OUTCOME, Use.BASELINE, Use.DROPPED)]
    found = use.groupby(["USE", "REASON"], sort=True)[USUBJID].agg(["size", "nunique"])
    counts = [
        UseCount(str(kind), str(reason), int(rows), int(patients))
        for (kind, reason), rows, patients in found.itertuples()
    ]
    return tuple(sorted(counts, key=lambda c: (order.index(c.use), -c.rows, c.reason)))


def _ranef_table(formula: "Formula", effects: "Iterable[Predicted]") -> "pd.DataFrame":
    """Term by term in the order of the formula, levels sorted."""
    import pandas as pd

    at = {one.label: one for one in effects}
    parts = []
    for one in (at[str(spec)] for spec in formula.random):
        q, labels = len(one.terms), one.labels
        order = np.array(sorted(range(len(labels)), key=labels.__getitem__), dtype=np.int64)
        parts.append(
            pd.DataFrame({
                "GROUP": pd.array([one.group], dtype="str").take(np.zeros(q * len(order), int)),
                "LEVEL": pd.array(labels, dtype="str").take(np.repeat(order, q)),
                "TERM": pd.array(one.terms, dtype="str").take(np.tile(np.arange(q), len(order))),
                "BLUP": one.blup[order].ravel(),
                "SE": one.se[order].ravel(),
            })
        )  # fmt: skip
    names = {"GROUP": "str", "LEVEL": "str", "TERM": "str", "BLUP": "float64", "SE": "float64"}
    return pd.concat([pd.DataFrame(columns=list(names)).astype(names), *parts], ignore_index=True)
