"""The order of testing over endpoints, visits and arms, and what it must agree with."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from sitewise.plan.names import Disagreement, unknown
from sitewise.plan.section import Name, Section, Text

if TYPE_CHECKING:
    from sitewise.plan.model import Plan


class Hypothesis(Section):
    """One step of the order of testing: a contrast of the primary model, of the primary kind."""

    endpoint: Name = Field(description="the outcome tested")
    visit: Text = Field(description="the visit of the contrast, after baseline")
    arm: Text | None = Field(
        default=None, description="the arm compared with the reference; none: that of `primary`"
    )

    def of(self, arm: str) -> "Hypothesis":
        """The same, with `arm` where the plan names none."""
        return self if self.arm is not None else self.model_copy(update={"arm": arm})


def order_disagreements(plan: "Plan") -> Iterator[Disagreement]:
    """What keeps `hierarchy` from being an order in which the plan's hypotheses can be tested."""
    if not plan.hierarchy:
        return
    if plan.endpoint_order != "hierarchical":
        yield (
            "hierarchy",
            f"steps are listed, and endpoint_order is {plan.endpoint_order}",
            "`endpoint_order: hierarchical`",
            "set it, or leave `hierarchy` out",
        )
        return
    found = [problem for i in range(len(plan.hierarchy)) for problem in _step(plan, i)]
    yield from found or _whole(plan)


def _step(plan: "Plan", i: int) -> Iterator[Disagreement]:
    """One step by itself."""
    step, where = plan.hierarchy[i], f"hierarchy.{i}"
    visits = {visit.name: visit for visit in plan.visits}
    base = min((v.week for v in plan.visits if v.baseline), default=float("-inf"))
    late = [name for name, visit in visits.items() if visit.week > base]
    if step.endpoint not in plan.endpoints:
        yield unknown(f"{where}.endpoint", step.endpoint, list(plan.endpoints))
    elif plan.endpoints[step.endpoint].role == "exploratory":
        yield (
            f"{where}.endpoint",
            f"{step.endpoint} has `role: exploratory`, and nothing is claimed from its p-values",
            ", ".join(n for n, own in plan.endpoints.items() if own.role != "exploratory"),
            "take the step out, or make the endpoint secondary",
        )
    if step.visit not in visits:
        yield unknown(f"{where}.visit", step.visit, late)
    elif step.visit not in late:
        yield (
            f"{where}.visit",
            f"{step.visit} is not after baseline: treatment had no time to act",
            ", ".join(late),
            "name a later visit",
        )
    if step.arm is not None and step.arm not in plan.arms.levels:
        yield unknown(f"{where}.arm", step.arm, list(plan.arms.levels))
    elif step.arm == plan.arms.reference:
        yield (
            f"{where}.arm",
            f"{step.arm!r} is the reference arm itself",
            ", ".join(arm for arm in plan.arms.levels if arm != plan.arms.reference),
            "name another arm",
        )


def _whole(plan: "Plan") -> Iterator[Disagreement]:
    """The steps together: each once, the primary contrasts among them, endpoints in order."""
    own = plan.primary
    steps = [(s.endpoint, s.visit, s.arm) for s in plan.order_of_testing]
    for i, step in enumerate(steps):
        if step in steps[:i]:
            yield (
                f"hierarchy.{i}",
                f"{' at '.join(step[:2])}, {step[2]}, stands twice",
                "each hypothesis once",
                "take one of them out",
            )
    tested = [name for name, e in plan.endpoints.items() if e.role != "exploratory"]
    first = (tested[0], own.visit, own.arm)
    if steps[0] != first:
        yield (
            "hierarchy.0",
            f"the first step is {' at '.join(steps[0][:2])}, {steps[0][2]}, and the primary"
            f" contrast of the first endpoint is {' at '.join(first[:2])}, {first[2]}",
            "the primary contrast of the first endpoint",
            "put it first, or change `primary`",
        )
    for name in tested:
        if (name, own.visit, own.arm) not in steps:
            yield (
                "hierarchy",
                f"the primary contrast of {name} ({own.visit}, {own.arm}) is not among the steps",
                "the primary contrast of every endpoint that is not exploratory",
                "add it, or make the endpoint exploratory",
            )
    met = list(dict.fromkeys(endpoint for endpoint, _, _ in steps))
    wanted = [name for name in tested if name in met]
    if met != wanted:
        yield (
            "hierarchy",
            f"endpoints come in the order {', '.join(met)}, and `endpoints` lists them as"
            f" {', '.join(wanted)}",
            "the order of `endpoints`",
            "change one of the two",
        )
