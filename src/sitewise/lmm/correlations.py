"""Intraclass correlations of a fit."""

from typing import TYPE_CHECKING

from sitewise.lmm.formula import term_columns

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit


def icc(fit: "LmmFit") -> "pd.DataFrame":
    """Intraclass correlations, a row a grouping, outermost first.

    variance: of the intercept (at 0 of every other term). share: of the total. icc: correlation
    of two readings in the same unit, which are in the same units above too. Residual: the mean
    variance over visits with a residual covariance. Effects of a factor without
    an intercept have a variance that differs by level; they count nothing here, as anything beside
    an intercept, and `attrs["note"]` names them.
    """
    import pandas as pd

    own = {t.label: t for t in fit.basis.terms}
    intercepts: dict[str, float] = {}
    order: dict[str, int] = {}
    for term in fit.terms():
        group = term.basis.group
        if "(Intercept)" in term.basis.names:
            at = term.basis.names.index("(Intercept)")
            intercepts[group] = intercepts.get(group, 0.0) + float(term.D[at, at])
            order[group] = own[term.basis.label].level
    odd = uneven(fit)
    total = sum(intercepts.values()) + fit.residual_variance
    groups = sorted(intercepts, key=lambda g: (-order[g], len(g)))
    rows, above = [], 0.0
    for group in groups:
        value = intercepts[group]
        above += value
        rows.append((group, value, value / total, above / total))
    table = pd.DataFrame(rows, columns=["group", "variance", "share", "icc"]).set_index("group")
    if odd:
        named = ", ".join(f"({label})" for label in odd)
        table.attrs["note"] = f"{named} is not in here: its variance differs by level of the factor"
    return table


def uneven(fit: "LmmFit") -> list[str]:
    """Random terms of a factor without an intercept: their variance differs by level."""
    terms = {str(spec): spec.terms for spec in fit.basis.formula.random}
    return [
        term.label
        for term in fit.basis.terms
        if "(Intercept)" not in term.columns
        and set(term_columns(terms.get(term.label, ""))) & set(fit.levels)
    ]
