"""Write the report (rule report).

Inputs that `write_report` takes by name: `description` (tables/description.json), `account`
(findings/account.json), `deviations` (findings/deviations.json), `findings`
(findings/findings.csv), `iccs`, `comparisons`, `replications`,
`crosschecks`, `ladders`, `reconciliations`, `sites`, `by_sites` (models/E/icc.json,
comparisons.json, replication.json, crosscheck.json, ladder.json, reconciliation.json, sites.json,
by_site.json: one an endpoint),
`fits`, `scores` (models/E/M/fit.json, score.json, all), `figures`
(the files of `figures.names`), `templates` (all files of reports/templates); params `plan` (all of
it), `sheet` (the sites as mappings), `digests` (plan, data, code, lock), `packages` (name to
version), `limits` (of a simulated trial, or none).
Outputs: `html`, `pdf`, `tables` (the files of `tables.names`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sitewise.plan.parts import read_part
from sitewise.report.evidence import Evidence, read_evidence
from sitewise.report.pages import BLINDED, MAIN, data_uri, read_templates, render, write_pdf
from sitewise.report.section_blinded import blinded_context
from sitewise.report.section_checks import crosschecks as crosscheck_section
from sitewise.report.section_data import data
from sitewise.report.section_deviations import lock
from sitewise.report.section_end import appendix, methods_section
from sitewise.report.section_findings import findings as findings_section
from sitewise.report.section_front import front
from sitewise.report.section_ladder import ladders as ladder_section
from sitewise.report.section_limits import limits_section
from sitewise.report.section_models import formulas, models
from sitewise.report.section_outcomes import outcomes
from sitewise.report.section_reconciliation import reconciliations as reconciliation_section
from sitewise.report.section_replication import replications as replication_section
from sitewise.report.section_sites import sites as sites_section
from sitewise.report.tables import write_tables
from sitewise.report.words_models import site_by_visit


def write_report(
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
    figures: Sequence[str],
    templates: Sequence[str],
    plan: Mapping[str, Any],
    sheet: Sequence[Mapping[str, Any]],
    digests: Mapping[str, str],
    packages: Mapping[str, str],
    limits: Mapping[str, Any] | None = None,
    html: str,
    pdf: str,
    tables: Sequence[str],
) -> None:
    """Write the tables, the HTML page and the PDF."""
    evidence = read_evidence(
        read_part(dict(plan)),
        description=description,
        account=account,
        deviations=deviations,
        findings=findings,
        iccs=iccs,
        comparisons=comparisons,
        replications=replications,
        crosschecks=crosschecks,
        ladders=ladders,
        reconciliations=reconciliations,
        sites=sites,
        by_sites=by_sites,
        fits=fits,
        scores=scores,
        sheet=sheet,
        digests=digests,
        packages=packages,
        limits=limits,
    )
    drawn = {Path(path).name: data_uri(Path(path)) for path in figures}
    sources = read_templates(templates)
    blinded = evidence.plan.blinded
    content = blinded_context(evidence, drawn) if blinded else context(evidence, drawn)
    main = BLINDED if blinded else MAIN
    write_tables(evidence, tables)
    page = render(sources, content, "screen", main)
    Path(html).write_text(page, encoding="utf-8", newline="\n")
    write_pdf(render(sources, content, "print", main), Path(pdf))


def context(evidence: Evidence, figures: Mapping[str, str]) -> dict[str, Any]:
    """Everything that the templates print. figures: file name to data URI."""
    plan = evidence.plan
    return {
        "trial": plan.trial,
        "title": plan.title,
        "question": plan.question,
        "data_cut": plan.data_cut.isoformat(),
        "coverage": evidence.coverage,
        "front": front(evidence, figures),
        "data": data(evidence, figures),
        "findings": findings_section(evidence),
        "lock": lock(evidence),
        "outcomes": outcomes(evidence, figures),
        "sites": sites_section(evidence, figures),
        "formulas": formulas(evidence),
        "site_by_visit": site_by_visit(evidence),
        "models": models(evidence, figures),
        "ladders": ladder_section(evidence),
        "crosschecks": crosscheck_section(evidence),
        "reconciliations": reconciliation_section(evidence),
        "replications": replication_section(evidence),
        "methods": methods_section(evidence),
        "appendix": appendix(evidence),
        "limits": limits_section(evidence),
    }
