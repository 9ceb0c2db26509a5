"""The plan's models held against the plan, without data."""

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches

from sitewise.errors import ModelError, Problem
from sitewise.inference.leave import leave_problems
from sitewise.lmm.expansion import expand_terms
from sitewise.lmm.formula import (
    Formula,
    fixed_columns,
    formula_columns,
    parse_formula,
    term_columns,
)
from sitewise.plan.model import Plan
from sitewise.terms import (
    AVAL,
    AVISIT,
    BASE,
    CHG,
    FORMULA_COLUMNS,
    SITEID,
    TRT01P,
    USUBJID,
    WEEK,
)

# The keys of the plan that a check needs, and the check.
Check = tuple[tuple[str, ...], Callable[[Plan, Formula, str], Iterator[Problem]]]


def check_models(plan: Plan) -> list[Problem]:
    """Every problem of every formula of the plan; empty if all can be built.

    Of a plan that holds some of its sections only, what those sections can show.
    """
    problems: list[Problem] = []
    held = plan.model_fields_set
    if "models" not in held:
        return problems
    for name, model in plan.models.items():
        where = f"models.{name}.formula"
        try:
            formula = parse_formula(model.formula)
        except ModelError as error:
            problems += [
                Problem(p.what, where=where, allowed=p.allowed, fix=p.fix) for p in error.problems
            ]
            continue
        found = list(_checked(plan, SINGLE, formula, where))
        problems += found
        if not found and "primary" in held and name == plan.primary.model:
            problems += _checked(plan, PRIMARY, formula, where)
    return problems


def _checked(
    plan: Plan, checks: Sequence[Check], formula: Formula, where: str
) -> Iterator[Problem]:
    for keys, check in checks:
        if plan.model_fields_set.issuperset(keys):
            yield from check(plan, formula, where)


def has_site_by_visit(formula: Formula) -> bool:
    """Whether sites may differ in their course: (1 | SITEID:AVISIT), or slopes of sites in time."""
    for spec in formula.random:
        slopes = term_columns(spec.terms)
        if set(spec.group) == {SITEID, AVISIT}:
            return True
        if spec.group == (SITEID,) and (AVISIT in slopes or WEEK in slopes):
            return True
    return False


def model_notes(plan: Plan) -> list[Problem]:
    """What is allowed but should be seen: comparisons that are certain to be refused."""
    return list(_comparison_notes(plan))


def _comparison_notes(plan: Plan) -> Iterator[Problem]:
    for i, comparison in enumerate(plan.comparisons):
        small, large = plan.models[comparison.smaller], plan.models[comparison.larger]
        where = f"comparisons.{i}"
        pair = f"{comparison.smaller} and {comparison.larger}"
        tail = "this comparison will be refused"
        if small.reml != large.reml:
            yield Problem(
                f"one of {pair} is fitted by REML and the other by ML: {tail}",
                where=where,
                fix="give both the same `reml`",
            )
        elif small.reml and _fixed_terms(small.formula) != _fixed_terms(large.formula):
            yield Problem(
                f"{pair} are fitted by REML and their fixed parts differ: {tail}",
                where=where,
                fix="compare fixed parts by ML: models with `reml: false`",
            )
        if small.set != large.set:
            yield Problem(
                f"{pair} are fitted to the sets {small.set} and {large.set}: {tail} unless both"
                " sets hold the same rows",
                where=where,
                fix="give both the same `set`",
            )


def _fixed_terms(text: str) -> set[frozenset[str]]:
    """Products of columns in the fixed part; empty for a formula that check_models refuses."""
    try:
        return set(map(frozenset, expand_terms(parse_formula(text).fixed)))
    except ModelError:
        return set()


