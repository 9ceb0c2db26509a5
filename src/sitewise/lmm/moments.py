"""Moments of several formulas from frames or Parquet files: made once, added, saved, fitted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import ModelError, Problem
from sitewise.lmm.encode import level_text
from sitewise.lmm.formula import Formula, formula_columns, parse_formula
from sitewise.lmm.hierarchy import build_hierarchy
from sitewise.lmm.merge import merge
from sitewise.lmm.reading import read_rows
from sitewise.lmm.row_part import RowPart, build_row_part, merge_parts
from sitewise.lmm.schedule import find_schedule
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
        return self if other == 0 else NotImplemented

    @one_thread
    def __add__(self, other: "Moments") -> "Moments":
        """Moments of the patients of both; raises ModelError where they can't be added."""
        if not isinstance(other, Moments):
            return NotImplemented
        odd = sorted(set(self.parts) ^ set(other.parts))
        if odd:
            raise ModelError(
                "These moments can't be added.",
                [Problem("only one of them has this formula", where=text,
                         fix="make both with the same formulas") for text in odd],
            )  # fmt: skip
        return Moments({text: _sum(own, other.parts[text]) for text, own in self.parts.items()})

    def part(self, formula: str) -> Wide | RowPart:
        """The moments of a formula; raises ModelError that names the columns that are not here."""
        parsed = parse_formula(formula)
        text = parsed.text
        for part in self.parts.values():
            if replace(part.formula, text=text) == parsed:  # blanks make no other formula
                return part
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
        """Write to one .npz file without patients' names; the same moments give the same bytes."""
        from sitewise.lmm.npz import save_parts

        save_parts(self.parts, Path(path))

    @staticmethod
    def load(path: str | Path) -> "Moments":
        """Read what `save` wrote. Raises ModelError where the file is something else."""
        from sitewise.lmm.npz import load_parts

        return Moments(load_parts(Path(path)))


