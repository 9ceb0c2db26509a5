"""Figure: residuals of the primary model against fitted values, quantiles and visits."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, new_figure, style

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
        point = {"linestyle": "none", "marker": "o", "markersize": 1.6, "alpha": 0.45}
        a.axhline(0, color=GREY, linewidth=0.6)
        a.plot(fitted[shown], residual[shown], color=COLOURS[0], markeredgewidth=0, **point)
        a.set(xlabel=f"Fitted ({unit})", ylabel=f"Residual ({unit})")
        ordered = np.sort(residual)
        at = chosen(len(ordered), plan.seeds.figures, ends=True)
        normal = NormalDist()
        # Plotting positions of Hazen (1914), as R's qqnorm takes them for n > 10.
        expected = np.array([normal.inv_cdf((i + 0.5) / len(ordered)) for i in at])
        b.plot(expected, ordered[at], color=COLOURS[0], markeredgewidth=0, **point)
        scale = float(np.sqrt(np.mean(residual**2))) if len(residual) else 1.0
        b.axline((0, 0), slope=scale, color=GREY, linewidth=0.6)
        b.set(xlabel="Normal quantile", ylabel=f"Residual ({unit})")
        names = [v.name for v in plan.visits if (visits == v.name).any()]
        _boxes(c, [residual[visits == name] for name in names])
        short = names if len(names) <= 4 else [f"{plan_week(plan, name):g}" for name in names]
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


def _boxes(axes: "object", groups: "list[np.ndarray]") -> None:
    line = {"color": COLOURS[0], "linewidth": 0.8}
    axes.axhline(0, color=GREY, linewidth=0.6)  # type: ignore[attr-defined]
    if groups:
        axes.boxplot(  # type: ignore[attr-defined]
            groups,
            widths=0.55,
            boxprops=line,
            whiskerprops=line,
            capprops=line,
            medianprops={"color": COLOURS[1], "linewidth": 1.1},
            flierprops={"marker": "o", "markersize": 1.6, "markeredgewidth": 0.3, "alpha": 0.6},
        )
