"""The reference of all keys of a plan, as Markdown, made from the types themselves.

    python -m sitewise.plan.reference

writes the tables of config/README.md; a test holds the two together.
"""

from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from sitewise.plan.model import Plan

ENTRY = "<name>"


def key_rows() -> Iterator[tuple[str, str, bool, str]]:
    """Every key: its path (`visits.*.week`), what it holds, whether it is required, its meaning."""
    yield from _rows(Plan, "")


def markdown() -> str:
    """Return the reference: a table of all keys."""
    lines = ["| key | holds | meaning |", "|---|---|---|"]
    for path, holds, required, meaning in key_rows():
        need = "" if required else " (optional)"
        lines.append(f"| `{path}` | {holds}{need} | {meaning} |")
    return "\n".join(lines) + "\n"


def _rows(section: Any, prefix: str) -> Iterator[tuple[str, str, bool, str]]:
    for name, field in section.model_fields.items():
        path = f"{prefix}{name}"
        inner, entry, holds = _kind(field.annotation)
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        yield path, holds, field.is_required(), meaning
        if inner is not None:
            yield from _rows(inner, f"{path}{entry}.")


def _kind(annotation: Any) -> tuple[Any, str, str]:
    """Inner section type if any, the path part of its entries, and what the key holds in words."""
    from pydantic import BaseModel

    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "", "section"
    if origin is Literal:
        return None, "", " or ".join(f"`{a}`" for a in args)
    if origin is dict:
        inner, _, holds = _kind(args[1])
        return inner, f".{ENTRY}", "sections by name" if inner else f"{holds} by name"
    if origin is tuple:
        inner, _, holds = _kind(args[0])
        pair = len(args) == 2 and args[1] is not Ellipsis
        return inner, ".*", "two numbers" if pair else f"list of {'sections' if inner else holds}"
    if NoneType in args:
        return _kind(next(a for a in args if a is not NoneType))
    if hasattr(annotation, "__metadata__"):
        return _kind(args[0])
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    name = getattr(annotation, "__name__", str(annotation))
    return None, "", words.get(name, name)


if __name__ == "__main__":
    print(markdown(), end="")
