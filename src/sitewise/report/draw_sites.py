"""Figures by hospital: caterpillar plot of predictions, forest plot of effects or means."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.inference.icc_result import Iccs
from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, arm_style, new_figure, style
from sitewise.report.formatting import coverage
from sitewise.sites.result import SiteEffect, SiteResults

_ROWS_A_PANEL = 60  # a longer panel is split in two columns
_LABELLED_ROWS = 120  # beyond this no label is readable


@dataclass(frozen=True)
class _Line:
    """One site of a panel: label, point, interval, look."""

    label: str
    value: float
    lower: float
    upper: float
    colour: str
    marker: str


@dataclass(frozen=True)
class _Panel:
    title: str
    lines: tuple[_Line, ...]


def draw_caterpillar(plan: Plan, sites: SiteResults, iccs: Iccs) -> Figure:
    """Draw the predicted site intercepts, sorted, with their intervals."""
    ordered = sorted(sites.predictions, key=lambda p: (p.blup, p.site))
    lines = tuple(
        _Line(f"{p.site} ({p.patients})", p.blup, p.lower, p.upper, COLOURS[0], "o")
        for p in ordered
    )
    endpoint = plan.endpoints[sites.endpoint]
    label = f"Predicted departure of the site ({endpoint.unit}), {coverage(plan.alpha)} interval"
    empty = f"Model {sites.model} has no random intercept of sites" if not lines else ""
    return _draw(_split([_Panel("", lines)]), label, 0.0, empty or sites_label(sites))


def sites_label(sites: SiteResults) -> str:
    """What the labels at the left are."""
    return "Site (patients)"


def draw_forest(plan: Plan, sites: SiteResults) -> Figure:
    """Draw the contrast within each site, or its mean where the arm is constant in sites."""
    shown = [e for e in sites.effects if not e.refused]
    endpoint = plan.endpoints[sites.endpoint]
    change = plan.primary.contrast == "change"
    what = f"{'change to' if change else 'level at'} {plan.primary.visit} ({endpoint.unit})"
    panels = []
    for arm in plan.arms.order:
        own = sorted((e for e in shown if e.arm == arm.name), key=lambda e: (e.estimate, e.site))
        if own:
            panels.append(_Panel(arm.name, tuple(_effect_line(plan, e) for e in own)))
    means = any(e.kind == "mean" for e in shown)
    label = f"Mean {what}" if means else f"Arm minus {plan.arms.reference}, {what}"
    zero = None if means and not change else 0.0
    counted = "Site (patients)" if means else "Site (arm : reference)"
    empty = "" if panels else "No site has an effect of its own"
    return _draw(
        _split(panels), f"{label}, {coverage(plan.alpha)} interval", zero, empty or counted
    )


def _effect_line(plan: Plan, effect: SiteEffect) -> _Line:
    look = arm_style(plan.arms, effect.arm)
    n = f"{effect.n}" if effect.kind == "mean" else f"{effect.n} : {effect.n_reference}"
    return _Line(
        f"{effect.site} ({n})",
        effect.estimate,
        effect.lower,
        effect.upper,
        str(look["color"]),
        str(look["marker"]),
    )


def _split(panels: Sequence[_Panel]) -> list[_Panel]:
    """Two columns for the one panel that is too long."""
    if len(panels) != 1 or len(panels[0].lines) <= _ROWS_A_PANEL:
        return list(panels)
    lines, middle = panels[0].lines, -(-len(panels[0].lines) // 2)
    # The upper half stands at the left: lines are drawn from the bottom.
    return [_Panel(panels[0].title, lines[middle:]), _Panel("", lines[:middle])]


def _draw(panels: list[_Panel], xlabel: str, zero: float | None, ylabel: str) -> Figure:
    longest = max((len(panel.lines) for panel in panels), default=1)
    with style():
        figure = new_figure(1.2 + max(3, longest) * 0.145)
        axes = figure.subplots(1, max(1, len(panels)), sharex=True, squeeze=False)[0]
        pitch = (figure.get_figheight() - 1.2) * 72 / max(1, longest)
        for ax, panel in zip(axes, panels, strict=False):
            _draw_panel(ax, panel, zero, min(7.0, 0.95 * pitch))
        axes[0].set_ylabel(ylabel)
        figure.supxlabel(xlabel, fontsize=7.5)
    return figure


def _draw_panel(axes: Axes, panel: _Panel, zero: float | None, size: float) -> None:
    if zero is not None:
        axes.axvline(zero, color=GREY, linewidth=0.6)
    for i, line in enumerate(panel.lines):
        axes.hlines(i, line.lower, line.upper, color=line.colour, linewidth=0.9)
        axes.plot(line.value, i, marker=line.marker, color=line.colour, markersize=3.2)
    labels = [line.label if len(panel.lines) <= _LABELLED_ROWS else "" for line in panel.lines]
    axes.set_yticks(range(len(labels)), labels, fontsize=size)
    axes.set_ylim(-0.8, len(labels) - 0.2)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_title(panel.title)
