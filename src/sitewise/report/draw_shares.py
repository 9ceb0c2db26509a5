"""Figure: shares of variance by level under each model."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from sitewise.inference.icc_result import Iccs, VarianceShare
from sitewise.plan.model import Plan
from sitewise.report.drawing import new_figure, segments, style
from sitewise.report.formatting import NONE, share
from sitewise.report.pictured import by_model, site_share
from sitewise.report.words_models import group_name
from sitewise.terms import SITEID, USUBJID

# From dark to light as the levels go down, the same order in grey: sites, parts of sites, patients,
# parts of patients, others, the residual.
_SHADES = ("#08306b", "#2f79b5", "#8bbcdc", "#b5d3e8", "#d3e3ef", "#efefef")
_DARK = 2  # of them take white letters
_ABOUT = "\u2248"
_LABELLED = 0.07  # share that has room for its number


def draw_shares(plan: Plan, iccs: Iccs) -> Figure:
    """Draw one bar a model, and at its right the intraclass correlation of sites."""
    found = by_model(plan, iccs)
    groups = list(dict.fromkeys(r.group for own in found.values() for r in own))
    groups.sort(key=_depth)
    with style():
        figure = new_figure(0.95 + 0.24 * max(2, len(found)))
        axes = figure.subplots()
        starts = dict.fromkeys(found, 0.0)
        for group in groups:
            lows, highs, places = [], [], []
            for i, (model, own) in enumerate(found.items()):
                value = next((r.share for r in own if r.group == group), 0.0)
                lows.append(starts[model])
                starts[model] += value
                highs.append(starts[model])
                places.append(float(i))
                if value >= _LABELLED:
                    dark = _shade(group) < _DARK
                    axes.text(lows[-1] + value / 2, i, f"{100 * value:.1f}%", ha="center",
                              va="center", color="white" if dark else "black")  # fmt: skip
            segments(axes, lows, places, highs, places, color=_SHADES[_shade(group)], linewidth=12,
                     solid_capstyle="butt", label=group_name(group))  # fmt: skip
        said = [site_parts(own) for own in found.values()]
        for i, text in enumerate(said):
            axes.text(1.015, i, text, va="center")
        axes.text(1.015, -0.75, "ICC of sites", va="center")
        names = [f"{m} (primary)" if m == plan.primary.model else m for m in found]
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlim(0, 1.28 if any("+" in text for text in said) else 1.12)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"Share of the variance of a reading at {plan.primary.visit}")
        legend = figure.legend(loc="outside upper left", ncols=min(5, max(1, len(groups))))
        for line in legend.get_lines():
            line.set_linewidth(6)
    return figure


def site_parts(own: Sequence[VarianceShare]) -> str:
    """`0.0451 = 0.0260 + 0.0191`: of sites in all, and its parts, whose segments may be too narrow;
    with \u2248 where the parts as rounded miss the whole.
    """
    icc = site_share(own)
    if not math.isfinite(icc):
        return NONE
    parts = [r for r in own if _depth(r.group)[0] == 0]
    if len(parts) < 2:
        return share(icc)
    parts.sort(key=lambda r: _depth(r.group))
    told = [share(r.share) for r in parts]
    missed = round(10**4 * (sum(map(float, told)) - float(share(icc))))
    return f"{share(icc)} {_ABOUT if missed else '='} {' + '.join(told)}"


def _shade(group: str) -> int:
    place, names, _ = _depth(group)
    return {0: 0, 1: 2, 2: 4, 3: 5}[place] + (1 if place < 2 and names > 1 else 0)


def _depth(group: str) -> tuple[int, int, str]:
    """Sites first, then patients, then the rest; the residual last."""
    names = group.split(":")
    place = 3 if group == "Residual" else 1 if USUBJID in names else 0 if SITEID in names else 2
    return place, len(names), group
