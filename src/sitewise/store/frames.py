"""Data frames to and from Parquet and CSV, the same bytes for the same frame."""

from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, PARAMCD, SITEID, SRCFILE, TRT01P, USUBJID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

# Text that few rows have to themselves: a code a row and each text once, in what is read narrowly.
REPEATED = (SITEID, USUBJID, TRT01P, PARAMCD, AVISIT, SRCFILE)


class FrameWriter:
    """Frames one below the other in one Parquet file, each a row group of its own, as they come.

    A context manager. No index, no pandas metadata of versions, fixed compression. Columns are
    those of the first frame with rows, in its types; without any, of the first frame.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._empty: pa.Table | None = None
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "FrameWriter":
        """Nothing is opened before the first frame."""
        return self

    def write(self, frame: "pd.DataFrame") -> None:
        """Write one frame; one without rows leaves no trace beside others."""
        import pyarrow as pa

        schema = None if self._writer is None else self._writer.schema
        table = pa.Table.from_pandas(frame, schema, preserve_index=False)
        table = table.replace_schema_metadata(None)
        if table.num_rows:
            self._open(table.schema).write_table(table, row_group_size=table.num_rows)
        elif self._empty is None:
            self._empty = table

    def __exit__(self, *error: object) -> None:
        """Close the file; after an error it is not whole."""
        if self._writer is None and self._empty is not None:
            self._open(self._empty.schema).write_table(self._empty)
        if self._writer is not None:
            self._writer.close()

    def _open(self, schema: "pa.Schema") -> "pq.ParquetWriter":
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, schema, compression="zstd", version="2.6", store_schema=False
            )
        return self._writer


def write_frame(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write one frame as Parquet, as `FrameWriter` does."""
    with FrameWriter(path) as writer:
        writer.write(frame)


def write_apart(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a frame, whole or not at all, that its owner alone may read."""
    target = Path(path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.touch(mode=0o600)
    write_frame(partial, frame)
    partial.replace(target)


def read_frame(path: str | Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read a frame from Parquet."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        frame: pd.DataFrame = file.read(columns, use_threads=False).to_pandas()
    return frame


def read_groups(path: str | Path) -> "Iterator[pd.DataFrame]":
    """The frames of a `FrameWriter`, one at a time; of a file without rows, one without rows."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for i in range(file.metadata.num_row_groups):
            yield file.read_row_group(i, use_threads=False).to_pandas()
        if not file.metadata.num_row_groups:
            yield file.schema_arrow.empty_table().to_pandas()


def read_sites(path: str | Path, sites: "Sequence[str]") -> "pd.DataFrame":
    """The rows of some sites (SITEID), in the file's order; others are not kept in memory."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(list(sites), pa.string())
    with pq.ParquetFile(path) as file:
        kept = [file.schema_arrow.empty_table()]
        for i in range(file.metadata.num_row_groups):
            here = file.read_row_group(i, [SITEID], use_threads=False)[SITEID].cast(pa.string())
            mine = pc.is_in(here, value_set=wanted)
            if pc.any(mine).as_py():
                kept.append(file.read_row_group(i, use_threads=False).filter(mine))
    frame: pd.DataFrame = pa.concat_tables(kept).to_pandas()
    return frame


def read_endpoint(path: str | Path, endpoint: str, columns: "Sequence[str]") -> "pd.DataFrame":
    """`read_columns` of the rows of one endpoint (PARAMCD)."""
    return read_columns(path, columns, endpoint)


def read_columns(
    path: str | Path, columns: "Sequence[str]", endpoint: str | None = None
) -> "pd.DataFrame":
    """Some columns, in the file's order, a row group at a time.

    columns: those that the file lacks are left out. endpoint: its rows (PARAMCD) alone. `REPEATED`
    columns come as categories: the texts that occur, sorted.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    present = pq.read_schema(path).names
    wanted = [name for name in dict.fromkeys(columns) if name in present]
    coded = sorted(set(wanted) & set(REPEATED))
    with pq.ParquetFile(path, read_dictionary=coded) as file:
        kept = [file.schema_arrow.empty_table().select(wanted)]
        for i in range(file.metadata.num_row_groups):
            if endpoint is None:
                kept.append(file.read_row_group(i, wanted, use_threads=False))
                continue
            here = file.read_row_group(i, [PARAMCD], use_threads=False)[PARAMCD].cast(pa.string())
            mine = pc.equal(here, endpoint)
            if pc.any(mine).as_py():
                kept.append(file.read_row_group(i, wanted, use_threads=False).filter(mine))
    table = pa.concat_tables(kept).unify_dictionaries()
    del kept
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    for name in coded:
        frame[name] = _sorted_categories(frame[name].array)
    return frame


def _sorted_categories(values: "pd.Categorical") -> "pd.Categorical":
    """With the categories that occur, sorted; by code, since the texts are many and long."""
    import numpy as np
    import pandas as pd

    occur = np.bincount(values.codes + 1, minlength=len(values.categories) + 1)[1:] > 0
    texts = values.categories[occur]
    order = texts.argsort()
    # the last is for code -1, a cell without a text
    new = np.full(len(values.categories) + 1, -1, dtype=np.int64)
    new[np.flatnonzero(occur)[order]] = np.arange(len(order))
    return pd.Categorical.from_codes(new[values.codes], categories=texts[order])


def read_frames(paths: "Sequence[str | Path]") -> "pd.DataFrame":
    """Read frames from Parquet and set them one below the other; columns are those of any."""
    import pandas as pd

    return pd.concat([read_frame(path) for path in paths], ignore_index=True)


def write_csv(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a frame as CSV for people: UTF-8, LF, floats in their shortest exact form."""
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
