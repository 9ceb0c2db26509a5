"""Figures: the primary contrast under each model, and the ladder of likelihood-ratio tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.inference.comparison import Comparisons, ModelComparison
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.model import Plan
from sitewise.report.drawing import COLOURS, GREY, new_figure, segments, style
from sitewise.report.formatting import coverage, decimals_of, interval, number
from sitewise.report.pictured import told


def ordered(plan: Plan, fits: Sequence[PlannedFit]) -> list[PlannedFit]:
    """The primary model first, then as in the plan."""
    names = list(plan.models)
    return sorted(fits, key=lambda f: (f.model != plan.primary.model, names.index(f.model)))


def draw_models(plan: Plan, endpoint: str, fits: Sequence[PlannedFit]) -> Figure:
    """Draw estimate and interval of the primary contrast under each model of the plan."""
    section = plan.endpoints[endpoint]
    rows = ordered(plan, fits)
    d = decimals_of(section.soft)
    with style():
        figure = new_figure(0.75 + 0.19 * max(3, len(rows)))
        axes = figure.subplots()
        axes.axvline(0, color=GREY, linewidth=0.6)
        for i, fit in enumerate(rows):
            main = fit.model == plan.primary.model
            said = "no such contrast" if fit.primary is None else "did not converge"
            if fit.primary is not None and fit.fit.converged:
                r = fit.primary.result
                colour = COLOURS[0] if main else "#333333"
                segments(axes, [r.lower], [i], [r.upper], [i], color=colour,
                         linewidth=1.8 if main else 1.0)  # fmt: skip
                axes.plot([r.estimate], [i], marker="o" if main else "s", color=colour,
                          markersize=5.5 if main else 4,
                          markerfacecolor=colour if main else "white")  # fmt: skip
                said = f"{number(r.estimate, d)} {interval(r.lower, r.upper, d)}"
                said += ", singular" if fit.fit.singularity.singular else ""
            axes.text(1.02, i, said, transform=axes.get_yaxis_transform(), va="center",
                      fontweight="bold" if main else "normal")  # fmt: skip
        names = [f"{f.model} (primary)" if f.model == plan.primary.model else f.model for f in rows]
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        side = "below" if plan.arms.favours == "lower" else "above"
        axes.set_xlabel(
            f"{plan.primary.arm} minus {plan.arms.reference} ({section.unit}),"
            f" {coverage(plan.alpha)} interval; {side} 0: better than reference"
        )
    return figure


@dataclass(frozen=True)
class _Column:
    """Models that tests join, the smallest first, and those tests."""

    models: tuple[str, ...]
    tests: tuple[ModelComparison, ...]


def columns(tests: Sequence[ModelComparison], sizes: Mapping[str, int]) -> list[_Column]:
    """Sort the tests into groups of models that hang together."""
    groups: list[set[str]] = []
    for test in tests:
        touched = [g for g in groups if g & {test.null, test.full}]
        groups = [g for g in groups if g not in touched]
        groups.append(set().union(*touched, {test.null, test.full}))
    found = []
    for group in sorted(groups, key=lambda g: min(i for i, t in enumerate(tests) if t.null in g)):
        rungs = sorted(group, key=lambda m: (sizes.get(m, 0), m))
        found.append(_Column(tuple(rungs), tuple(t for t in tests if t.null in group)))
    return found


def draw_ladder(plan: Plan, comparisons: Comparisons, fits: Sequence[PlannedFit]) -> Figure:
    """Draw the models as rungs, smallest below, and each test as an arrow to the larger model."""
    sizes = {fit.model: fit.fit.npar for fit in fits}
    found = columns(comparisons.tests, sizes)
    highest = max((len(c.models) for c in found), default=1)
    with style():
        figure = new_figure(0.15 + 0.5 * highest)
        panels = figure.subplots(1, max(1, len(found)), squeeze=False)[0]
        for axes in panels:
            axes.axis("off")
            axes.set(xlim=(0, 10), ylim=(-0.3, highest - 0.7))
        if not found:
            panels[0].text(0, 0, "The plan asks for no likelihood-ratio test")
        for axes, column in zip(panels, found, strict=False):
            _column(axes, plan, column, sizes)
    return figure


def _column(axes: Axes, plan: Plan, column: _Column, sizes: Mapping[str, int]) -> None:
    place = {model: float(i) for i, model in enumerate(column.models)}
    for model, y in place.items():
        main = model == plan.primary.model
        segments(axes, [0], [y - 0.14], [4.2], [y - 0.14], color=COLOURS[0] if main else "#333333",
                 linewidth=2.2 if main else 1.2)  # fmt: skip
        axes.text(0.05, y - 0.08, model, fontweight="bold", va="bottom")
        axes.text(4.35, y - 0.14, f"{sizes.get(model, 0)} parameters", va="center",
                  color="#444444", fontsize=6.5)  # fmt: skip
    for k, test in enumerate(column.tests):
        low, high = place[test.null], place[test.full]
        far = abs(high - low) > 1
        x = 2.1 if not far else 6.6 + 0.4 * (k % 3)
        colour = GREY if test.refused else "#333333"
        look = {"color": colour, "linewidth": 0.9, "linestyle": ":" if test.refused else "-"}
        ends = (low - 0.14, high - 0.24)  # the head ends below the rung
        segments(axes, [x], [ends[0]], [x], [ends[1]], **look)
        axes.plot([x], [ends[1]], marker="^", color=colour, markersize=4,
                  markeredgewidth=0)  # fmt: skip
        axes.text(x + 0.25 if not far else x + 0.15, (low + high) / 2 - 0.13, told(plan, test),
                  va="center", fontsize=6.5)  # fmt: skip
