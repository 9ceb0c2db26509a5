"""Frames of tests that say, wherever they are printed, by which degrees of freedom they are."""

from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

import pandas as pd

from sitewise.lmm.linear.method import Method


class Tested(pd.DataFrame):
    """A frame whose print starts with the method in its `attrs`, its slices' too."""

    @property
    def _constructor(self) -> "type[Tested]":
        return Tested

    def __repr__(self) -> str:
        """The method, then the frame, all its columns."""
        return "\n".join([*said(self.attrs), self.to_string(max_rows=60)])

    def _repr_html_(self) -> str:
        return as_html(self)


def as_html(frame: pd.DataFrame, *above: str) -> str:
    """The lines above, the method, the frame."""
    lines = "<br>".join(map(escape, [*above, *said(frame.attrs)]))
    return f"<p>{lines}</p>{frame.to_html(max_rows=60)}"


def said(attrs: Mapping[Hashable, Any]) -> list[str]:
    """Lines of what `attrs` hold; none where they were lost."""
    if "df" not in attrs:
        return []
    own = Method(attrs["df"], attrs.get("information", ""), attrs.get("form", ""))
    first = [f"df: {own}"]
    if "type" in attrs:
        first.append(f"type {'I' * attrs['type']}")
    if attrs.get("adjust", "none") != "none":
        first.append(f"p adjusted: {attrs['adjust']}")
    if "level" in attrs:
        first.append(f"{100 * attrs['level']:g}% intervals{_intervals(attrs)}")
    lines = ["; ".join(first)]
    averaged = {n: v for n, v in attrs.get("averaged", {}).items() if len(v)}
    if averaged:
        over = (f"{name} ({', '.join(map(_value, values))})" for name, values in averaged.items())
        lines.append(f"over {'; '.join(over)}")
    if attrs.get("note"):
        lines.append(f"note: {attrs['note']}")
    return lines


def _intervals(attrs: Mapping[Hashable, Any]) -> str:
    found = attrs.get("intervals", "each")
    return "" if found == "each" else f": {found}"


def _value(value: object) -> str:
    return value if isinstance(value, str) else f"{value:g}"
