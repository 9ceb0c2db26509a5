"""Figure: patients of each hospital, and those seen at the primary visit."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sitewise.plan.model import Plan
from sitewise.report.drawing import WIDTH, new_figure, segments, style, thinned
from sitewise.trial.description import Description

_ENROLLED, _SEEN = "#a9c9e0", "#0b4f7d"  # apart in grey as in colour
_MOST_LABELS = 60


def enrolment(plan: Plan, description: Description) -> list[tuple[str, int, int]]:
    """Site, patients, and those seen at the primary visit; by SITEID."""
    at = description.visits.index(plan.primary.visit)
    found: dict[str, list[int]] = {}
    for row in description.flow:
        if row.site:
            own = found.setdefault(row.site, [0, 0])
            own[0] += row.patients
            own[1] += row.by_visit[at]
    return [(site, own[0], own[1]) for site, own in sorted(found.items())]


def draw_enrolment(plan: Plan, description: Description) -> Figure:
    """Draw a bar a site: patients with a reading, and those seen at the primary visit."""
    sites = enrolment(plan, description)
    places = list(range(len(sites)))
    with style():
        figure = new_figure(2.3)
        axes = figure.subplots()
        pitch = (WIDTH - 0.6) * 72 / max(8, len(sites))
        zero = [0.0] * len(sites)
        look = {"linewidth": 0.62 * pitch, "solid_capstyle": "butt"}
        segments(axes, places, zero, places, [s[1] for s in sites], color=_ENROLLED,
                 label="Patients with a reading", **look)  # fmt: skip
        segments(axes, places, zero, places, [s[2] for s in sites], color=_SEEN,
                 label=f"of them seen at {plan.primary.visit}", **look)  # fmt: skip
        names = thinned([s[0] for s in sites], _MOST_LABELS)
        longest = max((len(name) for name in names), default=0)
        turned = longest * 4.2 > pitch * (1 if len(sites) <= _MOST_LABELS else 2)
        axes.set_xticks(places, names, rotation=90 if turned else 0)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.7, max(8, len(sites)) - 0.3)
        axes.set_ylim(0, None)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set(xlabel="Site", ylabel="Patients")
        legend = figure.legend(loc="outside upper left", ncols=2)
        for line in legend.get_lines():
            line.set_linewidth(6)
    return figure
