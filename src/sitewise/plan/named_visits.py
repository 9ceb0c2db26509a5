"""Whether the words of a plan name another visit than its primary contrast.

A plan is often made from another trial's: the contrast is changed and the question is not. Only
what is plain is told. A text counts where it names a moment (`week 24`, `at 24 weeks`, the visit's
own name); a length of time (`over 24 weeks`, `a 24-week trial`) may be the trial's, and counts only
in favour of the plan.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sitewise.plan.model import Plan
    from sitewise.plan.sections import Visit

_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
)  # fmt: skip
_NUMBERS = {word: number for number, word in enumerate(_WORDS)} | {
    "twenty-four": 24, "twenty-six": 26, "thirty-six": 36, "forty-eight": 48, "fifty-two": 52,
}  # fmt: skip
_WEEKS = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 84, "year": 365.25 / 7}
_SAME = 0.5  # weeks between `month 6` and the visit of week 26, that are one
_NEAR = 0.1  # share of it by which a length may miss the primary visit and still be meant for it
_UNIT = r"(?P<unit>day|week|month|year)s?"
_LIST = r"(?P<list>\d+(?:\.\d+)?(?:(?:\s*(?:,|/|;|&|\u2013|-|to|and|or)\s*)+\d+(?:\.\d+)?)*)"
_FORWARD = re.compile(rf"\b{_UNIT}[\s-]*{_LIST}\b")
_BACKWARD = re.compile(rf"(?P<at>(?<!up )\b(?:at|after|by|until|to)\s+)?\b{_LIST}"
                       rf"(?P<gap>[\s-]*){_UNIT}\b")  # fmt: skip
_AT_THE_END = re.compile(r"\bend[\s-]of\b|\b(?:last|final) visit\b")


@dataclass(frozen=True)
class OtherVisits:
    """Visits that the plan's texts name, none of them its primary contrast's.

    fields: the keys whose texts name them, as `estimand.variable`. visits: in the plan's order.
    """

    fields: tuple[str, ...]
    visits: tuple[str, ...]


@dataclass(frozen=True)
class _Mention:
    """A time in a text. moment: it is a point in time; else a length."""

    unit: str
    number: float
    moment: bool

    def weeks_from(self, visit: "Visit") -> float:
        """How far it is from the planned time of a visit."""
        return abs(self.number * _WEEKS[self.unit] - visit.week)


def other_visits_named(plan: "Plan") -> OtherVisits | None:
    """The visits that title, question and estimand name in place of the primary contrast's.

    None where they name none, name it too (among others, in another unit, as a length, as the end
    of the trial), or name one that the order of testing has.
    """
    told = {key: _plain(text) for key, text in _texts(plan)}
    own = {plan.primary.visit, *(str(step.visit) for step in plan.order_of_testing)}
    last = plan.visits[-1].name in own
    mentions = {key: list(_mentions(text)) for key, text in told.items()}
    for visit in plan.visits:
        if visit.name in own and any(
            _literal(visit.name, text) or any(_near(m, visit, plan.visits) for m in mentions[key])
            for key, text in told.items()
        ):
            return None
    if last and any(_AT_THE_END.search(text) for text in told.values()):
        return None
    named = {
        key: [v.name for v in plan.visits if not v.baseline and _names(told[key], mentions[key], v)]
        for key in ("title", "question", "estimand.variable", "estimand.summary")
    }
    fields = tuple(key for key, visits in named.items() if visits)
    every = {visit for visits in named.values() for visit in visits}
    visits = tuple(visit.name for visit in plan.visits if visit.name in every)
    return OtherVisits(fields, visits) if visits else None


def _texts(plan: "Plan") -> Iterator[tuple[str, str]]:
    yield "title", plan.title
    yield "question", plan.question
    yield from ((f"estimand.{key}", text) for key, text in plan.estimand)


def _plain(text: str) -> str:
    """Lower case, single blanks, numbers as digits."""
    text = " ".join(text.casefold().split())
    for word in sorted(_NUMBERS, key=len, reverse=True):
        text = re.sub(rf"\b{word}\b", str(_NUMBERS[word]), text)
    return text


def _mentions(text: str) -> Iterator[_Mention]:
    for found in _FORWARD.finditer(text):
        for number in re.findall(r"\d+(?:\.\d+)?", found["list"]):
            yield _Mention(found["unit"], float(number), moment=True)
    for found in _BACKWARD.finditer(text):
        moment = bool(found["at"]) and "-" not in found["gap"]
        for number in re.findall(r"\d+(?:\.\d+)?", found["list"]):
            yield _Mention(found["unit"], float(number), moment)


def _literal(name: str, text: str) -> bool:
    words = r"[\s-]*".join(map(re.escape, re.findall(r"\d+|[^\W\d]+|[^\w\s]", name.casefold())))
    return bool(re.search(rf"(?<!\w){words}(?!\w)", text))


def _near(mention: _Mention, visit: "Visit", visits: Sequence["Visit"]) -> bool:
    """Whether a time may be meant for the primary visit: in doubt, and with none nearer, it is."""
    away = mention.weeks_from(visit)
    nearest = away <= min(map(mention.weeks_from, visits))
    return _called(mention, visit) or (nearest and away <= max(_SAME, _NEAR * visit.week))


def _names(text: str, mentions: list[_Mention], visit: "Visit") -> bool:
    """Whether a text plainly names a visit, by a name with a number or by its planned time."""
    numbered = re.search(r"\d", visit.name) and re.search(r"[^\W\d]", visit.name)
    if numbered and _literal(visit.name, text):
        return True
    return any(m.moment and (_called(m, visit) or m.weeks_from(visit) <= _SAME) for m in mentions)


def _called(mention: _Mention, visit: "Visit") -> bool:
    return _literal(visit.name, f"{mention.unit} {mention.number:g}")
