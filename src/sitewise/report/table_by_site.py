"""Lines of the machine-readable tables of treatment by site."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sitewise.inference.by_site_result import FixedForm, RandomForm
    from sitewise.report.evidence import Evidence

Lines = Iterator[dict[str, Any]]
NUMBERS = ("estimate", "se", "df", "p", "lower", "upper")
SITES = ("endpoint", "model", "site", "n", "n_reference", *NUMBERS, "state", "predicted",
         "predicted_se")  # fmt: skip
TESTS = ("endpoint", "model", "contrast", "form", "formula", "smaller", "passed", "refused",
         "state", "sites", "sd", "lower", "upper", "statistic", "df1", "df2", "p", "p_error",
         "rule", "p_bootstrap", "bootstrap_error", "bootstrap_draws", "test_refused", "pooled",
         "left_out", "inestimable")  # fmt: skip


def sites(e: "Evidence") -> Lines:
    """One line a site; state: of the fixed form."""
    for name, own in e.endpoints.items():
        for r in own.by_site.rows:
            fixed, x = own.by_site.fixed, r.estimate
            yield {
                "endpoint": name, "model": own.by_site.model, "site": r.site, "n": r.n,
                "n_reference": r.n_reference, "state": "" if fixed is None else fixed.state,
                "predicted": r.predicted, "predicted_se": r.predicted_se,
                **({} if x is None else {n: getattr(x, n) for n in NUMBERS}),
            }  # fmt: skip


def tests(e: "Evidence") -> Lines:
    """One line a form that the plan asks for; one where both are refused."""
    for name, own in e.endpoints.items():
        found = own.by_site
        head = {"endpoint": name, "model": found.model, "contrast": found.contrast}
        if found.refused:
            yield {**head, "refused": found.refused}
        if found.random is not None:
            yield {**head, "form": "random", **_random(found.random)}
        if found.fixed is not None:
            yield {**head, "form": "fixed", **_fixed(found.fixed)}


def _random(x: "RandomForm") -> dict[str, Any]:
    line = {key: value for key, value in asdict(x).items() if key in TESTS}
    return {**line, "df1": x.df}


def _fixed(x: "FixedForm") -> dict[str, Any]:
    line = {key: value for key, value in asdict(x).items() if key in TESTS}
    return {**line, "statistic": x.f}
