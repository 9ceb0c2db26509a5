"""The baseline as outcome, constrained outcome (cLDA), covariate or change score, side by side.

Constrained longitudinal data analysis: Liang & Zeger 2000, Sankhya B 62:134-148; the baseline stays
an outcome, and arms have one mean there, since they were randomised. Unstructured covariance:
enrolment limits make the variance at baseline smaller than later, which a patient intercept cannot
have. Where sites were randomised the arms are equal at baseline in the expectation over sites, so
the models have random effects of sites and of sites by visit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.answer import Answer
from sitewise.classical.baseline_result import BaselineHandling, HandlingRow
from sitewise.classical.least_squares import ordinary
from sitewise.classical.mixed_rungs import PATIENT, SITE, VISIT
from sitewise.classical.question import Question, answer, counts, state_of, tested
from sitewise.errors import ModelError
from sitewise.lmm.design import build_design
from sitewise.lmm.formula import fixed_columns
from sitewise.lmm.record import fixed_part_of_design
from sitewise.terms import ANL01FL, AVAL, AVISIT, BASE, CHG, SITEID, TRT01P, USUBJID, WEEK
from sitewise.trial.selection import factor_levels

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.design import Design

HANDLINGS = {
    "free": "Outcome, arms free at baseline",
    "constrained": "Outcome, arms equal at baseline (cLDA)",
    "constrained_intercept": "cLDA with a patient intercept, equal variances",
    "covariate": "Covariate (ANCOVA)",
    "change": "Change score",
}


@dataclass(frozen=True)
class _Rows:
    """Rows with the indicator columns that a constraint needs.

    all: visits from baseline on; late: those after it of patients with a baseline. arms: name of
    the 0/1 column of each arm but the reference; marks: of each visit after baseline.
    """

    all: "pd.DataFrame" = field(repr=False)
    late: "pd.DataFrame" = field(repr=False)
    arms: Mapping[str, str]
    marks: Mapping[str, str]
    visits: tuple[str, ...]
    covariates: tuple[str, ...]


@dataclass(frozen=True)
class _Fitted:
    row: HandlingRow
    base: Answer | None = None
    sds: tuple[float, ...] = ()


def handle_baseline(question: Question, endpoint: str) -> BaselineHandling:
    """The primary contrast under every handling of the baseline (one switch: `HANDLINGS`)."""
    wanted = question.plan.primary.visit
    base = question.plan.baseline_visit
    rows = _rows(question)
    late = [v for v in rows.visits if v != base.name]
    refused = ""
    if base.name not in rows.visits:
        refused = "no reading at the baseline visit is in the analysis set"
    elif wanted not in late:
        refused = f"the primary contrast is at {wanted}, which is not after baseline"
    found = [] if refused else [_fit(question, rows, key) for key in HANDLINGS]
    free = found[0].row.answer if found else None
    lines = tuple(
        _with_effect(one.row, math.nan if free is None else free.estimate) for one in found
    )
    return BaselineHandling(
        endpoint=endpoint,
        contrast=f"{question.plan.primary.arm} minus {question.plan.arms.reference} at {wanted}",
        sites_in=question.cluster == SITEID,
        rows=lines,
        at_base=found[0].base if found else None,
        visits=rows.visits,
        sds=found[0].sds if found else (),
        refused=refused,
    )


def _with_effect(row: HandlingRow, free: float) -> HandlingRow:
    return row if row.answer is None else replace(row, effect=row.answer.estimate - free)


def _rows(question: Question) -> _Rows:
    plan, whole = question.plan, question.whole
    early = [v.name for v in plan.visits if v.week < plan.baseline_visit.week]
    rows = whole[(whole[ANL01FL] == "Y") & ~whole[AVISIT].isin(early)]
    rows = rows.reset_index(drop=True)
    present = set(rows[AVISIT].unique())
    visits = tuple(v.name for v in plan.visits if v.name in present)
    late = [v for v in visits if v != plan.baseline_visit.name]
    others = [a for a in plan.arms.levels if a != plan.arms.reference]
    arms = {arm: f"ARM{i}" for i, arm in enumerate(others, 1)}
    marks = {visit: f"VISIT{i}" for i, visit in enumerate(late, 1)}
    columns = {name: (rows[TRT01P] == arm) * 1.0 for arm, name in arms.items()}
    columns |= {name: (rows[AVISIT] == v) * 1.0 for v, name in marks.items()}
    rows = rows.assign(**columns)
    own = set(fixed_columns(question.design.formula)) - {TRT01P, AVISIT, WEEK, BASE}
    after = rows[rows[AVISIT].isin(late) & rows[BASE].notna()].reset_index(drop=True)
    return _Rows(rows, after, arms, marks, visits, tuple(sorted(own)))


def _fixed(rows: _Rows, key: str) -> tuple[str, str]:
    """Response and fixed part."""
    more = "".join(f" + {name}" for name in rows.covariates)
    several = len(rows.visits) > 2
    if key in ("constrained", "constrained_intercept"):
        effects = [f"{mark}:{arm}" for mark in rows.marks.values() for arm in rows.arms.values()]
        return AVAL, f"{AVISIT} + {' + '.join(effects)}{more}"
    if key == "covariate":
        crossed = f"{AVISIT}*{TRT01P} + {AVISIT}*{BASE}"
        return AVAL, (crossed if several else f"{TRT01P} + {BASE}") + more
    if key == "change":
        return CHG, (f"{AVISIT}*{TRT01P}" if several else TRT01P) + more
    return AVAL, f"{AVISIT}*{TRT01P}{more}"


def _random(question: Question, rows: _Rows, key: str) -> str:
    """Sites where they were randomised, and the covariance within patients; may be empty."""
    one = key in ("covariate", "change") and len(rows.visits) == 2
    terms = []
    if question.cluster == SITEID:
        terms += [SITE] if one else [SITE, VISIT]
    if not one:
        terms.append(PATIENT if key == "constrained_intercept" else f"us({AVISIT} | {USUBJID})")
    return " + ".join(terms)


def _fit(question: Question, rows: _Rows, key: str) -> _Fitted:
    """One handling; a refusal is data."""
    data = rows.late if key in ("covariate", "change") else rows.all
    response, fixed = _fixed(rows, key)
    random = _random(question, rows, key)
    formula = f"{response} ~ {fixed}" + (f" + {random}" if random else "")
    levels = dict(factor_levels(question.plan))
    present = set(data[AVISIT].unique())
    levels[AVISIT] = tuple(v for v in rows.visits if v in present)
    head = (key, HANDLINGS[key], formula)
    try:
        # Least squares needs the columns alone; any grouping makes a design.
        design = build_design(formula if random else f"{formula} + {SITE}", data, levels)
        row, base = _contrasts(question, rows, design)
        if not random:
            line = ordinary(design.X, design.y)
            found = answer(*line.of(row), float(line.df), question.plan.alpha)
            used = counts(data[design.used])
            return _Fitted(HandlingRow(*head, *used, found, math.nan, "", ""))
        from sitewise.lmm.api import fit_frame

        fit = fit_frame(design, question.reml)
        if tuple(fit.estimates.names) != design.names:
            raise ModelError("a column of the fixed part is a combination of others")  # noqa: TRY301
        primary = tested(fit, row, question.plan)
        at_base = None if base is None else tested(fit, base, question.plan)
    except ModelError as error:
        said = " ".join(str(error).split())
        return _Fitted(HandlingRow(*head, *counts(data), None, math.nan, "", said))
    used = counts(data[design.used])
    made = HandlingRow(*head, *used, primary, math.nan, state_of(fit), "")
    R = fit.estimates.residual
    sds = () if R is None else tuple(float(v) for v in np.sqrt(np.diag(R)))
    return _Fitted(made, at_base, sds)


def _contrasts(
    question: Question, rows: _Rows, design: "Design"
) -> tuple[np.ndarray, np.ndarray | None]:
    """Arm minus reference at the primary visit, less that at baseline where arms are free there.

    And the difference at baseline itself, None where the model has none.
    """
    plan = question.plan
    part = fixed_part_of_design(design)
    at_base = plan.baseline_visit.name

    def difference(visit: str) -> np.ndarray:
        made = []
        for arm in (plan.primary.arm, plan.arms.reference):
            values: dict[str, list[str | float]] = {TRT01P: [arm], AVISIT: [visit]}
            values |= {name: [float(arm == own)] for own, name in rows.arms.items()}
            values |= {name: [float(visit == own)] for own, name in rows.marks.items()}
            for name in (BASE, *rows.covariates):
                values[name] = [part.levels[name][0] if name in part.levels else 0.0]
            cell, broken = part.rows(values)
            if np.abs(broken).max(initial=0.0) > 1e-7:
                raise ModelError(f"the readings do not determine {arm} at {visit}")
            made.append(cell[0])
        return np.asarray(made[0] - made[1])

    row = difference(plan.primary.visit)
    free = TRT01P in fixed_columns(design.formula) and at_base in part.levels.get(AVISIT, ())
    if not free:
        return row, None
    base = difference(at_base)
    return row - base, base
