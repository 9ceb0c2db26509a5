"""Panels that figures of residuals are made of: points, normal quantiles, boxes by visit."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes

from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, dots, thinned
from sitewise.report.pictured import MOST_POINTS

POINT = 1.5  # size of the point of a reading
NONE = "None: see the caption"


def shown_points(n: int, seed: int, *, ends: bool = False) -> np.ndarray:
    """Indices of the points shown: all, or MOST_POINTS drawn by the plan's seed.

    ends: always show the ten lowest and highest, which matter most in a quantile plot.
    """
    if n <= MOST_POINTS:
        return np.arange(n)
    drawn = np.random.default_rng(seed).choice(n, MOST_POINTS, replace=False)
    if ends:
        drawn = np.concatenate([drawn, np.arange(10), np.arange(n - 10, n)])
    return np.unique(drawn)


def scatter(axes: Axes, x: np.ndarray, y: np.ndarray, seed: int) -> None:
    """Points about the line at 0."""
    at = shown_points(len(x), seed)
    axes.axhline(0, color=GREY, linewidth=0.6)
    dots(axes, x[at], y[at], POINT, COLOURS[0])


def quantiles(
    axes: Axes, values: np.ndarray, seed: int, *, size: float = POINT, scale: float | None = None,
    colour: str = COLOURS[0], ring: bool = False,
) -> None:  # fmt: skip
    """Values against normal quantiles, with the line of a normal distribution of mean 0.

    scale: its standard deviation; None: the root mean square of the values.
    """
    if len(values) < 3:
        say(axes, "Fewer than three values")
        return
    if not np.any(values):
        say(axes, "All are 0: so is their estimated variance")
        return
    ordered = np.sort(values)
    at = shown_points(len(ordered), seed, ends=True)
    normal = NormalDist()
    # Plotting positions of Hazen (1914), as R's qqnorm takes them for n > 10.
    expected = np.array([normal.inv_cdf((i + 0.5) / len(ordered)) for i in at])
    slope = float(np.sqrt(np.mean(values**2))) if scale is None else scale
    ends = expected[[0, -1]]
    axes.plot(ends, slope * ends, color=GREY, linewidth=0.6)
    dots(axes, expected, ordered[at], size, colour, ring=ring)


def boxes(axes: Axes, groups: list[np.ndarray]) -> None:
    """Box plots at 1, 2, ..; whiskers reach 1.5 interquartile ranges, points lie beyond."""
    line = {"color": COLOURS[0], "linewidth": 0.8}
    axes.axhline(0, color=GREY, linewidth=0.6)
    if not groups:
        return
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


def _outside(values: np.ndarray) -> list[float]:
    q1, q3 = np.quantile(values, (0.25, 0.75))
    reach = 1.5 * (q3 - q1)
    return [float(v) for v in values if v < q1 - reach or v > q3 + reach]


def visit_ticks(axes: Axes, plan: Plan, names: Sequence[str]) -> None:
    """Visits at 1, 2, .. by name, many of them by week."""
    weeks = {v.name: f"{v.week:g}" for v in plan.visits}
    few = len(names) <= 4
    labels = list(names) if few else thinned([weeks[name] for name in names], 7)
    axes.set_xticks(range(1, len(names) + 1), labels)
    axes.set_xlim(0.5, len(names) + 0.5)
    axes.set_xlabel("Visit" if few else "Week")


def say(axes: Axes, text: str) -> None:
    """Words in place of a panel, below its title, without axes that would hold nothing."""
    axes.text(-1, 0.6, text)
    axes.set(xlim=(-1, 1), ylim=(-1, 1))
    axes.set_axis_off()
