"""Figure: residuals of the primary model against fitted values, quantiles and visits."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, new_figure, style, thinned

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 1500  # more make the page slow and show no more


def draw_residuals(plan: Plan, endpoint: str, rows: "pd.DataFrame") -> Figure:
    """Draw the conditional residuals of the rows used as outcome (AVISIT, FITTED, RESIDUAL)."""
    used = rows[rows["RESIDUAL"].notna()]
    fitted = used["FITTED"].to_numpy(float)
    residual = used["RESIDUAL"].to_numpy(float)
    visits = used["AVISIT"].astype(str).to_numpy()
    unit = plan.endpoints[endpoint].unit
    with style():
        figure = new_figure(2.5)
        a, b, c = figure.subplots(1, 3)
        shown = chosen(len(residual), plan.seeds.figures)
        a.axhline(0, color=GREY, linewidth=0.6)
        _dots(a, fitted[shown], residual[shown])
        a.set(xlabel=f"Fitted ({unit})", ylabel=f"Residual ({unit})")
        ordered = np.sort(residual)
        at = chosen(len(ordered), plan.seeds.figures, ends=True)
        normal = NormalDist()
        # Plotting positions of Hazen (1914), as R's qqnorm takes them for n > 10.
        expected = np.array([normal.inv_cdf((i + 0.5) / len(ordered)) for i in at])
        _dots(b, expected, ordered[at])
        scale = float(np.sqrt(np.mean(residual**2))) if len(residual) else 1.0
        b.axline((0, 0), slope=scale, color=GREY, linewidth=0.6)
        b.set(xlabel="Normal quantile", ylabel=f"Residual ({unit})")
        names = [v.name for v in plan.visits if (visits == v.name).any()]
        _boxes(c, [residual[visits == name] for name in names])
        short = (
            names
            if len(names) <= 4
            else thinned([f"{plan_week(plan, name):g}" for name in names], 6)
        )
        c.set_xticks(range(1, len(names) + 1), short)
        c.set(xlabel="Visit" if short is names else "Week", ylabel=f"Residual ({unit})")
        for ax, title in zip((a, b, c), ("a", "b", "c"), strict=True):
            ax.set_title(title)
    return figure


def plan_week(plan: Plan, visit: str) -> float:
    """The planned week of a visit."""
    return next(v.week for v in plan.visits if v.name == visit)


def chosen(n: int, seed: int, *, ends: bool = False) -> "np.ndarray":
    """Indices of the points shown: all, or MOST_POINTS drawn by the plan's seed.

    ends: always show the ten lowest and highest, which matter most in a quantile plot.
    """
    if n <= MOST_POINTS:
        return np.arange(n)
    drawn = np.random.default_rng(seed).choice(n, MOST_POINTS, replace=False)
    if ends:
        drawn = np.concatenate([drawn, np.arange(10), np.arange(n - 10, n)])
    return np.unique(drawn)


def _dots(axes: Axes, x: "np.ndarray", y: "np.ndarray") -> None:
    """Points as one path of lines without length and with round ends.

    A marker each would make thousands of elements, and the page takes milliseconds for each.
    """
    lines = np.full((3 * len(x), 2), np.nan)
    lines[0::3] = lines[1::3] = np.column_stack([x, y])
    axes.plot(*lines.T, color=COLOURS[0], linewidth=1.5, solid_capstyle="round")


def _boxes(axes: Axes, groups: "list[np.ndarray]") -> None:
    line = {"color": COLOURS[0], "linewidth": 0.8}
    axes.axhline(0, color=GREY, linewidth=0.6)
    if groups:
        axes.boxplot(
            groups,
            widths=0.55,
            boxprops=line,
            whiskerprops=line,
            capprops=line,
            medianprops={"color": COLOURS[1], "linewidth": 1.1},
            flierprops={"marker": "+", "markersize": 2.5, "markeredgewidth": 0.4},
        )
