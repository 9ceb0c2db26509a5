"""Figure: the courses of single patients by arm, with the observed means."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.draw_profiles import visit_axis
from sitewise.report.drawing import arm_style, new_figure, style
from sitewise.trial.courses import ArmCourses
from sitewise.trial.description import Description

_ONE = "#9a9a9a"
_LETTERS = 90  # of titles over the page's width


def draw_individuals(
    plan: Plan, description: Description, endpoint: str, chosen: Sequence[ArmCourses]
) -> Figure:
    """Draw one panel an arm: thin lines are patients, the thick one the arm's observed mean."""
    section = plan.endpoints[endpoint]
    with style():
        figure = new_figure(2.5)
        panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
        for axes, own in zip(panels, chosen, strict=True):
            points: list[tuple[float, float]] = []
            for course in own.courses:
                points += [*zip(course.weeks, course.values, strict=True), (np.nan, np.nan)]
            if points:
                axes.plot(*np.array(points).T, color=_ONE, linewidth=0.6)
            means = [
                (r.week, r.mean)
                for r in description.outcomes
                if r.endpoint == endpoint and r.arm == own.arm and r.n
            ]
            look = arm_style(plan.arms, own.arm)
            axes.plot(*np.array(means).reshape(-1, 2).T, **look | {"linewidth": 2.0})
            title = f"{own.arm} ({len(own.courses)} of {own.patients})"
            axes.set_title("\n".join(wrap(title, max(10, _LETTERS // len(chosen)))))
            visit_axis(axes, plan, room=1 / len(chosen))
        panels[0].set_ylabel(f"{section.label} ({section.unit})")
    return figure
