"""Data frames to and from Parquet and CSV, the same bytes for the same frame."""

from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.terms import SITEID

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


ROW_GROUP = 1 << 18  # rows; a reader of some sites holds one such group at a time


def write_frame(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a frame as Parquet: no index, no pandas metadata of versions, fixed compression."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd", version="2.6", store_schema=False,
                   row_group_size=ROW_GROUP)  # fmt: skip


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


def read_sites(path: str | Path, sites: "Sequence[str]") -> "pd.DataFrame":
    """The rows of some sites (SITEID), in the file's order; others are not kept in memory."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pa.array(list(sites), pa.string())
    with pq.ParquetFile(path) as file:
        kept = [file.schema_arrow.empty_table()]
        for i in range(file.metadata.num_row_groups):
            group = file.read_row_group(i, use_threads=False)
            kept.append(group.filter(pc.is_in(group[SITEID].cast(pa.string()), value_set=wanted)))
    frame: pd.DataFrame = pa.concat_tables(kept).to_pandas()
    return frame


def read_frames(paths: "Sequence[str | Path]") -> "pd.DataFrame":
    """Read frames from Parquet and set them one below the other; columns are those of any."""
    import pandas as pd

    return pd.concat([read_frame(path) for path in paths], ignore_index=True)


def write_csv(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a frame as CSV for people: UTF-8, LF, floats in their shortest exact form."""
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
