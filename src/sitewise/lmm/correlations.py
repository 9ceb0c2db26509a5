"""Intraclass correlations of a fit."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.lmmfit import LmmFit


def icc(fit: "LmmFit") -> "pd.DataFrame":
    """Intraclass correlations, a row a grouping, outermost first.

    variance: of the intercept (at 0 of every other term). share: of the total. icc: correlation
    of two readings in the same unit, which are in the same units above too. Residual: the mean
    variance over visits with a residual covariance.
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
    total = sum(intercepts.values()) + fit.residual_variance
    groups = sorted(intercepts, key=lambda g: (-order[g], len(g)))
    rows, above = [], 0.0
    for group in groups:
        value = intercepts[group]
        above += value
        rows.append((group, value, value / total, above / total))
    return pd.DataFrame(rows, columns=["group", "variance", "share", "icc"]).set_index("group")
