"""Figures by hospital: caterpillar plot of predictions, forest plot of effects or means.

A panel of more hospitals than have a readable label keeps its two ends, labelled, and draws all
others between them, close together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.inference.icc_result import Iccs
from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, arm_style, dots, new_figure, segments, style
from sitewise.report.formatting import coverage, natural
from sitewise.report.pictured import ENDS, LABELLED_ROWS, MOST_COLUMNS, ROWS_A_COLUMN
from sitewise.sites.result import SiteEffect, SiteResults

_FRAME, _PITCH = 0.85, 0.12  # inches: axis and title, a row
_MIDDLE = 18.0  # rows' worth of height for all others
_FEWEST = 8  # rows that the label beside them takes
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
    ordered = sorted(sites.predictions, key=lambda p: (p.blup, natural(p.site)))
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
        own = sorted(
            (e for e in shown if e.arm == arm.name), key=lambda e: (e.estimate, natural(e.site))
        )
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
    """Columns of about one length for the one panel that is too long, if they are then short."""
    if len(panels) != 1:
        return list(panels)
    (panel,) = panels
    columns = -(-len(panel.lines) // ROWS_A_COLUMN)
    if not 1 < columns <= MOST_COLUMNS:
        return [panel]
    size = -(-len(panel.lines) // columns)
    ends = range(len(panel.lines), 0, -size)
    # The upper part stands at the left: lines are drawn from the bottom.
    parts = [panel.lines[max(0, end - size) : end] for end in ends]
    return [_Panel("" if i else panel.title, part, panel.colour) for i, part in enumerate(parts)]


def _labelled(lines: Sequence[_Line]) -> Sequence[_Line]:
    """Those that have a row of their own."""
    return lines if len(lines) <= LABELLED_ROWS else (*lines[:ENDS], *lines[-ENDS:])


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
    own = {line.label for panel in panels for line in _labelled(panel.lines)}
    ends += [line.raw for line in usual if line.label in own and math.isfinite(line.raw)]
    ends += [] if zero is None else [zero]
    low, high = min(ends), max(ends)
    margin = 0.04 * ((high - low) or 1.0)
    return low - margin, high + margin


def _places(lines: int) -> list[float]:
    """Height of each row, the lowest 0, in rows: one apart, but close together between the ends."""
    if lines <= LABELLED_ROWS:
        return [float(i) for i in range(lines)]
    rest = lines - 2 * ENDS
    step = _MIDDLE / rest
    low = [float(i) for i in range(ENDS)]
    middle = [ENDS - 0.5 + (i + 0.5) * step for i in range(rest)]
    return [*low, *middle, *(ENDS + _MIDDLE + i for i in range(ENDS))]


def _draw(panels: list[_Panel], xlabel: str, zero: float | None, ylabel: str) -> Figure:
    longest = max((round(_places(len(p.lines))[-1]) + 1 for p in panels if p.lines), default=1)
    low, high = _limits(panels, zero)
    with style():
        figure = new_figure(_FRAME + max(_FEWEST, longest) * _PITCH)
        axes = figure.subplots(1, max(1, len(panels)), sharex=True, squeeze=False)[0]
        pitch = (figure.get_figheight() - _FRAME) * 72 / max(1, longest)
        for ax, panel in zip(axes, panels, strict=False):
            _draw_panel(ax, panel, zero, min(7.0, 0.95 * pitch), (low, high))
        axes[0].set_ylabel(ylabel)
        axes[0].set_xlim(low, high)
        figure.supxlabel(xlabel, fontsize=7.5)
    return figure


def _draw_panel(
    axes: Axes, panel: _Panel, zero: float | None, size: float, limits: tuple[float, float]
) -> None:
    lines, places = panel.lines, _places(len(panel.lines))
    if zero is not None:
        axes.axvline(zero, color=GREY, linewidth=0.6)
    crowded = len(lines) > LABELLED_ROWS
    ends = [i for i in range(len(lines)) if not crowded or not ENDS <= i < len(lines) - ENDS]
    between = slice(ENDS, len(lines) - ENDS) if crowded else slice(0, 0)
    _close(axes, lines[between], places[between], panel.colour, limits)
    _rows(axes, [lines[i] for i in ends], [places[i] for i in ends], panel.colour, limits)
    axes.set_yticks([places[i] for i in ends], [lines[i].label for i in ends], fontsize=size)
    axes.set_ylim(-0.8, (places[-1] if places else 0.0) + 0.8)
    if crowded:
        axes.text(-0.02, ENDS + _MIDDLE / 2 - 0.5, f"{len(lines) - len(ends)} sites\nbetween",
                  transform=axes.get_yaxis_transform(), ha="right", va="center",
                  color=GREY, fontsize=size)  # fmt: skip
    axes.tick_params(axis="y", length=0, pad=6)  # room for the triangles
    axes.spines["left"].set_visible(False)
    axes.set_title(panel.title)


def _close(
    axes: Axes,
    lines: Sequence[_Line],
    places: Sequence[float],
    colour: str,
    limits: tuple[float, float],
) -> None:
    """Rows without a label, close together: light intervals, points on them."""
    if not lines:
        return
    inside = [(max(x.lower, limits[0]), min(x.upper, limits[1])) for x in lines]
    pitch = 72 * _PITCH * _MIDDLE / len(lines)
    segments(axes, [i[0] for i in inside], places, [i[1] for i in inside], places,
             color=colour, linewidth=min(0.9, 0.6 * pitch), alpha=0.35)  # fmt: skip
    shown = [(x.value, at) for x, at in zip(lines, places, strict=True) if _within(x.value, limits)]
    dots(axes, [x for x, _ in shown], [y for _, y in shown], 1.8, colour)


def _rows(
    axes: Axes,
    lines: Sequence[_Line],
    places: Sequence[float],
    colour: str,
    limits: tuple[float, float],
) -> None:
    """Rows with their label: interval, point, what it was shrunk from, triangles at the ends."""
    inside = [(max(x.lower, limits[0]), min(x.upper, limits[1])) for x in lines]
    segments(axes, [i[0] for i in inside], places, [i[1] for i in inside], places,
             color=colour, linewidth=0.9)  # fmt: skip
    raw = [(line, at) for line, at in zip(lines, places, strict=True) if math.isfinite(line.raw)]
    if raw:
        x, y = [line.raw for line, _ in raw], [at for _, at in raw]
        segments(axes, x, y, [line.value for line, _ in raw], y, color="#333333", linewidth=0.5,
                 linestyle=(0, (1, 1.5)))  # fmt: skip
        dots(axes, x, y, 3.4, "#333333", ring=True)
    shown = [(x.value, at) for x, at in zip(lines, places, strict=True) if _within(x.value, limits)]
    dots(axes, [x for x, _ in shown], [y for _, y in shown], 3.6, colour)
    for side, marker in ((0, "<"), (1, ">")):
        cut = [at for line, at in zip(lines, places, strict=True) if _cut(line, side, limits)]
        if cut:
            axes.plot([limits[side]] * len(cut), cut, marker=marker, linestyle="",
                      color=colour, markersize=4, clip_on=False)  # fmt: skip


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _cut(line: _Line, side: int, limits: tuple[float, float]) -> bool:
    """Whether the interval goes on beyond this end of the axis."""
    return line.upper > limits[1] if side else line.lower < limits[0]
