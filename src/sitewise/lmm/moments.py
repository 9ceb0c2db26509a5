"""Moments of several formulas from frames or Parquet files: made once, added, saved, fitted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import ModelError, Problem
from sitewise.lmm.encode import level_text
from sitewise.lmm.formula import Formula, formula_columns, parse_formula
from sitewise.lmm.hierarchy import Level, build_hierarchy
from sitewise.lmm.merge import merge
from sitewise.lmm.narrower import narrower
from sitewise.lmm.nesting import unfolded
from sitewise.lmm.parquet import ParquetBatches
from sitewise.lmm.reading import NoRowsError, read_rows
from sitewise.lmm.row_part import RowPart, build_row_part, merge_parts
from sitewise.lmm.rows import Rows
from sitewise.lmm.schedule import Schedule, find_schedule
from sitewise.lmm.tally import build_wide
from sitewise.lmm.threads import one_thread
from sitewise.lmm.wide import Wide

if TYPE_CHECKING:
    import pandas as pd

    Data = pd.DataFrame | str | Path | Sequence[str | Path]

BATCH_ROWS = 1_000_000  # rows of Parquet at a time: about 0.2 GB with text identifiers
_AT_ONCE = 8  # moments of batches that wait to be added
_RANK = {"patient": 0, "slot": 1, "varying": 2}


@dataclass(frozen=True)
class Moments:
    """Sufficient statistics of formulas; `a + b` are those of both batches of whole patients.

    parts: by the text of the formula.
    """

    parts: Mapping[str, Wide | RowPart]

    def __repr__(self) -> str:
        """The formulas, a line."""
        return f"Moments({', '.join(map(repr, self.parts))})"

    def __radd__(self, other: object) -> "Moments":
        """`sum(...)` begins with 0."""
        if not isinstance(other, int) or other != 0:
            raise _no_moments(other)
        return self

    @one_thread
    def __add__(self, other: "Moments") -> "Moments":
        """Moments of the patients of both; raises ModelError where they can't be added."""
        if not isinstance(other, Moments):
            raise _no_moments(other)
        odd = sorted(set(self.parts) ^ set(other.parts))
        if odd:
            raise ModelError(
                "These moments can't be added.",
                [Problem("only one of them has this formula", where=text,
                         fix="make both with the same formulas") for text in odd],
            )  # fmt: skip
        return Moments({text: _sum(own, other.parts[text]) for text, own in self.parts.items()})

    def part(self, formula: str) -> Wide | RowPart:
        """The moments of a formula: its own, or those of one that asks more of the same rows.

        Raises ModelError that names the columns that are not here.
        """
        parsed = parse_formula(formula)
        text = parsed.text
        for part in self.parts.values():
            if replace(part.formula, text=text) == parsed:  # blanks make no other formula
                return part
        for part in self.parts.values():
            less = narrower(part, parsed) if isinstance(part, Wide) else None
            if less is not None:
                return less
        wanted = formula_columns(parsed)
        here = {name for part in self.parts.values() for name in formula_columns(part.formula)}
        lacking = [name for name in wanted if name not in here]
        raise ModelError(
            "These moments don't hold the formula.",
            [Problem(f"no moments of {', '.join(lacking)}" if lacking else "another formula",
                     where=text, allowed="; ".join(self.parts),
                     fix="name this formula when the moments are made")],
        )  # fmt: skip

    def save(self, path: str | Path) -> None:
        """Write to one .npz file without patients' names; the same moments give the same bytes.

        Where a batch has one patient a site and the formula does not say which of the two is the
        patient, both are written as hashes; `(1 | SITEID/USUBJID)` says it.
        """
        from sitewise.lmm.npz import save_parts

        save_parts(self.parts, Path(path))

    @staticmethod
    def load(path: str | Path) -> "Moments":
        """Read what `save` wrote. Raises ModelError where the file is something else."""
        from sitewise.lmm.npz import load_parts

        if not isinstance(path, str | Path) or not Path(path).is_file():
            raise ModelError(
                "The moments can't be read.",
                [Problem("there is no such file", where=str(path), fix="mend the path")],
            )
        return Moments(load_parts(Path(path)))


