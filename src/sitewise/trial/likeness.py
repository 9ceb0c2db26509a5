"""Texts that a reader takes for the same and a computer does not: told apart, never made one."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable
from difflib import get_close_matches


def _encoded(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _unblanked(text: str) -> str:
    """Without blanks of any kind and without characters that no one sees."""
    unseen = ("Zs", "Zl", "Zp", "Cc", "Cf")
    return "".join(c for c in text if unicodedata.category(c) not in unseen)


def _unaccented(text: str) -> str:
    marked = unicodedata.normalize("NFD", text)
    return "".join(c for c in marked if not unicodedata.combining(c))


# What may differ in words, and what takes that difference away; in the order of the telling.
_STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("how accents are encoded", _encoded),
    ("upper and lower case", str.casefold),
    ("blanks or unseen characters", _unblanked),
    ("accents", _unaccented),
)


def plain(text: str) -> str:
    """Return `text` without case, blanks, unseen characters and accents: equal for look-alikes."""
    for _, step in _STEPS:
        text = step(text)
    return text


def difference(one: str, other: str) -> str:
    """In which respects two look-alikes differ, in words; "" where they are no look-alikes."""
    for size in range(1, len(_STEPS) + 1):
        for steps in itertools.combinations(_STEPS, size):
            first, second = one, other
            for _, step in steps:
                first, second = step(first), step(second)
            if first == second:
                return " and ".join(name for name, _ in steps)
    return ""


def near_miss(cell: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing; a look-alike comes before a similar text.

    Texts with other numbers in them are not similar: `Week 14` is no misspelling of `Week 4`.
    """
    names = list(known)
    for name in names:
        if told := difference(cell, name):
            return f"; did you mean {name!r}? They differ only in {told}"
    own = _numbers(cell)
    folded = {name.casefold(): name for name in names if _numbers(name) == own or not own}
    near = get_close_matches(cell.casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _numbers(text: str) -> list[str]:
    """The numbers in a name, with a minus before them if there is one and a blank before that."""
    return [number.lstrip("0") or "0" for number in re.findall(r"(?:(?<=\s)-)?\d+", text)]
