"""Figure: observed means by arm and visit, and the model's difference between arms."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.model import Plan
from sitewise.report.drawing import GREY, arm_style, new_figure, segments, style, thinned
from sitewise.trial.description import Description

_NAMED_VISITS = 5  # more are labelled by their week
_MANY = 24  # points of a panel
_LETTERS = 110  # of tick labels that stand side by side over the page's width


def draw_profiles(plan: Plan, description: Description, primary: PlannedFit) -> Figure:
    """Draw (a) observed means with intervals by arm, (b) arm minus reference by visit."""
    endpoint = plan.endpoints[primary.endpoint]
    with style():
        figure = new_figure(2.9)
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _observed(left, plan, description, primary.endpoint)
        _differences(right, plan, primary)
        left.set_title("a  Observed means")
        left.set_ylabel(f"{endpoint.label} ({endpoint.unit})")
        right.set_title("b  Differences, primary model")
        kind = "Difference in change" if plan.primary.contrast == "change" else "Difference"
        right.set_ylabel(f"{kind} ({endpoint.unit})")
        figure.legend(loc="outside lower center", ncols=min(4, len(plan.arms.order)))
    return figure


def draw_pooled(plan: Plan, description: Description, endpoint: str) -> Figure:
    """Draw the observed means of all arms together, of a blinded trial."""
    section = plan.endpoints[endpoint]
    with style():
        figure = new_figure(2.6)
        axes = figure.subplots()
        _observed(axes, plan, description, endpoint)
        axes.set_ylabel(f"{section.label} ({section.unit})")
    return figure


def _dodge(plan: Plan, k: int, among: int) -> float:
    """Shift in weeks that keeps the intervals of several arms apart."""
    weeks = [visit.week for visit in plan.visits]
    return (k - (among - 1) / 2) * 0.012 * max(1.0, weeks[-1] - weeks[0])


def _observed(axes: Axes, plan: Plan, description: Description, endpoint: str) -> None:
    arms = [arm.name for arm in plan.arms.order]
    for k, arm in enumerate(arms):
        rows = [
            r for r in description.outcomes if r.endpoint == endpoint and r.arm == arm and r.n > 0
        ]
        if not rows:
            continue
        look = arm_style(plan.arms, arm)
        weeks = [r.week + _dodge(plan, k, len(arms)) for r in rows]
        means = [r.mean for r in rows]
        # Many arms at many visits: what lies side by side must be small.
        many = len(arms) * len(plan.visits) > _MANY
        small = {"markersize": 3.2, "linewidth": 0.8} if many else {}
        axes.plot(weeks, means, label=arm, **look | small)
        segments(axes, weeks, [r.lower for r in rows], weeks, [r.upper for r in rows],
                 color=look["color"], linewidth=0.7 if many else 1.1)  # fmt: skip
    visit_axis(axes, plan)


def _differences(axes: Axes, plan: Plan, primary: PlannedFit) -> None:
    axes.axhline(0, color=GREY, linewidth=0.6)
    if not primary.fit.converged:  # no result, as on the page
        visit_axis(axes, plan)
        axes.set_xlabel("The fit did not converge: nothing to show")
        return
    arms = [a.name for a in plan.arms.order if a.name != plan.arms.reference]
    for k, arm in enumerate(arms):
        look = arm_style(plan.arms, arm)
        for c in primary.contrasts:
            if c.arm != arm or c.kind != plan.primary.contrast:
                continue
            at = c.week + _dodge(plan, k, len(arms))
            main = c.visit == plan.primary.visit and arm == plan.primary.arm
            many = len(arms) * len(plan.visits) > _MANY
            segments(axes, [at], [c.result.lower], [at], [c.result.upper], color=look["color"],
                     linewidth=0.7 if many and not main else 1.2)  # fmt: skip
            axes.plot(
                at,
                c.result.estimate,
                marker=look["marker"],
                markersize=6.5 if main else 3.2 if many else 4.5,
                color=look["color"],
                markerfacecolor=look["color"] if main else "white",
            )
    visit_axis(axes, plan)
    side = "below" if plan.arms.favours == "lower" else "above"
    axes.set_xlabel(
        "\n".join(filter(None, (axes.get_xlabel(), f"{side} 0: better than reference")))
    )


def visit_axis(axes: Axes, plan: Plan, room: float = 0.5) -> None:
    """Ticks at the planned visits. room: share of the page's width that the axes have."""
    visits = plan.visits
    span = max(1.0, visits[-1].week - visits[0].week)
    axes.set_xlim(visits[0].week - 0.08 * span, visits[-1].week + 0.08 * span)
    letters = sum(len(v.name) + 2 for v in visits)
    if len(visits) <= _NAMED_VISITS and letters <= _LETTERS * room:
        axes.set_xticks([v.week for v in visits], [v.name for v in visits])
    else:
        axes.set_xticks(
            [v.week for v in visits],
            thinned([f"{v.week:g}" for v in visits], max(3, round(14 * room))),
        )
        axes.set_xlabel("Week")
