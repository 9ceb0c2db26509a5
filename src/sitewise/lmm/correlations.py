"""Intraclass correlations of a fit."""

from typing import TYPE_CHECKING

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import term_columns

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit


def icc(fit: "LmmFit") -> "pd.DataFrame":
    """Intraclass correlations, a row a grouping, outermost first.

    variance: of the intercept (at 0 of every other term). share: of the total. icc: correlation
    of two readings in the same unit, which are in the same units above too. Residual: the mean
    variance over visits with a residual covariance. ModelError where a grouping has an effect of
    a factor and no intercept: its variance differs by level, so no one number stands for it.
    """
    import pandas as pd

    odd = uneven(fit)
    if odd:
        raise ModelError(
            "There is no one intraclass correlation.",
            [Problem("the variance differs by level of the factor", where=f"({label})",
                     fix="see fit.varcorr; or write the term with an intercept, (1 | group)")
             for label in odd],
        )  # fmt: skip
    own = {t.label: t for t in fit.basis.terms}
    intercepts: dict[str, float] = {}
    order: dict[str, int] = {}
    for term in fit.terms():
        group = term.basis.group
        if "(Intercept)" in term.basis.names:
            at = term.basis.names.index("(Intercept)")
            intercepts[group] = intercepts.get(group, 0.0) + float(term.D[at, at])
            order[group] = own[term.basis.label].level
    total = sum(intercepts.values()) + fit.residual_variance
    groups = sorted(intercepts, key=lambda g: (-order[g], len(g)))
    rows, above = [], 0.0
    for group in groups:
        value = intercepts[group]
        above += value
        rows.append((group, value, value / total, above / total))
    return pd.DataFrame(rows, columns=["group", "variance", "share", "icc"]).set_index("group")


def uneven(fit: "LmmFit") -> list[str]:
    """Random terms of a factor without an intercept: their variance differs by level."""
    terms = {str(spec): spec.terms for spec in fit.basis.formula.random}
    return [
        term.label
        for term in fit.basis.terms
        if "(Intercept)" not in term.columns
        and set(term_columns(terms.get(term.label, ""))) & set(fit.levels)
    ]
