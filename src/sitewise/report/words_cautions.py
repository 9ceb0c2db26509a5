"""What to know before trusting the answer: sites and patients left out, fits, disagreements."""

from sitewise.inference.planned_fit import PlannedFit
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, plural, typeset
from sitewise.report.words_models import singular_sentence
from sitewise.report.words_patients import missing_sentence
from sitewise.terms import Severity
from sitewise.trial.account import FindingCount

MOST_MESSAGES = 3  # messages of one rule on the first page


def cautions(evidence: Evidence) -> tuple[str, ...]:
    """What a reader must know before trusting the answer, the gravest first."""
    found = (
        *_departures(evidence),
        *_sites_set_aside(evidence),
        *_errors(evidence),
        *_primary_cautions(evidence),
        *(missing_sentence(evidence, name) for name in evidence.endpoints),
        *_disagreements(evidence),
        *_singular(evidence),
    )
    return tuple(typeset(text) for text in found if text)


def _departures(evidence: Evidence) -> list[str]:
    """That plan or data are not what was locked."""
    found = evidence.deviations
    if not found.changed:
        return []
    return [
        f"Plan or data are not those that were locked ({plural(len(found.changed), 'change')}):"
        " the reasons are in section 2"
    ]


def _sites_set_aside(evidence: Evidence) -> list[str]:
    return [
        f"Site {file.site} was set aside, {_with_readings(file.readings)}: {file.reason}"
        for file in evidence.account.files
        if file.status == "set aside"
    ]


def _with_readings(count: int) -> str:
    """Of a file that is not there or can't be read, nobody knows how many it holds."""
    return f"with its {plural(count, 'reading')}" if count else "its readings could not be counted"


def _errors(evidence: Evidence) -> list[str]:
    """Findings of severity error, those of one rule together; the first few of their messages."""
    by_rule: dict[str, list[FindingCount]] = {}
    for found in evidence.account.findings:
        if found.severity == Severity.ERROR:
            by_rule.setdefault(found.rule, []).append(found)
    texts = []
    for rule, own in by_rule.items():
        sites = {site for found in own for site in found.sites}
        more = f"; {len(own) - MOST_MESSAGES} more kinds in section 2"
        texts.append(
            f"{plural(sum(found.findings for found in own), 'finding')} of severity error by the"
            f" rule {rule} at {plural(len(sites), 'site')}:"
            f" {'; '.join(found.message for found in own[:MOST_MESSAGES])}"
            f"{more if len(own) > MOST_MESSAGES else ''}"
        )
    return texts


def _primary_cautions(evidence: Evidence) -> list[str]:
    """Cautions of the primary fits; the same words of several endpoints once."""
    told: dict[str, list[str]] = {}
    for name in evidence.endpoints:
        for text in _of_primary(evidence.primary_fit(name)):
            told.setdefault(text, []).append(name)
    return [f"{listed(names)}: {text}" for text, names in told.items()]


def _of_primary(fit: PlannedFit) -> tuple[str, ...]:
    """Of the primary fit: convergence first, then its own cautions."""
    if fit.fit.converged:
        return fit.cautions
    stopped = f"the primary model did not converge ({fit.fit.optimum.message})"
    return (stopped, *fit.cautions)


def _disagreements(evidence: Evidence) -> list[str]:
    found = []
    for name, own in evidence.endpoints.items():
        for r in own.replications.rows:
            if r.status == "disagrees":
                found.append(
                    f"{name}, model {r.model}: the second engine ({r.engine}) disagrees;"
                    f" {r.stopped_short} stopped short of the higher log-likelihood."
                )
            elif r.status == "failed":
                found.append(f"{name}, model {r.model}: the replication failed: {r.reason}")
    return found


def _singular(evidence: Evidence) -> list[str]:
    """Singular fits, those of one kind and term together; then fits that did not converge."""
    told: dict[tuple[str, str], dict[str, list[str]]] = {}
    stopped = []
    for name in evidence.endpoints:
        for fit in evidence.ordered_fits(name):
            s = fit.fit.singularity
            if s.singular:
                told.setdefault((s.kind, s.where), {}).setdefault(name, []).append(fit.model)
            if not fit.fit.converged and fit.model != evidence.plan.primary.model:
                why = fit.fit.optimum.message
                stopped.append(f"{name}: the model {fit.model} did not converge ({why}).")
    found = []
    for (kind, where), by_endpoint in told.items():
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, models in by_endpoint.items():
            groups.setdefault(tuple(models), []).append(name)
        for same, names in groups.items():
            found.append(f"{listed(names)}: {singular_sentence(kind, where, list(same))}")
    return found + stopped