def _no_moments(other: object) -> ModelError:
    return ModelError(
        "These moments can't be added.",
        [Problem(f"the other is a {type(other).__name__}", where="+",
                 allowed="moments of the same formulas", fix="make moments of it first")],
    )  # fmt: skip


def _sum(a: Wide | RowPart, b: Wide | RowPart) -> Wide | RowPart:
    if isinstance(a, Wide) and isinstance(b, Wide):
        return merge(a, b)
    if isinstance(a, RowPart) and isinstance(b, RowPart):
        return merge_parts(a, b)
    raise ModelError(
        "These moments can't be added.",
        [Problem("one batch has a schedule of visits and the other has none",
                 where=a.formula.text, fix="where each patient of a batch has one visit say so:"
                 ' moments(..., roles={"AVISIT": "slot"}); or make both with scheduled=False')],
    )  # fmt: skip


@one_thread
def moments(
    formulas: str | Sequence[str],
    data: "Data",
    levels: Mapping[str, Sequence[str]] | None = None,
    *,
    roles: Mapping[str, str] | None = None,
    scheduled: bool | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Moments:
    """Read `data` once and keep what the formulas need.

    data: a frame, or Parquet files, read by row groups of together about `batch_rows` rows, so
    that memory is bounded; the rows of a patient must stand together there, in one file.
    levels: of factors, in order, the first the reference; declare them where a batch may lack some.
    roles: "slot" (a function of the visit), "varying" or "patient", of variables of which a batch
    of few patients may not tell. scheduled: None lets the data say whether rows are visits of a
    schedule; False takes them as they are.
    Raises ModelError: a column that is not there, a patient in two batches.
    """
    import pandas as pd

    from sitewise.lmm.arguments import check_levels, check_moments

    check_moments(formulas, data, roles, scheduled, batch_rows)
    texts = [formulas] if isinstance(formulas, str) else list(formulas)
    parsed = [parse_formula(text) for text in texts]
    check_levels(levels, list(data.columns) if isinstance(data, pd.DataFrame) else None)
    declared = {name: tuple(map(level_text, own)) for name, own in (levels or {}).items()}
    if isinstance(data, pd.DataFrame):
        return _streamed(parsed, [data], declared, roles or {}, scheduled)
    paths = [data] if isinstance(data, str | Path) else list(data)
    source = ParquetBatches([Path(path) for path in paths], parsed, declared, batch_rows)
    return _streamed(parsed, source, declared, roles or {}, scheduled)


@one_thread
def moments_of_rows(
    formula: Formula,
    rows: Rows,
    declared: Mapping[str, tuple[str, ...]],
    *,
    roles: Mapping[str, str],
    scheduled: bool | None,
) -> Moments:
    """As `moments` of one batch, of rows read with `read_rows(formula, ..., declared, batch=True)`.

    Raises ModelError as `moments` does.
    """
    one = _Adding(formula, declared, roles, scheduled)
    one.add_rows(rows)
    while one.again():
        one.add_rows(rows)
    return Moments({formula.text: one.result()})


def _streamed(
    formulas: Sequence[Formula],
    source: "Iterable[pd.DataFrame]",
    declared: Mapping[str, tuple[str, ...]],
    roles: Mapping[str, str],
    scheduled: bool | None,
) -> Moments:
    found = {f.text: _Adding(f, declared, roles, scheduled) for f in formulas}
    todo = list(found.values())
    while todo:
        for frame in source:
            for one in todo:
                one.add(frame)
        # A batch that learned that a variable changes within patients asks for another pass.
        todo = [one for one in todo if one.again()]
    return Moments({text: one.result() for text, one in found.items()})


class _Adding:
    """Moments of one formula, batch by batch, with roles of variables that all batches share."""

    def __init__(
        self,
        formula: Formula,
        declared: Mapping[str, tuple[str, ...]],
        roles: Mapping[str, str],
        scheduled: bool | None,
    ) -> None:
        self._formula, self._declared = formula, declared
        self._roles = dict(roles)
        # Under a residual covariance there is always a schedule.
        self._by_rows = scheduled is False and formula.residual is None
        self._must = scheduled is True
        self._start()

    def _start(self) -> None:
        self._used = dict(self._roles)
        self._parts: list[Wide | RowPart] = []
        self._learned = False
        self._reasons: list[str] = []
        self._batches = 0
        self._empty: list[NoRowsError] = []

    def add(self, frame: "pd.DataFrame") -> None:
        """Take a batch in, unless another pass is needed anyway."""
        try:
            rows = read_rows(self._formula, frame, self._declared, batch=True)
        except NoRowsError as empty:
            self._empty.append(empty)
            return
        self.add_rows(rows)

    def add_rows(self, rows: Rows) -> None:
        """As `add`, of rows that were read already."""
        self._batches += 1
        slots = [name for name, role in self._used.items() if role == "slot"]
        hierarchy = build_hierarchy(self._formula, rows, batch=True, slots=slots)
        if self._by_rows:
            self._parts.append(build_row_part(self._formula, rows, hierarchy, self._declared))
            return
        found = self._schedule(rows, hierarchy)
        if isinstance(found, str):
            self._reasons.append(found)
            return
        hierarchy, schedule = found
        for v, role in schedule.roles.items():
            before = self._roles.setdefault(v, role)
            if _RANK[role] > _RANK[before]:
                self._roles[v] = role
            self._learned = self._learned or before != role
        if self._learned:
            return
        self._parts.append(
            build_wide(self._formula, rows, hierarchy, schedule, declared=self._declared)
        )
        if len(self._parts) >= _AT_ONCE:
            self._parts = [merge(*(p for p in self._parts if isinstance(p, Wide)))]

    def _schedule(
        self, rows: Rows, hierarchy: tuple[Level, ...]
    ) -> tuple[tuple[Level, ...], Schedule] | str:
        """The schedule, and the hierarchy that has one; or why there is none."""
        reason = ""
        for levels in unfolded(self._formula, rows, hierarchy):
            found = find_schedule(self._formula, rows, levels, roles=self._used)
            if not isinstance(found, str):
                return levels, found
            reason = reason or found
        return reason

    def again(self) -> bool:
        """Whether another pass with the roles learned is needed; then forget this one."""
        # No row changes within a patient: no schedule of itself, but part of one that others show.
        some = bool(self._reasons) and len(self._reasons) < self._batches
        if self._learned or (some and self._roles != self._used):
            self._start()
            return True
        if self._reasons and not self._must:
            self._by_rows = True
            self._start()
            return True
        return False

    def result(self) -> Wide | RowPart:
        """The sum of all batches; those without a row that can be used count in what is dropped."""
        if self._empty and not self._batches:
            raise self._empty[0]
        found = self._sum()
        dropped = dict(found.dropped)
        for empty in self._empty:
            for name, count in empty.dropped.items():
                dropped[name] = dropped.get(name, 0) + count
        nframe = found.nframe + sum(empty.nframe for empty in self._empty)
        return replace(found, nframe=nframe, dropped=dropped)

    def _sum(self) -> Wide | RowPart:
        if self._by_rows:
            return reduce(merge_parts, (p for p in self._parts if isinstance(p, RowPart)))
        if self._reasons:
            raise ModelError(
                "The rows are no schedule.",
                [Problem(self._reasons[0], where=self._formula.text,
                         allowed="a visit a row, at most 15 of them, each once a patient")],
            )  # fmt: skip
        return merge(*(p for p in self._parts if isinstance(p, Wide)))
