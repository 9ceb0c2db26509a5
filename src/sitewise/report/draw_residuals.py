"""Figure: residuals of the primary model, and the predictions of its sites."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, dots, new_figure, style, thinned
from sitewise.sites.result import SiteResults

if TYPE_CHECKING:
    import pandas as pd

MOST_POINTS = 1500  # more make the page slow and show no more


def draw_residuals(plan: Plan, endpoint: str, rows: "pd.DataFrame", sites: SiteResults) -> Figure:
    """Draw the conditional residuals of the rows used as outcome (AVISIT, FITTED, RESIDUAL), and
    the predicted intercepts of sites against normal quantiles."""
    used = rows[rows["RESIDUAL"].notna()]
    fitted = used["FITTED"].to_numpy(float)
    residual = used["RESIDUAL"].to_numpy(float)
    visits = used["AVISIT"].astype(str).to_numpy()
    unit = plan.endpoints[endpoint].unit
    with style():
        figure = new_figure(3.3)
        (a, b), (c, d) = figure.subplots(2, 2)
        shown = chosen(len(residual), plan.seeds.figures)
        a.axhline(0, color=GREY, linewidth=0.6)
        dots(a, fitted[shown], residual[shown], 1.5, COLOURS[0])
        a.set(xlabel=f"Fitted ({unit})", ylabel=f"Residual ({unit})")
        _quantiles(b, residual, 1.5, plan.seeds.figures)
        b.set(xlabel="Normal quantile", ylabel=f"Residual ({unit})")
        _quantiles(d, np.array([p.blup for p in sites.predictions]), 3.5, plan.seeds.figures)
        d.set(xlabel="Normal quantile", ylabel=f"Site prediction ({unit})")
        names = [v.name for v in plan.visits if (visits == v.name).any()]
        _boxes(c, [residual[visits == name] for name in names])
        weeks = [f"{plan_week(plan, name):g}" for name in names]
        short = names if len(names) <= 4 else thinned(weeks, 7)
        c.set_xticks(range(1, len(names) + 1), short)
        c.set(xlabel="Visit" if short is names else "Week", ylabel=f"Residual ({unit})")
        titles = ("a  Against fitted values", "b  Against normal quantiles", "c  By visit",
                  "d  Sites against normal quantiles")  # fmt: skip
        for ax, title in zip((a, b, c, d), titles, strict=True):
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


def _quantiles(axes: Axes, values: "np.ndarray", size: float, seed: int) -> None:
    """Values against normal quantiles, with the line of their own root mean square."""
    if len(values) < 3:
        axes.text(0, 0, "Fewer than three values", ha="center")
        axes.set(xlim=(-1, 1), ylim=(-1, 1))
        return
    if not np.any(values):
        axes.text(0, 0, "All are 0: so is their estimated variance", ha="center")
        axes.set(xlim=(-1, 1), ylim=(-1, 1))
        return
    ordered = np.sort(values)
    at = chosen(len(ordered), seed, ends=True)
    normal = NormalDist()
    # Plotting positions of Hazen (1914), as R's qqnorm takes them for n > 10.
    expected = np.array([normal.inv_cdf((i + 0.5) / len(ordered)) for i in at])
    scale = float(np.sqrt(np.mean(values**2)))
    ends = expected[[0, -1]]
    axes.plot(ends, scale * ends, color=GREY, linewidth=0.6)
    dots(axes, expected, ordered[at], size, COLOURS[0])


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
            showfliers=False,
        )
        outside = [(i, v) for i, g in enumerate(groups, start=1) for v in _outside(g)]
        dots(axes, [float(i) for i, _ in outside], [v for _, v in outside], 1.8, "#333333")


def _outside(values: "np.ndarray") -> list[float]:
    """The values beyond the whiskers of a box plot: 1.5 interquartile ranges."""
    q1, q3 = np.quantile(values, (0.25, 0.75))
    reach = 1.5 * (q3 - q1)
    return [float(v) for v in values if v < q1 - reach or v > q3 + reach]
