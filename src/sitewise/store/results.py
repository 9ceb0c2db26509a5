"""Frozen results to and from JSON, the same bytes for the same result.

Floats are written with Python's shortest exact form, so reading gives back the same bits; NaN and
infinities, which JSON lacks, are written as the strings "NaN", "Infinity", "-Infinity".
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Result = TypeVar("Result")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_plain(value: Any) -> Any:
    """Turn dataclasses, enums, tuples and numpy scalars into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if hasattr(value, "item"):  # a numpy scalar
        return to_plain(value.item())
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    raise TypeError(f"{type(value).__name__} has no place in a result file")


def dumps(value: Any) -> str:
    """Return JSON text with a final newline, keys in the order of the fields."""
    return json.dumps(to_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_result(path: str | Path, value: Any) -> None:
    """Write one result as JSON."""
    Path(path).write_text(dumps(value), encoding="utf-8", newline="\n")


def read_plain(path: str | Path) -> Any:
    """Read a result file as plain data."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def read_result(path: str | Path, kind: type[Result]) -> Result:
    """Read a result file back as the dataclass `kind`; an unknown or missing field is an error."""
    result: Result = from_plain(read_plain(path), kind)
    return result


def from_plain(data: Any, kind: Any) -> Any:
    """Rebuild a value of type `kind` from plain data."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if origin in (Union, UnionType):
        if data is None:
            return None
        return from_plain(data, next(a for a in args if a is not type(None)))
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(from_plain(item, args[0]) for item in data)
        return tuple(from_plain(item, a) for item, a in zip(data, args, strict=True))
    if origin in (dict, Mapping) or (origin and issubclass(origin, Mapping)):
        return {key: from_plain(item, args[1]) for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(data, kind)
    if kind is float:
        return _SPECIAL[data] if isinstance(data, str) else float(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return data


def _dataclass(data: Any, kind: Any) -> Any:
    hints = get_type_hints(kind)
    names = {f.name for f in dataclasses.fields(kind)}
    if set(data) != names:
        raise ValueError(
            f"{kind.__name__}: unknown fields {sorted(set(data) - names)},"
            f" missing {sorted(names - set(data))}"
        )
    return kind(**{name: from_plain(data[name], hints[name]) for name in names})
