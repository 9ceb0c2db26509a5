"""Figure: marginal residuals of the primary model, raw, by Pearson, and scaled."""

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, dots, new_figure, style
from sitewise.report.residual_panels import NONE, boxes, quantiles, say, scatter, visit_ticks

if TYPE_CHECKING:
    import pandas as pd


def draw_marginal(plan: Plan, endpoint: str, rows: "pd.DataFrame") -> Figure:
    """Draw them (AVISIT, FITTED, RESIDUAL, MARGINAL, MPEARSON, SCALED): raw against the mean that
    the fixed effects give, by Pearson by visit, scaled against normal quantiles and by visit."""
    used = rows[rows["SCALED"].notna()]
    seed, unit = plan.seeds.figures, plan.endpoints[endpoint].unit
    visits = used["AVISIT"].astype(str).to_numpy()
    names = [v.name for v in plan.visits if (visits == v.name).sum() > 1]
    raw, pearson, scaled = (
        used[column].to_numpy(float) for column in ("MARGINAL", "MPEARSON", "SCALED")
    )
    with style():
        figure = new_figure(3.0)
        (a, b), (c, d) = figure.subplots(2, 2)
        a.set(title="a  Raw, against the mean", xlabel=f"Mean by fixed effects ({unit})",
              ylabel=f"Residual ({unit})")  # fmt: skip
        b.set(title="b  By Pearson, by visit", ylabel="Residual (SDs)")
        c.set(title="c  Scaled, against normal quantiles", xlabel="Normal quantile",
              ylabel="Scaled residual")  # fmt: skip
        d.set(title="d  Scaled, by visit", ylabel="Root mean square")
        if len(used) < 3:
            for ax in (a, b, c, d):
                say(ax, NONE)
            return figure
        # A reading is FITTED + RESIDUAL.
        scatter(a, (used["FITTED"] + used["RESIDUAL"]).to_numpy(float) - raw, raw, seed)
        boxes(b, [pearson[visits == name] for name in names])
        quantiles(c, scaled, seed, scale=1.0)
        _spread(d, [scaled[visits == name] for name in names])
        for ax in (b, d):
            visit_ticks(ax, plan, names)
    return figure


def _spread(axes: Axes, groups: list[np.ndarray]) -> None:
    """Root mean squares beside what chance does to them where the model is right."""
    z = NormalDist().inv_cdf(0.975)
    axes.axhline(1, color=GREY, linewidth=0.6)
    for i, own in enumerate(groups, start=1):
        # 1 +- z / sqrt(2 n), the normal approximation of an SD.
        half = z / np.sqrt(2 * len(own))
        axes.plot([i, i], [1 - half, 1 + half], color=GREY, linewidth=3, alpha=0.4)
        dots(axes, [float(i)], [float(np.sqrt(np.mean(own**2)))], 4.0, COLOURS[0])
    # Room above, of the height from 0: that of the values alone is too small for a whole bar.
    axes.set_ylim(0, 1.08 * axes.dataLim.y1)
