"""Guard for trials that randomised whole sites: what the number of sites allows."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import Guard, Rung
from sitewise.classical.mixed_rungs import VISIT
from sitewise.classical.question import Question, tested
from sitewise.errors import ModelError
from sitewise.lmm.formula import Formula, parse_formula, term_columns
from sitewise.terms import AVISIT, SITEID, TRT01P, WEEK

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit

ROUNDING = 2e-6  # of a likelihood-ratio statistic: the engine's optimum is good to half of this


def has_site_course(formula: Formula) -> bool:
    """Whether sites may differ in their course: a site-by-visit term, or site slopes in time."""
    return any(
        set(spec.group) == {SITEID, AVISIT}
        or (spec.group == (SITEID,) and {AVISIT, WEEK} & set(term_columns(spec.terms)))
        for spec in formula.random
    )


def guard_of(question: Question, rungs: Sequence[Rung]) -> Guard | None:
    """The guard of a cluster-randomised trial; None where patients were randomised."""
    plan, rows = question.plan, question.rows
    if plan.design != "cluster":
        return None
    units, arms = int(rows[SITEID].nunique()), int(rows[TRT01P].nunique())
    visits = int(rows[AVISIT].nunique())
    between = units - arms
    most = between * max(visits - 1, 1)
    beyond = tuple(
        r.key for r in rungs
        if r.answer is not None and r.answer.df > most and not _mixed_strata(question, r)
    )  # fmt: skip
    planned = next((r for r in rungs if r.planned), None)
    spec = plan.models[plan.primary.model]
    formula = parse_formula(spec.formula)
    missing = not has_site_course(formula) and visits > 1
    without, with_term, statistic, refused = _pair(question, spec.formula, missing, visits)
    df = planned.answer.df if planned is not None and planned.answer is not None else math.nan
    return Guard(units, arms, between, most, df, beyond, missing, without, with_term, statistic,
                 half_p(statistic), refused)  # fmt: skip


def half_p(statistic: float) -> float:
    """P of 0.5 chi2(0) + 0.5 chi2(1): one variance at its boundary (Self & Liang 1987, case 5).

    chi2(0) is the point 0, so a statistic of 0 has p = 1. NaN of NaN.
    """
    if math.isnan(statistic):
        return math.nan
    return 1.0 if statistic <= ROUNDING else 0.5 * math.erfc(math.sqrt(statistic / 2))


def _mixed_strata(question: Question, rung: Rung) -> bool:
    """Whether the bound is not one of this rung's contrast.

    With arms equal at baseline the contrast is no change of site means alone: it draws on levels,
    changes and readings within patients, and its degrees of freedom are those of the mixture, also
    where the model has all terms of sites.
    """
    if question.plan.baseline.handling != "constrained" or not rung.formula:
        return False
    return has_site_course(parse_formula(rung.formula))


def _pair(
    question: Question, formula: str, missing: bool, visits: int
) -> tuple[Answer | None, Answer | None, float, str]:
    """The contrast without and with site-by-visit, twice the difference of the log-likelihoods.

    Where the primary model has the term, `without` is the same model less it; where its sites have
    slopes in time instead there is nothing to add.
    """
    nothing = (None, None, math.nan)
    if visits < 2:
        return *nothing, "with one outcome visit, site and site-by-visit are the same"
    parsed = parse_formula(formula)
    terms = [spec for spec in parsed.random if set(spec.group) != {SITEID, AVISIT}]
    if not missing and len(terms) == len(parsed.random):
        return *nothing, "the sites have slopes in time, which stand in its place"
    kept = [f"({spec})" for spec in terms]
    if parsed.residual is not None:
        kept.append(str(parsed.residual))
    if not kept:
        return *nothing, "without it no random term is left"
    try:
        small = question.fit(question.formula(" + ".join(kept)))
        large = question.fit(question.formula(" + ".join([*kept, VISIT])))
        asked = _ask(question, small), _ask(question, large)
    except ModelError as error:
        return *nothing, " ".join(str(error).split())
    stopped = [which for which, fit in (("without", small), ("with", large)) if not fit.converged]
    if stopped:
        return *nothing, f"the model {' and that '.join(stopped)} it did not converge"
    return *asked, max(2 * (large.loglik - small.loglik), 0.0), ""


def _ask(question: Question, fit: "LmmFit") -> Answer | None:
    if question.row is None or tuple(fit.estimates.names) != question.design.names:
        return None
    return tested(fit, question.row, question.plan)
