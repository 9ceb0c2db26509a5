"""Table of section 6: residual covariances over the visits, and the primary model beside them."""

from sitewise.classical.ladder_result import CovarianceChoice, CovarianceRow
from sitewise.lmm.formula import parse_formula
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, number
from sitewise.report.layout import Row, Table, row, table
from sitewise.report.words_departures import covariance_note
from sitewise.terms import SITEID


def covariances_table(e: Evidence, name: str, choice: CovarianceChoice) -> Table:
    """What each covariance of the plan's order gave, and which was taken."""
    rows = [_row(r, r.structure, taken=r.structure == choice.taken) for r in choice.rows]
    if choice.primary is not None:
        rows.append(_row(choice.primary, f"primary model {e.plan.primary.model}", taken=False))
    return table(
        f"tbl-covariances-{name}",
        f"Residual covariance over the visits of the MMRM, {name}",
        [
            ("Covariance", "text"),
            ("Parameters", "number"),
            ("Log-likelihood", "number"),
            ("AIC", "number"),
            ("AICc", "number"),
            ("BIC", "number"),
            ("Fit", "text"),
        ],
        rows,
        notes=[
            covariance_note(choice.order),
            f"In the plan's order: {listed(list(choice.order))}; the first that converges and is"
            " positive definite is taken, whatever the criteria say.",
            "Criteria count covariance parameters alone, and BIC takes log(patients): one mean,"
            " several covariances. Those of section 5 count fixed effects too. Lower is better.",
            _beside(e, choice),
        ],
        file="covariances.csv",
    )


def _row(r: CovarianceRow, label: str, *, taken: bool) -> Row:
    return row(
        f"{label} (taken)" if taken else label,
        str(r.npar),
        number(r.loglik, 3),
        number(r.aic, 2),
        number(r.aicc, 2),
        number(r.bic, 2),
        "usable" if r.usable else r.reason,
        kind="strong" if taken else "",
    )


def _beside(e: Evidence, choice: CovarianceChoice) -> str:
    """That the primary model's likelihood can be compared, and which fits the scatter better."""
    own = choice.primary
    taken = next((r for r in choice.rows if r.structure == choice.taken), None)
    if own is None:
        return ""
    sites = any(SITEID in spec.group for spec in parse_formula(own.formula).random)
    text = (
        "The primary model has the same fixed part and readings, so its likelihood compares with"
        f" theirs by the criteria{'; it has what sites share, which they lack' if sites else ''}."
    )
    if taken is None or not taken.aic < own.aic:
        return text
    text += (
        f" By AIC {taken.structure} describes the scatter over visits better, by"
        f" {number(own.aic - taken.aic, 1)}."
    )
    if not sites:
        return text
    why = ", and sites were randomised" if e.plan.design == "cluster" else ""
    return f"{text} It is no better analysis for that: it leaves out sites{why}."
