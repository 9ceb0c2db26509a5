"""The one question that every relative of the primary model is asked: rows, columns, contrast."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sitewise.classical.answer import Answer
from sitewise.classical.complete_cases import complete_cases
from sitewise.classical.least_squares import Line, ordinary
from sitewise.errors import ModelError, Problem
from sitewise.lmm.design import build_design
from sitewise.lmm.record import fixed_part_of_design
from sitewise.plan.model import Plan
from sitewise.terms import AVAL, SITEID, TRT01P, USUBJID
from sitewise.trial.selection import as_modelled, factor_levels, outcome_visits, select_rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.lmm.design import Design
    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.record import FixedPart

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class Contrast(Protocol):
    """A linear combination of the fixed effects; `inference.planned_contrasts.Asked` is one."""

    @property
    def arm(self) -> str:
        """Compared with the reference."""

    @property
    def row(self) -> np.ndarray:
        """Weights, shape (p,)."""

    @property
    def estimable(self) -> bool:
        """Whether the data determine it."""

    def name(self, reference: str) -> str:
        """As tables print it."""


# (plan, fixed part, rows) -> the primary contrast, and the same arms' difference at baseline where
# the primary one is a change; None where the fixed part holds none.
Ask = Callable[[Plan, "FixedPart", "pd.DataFrame"], tuple[Contrast | None, Contrast | None]]


@dataclass(frozen=True)
class Question:
    """What is asked, of which rows.

    whole: analysis rows of the analysis set. rows: those that the primary model uses, one a row
    of design.X. row, base: weights of the two contrasts, (p,); None where not estimable.
    cluster: the randomised unit's column. visits: of the outcome, planned.
    """

    plan: Plan
    whole: "pd.DataFrame" = field(repr=False)
    rows: "pd.DataFrame" = field(repr=False)
    design: "Design" = field(repr=False)
    row: "Floats | None" = field(repr=False)
    base: "Floats | None" = field(repr=False)
    contrast: str
    base_name: str
    visits: tuple[str, ...]

    @property
    def cluster(self) -> str:
        """The randomised unit."""
        return SITEID if self.plan.design == "cluster" else USUBJID

    @property
    def reml(self) -> bool:
        """As the primary model."""
        return self.plan.models[self.plan.primary.model].reml

    @cached_property
    def line(self) -> Line:
        """Ordinary least squares."""
        return ordinary(self.design.X, self.design.y)

    @cached_property
    def complete(self) -> "pd.DataFrame":
        """The rows of patients who have a reading at every visit of the outcome."""
        return complete_cases(self.rows, self.visits)

    def codes(self, column: str) -> "Ints":
        """Level of each row, 0..levels-1."""
        return level_codes(self.rows[column])

    def counts(self) -> tuple[int, int, int]:
        """Rows, patients, sites."""
        return counts(self.rows)

    def formula(self, random: str) -> str:
        """The primary model's fixed part with these random terms."""
        return f"{AVAL} ~ {self.design.formula.fixed} + {random}"

    def fit(
        self,
        formula: str,
        rows: "pd.DataFrame | None" = None,
        *,
        free: bool = False,
        reml: bool | None = None,
    ) -> "LmmFit":
        """Fit a formula to the rows of the question, or to others; raises ModelError.

        Where the plan holds the arms equal up to baseline, the fit does, unless `free`. reml: as
        the primary model where not given.
        """
        from sitewise.lmm.api import fit_frame

        data = self.rows if rows is None else rows
        data = data if free else as_modelled(self.plan, data)
        design = build_design(formula, data, factor_levels(self.plan))
        return fit_frame(design, self.reml if reml is None else reml)


def level_codes(values: "pd.Series") -> "Ints":
    """Level of each row, 0..levels-1, of the levels that occur, sorted."""
    import pandas as pd

    found: Ints = pd.factorize(values, sort=True)[0]
    return found


def counts(rows: "pd.DataFrame") -> tuple[int, int, int]:
    """Rows, patients, sites."""
    return len(rows), int(rows[USUBJID].nunique()), int(rows[SITEID].nunique())


def pose(plan: Plan, frame: "pd.DataFrame", endpoint: str, ask: Ask) -> Question:
    """The question of the plan's primary model on one endpoint; raises ModelError without rows."""
    name = plan.primary.model
    selected = select_rows(plan, frame, endpoint, name)
    candidates = selected.candidates
    design = build_design(
        plan.models[name].formula, as_modelled(plan, candidates), factor_levels(plan)
    )
    rows = candidates[design.used].reset_index(drop=True)
    primary, base = ask(plan, fixed_part_of_design(design), rows)
    reference = plan.arms.reference
    in_set = selected.rows[selected.rows[f"{plan.models[name].set}FL"] == "Y"]
    return Question(
        plan=plan,
        whole=in_set,
        rows=rows,
        design=design,
        row=_weights(primary),
        base=_weights(base),
        contrast="" if primary is None else primary.name(reference),
        base_name="" if base is None else base.name(reference),
        visits=tuple(v.name for v in outcome_visits(plan)),
    )


def _weights(asked: Contrast | None) -> "Floats | None":
    return None if asked is None or not asked.estimable else np.asarray(asked.row, dtype=float)


def answer(estimate: float, se: float, df: float, alpha: float) -> Answer:
    """Two-sided t test against 0 and interval of coverage 1 - alpha."""
    from scipy import special  # scipy.stats takes half a second longer to import

    t = estimate / se if se > 0 else math.nan
    half = float(special.stdtrit(df, 1 - alpha / 2)) * se
    p = 2 * float(special.stdtr(df, -abs(t)))
    return Answer(estimate, se, df, p, estimate - half, estimate + half)


def over(one: float, other: float) -> float:
    """one / other; NaN where other is not positive."""
    return one / other if other > 0 else math.nan


def df_of(reml: bool, plan: Plan) -> str:
    """The plan's degrees of freedom as a model by REML or ML has them."""
    return "satterthwaite" if plan.df == "kenward-roger" and not reml else plan.df


def tested(fit: "LmmFit", row: "Floats", plan: Plan) -> Answer:
    """A contrast of a fitted mixed model by the plan's degrees of freedom.

    The one place where the ladder and its neighbours ask for them. Kenward-Roger is for REML: fits
    by ML have Satterthwaite's, as the plan's models. Raises ModelError where the model has no such
    degrees of freedom (between-within with groupings that cross) or the contrast no standard
    error.
    """
    found = fit.contrast(row, df=df_of(fit.reml, plan), level=1 - plan.alpha).iloc[0]
    if math.isnan(found["se"]):
        raise ModelError(
            "Its standard error hangs on a variance of which the data tell nothing.",
            [Problem(note, where=fit.formula) for note in fit.warnings],
        )
    names = ("estimate", "se", "df", "p", "lower", "upper")
    return Answer(*(float(found[name]) for name in names))


def state_of(fit: "LmmFit") -> str:
    """`not converged`, `singular` or `regular`."""
    if not fit.converged:
        return "not converged"
    return "singular" if fit.singular else "regular"


def arms_constant(rows: "pd.DataFrame") -> bool:
    """Whether no site has two arms."""
    return bool((rows.groupby(SITEID, observed=True)[TRT01P].nunique() == 1).all())
