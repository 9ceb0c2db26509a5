"""An endpoint's place in the order of testing, and the words that its p-values carry."""

from dataclasses import dataclass

from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed


@dataclass(frozen=True)
class Standing:
    """What may be said of an endpoint's primary contrast.

    kind: `first`, `tested`, `not tested`, `co-primary`, `descriptive`, `exploratory`.
    marker: the sign behind each of its p-values, empty for `first`. note: the sentence behind the
    sign. claim: whether the p-value may be called significant or not.
    """

    kind: str
    marker: str
    note: str
    claim: bool


MARKERS = {
    "first": "",
    "tested": "\u2021",
    "not tested": "\u2020",
    "co-primary": "\u00a7",
    "descriptive": "\u2020",
    "exploratory": "\u00b6",
}


def significant(evidence: Evidence, endpoint: str) -> bool:
    """Whether the primary contrast's p is below alpha; a missing p is not."""
    return evidence.primary_fit(endpoint).answer.result.p < evidence.plan.alpha


def standing(evidence: Evidence, endpoint: str) -> Standing:
    """The place of an endpoint under the plan's `endpoint_order`."""
    plan = evidence.plan
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
    failed = [name for name in before if not significant(evidence, name)]
    if failed:
        p = evidence.p_phrase(evidence.primary_fit(failed[0]).answer.result.p)
        note = f"{endpoint} not tested: {failed[0]} came first and was not significant ({p});"
        note += " descriptive"
        return _made("not tested", note, False)
    if not before:
        return _made("first", "", True)
    note = f"{endpoint} tested after {listed(before)}, which came first and was significant"
    if len(before) > 1:
        note = f"{endpoint} tested after {listed(before)}, which came first and were significant"
    return _made("tested", note, True)


def _co_primary(evidence: Evidence, endpoint: str) -> Standing:
    plan = evidence.plan
    joint = [name for name, section in plan.endpoints.items() if section.role == "primary"]
    if endpoint not in joint:
        note = f"{endpoint} is not among the co-primary endpoints ({listed(joint)}); descriptive"
        return _made("descriptive", note, False)
    if len(joint) == 1:
        return _made("first", "", True)
    met = [name for name in joint if significant(evidence, name)]
    verdict = "all are" if met == joint else f"{listed(met)} is" if len(met) == 1 else "not all are"
    verdict = verdict if met else "none is"
    note = f"co-primary: a claim needs {listed(joint)} all to be significant; here {verdict}"
    return _made("co-primary", note, True)


def _made(kind: str, note: str, claim: bool) -> Standing:
    return Standing(kind, MARKERS[kind], note, claim)
