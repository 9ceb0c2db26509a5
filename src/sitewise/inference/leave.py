"""The plan's leave to drop random terms, held against its formulas."""

from collections.abc import Iterator

from sitewise.errors import Problem
from sitewise.lmm.formula import Formula, RandomSpec
from sitewise.plan.model import Plan
from sitewise.terms import SITEID


def term_named(formula: Formula, text: str) -> RandomSpec | None:
    """The random term that is written as `text`, `(1 | SITEID)`, whatever its blanks."""
    wanted = "".join(text.split())
    return next((one for one in formula.random if "".join(f"({one})".split()) == wanted), None)


def leave_problems(plan: Plan, formula: Formula, where: str) -> Iterator[Problem]:
    """Terms that may be dropped are terms of the formula, and something random is left."""
    name = where.split(".")[1]
    model = plan.models[name]
    here = f"models.{name}.may_drop"
    terms = ", ".join(f"({spec})" for spec in formula.random) or "none"
    named = {text: term_named(formula, text) for text in model.may_drop}
    for text, spec in named.items():
        if spec is None:
            yield Problem(
                f"{text} is no random term of {name}", where=here, allowed=terms,
                fix="write a term as the formula has it, `a/b` as its parts",
            )  # fmt: skip
        elif plan.design == "cluster" and name == plan.primary.model and SITEID in spec.group:
            yield Problem(
                f"{text} may be dropped from the primary model, and sites are randomised: the term"
                " belongs to the design, whatever its variance is estimated as",
                where=here,
                allowed="terms of patients, or none",
                fix=f"take {text} out of may_drop",
            )
    found = {spec for spec in named.values() if spec is not None}
    if found and found == set(formula.random) and formula.residual is None:
        yield Problem(
            "every random term may be dropped, which leaves no mixed model",
            where=here,
            allowed=terms,
            fix="leave out the one that must stay",
        )
