"""Frozen results to and from JSON, the same bytes for the same result.

Floats are written with Python's shortest exact form, so reading gives back the same bits; NaN and
infinities, which JSON lacks, are written as the strings "NaN", "Infinity", "-Infinity".
"""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
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
    return _reader(kind)(data)


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What rebuilds values of a type: made once, for a result may hold ten thousand of them."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        some = _reader(next(a for a in args if a is not type(None)))
        return lambda data: None if data is None else some(data)
    if origin is tuple:
        each = [_reader(a) for a in args if a is not Ellipsis]
        if args[-1:] == (Ellipsis,):
            return lambda data: tuple(map(each[0], data))
        return lambda data: tuple(read(item) for item, read in zip(data, each, strict=True))
    if origin in (dict, Mapping) or (origin and issubclass(origin, Mapping)):
        value = _reader(args[1])
        return lambda data: {key: value(item) for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if kind is float:
        return lambda data: _SPECIAL[data] if isinstance(data, str) else float(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return lambda data: data


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    fields = {f.name: _reader(hints[f.name]) for f in dataclasses.fields(kind)}

    def read(data: Any) -> Any:
        if data.keys() != fields.keys():
            raise ValueError(
                f"{kind.__name__}: unknown fields {sorted(data.keys() - fields.keys())},"
                f" missing {sorted(fields.keys() - data.keys())}"
            )
        return kind(**{name: of(data[name]) for name, of in fields.items()})

    return read
