"""What the report stands on: the frozen results of a run, read from their files."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitewise.classical.ladder_result import Ladder
from sitewise.classical.reconciliation_result import Reconciliation
from sitewise.classical.result import CrossCheck, Replications
from sitewise.errors import Problem, RunError
from sitewise.inference.by_site_result import BySite
from sitewise.inference.comparison import Comparisons
from sitewise.inference.icc_result import Iccs
from sitewise.inference.planned_fit import PlannedFit, PlannedScore, ScoredFit, with_score
from sitewise.plan.endpoint import Endpoint
from sitewise.plan.limits import Limits
from sitewise.plan.model import Plan
from sitewise.report import formatting
from sitewise.sites.result import SiteResults
from sitewise.store.results import from_plain, read_result
from sitewise.trial.account import Account, FileRow
from sitewise.trial.description import Description
from sitewise.trial.deviations import Deviations


@dataclass(frozen=True)
class EndpointEvidence:
    """All results of one endpoint; fits by model name, in the order of the plan."""

    name: str
    iccs: Iccs
    comparisons: Comparisons
    replications: Replications
    crosscheck: CrossCheck
    ladder: Ladder
    reconciliation: Reconciliation
    sites: SiteResults
    by_site: BySite
    fits: dict[str, ScoredFit]


@dataclass(frozen=True)
class Evidence:
    """All results of a run with its plan.

    findings: rows of findings.csv as text. endpoints: by PARAMCD, in the order of the plan.
    sheet: the sites of the site sheet. digests: `plan`, `data`, `code`, `lock`.
    packages: name to version. limits: of a simulated trial. marks: lines of the plan
    that nobody has settled.
    """

    plan: Plan
    description: Description
    account: Account
    deviations: Deviations
    findings: tuple[dict[str, str], ...]
    endpoints: dict[str, EndpointEvidence]
    sheet: tuple[dict[str, Any], ...]
    digests: dict[str, str]
    packages: dict[str, str]
    limits: Limits | None = None
    marks: tuple[int, ...] = ()

    @property
    def files(self) -> tuple[FileRow, ...]:
        """The hospital files, in the order of the names of their sites."""
        return tuple(sorted(self.account.files, key=lambda file: formatting.natural(file.site)))

    def endpoint(self, name: str) -> Endpoint:
        """The plan's section of an endpoint."""
        return self.plan.endpoints[name]

    def decimals(self, name: str) -> int:
        """Decimals of the estimates of an endpoint."""
        return formatting.decimals_of(self.endpoint(name).soft)

    def primary_fit(self, name: str) -> ScoredFit:
        """The fit of the primary model to an endpoint."""
        return self.endpoints[name].fits[self.plan.primary.model]

    def ordered_fits(self, name: str) -> tuple[ScoredFit, ...]:
        """The fits of an endpoint, the primary model first, then the order of the plan."""
        first = self.primary_fit(name)
        fits = self.endpoints[name].fits.values()
        return (first, *(fit for fit in fits if fit.model != first.model))

    def p(self, p: float) -> str:
        """A p-value for a table."""
        return formatting.p_value(p, self.plan.alpha)

    def p_phrase(self, p: float) -> str:
        """A p-value for prose."""
        return formatting.p_phrase(p, self.plan.alpha)

    @property
    def coverage(self) -> str:
        """Coverage of the intervals, `95%`."""
        return formatting.coverage(self.plan.alpha)


def read_evidence(
    plan: Plan,
    *,
    description: str,
    account: str,
    deviations: str,
    findings: str,
    iccs: Sequence[str],
    comparisons: Sequence[str],
    replications: Sequence[str],
    crosschecks: Sequence[str],
    ladders: Sequence[str],
    reconciliations: Sequence[str],
    sites: Sequence[str],
    by_sites: Sequence[str],
    fits: Sequence[str],
    scores: Sequence[str],
    sheet: Sequence[Mapping[str, Any]],
    digests: Mapping[str, str],
    packages: Mapping[str, str],
    limits: Mapping[str, Any] | None = None,
    marks: Sequence[int] = (),
) -> Evidence:
    """Read all results; raises RunError naming each result of the plan that is not there."""
    by_kind: dict[str, dict[str, Any]] = {
        "icc": _by_endpoint(iccs, Iccs),
        "comparisons": _by_endpoint(comparisons, Comparisons),
        "replication": _by_endpoint(replications, Replications),
        "crosscheck": _by_endpoint(crosschecks, CrossCheck),
        "ladder": _by_endpoint(ladders, Ladder),
        "reconciliation": _by_endpoint(reconciliations, Reconciliation),
        "sites": _by_endpoint(sites, SiteResults),
        "by_site": _by_endpoint(by_sites, BySite),
    }
    fitted = _by_model(fits, PlannedFit)
    scored = _by_model(scores, PlannedScore)
    _require_all(plan, by_kind, {"fit": fitted, "score": scored})
    endpoints = {
        name: EndpointEvidence(
            name,
            by_kind["icc"][name],
            by_kind["comparisons"][name],
            by_kind["replication"][name],
            by_kind["crosscheck"][name],
            by_kind["ladder"][name],
            by_kind["reconciliation"][name],
            by_kind["sites"][name],
            by_kind["by_site"][name],
            {m: with_score(fitted[name, m], scored[name, m]) for m in plan.models},
        )
        for name in plan.endpoints
    }
    return Evidence(
        plan=plan,
        description=read_result(description, Description),
        account=read_result(account, Account),
        deviations=read_result(deviations, Deviations),
        findings=_read_findings(findings),
        endpoints=endpoints,
        sheet=tuple(dict(site) for site in sheet),
        digests=dict(digests),
        packages=dict(packages),
        limits=None if limits is None else from_plain(limits, Limits),
        marks=tuple(marks),
    )


def _by_endpoint(paths: Sequence[str], kind: type[Any]) -> dict[str, Any]:
    results = [read_result(path, kind) for path in paths]
    return {result.endpoint: result for result in results}


def _by_model(paths: Sequence[str], kind: type[Any]) -> dict[tuple[str, str], Any]:
    results = [read_result(path, kind) for path in paths]
    return {(result.endpoint, result.model): result for result in results}


def _require_all(
    plan: Plan,
    by_kind: Mapping[str, Mapping[str, Any]],
    by_model: Mapping[str, Mapping[tuple[str, str], Any]],
) -> None:
    """Every endpoint has every result, every model its fit and score: nothing is left out."""
    absent = [
        f"{kind} of {name}"
        for name in plan.endpoints
        for kind, results in by_kind.items()
        if name not in results
    ]
    absent += [
        f"{kind} of {name}, model {model}"
        for kind, results in by_model.items()
        for name in plan.endpoints
        for model in plan.models
        if (name, model) not in results
    ]
    if absent:
        raise RunError(
            "The report lacks results.",
            [
                Problem(
                    f"no {what} among the inputs",
                    allowed="one result for each endpoint and model of the plan",
                    fix="run the workflow again: the rule that makes it did not",
                )
                for what in absent
            ],
        )


def _read_findings(path: str) -> tuple[dict[str, str], ...]:
    with Path(path).open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))
