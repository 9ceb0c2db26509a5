"""A hospital's Parquet file as text, as a CSV of the same hospital would have it."""

import io
import math

from sitewise.plan.sheet import Site
from sitewise.trial.raw import Fault, RawTable


def read_parquet(data: bytes, site: Site) -> RawTable | Fault:
    """Return the records of the file; a damaged one is a Fault, never an exception."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not data:
        return Fault(
            "file empty",
            "the file is empty",
            "ask the hospital to send it again",
            allowed="a Parquet file with rows",
        )
    try:
        table = pq.read_table(io.BytesIO(data), use_threads=False)
        columns = [_texts(column.to_pylist(), site.decimal) for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Fault(
            "file unreadable",
            f"the file is not a readable Parquet file: {first}",
            "ask the hospital to write it again, as Parquet or as CSV",
            allowed="Parquet in a file that ends in .parquet, CSV in one that ends in .csv",
        )
    header = tuple(str(name).strip() for name in table.column_names)
    cells = [list(record) for record in zip(*columns, strict=True)]
    kept = [(i + 2, record) for i, record in enumerate(cells) if any(c.strip() for c in record)]
    return RawTable(
        header, [n for n, _ in kept], [c for _, c in kept], blank=len(cells) - len(kept)
    )


def _texts(values: list[object], decimal: str) -> list[str]:
    """Typed cells as the text that a CSV of this site would have."""
    return [_text(value, decimal) for value in values]


def _text(value: object, decimal: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        # 1001.0 is an identifier or a count that went through a float column
        text = str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        return text.replace(".", decimal)
    return str(value)
