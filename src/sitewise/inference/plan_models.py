"""The plan's models held against the plan, without data."""

from collections.abc import Iterator
from difflib import get_close_matches

from sitewise.errors import ModelError, Problem
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


def check_models(plan: Plan) -> list[Problem]:
    """Every problem of every formula of the plan; empty if all can be built."""
    problems: list[Problem] = []
    for name, model in plan.models.items():
        where = f"models.{name}.formula"
        try:
            formula = parse_formula(model.formula)
        except ModelError as error:
            problems += [
                Problem(p.what, where=where, allowed=p.allowed, fix=p.fix) for p in error.problems
            ]
            continue
        found = [*_columns(plan, formula, where), *_groupings(plan, formula, where)]
        problems += found
        if name == plan.primary.model and not found:
            problems += _contrast(plan, formula, where)
    return problems


def model_notes(plan: Plan) -> list[Problem]:
    """What is allowed but should be seen: stratification factors missing from a model."""
    notes = []
    for name, model in plan.models.items():
        try:
            names = fixed_columns(parse_formula(model.formula))
        except ModelError:
            continue  # check_models says it
        notes += [
            Problem(
                f"the stratification factor {factor} is not in the fixed part",
                where=f"models.{name}.formula",
                fix=f"add + {factor}, or say in the report why it is left out",
            )
            for factor in plan.stratification
            if factor not in names
        ]
    return notes


def _columns(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
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


def _interacts(formula: Formula) -> bool:
    """Whether the arm's effect may differ by visit."""
    return any(
        TRT01P in term and (AVISIT in term or WEEK in term) for term in expand_terms(formula.fixed)
    )