def _sum(a: Wide | RowPart, b: Wide | RowPart) -> Wide | RowPart:
    if isinstance(a, Wide) and isinstance(b, Wide):
        return merge(a, b)
    if isinstance(a, RowPart) and isinstance(b, RowPart):
        return merge_parts(a, b)
    raise ModelError(
        "These moments can't be added.",
        [Problem("one batch has a schedule of visits and the other has none",
                 where=a.formula.text, fix="make both by moments(..., scheduled=False)")],
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

    data: a frame, or Parquet file(s), read by row groups of together about `batch_rows` rows, so
    that memory is bounded; the rows of a patient must stand together there, in one file.
    levels: of factors, in order, the first the reference; declare them where a batch may lack some.
    roles: "slot" (a function of the visit) or "varying", of variables of which a batch of few
    patients may not tell. scheduled: None lets the data say whether rows are visits of a schedule;
    False takes them as they are.
    Raises ModelError: a column that is not there, a patient in two batches.
    """
    texts = [formulas] if isinstance(formulas, str) else list(formulas)
    parsed = [parse_formula(text) for text in texts]
    import pandas as pd

    from sitewise.lmm.arguments import check_levels, check_sources

    check_levels(levels, list(data.columns) if isinstance(data, pd.DataFrame) else None)
    declared = {name: tuple(map(level_text, own)) for name, own in (levels or {}).items()}
    if isinstance(data, pd.DataFrame):
        return _streamed(parsed, [data], declared, roles or {}, scheduled)
    paths = [data] if isinstance(data, str | Path) else list(data)
    check_sources(texts, paths)
    source = _Parquet([Path(path) for path in paths], parsed, declared, batch_rows)
    return _streamed(parsed, source, declared, roles or {}, scheduled)


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

    def add(self, frame: "pd.DataFrame") -> None:
        """Take a batch in, unless another pass is needed anyway."""
        self._batches += 1
        rows = read_rows(self._formula, frame, self._declared, batch=True)
        hierarchy = build_hierarchy(self._formula, rows)
        if self._by_rows:
            self._parts.append(build_row_part(self._formula, rows, hierarchy, self._declared))
            return
        schedule = find_schedule(self._formula, rows, hierarchy, roles=self._used)
        if isinstance(schedule, str):
            self._reasons.append(schedule)
            return
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
        """The sum of all batches."""
        if self._by_rows:
            return reduce(merge_parts, (p for p in self._parts if isinstance(p, RowPart)))
        if self._reasons:
            raise ModelError(
                "The rows are no schedule.",
                [Problem(self._reasons[0], where=self._formula.text,
                         allowed="a visit a row, at most 15 of them, each once a patient")],
            )  # fmt: skip
        return merge(*(p for p in self._parts if isinstance(p, Wide)))


class _Parquet:
    """Batches of whole patients from Parquet files, read by row groups."""

    def __init__(
        self,
        paths: Sequence[Path],
        formulas: Sequence[Formula],
        declared: Mapping[str, tuple[str, ...]],
        batch_rows: int,
    ) -> None:
        self._paths, self._batch_rows = paths, batch_rows
        self._formulas, self._declared = formulas, declared
        self._columns = list(dict.fromkeys(n for f in formulas for n in formula_columns(f)))
        self._patients: list[tuple[str, ...]] | None = None

    def __iter__(self) -> "Iterator[pd.DataFrame]":
        """Frames of whole patients: the rows of the last one of a frame wait for the next."""
        import pandas as pd
        import pyarrow.parquet as pq

        for path in self._paths:
            with pq.ParquetFile(path) as file:
                self._check(path, file.schema_arrow.names)
                rest: pd.DataFrame | None = None
                runs = list(_runs(file, self._batch_rows))
                for groups in runs:
                    frame = file.read_row_groups(groups, columns=self._columns).to_pandas()
                    if rest is not None and len(rest):
                        frame = pd.concat([rest, frame], ignore_index=True)
                    if groups is runs[-1]:
                        yield frame.reset_index(drop=True)
                        break
                    cut = self._last_patient(frame)
                    # A copy: a view would hold the whole batch.
                    rest = frame.iloc[cut:].copy()
                    if cut:
                        yield frame.iloc[:cut]
                    del frame

    def _check(self, path: Path, present: Sequence[str]) -> None:
        from sitewise.lmm.arguments import check_levels

        check_levels(self._declared, present)
        lacking = [name for name in self._columns if name not in present]
        if lacking:
            raise ModelError(
                "A batch lacks columns of the formulas.",
                [Problem(f"unknown column {name!r}", where=path.name,
                         allowed=", ".join(present)) for name in lacking],
            )  # fmt: skip

    def _last_patient(self, frame: "pd.DataFrame") -> int:
        """First row of the last patient of any formula."""
        if self._patients is None:
            self._patients = [
                build_hierarchy(f, read_rows(f, frame, self._declared))[0].group
                for f in self._formulas
            ]
        cut = len(frame)
        for group in self._patients:
            other = frame[group[0]] != frame[group[0]].iloc[-1]
            for name in group[1:]:
                other |= frame[name] != frame[name].iloc[-1]
            at = other.to_numpy(dtype=bool, na_value=True).nonzero()[0]
            cut = min(cut, int(at[-1]) + 1 if len(at) else 0)
        return cut


def _runs(file: "object", batch_rows: int) -> Iterator[list[int]]:
    """Row groups to be read together, of about `batch_rows` rows, evenly."""
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]  # type: ignore[attr-defined]
    total = max(1, sum(sizes))
    batches = max(1, -(-total // batch_rows))
    found: list[list[int]] = [[] for _ in range(batches)]
    seen = 0
    for i, size in enumerate(sizes):
        found[min(batches - 1, (seen + size // 2) * batches // total)].append(i)
        seen += size
    yield from (groups for groups in found if groups)
