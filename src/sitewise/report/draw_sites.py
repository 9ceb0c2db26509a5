"""Figures by hospital: caterpillar plot of predictions, forest plot of effects or means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.inference.icc_result import Iccs
from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, arm_style, dots, new_figure, segments, style
from sitewise.report.formatting import coverage
from sitewise.sites.result import SiteEffect, SiteResults

_ROWS_A_PANEL = 60  # a longer panel is split in two columns
_LABELLED_ROWS = 120  # beyond this no label is readable
_TOO_WIDE = 2.5  # an interval of so many times the median width does not set the axis


@dataclass(frozen=True)
class _Line:
    """One site of a panel: label, point, interval; raw: what the point was shrunk from, or NaN."""

    label: str
    value: float
    lower: float
    upper: float
    raw: float = math.nan


@dataclass(frozen=True)
class _Panel:
    title: str
    lines: tuple[_Line, ...]
    colour: str = COLOURS[0]


def draw_caterpillar(plan: Plan, sites: SiteResults, iccs: Iccs) -> Figure:
    """Draw the predicted site intercepts, sorted, with their intervals, and the observed means."""
    ordered = sorted(sites.predictions, key=lambda p: (p.blup, p.site))
    lines = tuple(
        _Line(f"{p.site} ({p.patients})", p.blup, p.lower, p.upper, p.raw) for p in ordered
    )
    endpoint = plan.endpoints[sites.endpoint]
    label = f"Departure of the site ({endpoint.unit}), {coverage(plan.alpha)} interval"
    empty = f"Model {sites.model} has no random intercept of sites" if not lines else ""
    return _draw(_split([_Panel("", lines)]), label, 0.0, empty or "Site (patients)")


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
            colour = str(arm_style(plan.arms, arm.name)["color"])
            panels.append(_Panel(arm.name, tuple(map(_effect_line, own)), colour))
    means = any(e.kind == "mean" for e in shown)
    label = f"Mean {what}" if means else f"Arm minus {plan.arms.reference}, {what}"
    zero = None if means and not change else 0.0
    counted = "Site (patients)" if means else "Site (arm : reference)"
    empty = "" if panels else "No site has an effect of its own"
    return _draw(
        _split(panels), f"{label}, {coverage(plan.alpha)} interval", zero, empty or counted
    )


def _effect_line(effect: SiteEffect) -> _Line:
    n = f"{effect.n}" if effect.kind == "mean" else f"{effect.n} : {effect.n_reference}"
    return _Line(f"{effect.site} ({n})", effect.estimate, effect.lower, effect.upper)


def _split(panels: Sequence[_Panel]) -> list[_Panel]:
    """Two columns for the one panel that is too long."""
    if len(panels) != 1 or len(panels[0].lines) <= _ROWS_A_PANEL:
        return list(panels)
    lines, middle = panels[0].lines, -(-len(panels[0].lines) // 2)
    # The upper half stands at the left: lines are drawn from the bottom.
    parts = (lines[middle:], panels[0].title), (lines[:middle], "")
    return [_Panel(title, part, panels[0].colour) for part, title in parts]


def _limits(panels: Sequence[_Panel], zero: float | None) -> tuple[float, float]:
    """The axis: every estimate of a usual hospital with its interval; a tiny one's is cut off."""
    lines = [line for panel in panels for line in panel.lines if math.isfinite(line.upper)]
    if not lines:
        return -1.0, 1.0
    widths = [line.upper - line.lower for line in lines]
    usual = [
        line
        for line, width in zip(lines, widths, strict=True)
        if width <= _TOO_WIDE * float(np.median(widths))
    ]
    ends = [v for line in usual for v in (line.lower, line.upper)]
    ends += [line.raw for line in usual if math.isfinite(line.raw)]
    ends += [] if zero is None else [zero]
    low, high = min(ends), max(ends)
    margin = 0.04 * ((high - low) or 1.0)
    return low - margin, high + margin


def _draw(panels: list[_Panel], xlabel: str, zero: float | None, ylabel: str) -> Figure:
    longest = max((len(panel.lines) for panel in panels), default=1)
    low, high = _limits(panels, zero)
    with style():
        figure = new_figure(1.0 + max(3, longest) * 0.128)
        axes = figure.subplots(1, max(1, len(panels)), sharex=True, squeeze=False)[0]
        pitch = (figure.get_figheight() - 1.0) * 72 / max(1, longest)
        for ax, panel in zip(axes, panels, strict=False):
            _draw_panel(ax, panel, zero, min(7.0, 0.95 * pitch), (low, high))
        axes[0].set_ylabel(ylabel)
        axes[0].set_xlim(low, high)
        figure.supxlabel(xlabel, fontsize=7.5)
    return figure


def _draw_panel(
    axes: Axes, panel: _Panel, zero: float | None, size: float, limits: tuple[float, float]
) -> None:
    lines = panel.lines
    if zero is not None:
        axes.axvline(zero, color=GREY, linewidth=0.6)
    places = [float(i) for i in range(len(lines))]
    inside = [(max(x.lower, limits[0]), min(x.upper, limits[1])) for x in lines]
    segments(axes, [i[0] for i in inside], places, [i[1] for i in inside], places,
             color=panel.colour, linewidth=0.9)  # fmt: skip
    raw = [(line, at) for line, at in zip(lines, places, strict=True) if math.isfinite(line.raw)]
    if raw:
        x, y = [line.raw for line, _ in raw], [at for _, at in raw]
        segments(axes, x, y, [line.value for line, _ in raw], y, color="#333333", linewidth=0.5,
                 linestyle=(0, (1, 1.5)))  # fmt: skip
        dots(axes, x, y, 3.4, "#333333", ring=True)
    shown = [(x.value, at) for x, at in zip(lines, places, strict=True) if _within(x.value, limits)]
    dots(axes, [x for x, _ in shown], [y for _, y in shown], 3.6, panel.colour)
    for side, marker in ((0, "<"), (1, ">")):
        cut = [at for line, at in zip(lines, places, strict=True) if _cut(line, side, limits)]
        if cut:
            axes.plot([limits[side]] * len(cut), cut, marker=marker, linestyle="",
                      color=panel.colour, markersize=4, clip_on=False)  # fmt: skip
    labels = [line.label if len(lines) <= _LABELLED_ROWS else "" for line in lines]
    axes.set_yticks(range(len(labels)), labels, fontsize=size)
    axes.set_ylim(-0.8, len(labels) - 0.2)
    axes.tick_params(axis="y", length=0, pad=6)  # room for the triangles
    axes.spines["left"].set_visible(False)
    axes.set_title(panel.title)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _cut(line: _Line, side: int, limits: tuple[float, float]) -> bool:
    """Whether the interval goes on beyond this end of the axis."""
    return line.upper > limits[1] if side else line.lower < limits[0]
