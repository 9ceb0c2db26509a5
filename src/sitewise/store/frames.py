"""Data frames to and from Parquet and CSV, the same bytes for the same frame."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def write_frame(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a frame as Parquet: no index, no pandas metadata of versions, fixed compression."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd", version="2.6", store_schema=False)


def read_frame(path: str | Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read a frame from Parquet."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.read_table(path, columns=columns, use_threads=False).to_pandas()
    return frame


def write_csv(path: str | Path, frame: "pd.DataFrame") -> None:
    """Write a frame as CSV for people: UTF-8, LF, floats in their shortest exact form."""
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
