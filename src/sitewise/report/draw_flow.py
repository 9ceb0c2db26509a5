"""Figure: patients and readings from the hospital files to the analysis, by arm."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sitewise.errors import plural
from sitewise.plan.model import Plan
from sitewise.report.drawing import GREY, MOST_HEIGHT, WIDTH, arm_style, segments, style
from sitewise.report.formatting import count_percent
from sitewise.report.leaving import absent
from sitewise.report.pictured import Allocated, allocated, came_in, left_out_lines
from sitewise.trial.account import Account
from sitewise.trial.description import Description, FlowRow

_SIZE = 7.0  # points
_LINE = 10.0  # points from line to line
_PAD = 5.0
_GAP = 16.0  # between boxes
_LETTER = 0.56 * _SIZE  # mean width of a letter
_HEAD = 2.7  # from the middle of an arrow's head to the border: half of the head, half of the line


@dataclass(frozen=True)
class _Line:
    """One line of a box: text at the left, and perhaps a number at the right."""

    left: str
    right: str = ""
    bold: bool = False
    indent: bool = False


@dataclass(frozen=True)
class _Box:
    lines: tuple[_Line, ...]

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD - (_LINE - _SIZE)


def draw_flow(plan: Plan, account: Account, description: Description) -> Figure:
    """Draw what came in, what was left out and why, and who was seen at each visit."""
    width = WIDTH * 72 - 3  # room for the lines of the outer boxes
    top = _Box(tuple(_Line(text, bold=not i) for i, text in enumerate(came_in(plan, account))))
    # The two upper boxes share the width: 40 and 56 hundredths of it.
    left_out = _filled(left_out_lines(plan, account), 0.56 * width)
    arms = [a.name for a in plan.arms.order]
    lane = (width - 12 * (len(arms) - 1)) / len(arms)
    of_files = allocated(account)
    seen = [_arm_box(plan, description, arm, lane, of_files.get(arm)) for arm in arms]
    first = max(top.height, left_out.height)
    height = first + _GAP + max(box.height for box in seen)
    with style():
        figure = Figure(figsize=(WIDTH, min(height / 72 + 0.06, MOST_HEIGHT)))
        axes = figure.add_axes((0.002, 0.002, 0.996, 0.996))
        axes.set(xlim=(-1, width + 1), ylim=(height + 1, -1))
        axes.axis("off")
        _draw(axes, top, (0, 0), 0.4 * width)
        _draw(axes, left_out, (0.44 * width, 0), 0.56 * width)
        middle = top.height / 2
        _arrow(axes, 0.4 * width, middle, 0.44 * width, middle)
        bar = first + _GAP / 2
        centres = [i * (lane + 12) + lane / 2 for i in range(len(arms))]
        ends = [0.2 * width, *centres]
        look = {"color": GREY, "linewidth": 0.7}
        segments(axes, [0.2 * width, min(ends)], [top.height, bar], [0.2 * width, max(ends)],
                 [bar, bar], **look)  # fmt: skip
        for arm, box, centre in zip(arms, seen, centres, strict=True):
            _arrow(axes, centre, bar, centre, first + _GAP)
            colour = str(arm_style(plan.arms, arm)["color"])
            _draw(axes, box, (centre - lane / 2, first + _GAP), lane, colour)
    return figure


def _filled(texts: list[str], width: float) -> _Box:
    """A box of bullet lines, wrapped to its width."""
    lines = [_Line("Left out", bold=True)]
    for text in texts:
        # a number stays in the line of what it counts
        held = re.sub(r"(?<=[:;] )(\d+) ", "\\1\N{NO-BREAK SPACE}", text)
        parts = wrap(held, int((width - 2 * _PAD - 8) / _LETTER)) or [""]
        lines += [_Line(part, indent=bool(i)) for i, part in enumerate(parts)]
    return _Box(tuple(lines))


def _arm_box(
    plan: Plan, description: Description, arm: str, width: float, of_files: Allocated | None
) -> _Box:
    """Patients and hospitals of one arm: allocated, seen at each visit, in the primary analysis."""
    letters = int((width - 2 * _PAD) / _LETTER)
    flow = [row for row in description.flow if row.arm == arm]
    whole = next(row for row in flow if row.site == "")
    sites = sum(1 for row in flow if row.site and row.patients)
    lines = [_Line(part, bold=True) for part in wrap(arm, max(8, letters - 2))]
    if of_files is not None:
        lines.append(_counted("Allocated", of_files.patients, of_files.sites, letters))
        lines.append(_Line("No reading left", str(of_files.lost)))
    lines.append(_counted("With a reading", whole.patients, sites, letters))
    lines.append(_Line("Seen at:"))
    lines += [
        _Line(_short(visit, letters - 16), count_percent(n, whole.patients), indent=True)
        for visit, n in zip(description.visits, whole.by_visit, strict=True)
    ]
    lines.append(_Line("every visit", count_percent(whole.all_visits, whole.patients), indent=True))
    lines += _absent(plan, description, whole, letters)
    lines.append(_Line("In the primary analysis:"))
    lines += _analysed(plan, description, whole, letters)
    return _Box(tuple(lines))


def _counted(what: str, patients: int, sites: int, letters: int) -> _Line:
    """Patients of an arm, and of how many hospitals they are where the box is wide enough."""
    told = f"{what}, {plural(sites, 'hospital')}"
    return _Line(told if len(told) <= letters - 8 else what, str(patients))


def _absent(plan: Plan, description: Description, whole: FlowRow, letters: int) -> Iterator[_Line]:
    """Who was not seen at the primary visit, and why; nothing where the files have no reasons."""
    first = next(iter(plan.endpoints))
    for own in absent(description, first, plan.primary.visit):
        at = own.arms.index(whole.arm)
        missed = count_percent(own.by_arm[at], whole.patients)
        yield _Line(_short(f"Not seen at {own.visit}:", letters - 11), missed)
        for reason, numbers in own.reasons:
            told = count_percent(numbers[at], whole.patients)
            yield _Line(_short(reason, letters - 13), told, indent=True)


def _analysed(plan: Plan, description: Description, whole: FlowRow, letters: int) -> list[_Line]:
    wanted = plan.models[plan.primary.model].set
    own = {s.endpoint: s for s in description.sets if s.name == wanted and s.arm == whole.arm}
    return [
        _Line(
            _short(name, letters - 16),
            count_percent(own[name].patients, whole.patients),
            indent=True,
        )
        for name in plan.endpoints
        if name in own
    ]


def _short(text: str, letters: int) -> str:
    most = max(6, letters)
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def _draw(
    axes: Axes, box: _Box, corner: tuple[float, float], width: float, colour: str = "#333333"
) -> None:
    """corner: upper left."""
    x, y = corner
    axes.add_patch(
        Rectangle((x, y), width, box.height, facecolor="white", edgecolor=colour, linewidth=0.8)
    )
    for i, line in enumerate(box.lines):
        at = y + _PAD + i * _LINE + 0.8 * _SIZE
        weight = "bold" if line.bold else "normal"
        axes.text(
            x + _PAD + (8 if line.indent else 0), at, line.left, fontsize=_SIZE, fontweight=weight
        )
        if line.right:
            axes.text(x + width - _PAD, at, line.right, fontsize=_SIZE, ha="right")


def _arrow(axes: Axes, x0: float, y0: float, x1: float, y1: float) -> None:
    """To the border of a box, which the head touches and does not cover; units are points."""
    down = x0 == x1
    x1, y1 = (x1, y1 - _HEAD) if down else (x1 - _HEAD, y1)
    segments(axes, [x0], [y0], [x1], [y1], color=GREY, linewidth=0.7)
    axes.plot([x1], [y1], marker="v" if down else ">", color=GREY, markersize=4.4,
              markeredgewidth=0, clip_on=False)  # fmt: skip
