"""Names that a plan refers to and does not define."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

# A path and what is wrong there, some also with what is allowed and what to do.
Disagreement = tuple[str, ...]


def names_unknown(data: Mapping[str, Any]) -> Iterator[Disagreement]:
    """Names that a plan as it was read refers to and does not define.

    For sections that are not valid: their names are readable all the same.
    """
    for key, inner, section in _REFERENCES:
        known = _names(data.get(section))
        for path, name in _named(data.get(key), key, inner):
            if known and name not in known:
                yield unknown(path, name, known)


# Where a name stands (section and key within, `*` any), and the section that defines it.
_REFERENCES = (
    ("primary", ("visit",), "visits"),
    ("primary", ("model",), "models"),
    ("primary", ("arm",), "arms"),
    ("models", ("*", "set"), "analysis_sets"),
    ("comparisons", ("*", "smaller"), "models"),
    ("comparisons", ("*", "larger"), "models"),
    ("pairs", ("*", "above"), "endpoints"),
    ("pairs", ("*", "below"), "endpoints"),
    ("hierarchy", ("*", "endpoint"), "endpoints"),
    ("hierarchy", ("*", "visit"), "visits"),
    ("hierarchy", ("*", "arm"), "arms"),
)


def _names(section: Any) -> list[str]:
    """What a section defines: its keys, or the names in its list (of arms, in `order`)."""
    if isinstance(section, Mapping) and isinstance(section.get("order"), list):
        section = section["order"]
    if isinstance(section, Mapping):
        return [str(name) for name in section]
    entries = section if isinstance(section, list) else []
    return [entry["name"] for entry in entries if _has_text(entry, "name")]


def _has_text(entry: Any, key: str) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get(key), str)


def _named(value: Any, path: str, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(path, name) at `keys` below a value."""
    if not keys:
        if isinstance(value, str):
            yield path, value
        return
    first, *rest = keys
    if first != "*":
        if isinstance(value, Mapping) and first in value:
            yield from _named(value[first], f"{path}.{first}", tuple(rest))
        return
    if isinstance(value, list):
        value = dict(enumerate(value))
    for name, own in value.items() if isinstance(value, Mapping) else ():
        yield from _named(own, f"{path}.{name}", tuple(rest))


def unknown(path: str, name: str, known: Sequence[str]) -> Disagreement:
    """That `name` at `path` is none of `known`, with the nearest of them."""
    near = get_close_matches(name, known, n=1)
    fix = f"did you mean {near[0]!r}?" if near else "write one of these, or define it"
    return path, f"{name!r} is not defined", ", ".join(known), fix
