"""How numbers are printed: one rule each, for tables, prose and figures.

Only for people: nothing that another program reads (CSV) goes through here. The minus sign is
U+2212; what is not a number is an en dash.
"""

import math
import re
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

MINUS = "\u2212"
NONE = "\u2013"
TIMES = "\u00d7"
INFINITY = "\u221e"
_SUPERSCRIPT = str.maketrans(
    "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)
# A number is padded with spaces of a digit's and a point's width to stand on its decimal point.
_DIGIT_SPACE, _POINT_SPACE = "\u2007", "\u2008"


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """The key by which names of hospitals are put in order: 2, 10, 100, A2, A10.

    Runs of digits count as numbers here only; what is equal then (7, 007) is told by its letters.
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), "") if p[0] in "0123456789" else (1, 0, p) for p in parts], name


def number(value: float | None, decimals: int) -> str:
    """A number with fixed decimals; never `-0.0`."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return INFINITY if value > 0 else MINUS + INFINITY
    text = f"{value:.{decimals}f}"
    if text.startswith("-"):
        text = text[1:] if float(text) == 0 else MINUS + text[1:]
    return text


def decimals_of(limits: tuple[float, float]) -> int:
    """Decimals of an endpoint's estimates, from its plausible range: about 1/1000 of it.

    A range of 160 mmHg gives one decimal, of 10 % points two.
    """
    return max(0, 3 - math.floor(math.log10(limits[1] - limits[0])))


def decimals_for_se(se: float, least: int) -> int:
    """Decimals that show two significant digits of a standard error, at least `least`."""
    if not (se > 0 and math.isfinite(se)):
        return least
    return min(8, max(least, 1 - math.floor(math.log10(se))))


def interval(lower: float, upper: float, decimals: int) -> str:
    """An interval as `(-6.8 to 0.6)`."""
    if math.isnan(lower) and math.isnan(upper):
        return NONE
    return f"({number(lower, decimals)} to {number(upper, decimals)})"


def p_value(p: float, alpha: float) -> str:
    """Three decimals, `<0.001` and `>0.999` at the ends.

    A fourth decimal where three would print alpha itself: 0.0496 must not read 0.050.
    """
    if math.isnan(p):
        return NONE
    if p < 0.001:
        return "<0.001"
    if p > 0.999:
        return ">0.999"
    if f"{p:.3f}" == f"{alpha:.3f}":
        return f"{p:.4f}"
    return f"{p:.3f}"


def p_phrase(p: float, alpha: float) -> str:
    """`p = 0.036`, `p < 0.001`, for prose."""
    text = p_value(p, alpha)
    if text == NONE:
        return "p not available"
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p = {text}"


def percent(part: float, whole: float) -> str:
    """A percentage with one decimal: `12.3%`."""
    return NONE if not whole else f"{100 * part / whole:.1f}%"


def count_percent(part: int, whole: int) -> str:
    """`271 (71.1%)`."""
    return f"{part} ({percent(part, whole)})" if whole else str(part)


def coverage(alpha: float) -> str:
    """`95%` for alpha 0.05."""
    return f"{100 * (1 - alpha):.6g}%"


def level(alpha: float) -> str:
    """`5%` for alpha 0.05."""
    return f"{100 * alpha:.6g}%"


def degrees(df: float) -> str:
    """Degrees of freedom, one decimal; of z tests infinite."""
    return "\u221e" if math.isinf(df) else number(df, 1)


def share(value: float) -> str:
    """A share of variance or a correlation, four decimals."""
    return number(value, 4)


def scientific(value: float) -> str:
    """Two significant digits and a power of ten, for differences between engines."""
    if math.isnan(value):
        return NONE
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.1e}".split("e")
    power = str(int(exponent)).translate(_SUPERSCRIPT)
    return f"{mantissa.replace('-', MINUS)}{TIMES}10{power}"


def difference(value: float) -> str:
    """A difference of engines: below 10^-6 its digits are the computers' and mean nothing."""
    if abs(value) < 1e-6:
        return f"<10{'-6'.translate(_SUPERSCRIPT)}"
    return scientific(value)


def typeset(text: str) -> str:
    """A sentence of a result with U+2212 before its negative numbers.

    A hyphen between letters or digits (a date, a range, an identifier) is left alone.
    """
    return re.sub(r"(?<![\w.\u2013-])-(?=\d)", MINUS, text)


def week(value: float) -> str:
    """A week: whole where it is whole."""
    return number(value, 0 if value == int(value) else 1)


def listed(items: "list[str] | tuple[str, ...]", conjunction: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


_SPARED = 2  # lines at most that a listing is not cut for: saying so would take as much room


def first_of(items: Sequence[T], most: int) -> Sequence[T]:
    """The first `most` of a listing; all of it where only one or two would be left out."""
    return items if len(items) <= most + _SPARED else items[:most]


def align(texts: list[str]) -> list[str]:
    """Pad numbers of one right-aligned column so that their decimal points stand in line."""
    tails = [_tail(text) for text in texts]
    most = max((tail for tail in tails if tail is not None), default=0)
    padded = []
    for text, tail in zip(texts, tails, strict=True):
        missing = 0 if tail is None else most - tail
        space = _POINT_SPACE if tail == 0 and missing else ""
        padded.append(text + space + _DIGIT_SPACE * (missing - 1 if space else missing))
    return padded


_BESIDE = re.compile(r"(\S+) (\([\d.]+(%?)\))")  # `154.4 (9.9)`, `8 (3.3%)`


def align_beside(texts: list[str]) -> list[str]:
    """Pad `154.4 (9.9)` and `8 (3.3%)` of one right-aligned column before the bracket, so that what
    stands before it is in line; SDs and percentages each among themselves."""
    found = [_BESIDE.fullmatch(text) for text in texts]
    most: dict[str, int] = {}
    for one in found:
        if one:
            most[one[3]] = max(most.get(one[3], 0), len(one[2]))
    return [
        f"{one[1]}{_DIGIT_SPACE * (most[one[3]] - len(one[2]))} {one[2]}" if one else text
        for one, text in zip(found, texts, strict=True)
    ]


def _tail(text: str) -> int | None:
    """Characters from the decimal point on; 0 for an integer, None for what is not a number."""
    plain = text.replace(MINUS, "-").lstrip("<>")
    try:
        float(plain)
    except ValueError:
        return None
    return len(plain) - plain.index(".") if "." in plain else 0
