"""Write the report: its page for the screen and its tables (rule page), its PDF (rule report).

What both take by name, `given`: `description` (tables/description.json), `account`
(findings/account.json), `deviations` (findings/deviations.json), `findings`
(findings/findings.csv), `iccs`, `comparisons`, `replications`,
`crosschecks`, `ladders`, `reconciliations`, `sites`, `by_sites` (models/E/icc.json,
comparisons.json, replication.json, crosscheck.json, ladder.json, reconciliation.json, sites.json,
by_site.json: one an endpoint),
`fits`, `scores` (models/E/M/fit.json, score.json, all), `figures`
(the files of `figures.names`), `templates` (all files of reports/templates); params `plan` (all of
it), `sheet` (the sites as mappings), `digests` (plan, data, code, lock), `packages` (name to
version), `limits` (of a simulated trial, or none), `marks` (lines
of the plan that nobody has settled).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from sitewise.report.words_models import site_by_visit, why_primary


@dataclass(frozen=True)
class _Pages:
    """What every form of the report is made of."""

    evidence: Evidence
    sources: dict[str, str]
    content: dict[str, Any]
    main: str

    def as_text(self, medium: str) -> str:
        return render(self.sources, self.content, medium, self.main)


def write_page(*, html: str, tables: Sequence[str], **given: Any) -> None:
    """Write the page for the screen, `html`, and `tables` (the files of `tables.names`)."""
    pages = _pages(**given)
    write_tables(pages.evidence, tables)
    Path(html).write_text(pages.as_text("screen"), encoding="utf-8", newline="\n")


def write_report(*, pdf: str, **given: Any) -> None:
    """Write the PDF."""
    write_pdf(_pages(**given).as_text("print"), Path(pdf))


def _pages(
    *, plan: Mapping[str, Any], figures: Sequence[str], templates: Sequence[str], **results: Any
) -> _Pages:
    evidence = read_evidence(read_part(dict(plan)), **results)
    drawn = {Path(path).name: data_uri(Path(path)) for path in figures}
    blinded = evidence.plan.blinded
    return _Pages(
        evidence,
        read_templates(templates),
        blinded_context(evidence, drawn) if blinded else context(evidence, drawn),
        BLINDED if blinded else MAIN,
    )


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
        "why_primary": why_primary(plan),
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
