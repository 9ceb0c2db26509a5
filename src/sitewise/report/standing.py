"""The place of a contrast in the order of testing, and the words that its p-value carries.

The order is a fixed sequence (Maurer, Hothorn & Lehmacher 1995, in Biometrie in der chemisch-
pharmazeutischen Industrie 6, 3-18): each step is tested at the full level, and only if all before
it succeeded.
"""

import math
from dataclasses import dataclass

from sitewise.inference.fixed_sequence import SequenceStep, fixed_sequence
from sitewise.inference.planned_fit import ArmContrast, PlannedFit
from sitewise.plan.model import Plan
from sitewise.plan.order import Hypothesis
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


def significant(evidence: Evidence, step: Hypothesis) -> bool:
    """Whether the contrast's p is below alpha; a missing p is not, nor is that of a fit that did
    not converge."""
    found = contrast_of(evidence, step)
    fit = evidence.primary_fit(step.endpoint)
    return found is not None and fit.fit.converged and found.result.p < evidence.plan.alpha


def favourable(evidence: Evidence, value: float) -> bool:
    """Whether a value of a contrast lies on the side that `arms.favours` names."""
    return value < 0 if evidence.plan.arms.favours == "lower" else value > 0


def succeeded(evidence: Evidence, step: Hypothesis) -> bool:
    """Significant, and in favour of the arm: two-sided p below alpha on the favourable side."""
    found = contrast_of(evidence, step)
    return (
        found is not None
        and significant(evidence, step)
        and favourable(evidence, found.result.estimate)
    )


def contrast_of(evidence: Evidence, step: Hypothesis) -> ArmContrast | None:
    """The contrast of a step in the primary model; None where the data did not allow it."""
    own, fit = primary_of(evidence.plan, step.endpoint), evidence.primary_fit(step.endpoint)
    if step == own:
        return fit.primary
    kind = evidence.plan.primary.contrast
    wanted = (step.arm, step.visit, kind)
    return next((c for c in fit.contrasts if (c.arm, c.visit, c.kind) == wanted), None)


def primary_of(plan: Plan, endpoint: str) -> Hypothesis:
    """The primary contrast of an endpoint as a hypothesis."""
    return Hypothesis(endpoint=endpoint, visit=plan.primary.visit, arm=plan.primary.arm)


def joint(evidence: Evidence) -> tuple[str, ...]:
    """The co-primary endpoints; empty where a claim needs no more than one."""
    if evidence.plan.endpoint_order != "co-primary":
        return ()
    names = [name for name, own in evidence.plan.endpoints.items() if own.role == "primary"]
    return tuple(names) if len(names) > 1 else ()


def why_not(evidence: Evidence, step: Hypothesis) -> str:
    """Why a step did not succeed, after its name."""
    fit, found = evidence.primary_fit(step.endpoint), contrast_of(evidence, step)
    if not fit.fit.converged:
        return "has no answer (the primary model did not converge)"
    if found is None:
        return "has no answer (the data hold no reading that determines it)"
    if math.isnan(found.result.se):
        return "has no answer (the primary model gives it no standard error)"
    p = evidence.p_phrase(found.result.p)
    if significant(evidence, step):
        return f"was significant in favour of {evidence.plan.arms.reference} ({p})"
    return f"was not significant ({p})"


def standing(evidence: Evidence, endpoint: str, step: Hypothesis | None = None) -> Standing:
    """The place of a step under the plan's `endpoint_order`; none: of the primary contrast."""
    plan = evidence.plan
    if plan.blinded:
        return _made("exploratory", "the trial is blinded: nothing is tested", False)
    if plan.endpoint_order == "exploratory" or plan.endpoints[endpoint].role == "exploratory":
        return _made(
            "exploratory", f"{endpoint} is exploratory: its p-value supports no claim", False
        )
    if plan.endpoint_order == "co-primary":
        return _co_primary(evidence, endpoint)
    return _hierarchical(evidence, step or primary_of(plan, endpoint))


def step_of(evidence: Evidence, fit: PlannedFit, contrast: ArmContrast) -> Hypothesis | None:
    """The step of the order of testing that a contrast is, if it is one."""
    plan = evidence.plan
    if plan.endpoint_order != "hierarchical" or plan.blinded or fit.model != plan.primary.model:
        return None
    if contrast.kind != plan.primary.contrast:
        return None
    own = Hypothesis(endpoint=fit.endpoint, visit=contrast.visit, arm=contrast.arm)
    return own if own in plan.order_of_testing else None


def step_name(plan: Plan, step: Hypothesis) -> str:
    """`SYSBP`; with a hierarchy over visits `SYSBP at Month 6`, over arms too `..., Low dose`."""
    if not plan.hierarchy:
        return step.endpoint
    several = len({one.arm for one in plan.order_of_testing}) > 1
    return f"{step.endpoint} at {step.visit}" + (f" ({step.arm})" if several else "")


def sequence(evidence: Evidence) -> dict[Hypothesis, SequenceStep]:
    """What became of every step of the order of testing."""
    order = evidence.plan.order_of_testing
    found = [(contrast_of(evidence, step), evidence.primary_fit(step.endpoint)) for step in order]
    p = [c.result.p if c is not None and f.fit.converged else math.nan for c, f in found]
    good = [c is not None and favourable(evidence, c.result.estimate) for c, _ in found]
    return dict(zip(order, fixed_sequence(p, good, evidence.plan.alpha), strict=True))


def _hierarchical(evidence: Evidence, step: Hypothesis) -> Standing:
    plan = evidence.plan
    order = plan.order_of_testing
    before = order[: order.index(step)]
    failed = next((one for one in before if not sequence(evidence)[one].succeeded), None)
    own = step_name(plan, step)
    if failed is not None:
        note = f"{own} not tested: {step_name(plan, failed)} came first and"
        note += f" {why_not(evidence, failed)}; descriptive"
        return _made("not tested", note, False)
    if not before:
        return _made("first", "", True)
    was = "was" if len(before) == 1 else "were"
    arms = dict.fromkeys(str(one.arm) for one in before)
    note = (
        f"{own} tested after {listed([step_name(plan, one) for one in before])}, which came first"
        f" and {was} significant in favour of {listed(list(arms))}"
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
    own = {name: primary_of(evidence.plan, name) for name in names}
    failed = [name for name in names if not succeeded(evidence, own[name])]
    head = f"co-primary: a claim needs {listed(names)} each significant in favour of"
    head += f" {plan_arm(evidence)}; the joint claim is"
    if not failed:
        return f"{head} met"
    return (
        f"{head} not met: {listed([f'{name} {why_not(evidence, own[name])}' for name in failed])}"
    )


def plan_arm(evidence: Evidence) -> str:
    """The arm of the primary contrast, which a favourable value speaks for."""
    return evidence.plan.primary.arm


def _made(kind: str, note: str, claim: bool) -> Standing:
    return Standing(kind, MARKERS[kind], note, SHORT.get(kind, kind), claim)
