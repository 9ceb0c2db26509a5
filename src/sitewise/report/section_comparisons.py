"""Section 5: likelihood-ratio tests, information criteria, the use of rows."""

import math
from collections.abc import Iterator, Sequence

from sitewise.errors import plural
from sitewise.inference.comparison import CriterionGroup, ModelComparison
from sitewise.inference.planned_fit import ScoredFit
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, number
from sitewise.report.layout import Row, Table, group, row, table
from sitewise.terms import Use


def tests_table(e: Evidence, name: str) -> Table:
    """The likelihood-ratio tests, refusals included."""
    tests = e.endpoints[name].comparisons.tests
    rows = []
    for t in tests:
        head = (t.question, f"{t.null} \u2192 {t.full}")
        if t.refused:
            rows.append(row(*head, "refused", NONE, NONE, NONE, NONE, NONE))
            continue
        mixture, drawn = (
            _with_error(e, t.p_mixture, t.p_error),
            _with_error(e, t.p_bootstrap, t.bootstrap_error or 0.0),
        )
        numbers = (number(t.statistic, 3), str(t.df), e.p(t.p_naive), mixture, drawn)
        rows.append(row(*head, t.method, *numbers))
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
            ("p, bootstrap", "number"),
        ],
        rows,
        notes=[
            *(
                f"{t.null} \u2192 {t.full}: {t.mixture}."
                for t in tests
                if t.mixture and not t.refused
            ),
            *_drawn(e, tests),
            *(_beside(e, t) for t in tests if t.f is not None),
            "These p-values are about the covariance, not about treatment, and are no part of the"
            " order of testing of the endpoints."
            if not any(t.df_fixed for t in tests)
            else "These p-values are no part of the order of testing of the endpoints.",
        ],
        file="comparisons.csv",
    )


def _with_error(e: Evidence, p: float | None, error: float) -> str:
    """A p-value, with its Monte Carlo standard error where it was simulated."""
    if p is None:
        return NONE
    if not error:
        return e.p(p)
    told = number(error, 3) if error >= 0.0005 else "<0.001"
    return f"{e.p(p)} (\u00b1{told})"


def _beside(e: Evidence, t: ModelComparison) -> str:
    """The F test of the fixed effects that a likelihood-ratio test is about."""
    df2 = degrees(t.f_df2) if t.f_df2 is not None else NONE
    return (
        f"{t.null} \u2192 {t.full}: {plural(t.df_fixed, 'fixed effect')}:"
        f" F {number(t.f, 2)} on {t.f_df1} and {df2} degrees of freedom,"
        f" {e.p_phrase(t.f_p if t.f_p is not None else math.nan)}. The statistic in the table is"
        " the chi-square of a likelihood ratio, which takes the variances for known: F is the test."
    )


def _drawn(e: Evidence, tests: Sequence[ModelComparison]) -> Iterator[str]:
    """What the bracketed errors and the bootstrap are, where the table has any."""
    if any(t.p_error or t.p_bootstrap is not None for t in tests):
        yield "\u00b1: Monte Carlo standard error of a simulated p-value."
    drawn = [t for t in tests if t.p_bootstrap is not None]
    if drawn:
        counts = [
            f"{t.null} \u2192 {t.full}: {draws_made(e, t.bootstrap_draws)}"
            for t in drawn
            if t.bootstrap_draws is not None
        ]
        yield (
            "Bootstrap: parametric, where a tested group has fewer than 20 levels; p is the share"
            f" of outcomes drawn from the smaller model (seed {drawn[0].bootstrap_seed}) with a"
            f" statistic as large. {'; '.join(counts)}."
        )


def draws_made(e: Evidence, made: int) -> str:
    """Draws of a bootstrap, and why they are fewer than the plan has."""
    if made >= e.plan.bootstrap.draws:
        return f"{made} draws"
    return (
        f"{made} draws of the plan's {e.plan.bootstrap.draws}; drawing ended when 20 had a"
        " statistic as large, as p is then known within a quarter of itself"
    )


def criteria_table(name: str, found: Sequence[CriterionGroup]) -> Table:
    """AIC and BIC, models that are comparable under one heading."""
    rows: list[Row] = []
    for own in found:
        rows.append(group(own.basis, 7))
        rows += [
            row(
                r.model,
                str(r.nobs),
                str(r.npar),
                number(r.loglik, 3),
                number(r.aic, 2),
                number(r.bic, 2),
                "not converged" if not r.converged else "singular" if r.singular else "regular",
            )
            for r in own.rows
        ]
    return table(
        f"tbl-criteria-{name}",
        f"Information criteria of {name}",
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
        notes=["Lower is better, among the models under one heading only."],
        file="model_criteria.csv",
    )


def uses_table(name: str, fits: tuple[ScoredFit, ...]) -> Table:
    """What each model made of the analysis rows; every use has a line, if only of zeros."""
    same: dict[tuple[tuple[str, int, int], ...], list[str]] = {}
    for fit in fits:
        same.setdefault(tuple(_use_lines(fit)), []).append(fit.model)
    rows = [
        row("" if i else ", ".join(models), label, str(used), str(patients))
        for lines, models in same.items()
        for i, (label, used, patients) in enumerate(lines)
    ]
    return table(
        f"tbl-uses-{name}",
        f"What each model used of the analysis rows of {name}",
        [("Model", "text"), ("Use", "text"), ("Rows", "number"), ("Patients", "number")],
        rows,
        file="use.csv",
    )


def _use_lines(fit: ScoredFit) -> list[tuple[str, int, int]]:
    """Label, rows and patients of each use; a use that no row had is a line of zeros."""
    lines = []
    for kind in Use:
        own = [use for use in fit.uses if use.use == kind.value]
        lines += [
            (f"{use.use}: {use.reason}" if use.reason else use.use, use.rows, use.patients)
            for use in own
        ] or [(kind.value, 0, 0)]
    return lines
