"""Section 5, comparisons: likelihood-ratio tests and information criteria."""

from sitewise.inference.comparison import CriterionGroup
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, number
from sitewise.report.layout import Table, row, table


def tests_table(e: Evidence, name: str) -> Table:
    """The likelihood-ratio tests, refusals included."""
    rows = []
    for t in e.endpoints[name].comparisons.tests:
        head = (t.question, f"{t.null} \u2192 {t.full}")
        if t.refused:
            rows.append(row(*head, "refused", NONE, NONE, NONE, NONE))
            continue
        mixture = NONE if t.p_mixture is None else e.p(t.p_mixture)
        numbers = (number(t.statistic, 3), str(t.df), e.p(t.p_naive), mixture)
        rows.append(row(*head, t.method, *numbers))
    mixtures = [
        f"{t.null} \u2192 {t.full}: {t.mixture}."
        for t in e.endpoints[name].comparisons.tests
        if t.mixture and not t.refused
    ]
    return table(
        f"tbl-tests-{name}",
        f"Likelihood-ratio tests of {name}, in the order of the plan",
        [
            ("Question", "text"),
            ("Models", "text"),
            ("By", "text"),
            ("Statistic", "number"),
            ("df", "number"),
            ("p, naive", "number"),
            ("p, mixture", "number"),
        ],
        rows,
        notes=mixtures,
        file="comparisons.csv",
    )


def criteria_table(name: str, found: CriterionGroup, i: int) -> Table:
    """AIC and BIC within one group that is comparable."""
    rows = [
        row(
            r.model,
            str(r.nobs),
            str(r.npar),
            number(r.loglik, 3),
            number(r.aic, 2),
            number(r.bic, 2),
            "not converged" if not r.converged else "singular" if r.singular else "regular",
        )
        for r in found.rows
    ]
    return table(
        f"tbl-criteria-{name}-{i}",
        f"Information criteria of {name}: {found.basis}",
        [
            ("Model", "text"),
            ("Readings", "number"),
            ("Parameters", "number"),
            ("Log-likelihood", "number"),
            ("AIC", "number"),
            ("BIC", "number"),
            ("Fit", "text"),
        ],
        rows,
        notes=["Lower is better, within this table only."],
        file="model_criteria.csv",
    )
