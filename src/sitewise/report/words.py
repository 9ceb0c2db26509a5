"""The answer in words: the primary contrast and its verdict.

Every sentence is a function of results. "Not significant" never becomes a claim of equality.
"""

import math

from sitewise.errors import plural
from sitewise.inference.planned_fit import ArmContrast
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import degrees, interval, level, number
from sitewise.report.standing import favourable, primary_of, significant, standing


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
    place = standing(evidence, endpoint)
    tail = f", {place.short}" if place.short else ""
    return (
        f"{number(r.estimate, d)} {unit} ({evidence.coverage} CI {limits};"
        f" {evidence.p_phrase(r.p)}{place.marker}{tail})"
    )


def no_answer(evidence: Evidence, endpoint: str) -> str:
    """Why there is no answer: the primary fit did not converge, or does not say how sure it is."""
    fit = evidence.primary_fit(endpoint)
    none = f"There is no answer to be reported for {lowered(evidence.endpoint(endpoint).label)}:"
    if not fit.fit.converged:
        return (
            f"{none} the search for the best fit of the primary model {fit.model} did not converge"
            f" ({fit.fit.optimum.message}), so that its numbers are not final."
        )
    if math.isnan(fit.answer.result.se):
        return (
            f"{none} in the primary model {fit.model} its standard error hangs on a variance on"
            " which the data say nothing beside the fixed effects, so that nobody can say how sure"
            " the estimate is."
        )
    return ""


def answer(evidence: Evidence, endpoint: str) -> str:
    """The answer of one endpoint in one sentence: estimate, interval, p; or that there is none."""
    if missing := no_answer(evidence, endpoint):
        return missing
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
    return primary.arm if favourable(evidence, value) else evidence.plan.arms.reference


def verdict(evidence: Evidence, endpoint: str) -> str:
    """What the p-value and the interval allow to be said, for an endpoint that is tested."""
    if no_answer(evidence, endpoint):
        return ""
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
    if place.kind == "co-primary":
        return f"{_capital(place.note)}. The data are compatible with differences from {ends}."
    if significant(evidence, primary_of(evidence.plan, endpoint)):
        return (
            f"It is statistically significant at the two-sided {alpha} level, in favour of"
            f" {favoured(evidence, r.estimate)}."
        )
    return (
        f"It is not statistically significant at the two-sided {alpha} level. That is not evidence"
        f" of equal arms: the data are compatible with differences from {ends}."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def headline(evidence: Evidence) -> tuple[str, str]:
    """Two lines for the end of a run: the primary contrast, and its verdict in short."""
    endpoint = next(iter(evidence.plan.endpoints))
    fit = evidence.primary_fit(endpoint)
    first = f"{endpoint}, {contrast_name(evidence, fit.answer)}:"
    if missing := no_answer(evidence, endpoint):
        return f"{first} no answer", missing
    first += f" {numbers_phrase(evidence, endpoint, fit.answer)}"
    r, alpha = fit.answer.result, level(evidence.plan.alpha)
    place = standing(evidence, endpoint)
    if place.kind == "co-primary":
        said = place.note
    elif not place.claim:
        said = "no claim is made from this p-value"
    elif significant(evidence, primary_of(evidence.plan, endpoint)):
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
    if no_answer(evidence, endpoint):
        return ""
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