def _known_columns(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    known = [*FORMULA_COLUMNS, *plan.covariates]
    for column in formula_columns(formula):
        if column not in known:
            near = get_close_matches(column, known, n=1)
            yield Problem(
                f"unknown column {column!r}",
                where=where,
                allowed=", ".join(known),
                fix=f"did you mean {near[0]!r}?" if near else "declare it under `covariates`",
            )


def _columns(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """The response, and what may stand on the right."""
    if formula.response != AVAL:
        yield Problem(f"the response is {formula.response}", where=where, allowed=AVAL)
    terms = (*fixed_columns(formula), *(c for s in formula.random for c in term_columns(s.terms)))
    if BASE in terms and plan.baseline.handling != "covariate":
        yield Problem(
            f"{BASE} is on the right although baseline.handling is {plan.baseline.handling}",
            where=where,
            allowed=f"{BASE} only with `handling: covariate`",
            fix=f"take {BASE} out, or set baseline.handling",
        )
    if BASE not in fixed_columns(formula) and plan.baseline.handling == "covariate":
        yield Problem(
            f"{BASE} is missing although baseline.handling is covariate",
            where=where,
            fix=f"add + {BASE}",
        )
    for column, why in (
        (AVAL, "the outcome can't explain itself"),
        (CHG, "the change is made of the outcome"),
        (USUBJID, "a fixed effect for each patient leaves nothing to the treatment"),
    ):
        if column in terms:
            yield Problem(f"{column} is on the right: {why}", where=where, fix="take it out")


def _constrained(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """Arms that are equal up to a visit need the visits as categories."""
    if plan.baseline.handling != "constrained" or TRT01P not in fixed_columns(formula):
        return
    if not any({TRT01P, AVISIT} <= set(term) for term in expand_terms(formula.fixed)):
        yield Problem(
            "baseline.handling is constrained, which holds the arms equal at the baseline visit and"
            f" lets them differ at each later one: there is no {AVISIT}:{TRT01P}",
            where=where,
            allowed=f"{AVISIT}*{TRT01P}",
            fix=f"write {AVISIT}*{TRT01P}, or set baseline.handling to outcome",
        )


def _variances_by_visit(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """Enrolment limits cut the variance at baseline: equal variances would pull the estimate."""
    if plan.baseline.handling != "constrained":
        return
    if formula.residual is None or formula.residual.structure != "us":
        yield Problem(
            "baseline.handling is constrained, and the primary model has no unstructured covariance"
            " over the visits: how far a difference at baseline counts later then hangs on"
            " variances and correlations that are taken for equal",
            where=where,
            allowed=f"us({AVISIT} | {USUBJID}) within patients, terms of sites beside it",
            fix=f"write us({AVISIT} | {USUBJID}) in place of the patient's random terms",
        )


def _groupings(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """Grouping factors must be categories."""
    numbers = [AVAL, BASE, CHG, WEEK]
    numbers += [name for name, c in plan.covariates.items() if c.type == "number"]
    for spec in formula.random:
        for column in spec.group:
            if column in numbers:
                yield Problem(
                    f"({spec}) groups by {column}, which is a number",
                    where=where,
                    allowed=f"categories, as {SITEID}, {USUBJID}, {SITEID}:{AVISIT}",
                )


def _contrast(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """The primary model must hold the plan's primary contrast; others may lack it."""
    fixed = fixed_columns(formula)
    if TRT01P not in fixed:
        yield Problem(
            f"{TRT01P} is not in the fixed part, so the model has no treatment contrast",
            where=where,
            fix=f"add {TRT01P}, e.g. {AVAL} ~ {AVISIT}*{TRT01P} + ...",
        )
    elif plan.primary.contrast == "change" and not _interacts(formula):
        yield Problem(
            f"no interaction of {TRT01P} with {AVISIT} or {WEEK}: the primary contrast, the"
            " difference in change, is 0 by construction",
            where=where,
            fix=f"write {AVISIT}*{TRT01P} or {WEEK}*{TRT01P}",
        )


def _steps_differ(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """An order of testing over visits needs contrasts that differ between visits."""
    steps = [(step.endpoint, step.arm) for step in plan.order_of_testing]
    by_visit = any({TRT01P, AVISIT} <= set(term) for term in expand_terms(formula.fixed))
    if len(set(steps)) == len(steps) or by_visit:
        return
    if plan.primary.contrast == "change" or not _interacts(formula):
        yield Problem(
            "`hierarchy` tests one outcome at several visits, and without"
            f" {AVISIT}:{TRT01P} the primary model's contrasts at all visits are one test",
            where=where,
            allowed=f"{AVISIT}*{TRT01P}",
            fix=f"write {AVISIT}*{TRT01P}, or one visit an outcome and arm in `hierarchy`",
        )


def _interacts(formula: Formula) -> bool:
    """Whether the arm's effect may differ by visit."""
    return any(
        TRT01P in term and (AVISIT in term or WEEK in term) for term in expand_terms(formula.fixed)
    )


def _site_time(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """Where sites are randomised, their changes between visits vary beyond the patients'."""
    from sitewise.trial.selection import outcome_visits

    if plan.design != "cluster" or has_site_by_visit(formula):
        return
    if not any(visit.baseline for visit in plan.visits) or len(outcome_visits(plan)) < 2:
        return  # without a baseline visit the plan is refused anyway
    yield Problem(
        "sites are randomised (`design: cluster`), and the primary model has no site-by-visit term:"
        " it counts what the patients of one site share at a visit as independent, so its standard"
        " errors would be too small",
        where=where,
        allowed=f"(1 | {SITEID}:{AVISIT}), (1 | {SITEID}/{AVISIT}), or slopes of sites such as"
        f" (1 + {WEEK} | {SITEID})",
        fix=f"add + (1 | {SITEID}:{AVISIT})",
    )


def _counted(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """Between-within counts units, and a unit that crosses patients has no place among them."""
    if plan.df != "between-within":
        return
    for spec in formula.random:
        if {AVISIT, WEEK} & set(spec.group):
            yield Problem(
                f"({spec.terms} | {spec.group_name}) crosses patients, and `df: between-within`"
                " counts nested units",
                where=where,
                allowed="sites, patients within sites",
                fix="use `df: kenward-roger`",
            )


SINGLE: tuple[Check, ...] = (
    (("covariates",), _known_columns),
    (("baseline",), _columns),
    (("baseline",), _constrained),
    (("covariates",), _groupings),
    (("df",), _counted),
    (("design", "models", "primary"), leave_problems),
)
PRIMARY: tuple[Check, ...] = (
    ((), _contrast),
    (("hierarchy",), _steps_differ),
    (("baseline",), _variances_by_visit),
    (("design", "visits", "baseline"), _site_time),
)
