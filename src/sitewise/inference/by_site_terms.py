"""The primary model with effects of sites, in the terms of the primary contrast, as formulas.

A site's departure is a coefficient of `course` x arm: `course` is 1 for a difference in level; for
a change it is WEEK on straight lines, else AFTER, 1 after baseline and 0 until then. With h =
`course`, the random form is (h + h:ARM1 + ... | SITEID) beside what the primary model has, the
fixed form SITEID + SITEID:h + SITEID:h:ARM1 + ... in place of its random effects of sites.
Where the plan holds the arms equal at baseline, they are so within each site too: ARM1 is 0 there,
a difference in level is one in change, and `course` is AFTER for both.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.inference.plan_models import has_site_by_visit
from sitewise.inference.tally import linear_in_week
from sitewise.lmm.formula import Formula, RandomSpec, formula_columns, parse_formula
from sitewise.plan.model import Plan
from sitewise.plan.sections import Visit
from sitewise.terms import AVISIT, SITEID, TRT01P, WEEK
from sitewise.trial.selection import arm_modelled, as_modelled, factor_levels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Terms:
    """What is added to the primary model.

    formula: of the primary model. course: WEEK, AFTER or "" (level). arms: column of each arm but
    the reference, 0/1, in the plan's order.
    """

    plan: Plan
    formula: Formula
    course: str
    arms: dict[str, str]

    @property
    def scale(self) -> float:
        """From a coefficient to the primary contrast."""
        if self.course != WEEK:
            return 1.0
        visit = next(v for v in self.plan.visits if v.name == self.plan.primary.visit)
        return float(visit.week) - float(self.plan.baseline_visit.week)

    def effect(self, arm: str) -> str:
        """The column of a site's departure of this arm."""
        own = self.arms[arm]
        return f"{self.course}:{own}" if self.course else own

    def at(self, arm: str, visit: Visit) -> dict[str, float]:
        """Values of the added columns of one arm at one visit."""
        arm = arm_modelled(self.plan, arm, visit)
        values = {column: float(arm == name) for name, column in self.arms.items()}
        if self.course and self.course != WEEK:
            values[self.course] = float(visit.week > self.plan.baseline_visit.week)
        return values

    def frame(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """The rows as a model of the plan sees them, with the added columns."""
        rows = as_modelled(self.plan, rows)
        made = {column: (rows[TRT01P] == arm).astype(float) for arm, column in self.arms.items()}
        if self.course and self.course != WEEK:
            base = self.plan.baseline_visit.week
            late = [v.name for v in self.plan.visits if v.week > base]
            made[self.course] = rows[AVISIT].isin(late).astype(float)
        return rows.assign(**made)

    def levels(self) -> dict[str, tuple[str, ...]]:
        """Of the factors that the primary model names, as the plan declares them."""
        named = columns_of(self.formula)
        return {name: own for name, own in factor_levels(self.plan).items() if name in named}

    def words(self) -> tuple[str, ...]:
        """What the names of the added columns stand for."""
        held = self.plan.baseline.handling == "constrained"
        when = " after baseline" if held else ""
        arms = "; ".join(f"{c}: 1 in {arm}{when}, else 0" for arm, c in self.arms.items())
        found = [f"{arms}."]
        if self.course == WEEK:
            found.append(
                f"A departure is a slope in WEEK, told at {self.plan.primary.visit}: times"
                f" {self.scale:g}."
            )
        elif self.course:
            found.append(
                f"{self.course}: 1 at the visits after baseline, else 0: a site departs from the"
                " common effect by the same amount at each of them."
            )
        else:
            found.append("A site departs from the common effect by the same amount at each visit.")
        return tuple(found)

    # -- formulas -------------------------------------------------------------------------------

    @property
    def smaller(self) -> str:
        """The primary model, with what sites differ by apart from the effect of arms."""
        own = [] if self._has_own() else [_random([self.course or "1"], SITEID)]
        return self._formula([*map(_shown, self.formula.random), *own])

    def correlated(self) -> str:
        """Effects by site correlated with each other, and with the site's own departure."""
        effects = [self.effect(arm) for arm in self.arms]
        kept = [_shown(spec) for spec in self.formula.random]
        own = f"({'0 + ' + self.course if self.course else '1'} | {SITEID})"
        if not self.course and own in kept:
            kept.remove(own)
        elif self._has_own():
            return self._formula([*kept, _random(effects, SITEID)])
        if self.course:
            return self._formula([*kept, _random([self.course, *effects], SITEID)])
        return self._formula([*kept, f"({' + '.join(['1', *effects])} | {SITEID})"])

    def uncorrelated(self) -> str:
        """Effects by site, each with its own variance alone."""
        added = [_random([self.effect(arm)], SITEID) for arm in self.arms]
        own = [] if self._has_own() else [_random([self.course or "1"], SITEID)]
        return self._formula([*map(_shown, self.formula.random), *own, *added])

    def fixed(self) -> str | None:
        """Sites as fixed; None where nothing random would be left."""
        kept = [_shown(spec) for spec in self.formula.random if spec.group != (SITEID,)]
        if not kept and self.formula.residual is None:
            return None
        own = [SITEID, *([f"{SITEID}:{self.course}"] if self.course else [])]
        own += [f"{SITEID}:{self.effect(arm)}" for arm in self.arms]
        return self._formula(kept, " + ".join([self.formula.fixed, *own]))

    def _has_own(self) -> bool:
        """Whether the primary model lets sites differ in level, or for a change in their course."""
        if self.course:
            return has_site_by_visit(self.formula)
        return any(
            spec.group == (SITEID,) and not spec.terms.replace(" ", "").startswith("0")
            for spec in self.formula.random
        )

    def _formula(self, random: list[str], fixed: str | None = None) -> str:
        parts = [fixed or self.formula.fixed, *random]
        if self.formula.residual is not None:
            parts.append(str(self.formula.residual))
        return f"{self.formula.response} ~ {' + '.join(parts)}"


def terms_of(plan: Plan, arms: list[str], taken: list[str]) -> Terms:
    """Of the primary model. arms: of the plan, with a patient. taken: names that columns have."""
    formula = parse_formula(plan.models[plan.primary.model].formula)
    others = [arm for arm in plan.arms.levels if arm in arms and arm != plan.arms.reference]
    columns = {arm: _free(f"ARM{i}", taken) for i, arm in enumerate(others, start=1)}
    course = ""
    if plan.primary.contrast == "change" or plan.baseline.handling == "constrained":
        course = WEEK if linear_in_week(formula) else _free("AFTER", taken)
    return Terms(plan, formula, course, columns)


def columns_of(formula: Formula) -> list[str]:
    """Columns of a formula that a row needs."""
    return list(dict.fromkeys(formula_columns(formula)))


def _free(name: str, taken: list[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _random(terms: list[str], group: str) -> str:
    return f"({' + '.join(terms if terms == ['1'] else ['0', *terms])} | {group})"


def _shown(spec: RandomSpec) -> str:
    return f"({spec.terms} | {spec.group_name})"
