"""An endpoint's place in the order of testing, and the words that its p-values carry."""

import math
from dataclasses import dataclass

from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed


@dataclass(frozen=True)
class Standing:
    """What may be said of an endpoint's primary contrast.

    kind: `first`, `tested`, `not tested`, `co-primary`, `descriptive`, `exploratory`.
    marker: the sign behind each of its p-values, empty for `first`. note: the sentence behind the
    sign. short: the place in a word or two, for prose near that sentence. claim: whether the
    p-value may be called significant or not.
    """

    kind: str
    marker: str
    note: str
    short: str
    claim: bool


MARKERS = {
    "first": "",
    "tested": "\u2021",
    "not tested": "\u2020",
    "co-primary": "\u00a7",
    "descriptive": "\u2020",
    "exploratory": "\u00b6",
}

SHORT = {"first": "", "tested": "", "not tested": "not tested, descriptive"}


def significant(evidence: Evidence, endpoint: str) -> bool:
    """Whether the primary contrast's p is below alpha; a missing p is not, nor is that of a fit
    that did not converge."""
    fit = evidence.primary_fit(endpoint)
    return fit.fit.converged and fit.answer.result.p < evidence.plan.alpha


def favourable(evidence: Evidence, value: float) -> bool:
    """Whether a value of the primary contrast lies on the side that `arms.favours` names."""
    return value < 0 if evidence.plan.arms.favours == "lower" else value > 0


def succeeded(evidence: Evidence, endpoint: str) -> bool:
    """Significant, and in favour of the arm: two-sided p below alpha on the favourable side."""
    result = evidence.primary_fit(endpoint).answer.result
    return significant(evidence, endpoint) and favourable(evidence, result.estimate)


def joint(evidence: Evidence) -> tuple[str, ...]:
    """The co-primary endpoints; empty where a claim needs no more than one."""
    if evidence.plan.endpoint_order != "co-primary":
        return ()
    names = [name for name, own in evidence.plan.endpoints.items() if own.role == "primary"]
    return tuple(names) if len(names) > 1 else ()


def why_not(evidence: Evidence, endpoint: str) -> str:
    """Why an endpoint did not succeed, after its name."""
    fit = evidence.primary_fit(endpoint)
    p = evidence.p_phrase(fit.answer.result.p)
    if not fit.fit.converged:
        return "has no answer (the primary model did not converge)"
    if math.isnan(fit.answer.result.se):
        return "has no answer (the primary model gives it no standard error)"
    if significant(evidence, endpoint):
        return f"was significant in favour of {evidence.plan.arms.reference} ({p})"
    return f"was not significant ({p})"


def standing(evidence: Evidence, endpoint: str) -> Standing:
    """The place of an endpoint under the plan's `endpoint_order`."""
    plan = evidence.plan
    if plan.blinded:
        return _made("exploratory", "the trial is blinded: nothing is tested", False)
    if plan.endpoint_order == "exploratory" or plan.endpoints[endpoint].role == "exploratory":
        return _made(
            "exploratory", f"{endpoint} is exploratory: its p-value supports no claim", False
        )
    if plan.endpoint_order == "co-primary":
        return _co_primary(evidence, endpoint)
    return _hierarchical(evidence, endpoint)


def _hierarchical(evidence: Evidence, endpoint: str) -> Standing:
    before: list[str] = []
    for name in evidence.plan.endpoints:
        if name == endpoint:
            break
        before.append(name)
    failed = [name for name in before if not succeeded(evidence, name)]
    if failed:
        note = f"{endpoint} not tested: {failed[0]} came first and {why_not(evidence, failed[0])};"
        note += " descriptive"
        return _made("not tested", note, False)
    if not before:
        return _made("first", "", True)
    was = "was" if len(before) == 1 else "were"
    note = (
        f"{endpoint} tested after {listed(before)}, which came first and {was} significant in"
        f" favour of {plan_arm(evidence)}"
    )
    return _made("tested", note, True)


def _co_primary(evidence: Evidence, endpoint: str) -> Standing:
    primary = [name for name, own in evidence.plan.endpoints.items() if own.role == "primary"]
    if endpoint not in primary:
        note = f"{endpoint} is not among the co-primary endpoints ({listed(primary)}); descriptive"
        return _made("descriptive", note, False)
    if len(primary) == 1:
        return _made("first", "", True)
    return _made("co-primary", joint_verdict(evidence), True)


def joint_verdict(evidence: Evidence) -> str:
    """The joint claim of co-primary endpoints: what it needs, and whether it is met."""
    names = joint(evidence)
    failed = [name for name in names if not succeeded(evidence, name)]
    head = f"co-primary: a claim needs {listed(names)} each significant in favour of"
    head += f" {plan_arm(evidence)}; the joint claim is"
    if not failed:
        return f"{head} met"
    return f"{head} not met: {listed([f'{name} {why_not(evidence, name)}' for name in failed])}"


def plan_arm(evidence: Evidence) -> str:
    """The arm of the primary contrast, which a favourable value speaks for."""
    return evidence.plan.primary.arm


def _made(kind: str, note: str, claim: bool) -> Standing:
    return Standing(kind, MARKERS[kind], note, SHORT.get(kind, kind), claim)
