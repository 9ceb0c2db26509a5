"""Figure: which visits are missing, by arm."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.plan.model import Plan
from sitewise.report.drawing import arm_style, new_figure, segments, style, thinned
from sitewise.report.formatting import count_percent
from sitewise.report.pictured import Patterns, patterns
from sitewise.trial.description import Description

_SEEN, _MISSED = "#0b4f7d", "#e3e3e3"
_NAMED_VISITS = 4


def draw_missing(plan: Plan, description: Description, endpoint: str) -> Figure:
    """Draw the patterns as rows of squares, and beside them bars of patients by arm."""
    found = patterns(plan, description, endpoint)
    lines = len(found.shown) + bool(found.others)
    arms = list(found.counts)
    with style():
        figure = new_figure(0.75 + 0.17 * max(3, lines))
        first, *bars = figure.subplots(
            1, 1 + len(arms), sharey=True, width_ratios=(1.15, *[1.0] * len(arms))
        )
        _squares(first, plan, found)
        most = max((n / max(1, found.totals[a]) for a in arms for n in found.counts[a]), default=1)
        for axes, arm in zip(bars, arms, strict=True):
            _bars(axes, found, arm, str(arm_style(plan.arms, arm)["color"]), most)
        first.set_ylim(lines - 0.4, -0.6)
    return figure


def _squares(axes: Axes, plan: Plan, found: Patterns) -> None:
    visits = plan.visits
    # One path for all squares of a colour; a square is a line of its own width.
    for sign, colour in (("x", _SEEN), (".", _MISSED)):
        at = [(j, i) for i, p in enumerate(found.shown) for j, c in enumerate(p) if c == sign]
        half = 0.36
        x, y = [float(j) for j, _ in at], [float(i) for _, i in at]
        segments(axes, [v - half for v in x], y, [v + half for v in x], y, color=colour,
                 linewidth=7.5, solid_capstyle="butt")  # fmt: skip
    if found.others:
        axes.text(-0.4, len(found.shown), f"{found.others} other patterns", va="center")
    names = [v.name for v in visits]
    if len(visits) > _NAMED_VISITS:
        names = thinned([f"{v.week:g}" for v in visits], 7)
        axes.set_xlabel("Week")
    axes.set_xticks(range(len(visits)), names)
    axes.set_xlim(-0.6, len(visits) - 0.4)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title("Visits seen")


def _bars(axes: Axes, found: Patterns, arm: str, colour: str, most: float) -> None:
    total = max(1, found.totals[arm])
    lengths = [100 * n / total for n in found.counts[arm]]
    places = [float(i) for i in range(len(lengths))]
    segments(axes, [0.0] * len(lengths), places, lengths, places, color=colour, linewidth=6.5,
             solid_capstyle="butt")  # fmt: skip
    for at, length, n in zip(places, lengths, found.counts[arm], strict=True):
        axes.annotate(count_percent(n, found.totals[arm]), (length, at), (3, 0),
                      textcoords="offset points", va="center", fontsize=6.5)  # fmt: skip
    axes.set_xlim(0, 100 * most * 1.75)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    axes.set_title(arm)
