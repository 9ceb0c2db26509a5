"""Stratification factors held against the formulas of the models.

Only names are looked for: whether a formula can be built is for others to say.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sitewise.plan.model import Plan

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_PLAIN_PARENTHESES = re.compile(r"\(([^()|]*)\)")
_SLOPES = re.compile(r"\([^()|]*\|")


def factors_left_out(plan: "Plan") -> dict[str, list[str]]:
    """By model, the stratification factors that it does not contain; models with all are absent."""
    found = {name: left_out(plan.stratification, own.formula) for name, own in plan.models.items()}
    return {name: factors for name, factors in found.items() if factors}


def left_out(factors: tuple[str, ...], formula: str) -> list[str]:
    """Those of `factors` that are neither in the fixed part nor the grouping of a random term.

    A slope alone, as AREA in `(AREA | SITEID)`, does not hold a factor: its mean is left at 0.
    """
    names = _NAME.findall(_SLOPES.sub(" ", _flat(formula.partition("~")[2])))
    return [factor for factor in factors if factor not in names]


def _flat(terms: str) -> str:
    """The terms without the parentheses that hold no bar: those left are random terms."""
    while (inner := _PLAIN_PARENTHESES.sub(r" \1 ", terms)) != terms:
        terms = inner
    return terms
