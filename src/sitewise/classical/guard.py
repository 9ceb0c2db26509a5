"""Guard for trials that randomised whole sites: what the number of sites allows.

With sites, sites by visit and v visits of balanced data the variance of a level is a sum of the two
mean squares between sites, (MS_site + (v - 1) MS_site_by_visit) / (v m), that of a change is the
second alone: by Satterthwaite (1946, Biometrics Bull 2:110-114) a level has from S - a to
(S - a) v degrees of freedom, a change (S - a)(v - 1).
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import Guard, Guarded, Ladder
from sitewise.classical.mixed_rungs import VISIT
from sitewise.classical.question import Question, tested
from sitewise.errors import ModelError
from sitewise.lmm.formula import Formula, parse_formula, term_columns
from sitewise.terms import AVISIT, SITEID, TRT01P, WEEK

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit

# ASSUME: the bounds are those of balanced data, where they hold to the last digit; where sites and
# visits differ in size an approximation may lie a little above and is not held against an analysis.
SLACK = 0.1
ROUNDING = 2e-6  # of a likelihood-ratio statistic: the engine's optimum is good to half of this


def has_site_course(formula: Formula) -> bool:
    """Whether sites may differ in their course: a site-by-visit term, or site slopes in time."""
    return any(
        set(spec.group) == {SITEID, AVISIT}
        or (spec.group == (SITEID,) and {AVISIT, WEEK} & set(term_columns(spec.terms)))
        for spec in formula.random
    )


def guard_of(question: Question, ladder: Ladder, primary: Mapping[str, Any]) -> Guard | None:
    """The guard of a cluster-randomised trial; None where patients were randomised.

    ladder: its rungs, and its handlings of the baseline where the plan asks for them. primary: the
    primary model's fit as plain data (`fit.json`).
    """
    plan, rows = question.plan, question.rows
    if plan.design != "cluster":
        return None
    units, arms = int(rows[SITEID].nunique()), int(rows[TRT01P].nunique())
    visits = int(rows[AVISIT].nunique())
    between = units - arms
    planned = next((r for r in ladder.rungs if r.planned), None)
    spec = plan.models[plan.primary.model]
    formula = parse_formula(spec.formula)
    missing = not has_site_course(formula) and visits > 1
    without, with_term, statistic, refused = _pair(question, spec.formula, missing, visits)
    df = planned.answer.df if planned is not None and planned.answer is not None else math.nan
    mixed = plan.baseline.handling == "constrained" or plan.primary.contrast == "level"
    most = between * (visits if mixed else max(visits - 1, 1))
    checked = (*_rungs(ladder, between, most), *_handlings(ladder, between, visits))
    return Guard(units, arms, visits, between, most, between * visits, df, _levels(primary),
                 checked, missing, without, with_term, statistic, half_p(statistic),
                 refused)  # fmt: skip


def _levels(primary: Mapping[str, Any]) -> tuple[float, float]:
    """Least and largest degrees of freedom of the primary model's levels by visit."""
    found = [float(c["result"]["df"]) for c in primary["contrasts"] if c["kind"] == "level"]
    return (min(found), max(found)) if found else (math.nan, math.nan)


def _rungs(ladder: Ladder, between: int, most: int) -> Iterator[Guarded]:
    for r in ladder.rungs:
        if r.answer is not None and r.state != "not converged":
            yield _held(Held(r.key, r.label, r.formula, r.answer), between, most)


def _handlings(ladder: Ladder, between: int, visits: int) -> Iterator[Guarded]:
    """A change where the arms are free at baseline; elsewhere a level, of one visit less where the
    baseline is no outcome."""
    for r in () if ladder.baseline is None else ladder.baseline.rows:
        if r.answer is not None and r.state != "not converged":
            own = visits if r.key.startswith("constrained") else max(visits - 1, 1)
            label = f"baseline as {r.label[0].lower()}{r.label[1:]}"
            held = Held(f"baseline_{r.key}", label, r.formula, r.answer)
            yield _held(held, between, between * own)


class Held(NamedTuple):
    """What is held against the sites."""

    key: str
    label: str
    formula: str
    answer: Answer


def _held(one: Held, between: int, most: int) -> Guarded:
    found, verdict = one.answer, "within"
    if found.df > most * (1 + SLACK):
        course = bool(one.formula) and has_site_course(parse_formula(one.formula))
        verdict = "assumed" if course else "beyond"
    lean = t_p(found, between)
    return Guarded(one.key, one.label, found.df, found.p, most, lean, verdict)


def t_p(found: Answer, df: float) -> float:
    """Its two-sided p on these degrees of freedom; NaN without a standard error or any of them."""
    from scipy import special  # scipy.stats takes half a second longer to import

    if not (found.se > 0 and df > 0):
        return math.nan
    return 2 * float(special.stdtr(df, -abs(found.estimate / found.se)))


def half_p(statistic: float) -> float:
    """P of 0.5 chi2(0) + 0.5 chi2(1): one variance at its boundary (Self & Liang 1987, case 5).

    chi2(0) is the point 0, so a statistic of 0 has p = 1. NaN of NaN.
    """
    if math.isnan(statistic):
        return math.nan
    return 1.0 if statistic <= ROUNDING else 0.5 * math.erfc(math.sqrt(statistic / 2))


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
