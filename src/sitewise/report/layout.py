"""Tables and figures as the templates print them: text only, nothing left to work out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sitewise.report.formatting import align, align_beside

SIGNS = "\u2020\u2021\u00a7\u00b6"  # of notes behind a cell
_WORD = 18  # letters of a cell that is not broken
_GROUP = 12  # rows below one heading that are not torn from it
_NARROW = 68  # letters of a line of a table that does not need the width of the page


@dataclass(frozen=True)
class Cell:
    """One cell. marker: a note's sign behind the text. span: columns that it covers."""

    text: str
    marker: str = ""
    span: int = 1


@dataclass(frozen=True)
class Column:
    """One column. kind: `text` (left), `number` (right, on the decimal point) or `mixed` (right,
    what stands before a bracket in line);
    `text word` is a text whose cells are short enough never to be broken.

    marked: some cell has a marker, so that all cells leave room for it.
    """

    title: str
    kind: str = "text"
    marked: bool = False


@dataclass(frozen=True)
class Row:
    """One row. kind: empty, `group` (a heading over the rows below it), `strong` or `total`
    (strong, and the last row however a reader sorts). kept: on the
    page of the row before it."""

    cells: tuple[Cell, ...]
    kind: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Table:
    """One table. file: the machine-readable file with the same numbers in full, or empty.

    size: `normal` or `small` (many columns), or `narrow`, where little text would be spread over
    the whole width of the page.
    """

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    file: str = ""
    size: str = "normal"


@dataclass(frozen=True)
class Figure:
    """One figure. title: the question that it answers; source: a data URI of the SVG (print) or the
    SVG itself (screen); alt: what it shows, in words."""

    id: str
    caption: str
    alt: str
    source: str
    title: str = ""


CellLike = str | Cell


def row(*cells: CellLike, kind: str = "") -> Row:
    """A row from texts and cells."""
    return Row(tuple(c if isinstance(c, Cell) else Cell(c) for c in cells), kind)


def group(title: str, columns: int) -> Row:
    """A heading over the rows below it."""
    return Row((Cell(title, span=columns),), "group")


def table(
    anchor: str,
    caption: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Row],
    *,
    notes: Sequence[str] = (),
    file: str = "",
    size: str = "normal",
) -> Table:
    """Build a table: align its number and mixed columns; drop notes that are empty, repeated, or
    of a sign that no cell has."""
    made, letters = [], 0
    cells = [list(r.cells) for r in rows]
    for j, (title, kind) in enumerate(columns):
        own = [i for i, r in enumerate(rows) if len(r.cells) == len(columns) and r.kind != "group"]
        if kind in ("number", "mixed"):
            pad = align if kind == "number" else align_beside
            texts = pad([cells[i][j].text for i in own])
            for i, text in zip(own, texts, strict=True):
                cells[i][j] = Cell(text, cells[i][j].marker)
        words = [cells[i][j].text for i in own]
        short = kind == "text" and all(len(word) <= _WORD for word in words)
        letters += max(map(len, [*words, title])) + 3
        made.append(
            Column(title, "text word" if short else kind, any(cells[i][j].marker for i in own))
        )
    if letters < _NARROW:
        size = "narrow" if size == "normal" else f"{size} narrow"
    signs = {cell.marker for line in cells for cell in line}
    kept = tuple(dict.fromkeys(n for n in notes if n and (n[0] not in SIGNS or n[0] in signs)))
    together = _together(rows)
    lines = tuple(
        Row(tuple(c), r.kind, i in together)
        for i, (c, r) in enumerate(zip(cells, rows, strict=True))
    )
    return Table(anchor, caption, tuple(made), lines, kept, file, size)


def _together(rows: Sequence[Row]) -> set[int]:
    """Rows that stay on the page of the row before: those of a short group, for its heading, or the
    first cell that speaks for them, stands once."""
    found: set[int] = set()
    for headed in (_heads, _told_once):
        starts = [i for i, r in enumerate(rows) if headed(r)]
        for start, end in pairwise([*starts, len(rows)]):
            if end - start - 1 <= _GROUP:
                found |= set(range(start + 1, end))
    return found


def _heads(line: Row) -> bool:
    return line.kind == "group"


def _told_once(line: Row) -> bool:
    """A row whose first cell also speaks for the rows below it that leave theirs empty."""
    return line.kind == "group" or line.cells[0].text != ""
