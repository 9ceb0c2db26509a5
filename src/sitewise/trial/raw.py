"""One hospital file as text: its records, and what is wrong with it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """What is wrong with a hospital file. row: line in the file, if it lies in one.

    action: what happened because of it, where that is not what happens with its like.
    """

    rule: str
    message: str
    advice: str
    allowed: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""
    action: str = ""


@dataclass(frozen=True)
class RawTable:
    """The records of one file as text.

    lines: physical line at which each record starts (the header is line 1). cells: one list a
    record, as long as the header. ragged: (line, number of cells) of records of another length,
    whose cells can't be told apart and are not in `cells`. trailing: how many of them have one cell
    more than the header, and nothing in the last. blank: records without any content.
    line: that of the header, where blank lines stand above it.
    """

    header: tuple[str, ...]
    lines: list[int] = field(default_factory=list)
    cells: list[list[str]] = field(default_factory=list)
    ragged: list[tuple[int, int]] = field(default_factory=list)
    trailing: int = 0
    blank: int = 0
    line: int = 1
