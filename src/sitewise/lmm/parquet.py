"""Batches of whole patients from Parquet files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import Formula, formula_columns
from sitewise.lmm.hierarchy import build_hierarchy
from sitewise.lmm.nesting import unfolded
from sitewise.lmm.reading import NoRowsError, read_rows

if TYPE_CHECKING:
    import pandas as pd


class ParquetBatches:
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
            try:
                self._patients = [
                    group for f in self._formulas for group in self._innermost(f, frame)
                ]
            except NoRowsError:  # nothing tells yet: all of it waits
                return 0
        cut = len(frame)
        for group in self._patients:
            other = frame[group[0]] != frame[group[0]].iloc[-1]
            for name in group[1:]:
                other |= frame[name] != frame[name].iloc[-1]
            at = other.to_numpy(dtype=bool, na_value=True).nonzero()[0]
            cut = min(cut, int(at[-1]) + 1 if len(at) else 0)
        return cut

    def _innermost(self, formula: Formula, frame: "pd.DataFrame") -> list[tuple[str, ...]]:
        """The grouping that is the patient, or all that may be where these rows can't tell."""
        rows = read_rows(formula, frame, self._declared, batch=True)
        hierarchy = build_hierarchy(formula, rows, batch=True)
        return [found[0].group for found in unfolded(formula, rows, hierarchy)]


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
