"""Figure: conditional residuals of the primary model, and the predictions of its sites."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, new_figure, style
from sitewise.report.residual_panels import NONE, boxes, quantiles, say, scatter, visit_ticks
from sitewise.sites.result import SiteResults

if TYPE_CHECKING:
    import pandas as pd


def draw_residuals(plan: Plan, endpoint: str, rows: "pd.DataFrame", sites: SiteResults) -> Figure:
    """Draw the conditional residuals of the rows used as outcome (AVISIT, FITTED, RESIDUAL,
    PEARSON, NORMALIZED), and the predicted intercepts of sites against normal quantiles."""
    used = rows[rows["RESIDUAL"].notna()]
    residual = used["RESIDUAL"].to_numpy(float)
    visits = used["AVISIT"].astype(str).to_numpy()
    unit, seed = plan.endpoints[endpoint].unit, plan.seeds.figures
    with style():
        figure = new_figure(3.0)
        (a, b), (c, d) = figure.subplots(2, 2)
        scatter(a, used["FITTED"].to_numpy(float), residual, seed)
        a.set(xlabel=f"Fitted ({unit})", ylabel=f"Residual ({unit})")
        _in_sds(b, used, seed)
        names = [v.name for v in plan.visits if (visits == v.name).any()]
        boxes(c, [residual[visits == name] for name in names])
        visit_ticks(c, plan, names)
        c.set_ylabel(f"Residual ({unit})")
        quantiles(d, np.array([p.blup for p in sites.predictions]), seed, size=3.5)
        d.set(xlabel="Normal quantile", ylabel=f"Site prediction ({unit})")
        titles = ("a  Raw, against fitted values", "b  By Pearson, against normal quantiles",
                  "c  Raw, by visit", "d  Sites against normal quantiles")  # fmt: skip
        for ax, title in zip((a, b, c, d), titles, strict=True):
            ax.set_title(title)
    return figure


def _in_sds(axes: Axes, used: "pd.DataFrame", seed: int) -> None:
    """By Pearson; beside them scaled ones, which differ under a covariance over visits alone."""
    pearson = used["PEARSON"].dropna().to_numpy(float)
    scaled = used["NORMALIZED"].dropna().to_numpy(float)
    axes.set(xlabel="Normal quantile", ylabel="Residual (SDs)")
    if len(pearson) == 0:
        say(axes, NONE)
        return
    quantiles(axes, pearson, seed)
    if np.allclose(pearson, scaled):
        return
    quantiles(axes, scaled, seed, size=2.5, colour=COLOURS[1], ring=True)
    for y, colour, text in ((0.95, COLOURS[0], "filled: by Pearson"),
                            (0.86, COLOURS[1], "open: scaled")):  # fmt: skip
        axes.text(0.02, y, text, color=colour, transform=axes.transAxes, va="top")
