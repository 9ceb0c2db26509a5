"""Marginal means and contrasts of a planned model, as rows over its fixed effects.

Means are those of a reference grid: every arm at every visit, WEEK at the visit's planned week,
numeric covariates (BASE included) at their mean over the rows used, categorical covariates averaged
with equal weights over their levels.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sitewise.inference.planned_fit import JointTest
from sitewise.lmm.formula import Formula, fixed_columns
from sitewise.plan.model import Plan
from sitewise.plan.sections import Visit
from sitewise.terms import AVISIT, TRT01P, WEEK
from sitewise.trial.selection import arm_modelled

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.linear.wald import Wald
    from sitewise.lmm.record import FixedPart

TOLERANCE = 1e-7  # of the broken aliasing and of a weight that counts as 0


@dataclass(frozen=True)
class Asked:
    """One linear combination: its weights, shape (p,), and what it stands for.

    kind: `mean`, `level` or `change`. arm, visit: of the mean, or of the contrast with reference.
    broken: how far it leaves what the data can estimate; 0 if estimable.
    """

    kind: str
    arm: str
    visit: Visit
    row: np.ndarray = field(repr=False)
    broken: float

    @property
    def estimable(self) -> bool:
        """Whether the data determine it: its columns exist, and it is not 0 by construction."""
        return self.broken < TOLERANCE and bool(np.abs(self.row).max(initial=0.0) > TOLERANCE)

    def name(self, reference: str) -> str:
        """As tables print it."""
        if self.kind == "mean":
            return f"{self.arm} at {self.visit.name}"
        change = ", change from baseline" if self.kind == "change" else ""
        return f"{self.arm} minus {reference} at {self.visit.name}{change}"


class Seen(Protocol):
    """What the rows used hold: arms, visits, means of the numeric columns of the fixed part."""

    @property
    def arms(self) -> Container[str]:
        """Arms with a row."""

    @property
    def visits(self) -> Container[str]:
        """Visits with a row."""

    @property
    def means(self) -> Mapping[str, float]:
        """Over the rows used."""


@dataclass(frozen=True)
class SeenRows:
    """`Seen` of rows at hand."""

    arms: frozenset[str]
    visits: frozenset[str]
    means: Mapping[str, float]


def seen_in(formula: Formula, rows: "pd.DataFrame") -> SeenRows:
    """What `rows`, the rows used, hold."""
    numbers = rows[list(fixed_columns(formula))].select_dtypes("number")
    means = {str(name): float(numbers[name].astype(float).mean()) for name in numbers}
    return SeenRows(frozenset(rows[TRT01P].unique()), frozenset(rows[AVISIT].unique()), means)


def ask_all(plan: Plan, part: "FixedPart", seen: Seen) -> tuple[list[Asked], list[str]]:
    """Every mean and contrast, means first, arm by arm, visit by visit; and what can't be had.

    The second part names the cells without data, in sentences.
    """
    visits, missing = _visits(plan, seen)
    arms = [arm for arm in plan.arms.levels if arm in seen.arms]
    cells: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}
    for arm, visit in product(arms, visits):
        rows, broken = part.rows(grid_of(part, seen, arm_modelled(plan, arm, visit), visit))
        cells[arm, visit.name] = rows.mean(axis=0), broken.mean(axis=0)
    asked = [
        _asked("mean", arm, visit, cells[arm, visit.name]) for arm, visit in product(arms, visits)
    ]
    reference, base = plan.arms.reference, plan.baseline_visit
    with_change = (reference, base.name) in cells and (
        plan.baseline.handling == "outcome"
        # Arms are equal at baseline there: a difference in change is one in level, and stands once.
        or (plan.baseline.handling == "constrained" and plan.primary.contrast == "change")
    )
    for arm, visit in product(arms, visits):
        if arm == reference or reference not in arms:
            continue
        level = _minus(cells[arm, visit.name], cells[reference, visit.name])
        if visit == base or not (with_change and plan.baseline.handling == "constrained"):
            asked.append(_asked("level", arm, visit, level))
        if with_change and visit != base:
            at_base = _minus(cells[arm, base.name], cells[reference, base.name])
            asked.append(_asked("change", arm, visit, _minus(level, at_base)))
    missing += [
        f"{a.name(reference)} can't be estimated: the data hold no reading that determines it."
        for a in asked
        if a.broken >= TOLERANCE
    ]
    return asked, missing


def joint_tests(plan: Plan, asked: Iterable[Asked], wald: "Wald") -> tuple[JointTest, ...]:
    """Of each arm, its contrasts of the primary kind at all visits after baseline together."""
    kind, base = plan.primary.contrast, plan.baseline_visit.week
    found: dict[str, list[Asked]] = {}
    for one in asked:
        if one.kind == kind and one.visit.week > base:
            found.setdefault(one.arm, []).append(one)
    tests = []
    for arm, rows in found.items():
        if len(rows) < 2:
            continue
        test = wald.joint(np.array([one.row for one in rows]))
        visits = tuple(one.visit.name for one in rows)
        tests.append(
            JointTest(arm, plan.arms.reference, kind, visits, test.F, test.df1, test.df2, test.p)
        )
    return tuple(tests)


def ask_primary(
    plan: Plan, part: "FixedPart", rows: "pd.DataFrame"
) -> tuple[Asked | None, Asked | None]:
    """The primary contrast, and the same arms' difference at baseline where it is a change.

    rows: those used. None where the fixed part or the rows hold none.
    """
    every, _ = ask_all(plan, part, seen_in(part.formula, rows))
    by = {(one.kind, one.arm, one.visit.name): one for one in every}
    wanted = plan.primary
    base = None
    if wanted.contrast == "change":
        base = by.get(("level", wanted.arm, plan.baseline_visit.name))
    return by.get((wanted.contrast, wanted.arm, wanted.visit)), base


def _visits(plan: Plan, seen: Seen) -> tuple[list[Visit], list[str]]:
    """Visits with a reading, and a sentence for each planned one without."""
    late = plan.baseline.handling == "covariate"
    planned = [v for v in plan.visits if not late or v.week > plan.baseline_visit.week]
    found = [v for v in planned if v.name in seen.visits]
    return found, [f"No reading at {v.name} is used." for v in planned if v not in found]


def grid_of(
    part: "FixedPart",
    seen: Seen,
    arm: str,
    visit: Visit,
    pinned: "Mapping[str, str | float] | None" = None,
) -> dict[str, list[str | float]]:
    """Grid rows of one arm at one visit: one a combination of the other factors' levels.

    pinned: columns that have one value, factor or number.
    """
    columns: dict[str, list[str | float]] = {}
    for name in fixed_columns(part.formula):
        if pinned and name in pinned:
            columns[name] = [pinned[name]]
        elif name == TRT01P:
            columns[name] = [arm]
        elif name == AVISIT:
            columns[name] = [visit.name]
        elif name == WEEK:
            columns[name] = [float(visit.week)]
        elif name in part.levels:
            columns[name] = list(part.levels[name])
        else:
            columns[name] = [seen.means[name]]
    combinations = list(product(*columns.values()))
    return {name: [one[i] for one in combinations] for i, name in enumerate(columns)}


def _minus(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    return a[0] - b[0], a[1] - b[1]


def _asked(kind: str, arm: str, visit: Visit, cell: tuple[np.ndarray, np.ndarray]) -> Asked:
    return Asked(kind, arm, visit, cell[0], float(np.abs(cell[1]).max(initial=0.0)))
