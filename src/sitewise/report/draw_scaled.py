"""Figure: scaled marginal residuals of the primary model, which are N(0, 1) where it is right."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.draw_residuals import chosen, plan_week
from sitewise.report.drawing import COLOURS, GREY, dots, new_figure, style, thinned

if TYPE_CHECKING:
    import pandas as pd

NONE = "No scaled residuals: see the caption"


def draw_scaled(plan: Plan, rows: "pd.DataFrame") -> Figure:
    """Draw them (AVISIT, SCALED) against normal quantiles, and their SD by visit."""
    used = rows[rows["SCALED"].notna()]
    values = used["SCALED"].to_numpy(float)
    visits = used["AVISIT"].astype(str).to_numpy()
    with style():
        figure = new_figure(2.2)
        a, b = figure.subplots(1, 2)
        a.set_title("a  Against normal quantiles")
        b.set_title("b  Standard deviation by visit")
        a.set(xlabel="Normal quantile", ylabel="Scaled residual")
        if len(values) < 3:
            for ax in (a, b):
                ax.text(0, 0, NONE, ha="center")
                ax.set(xlim=(-1, 1), ylim=(-1, 1), xticks=[], yticks=[])
            return figure
        ordered = np.sort(values)
        at = chosen(len(ordered), plan.seeds.figures, ends=True)
        normal = NormalDist()
        expected = np.array([normal.inv_cdf((i + 0.5) / len(ordered)) for i in at])
        ends = expected[[0, -1]]
        a.plot(ends, ends, color=GREY, linewidth=0.6)
        dots(a, expected, ordered[at], 1.5, COLOURS[0])
        names = [v.name for v in plan.visits if (visits == v.name).sum() > 1]
        b.axhline(1, color=GREY, linewidth=0.6)
        for i, name in enumerate(names, start=1):
            own = values[visits == name]
            # Where the model is right: 1 +- z / sqrt(2 n), the normal approximation of an SD.
            half = normal.inv_cdf(0.975) / np.sqrt(2 * len(own))
            b.plot([i, i], [1 - half, 1 + half], color=GREY, linewidth=3, alpha=0.4)
            dots(b, [float(i)], [float(np.sqrt(np.mean(own**2)))], 4.0, COLOURS[0])
        weeks = [f"{plan_week(plan, name):g}" for name in names]
        short = names if len(names) <= 4 else thinned(weeks, 7)
        b.set_xticks(range(1, len(names) + 1), short)
        b.set(xlabel="Visit" if short is names else "Week", ylabel="Root mean square")
        b.set_ylim(bottom=0)
    return figure
