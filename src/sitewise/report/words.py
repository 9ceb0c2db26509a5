"""The answer in words: the primary contrast, its verdict, what to know before trusting it.

Every sentence is a function of results. "Not significant" never becomes a claim of equality.
"""

from sitewise.inference.planned_fit import ArmContrast, PlannedFit
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import (
    degrees,
    interval,
    level,
    listed,
    number,
    plural,
)
from sitewise.report.standing import significant, standing
from sitewise.report.words_models import singular_sentence
from sitewise.terms import Severity


def lowered(label: str) -> str:
    """A label inside a sentence: `Systolic` becomes `systolic`, `HbA1c` and `SBP` stay."""
    first = label.split(" ", 1)[0]
    return label[0].lower() + label[1:] if first[1:].islower() or len(first) == 1 else label


def contrast_name(evidence: Evidence, contrast: ArmContrast) -> str:
    """`TASSH+HIC minus HIC, change from Baseline to Month 12`."""
    pair = f"{contrast.arm} minus {contrast.reference}"
    if contrast.kind == "change":
        base = evidence.plan.baseline_visit.name
        return f"{pair}, change from {base} to {contrast.visit}"
    return f"{pair}, level at {contrast.visit}"


def numbers_phrase(evidence: Evidence, endpoint: str, contrast: ArmContrast) -> str:
    """`-3.1 mmHg (95% CI -6.8 to 0.6; p = 0.100)`, with its place in the order of testing."""
    d, r = evidence.decimals(endpoint), contrast.result
    unit = evidence.endpoint(endpoint).unit
    limits = interval(r.lower, r.upper, d)[1:-1]
    place = standing(evidence, endpoint).note
    tail = f"; {place}" if place else ""
    return (
        f"{number(r.estimate, d)} {unit} ({evidence.coverage} CI {limits};"
        f" {evidence.p_phrase(r.p)}{tail})"
    )


def answer(evidence: Evidence, endpoint: str) -> str:
    """The answer of one endpoint in one sentence: estimate, interval, p."""
    contrast = evidence.primary_fit(endpoint).answer
    outcome = lowered(evidence.endpoint(endpoint).label)
    if contrast.kind == "change":
        base = evidence.plan.baseline_visit.name
        what = f"change in {outcome} from {base} to {contrast.visit}"
    else:
        what = f"{outcome} at {contrast.visit}"
    return (
        f"The difference in {what} between {contrast.arm} and {contrast.reference} was"
        f" {numbers_phrase(evidence, endpoint, contrast)}."
    )


def favoured(evidence: Evidence, value: float) -> str:
    """Which arm a value of the primary contrast speaks for."""
    primary = evidence.plan.primary
    better = value < 0 if evidence.plan.arms.favours == "lower" else value > 0
    return primary.arm if better else evidence.plan.arms.reference


def verdict(evidence: Evidence, endpoint: str) -> str:
    """What the p-value and the interval allow to be said, for an endpoint that is tested."""
    r = evidence.primary_fit(endpoint).answer.result
    place = standing(evidence, endpoint)
    d, unit = evidence.decimals(endpoint), evidence.endpoint(endpoint).unit
    alpha = level(evidence.plan.alpha)
    ends = (
        f"{number(r.lower, d)} {unit} (in favour of {favoured(evidence, r.lower)}) to"
        f" {number(r.upper, d)} {unit} (in favour of {favoured(evidence, r.upper)})"
    )
    if not place.claim:
        return f"The data are compatible with differences from {ends}; {place.note}."
    if significant(evidence, endpoint):
        return (
            f"It is statistically significant at the two-sided {alpha} level, in favour of"
            f" {favoured(evidence, r.estimate)}."
        )
    return (
        f"It is not statistically significant at the two-sided {alpha} level. That is not evidence"
        f" of equal arms: the data are compatible with differences from {ends}."
    )


def headline(evidence: Evidence) -> tuple[str, str]:
    """Two lines for the end of a run: the primary contrast, and its verdict in short."""
    endpoint = next(iter(evidence.plan.endpoints))
    fit = evidence.primary_fit(endpoint)
    first = (
        f"{endpoint}, {contrast_name(evidence, fit.answer)}:"
        f" {numbers_phrase(evidence, endpoint, fit.answer)}"
    )
    r, alpha = fit.answer.result, level(evidence.plan.alpha)
    if not standing(evidence, endpoint).claim:
        said = "no claim is made from this p-value"
    elif significant(evidence, endpoint):
        said = f"significant at the {alpha} level, in favour of {favoured(evidence, r.estimate)}"
    else:
        said = f"not significant at the {alpha} level; the interval says what remains possible"
    second = (
        f"Model {fit.model} on {plural(fit.patients, 'patient')} of {plural(fit.sites, 'site')},"
        f" {degrees(r.df)} degrees of freedom: {said}."
    )
    return first, second


def levels_sentence(evidence: Evidence, endpoint: str) -> str:
    """The model's means by arm at baseline and at the primary visit."""
    fit, d = evidence.primary_fit(endpoint), evidence.decimals(endpoint)
    base, last = evidence.plan.baseline_visit.name, evidence.plan.primary.visit
    found = {(m.arm, m.visit): m.result.estimate for m in fit.means}
    parts = [
        f"{arm.name} {number(found[arm.name, base], d)} and {number(found[arm.name, last], d)}"
        for arm in evidence.plan.arms.order
        if (arm.name, base) in found and (arm.name, last) in found
    ]
    if not parts or base == last:
        return ""
    unit = evidence.endpoint(endpoint).unit
    return f"The model's means at {base} and {last} ({unit}): {'; '.join(parts)}."


def cautions(evidence: Evidence) -> tuple[str, ...]:
    """What a reader must know before trusting the answer, the gravest first."""
    return (
        *_sites_set_aside(evidence),
        *_errors(evidence),
        *_primary_cautions(evidence),
        *_missing(evidence),
        *_disagreements(evidence),
        *_singular(evidence),
        *_places(evidence),
    )


def _sites_set_aside(evidence: Evidence) -> list[str]:
    return [
        f"Site {file.site} was set aside with its {plural(file.readings, 'reading')}: {file.reason}"
        for file in evidence.account.files
        if file.status == "set aside"
    ]


def _errors(evidence: Evidence) -> list[str]:
    return [
        f"{plural(found.findings, 'finding')} of severity error by the rule {found.rule}"
        f" at {plural(len(found.sites), 'site')}: {found.message}"
        for found in evidence.account.findings
        if found.severity == Severity.ERROR
    ]


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


def _missing(evidence: Evidence) -> list[str]:
    """Patients of the first endpoint without every visit, by arm: the answer rests on why."""
    name, own = next(iter(evidence.endpoints.items()))
    check = own.crosscheck
    missing = check.patients - check.complete
    if not missing:
        return []
    order = [arm.name for arm in evidence.plan.arms.order]
    by_arm = sorted(check.by_arm, key=lambda r: order.index(r.level))
    arms = [f"{r.level} {r.dropped} of {r.patients}" for r in by_arm]
    return [
        f"{name}: {missing} of {plural(check.patients, 'patient')} lack a reading at one visit or"
        f" more ({listed(arms)}). The answer rests on those readings being missing at random, given"
        " the model and the readings that there are."
    ]


def _places(evidence: Evidence) -> list[str]:
    notes = [standing(evidence, name).note for name in evidence.endpoints]
    return [f"{note[0].upper()}{note[1:]}." for note in dict.fromkeys(notes) if note]
