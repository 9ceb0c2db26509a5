"""Figure: patients of each hospital, and those seen at the primary visit."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sitewise.plan.model import Plan
from sitewise.report.drawing import WIDTH, new_figure, segments, style, thinned
from sitewise.report.pictured import MOST_BARS, MOST_LABELS, enrolment, named_every
from sitewise.trial.description import Description

_ENROLLED, _SEEN = "#a9c9e0", "#0b4f7d"  # apart in grey as in colour
_LYING = 15  # sites whose long names have room only beside lying bars
_LETTER = 4.2  # points, the mean width of a letter of a tick label
_LONGEST = 16  # letters of a name that stands upright


def draw_enrolment(plan: Plan, description: Description) -> Figure:
    """Draw a bar a site: patients with a reading, and those seen at the primary visit."""
    sites = enrolment(plan, description)
    longest = max((len(s[0]) for s in sites), default=0)
    pitch = (WIDTH - 0.6) * 72 / max(3, len(sites))
    lying = len(sites) <= _LYING and longest * _LETTER > pitch
    with style():
        figure = new_figure(0.8 + 0.17 * max(3, len(sites)) if lying else 2.3)
        axes = figure.subplots()
        if lying:
            _bars(axes, sites, 9.0, plan.primary.visit, lying=True)
            axes.set_yticks(range(len(sites)), [s[0] for s in sites])
            axes.set_ylim(len(sites) - 0.4, -0.6)
        elif len(sites) > MOST_BARS:
            _bars(axes, sites, 1.05 * pitch, plan.primary.visit)  # no gaps: they would flicker
            axes.set_xlim(-0.5, len(sites) - 0.5)
        else:
            _bars(axes, sites, min(30.0, 0.62 * pitch), plan.primary.visit)
            step = named_every(len(sites))
            turned = longest * _LETTER > pitch * step
            names = [_cut(s[0]) if turned else s[0] for s in sites]
            axes.set_xticks(
                range(len(sites)), thinned(names, MOST_LABELS), rotation=90 if turned else 0
            )
            axes.set_xlim(-0.6, max(3, len(sites)) - 0.4)
        axes.tick_params(axis="y" if lying else "x", length=0)
        if lying:
            axes.set(xlabel="Patients", xlim=(0, None))
        else:
            name = "Site" if len(sites) <= MOST_BARS else "Sites, the largest first"
            axes.set(ylabel="Patients", ylim=(0, None), xlabel=name)
        counts = axes.xaxis if lying else axes.yaxis
        counts.set_major_locator(MaxNLocator(5, integer=True))
        legend = figure.legend(loc="outside upper left", ncols=2)
        for line in legend.get_lines():
            line.set_linewidth(6)
    return figure


def _bars(
    axes: Axes, sites: list[tuple[str, int, int]], width: float, visit: str, *, lying: bool = False
) -> None:
    """Both series, each as one path; width in points."""
    places = [float(i) for i in range(len(sites))]
    zero = [0.0] * len(sites)
    for part, colour, label in (
        (1, _ENROLLED, "Patients with a reading"),
        (2, _SEEN, f"of them seen at {visit}"),
    ):
        ends = [float(s[part]) for s in sites]
        look = {"color": colour, "label": label, "linewidth": width, "solid_capstyle": "butt"}
        if lying:
            segments(axes, zero, places, ends, places, **look)
        else:
            segments(axes, places, zero, places, ends, **look)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "\u2026"
