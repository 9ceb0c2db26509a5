"""The look of every figure, and saving it with the same bytes each time.

Marks that come in numbers are drawn as one path (`segments`, `dots`): the layout of the pages takes
time for every element, and a browser too.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sitewise.plan.sections import Arms
from sitewise.report.svg import lean

# Okabe & Ito (2008): told apart by colour-blind readers. Markers and lines differ as well, so that
# a grey print can be read.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)))
GREY = "#6f6f6f"
Numbers = Sequence[float] | np.ndarray
WIDTH = 6.7  # inches: the text width of an A4 page
MOST_HEIGHT = 8.3  # inches: what an A4 page holds beside a caption

STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#333333",
    "axes.grid": False,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.5,
    "path.simplify": False,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "sitewise",
    "text.parse_math": False,  # a `$` in a name is a `$`
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save inside this: fixed settings, and only the fonts that matplotlib brings.

    A system font of the same name is another file with other outlines.
    """
    manager = font_manager.fontManager
    everything = manager.ttflist
    bundled = Path(mpl.get_data_path()) / "fonts"
    manager.ttflist = [f for f in everything if Path(f.fname).is_relative_to(bundled)]
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            yield
    finally:
        manager.ttflist = everything


def thinned(labels: Sequence[str], most: int) -> list[str]:
    """At most about `most` of the labels, evenly chosen, the others empty."""
    step = max(1, -(-len(labels) // most))
    return [label if i % step == 0 else "" for i, label in enumerate(labels)]


def new_figure(height: float) -> Figure:
    """A figure of the page's width; `height` in inches, at most a page."""
    return Figure(figsize=(WIDTH, min(height, MOST_HEIGHT)), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write the figure as SVG: text as text, no date, no version."""
    written = io.StringIO()
    with style():
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    path.write_text(lean(written.getvalue(), path.stem), encoding="utf-8", newline="\n")


def segments(
    axes: Axes,
    x0: Numbers,
    y0: Numbers,
    x1: Numbers,
    y1: Numbers,
    **look: Any,
) -> None:
    """Lines from (x0, y0) to (x1, y1) as one path."""
    points = np.full((3 * len(x0), 2), np.nan)
    points[0::3] = np.column_stack([x0, y0])
    points[1::3] = np.column_stack([x1, y1])
    axes.plot(*points.T, marker="", **look)


def dots(
    axes: Axes,
    x: Numbers,
    y: Numbers,
    size: float,
    color: str,
    *,
    ring: bool = False,
) -> None:
    """Round points of `size` points as one path: lines without length and with round ends.

    ring: open circles, two paths.
    """
    look = {"solid_capstyle": "round", "linestyle": "-"}
    segments(axes, x, y, x, y, color=color, linewidth=size, **look)
    if ring:
        segments(axes, x, y, x, y, color="white", linewidth=size - 1.5, **look)


def arm_style(arms: Arms, arm: str) -> dict[str, Any]:
    """Colour, marker and line of one arm, by its place in the plan."""
    i = [a.name for a in arms.order].index(arm)
    return {
        "color": COLOURS[i % len(COLOURS)],
        "marker": MARKERS[i % len(MARKERS)],
        "linestyle": LINES[i % len(LINES)],
    }
