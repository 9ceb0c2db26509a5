"""Mixed-model formulas in lme4 syntax: read, never executed.

A formula may hold names, `+ - : *`, powers, `0` and `1`, parentheses, and random terms
`(terms | group)`. Function calls are refused, so no text of a plan is ever run as code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sitewise.errors import ModelError, Problem

ALLOWED = (
    "names of columns, + - : *, powers (^2), 0 and 1, parentheses, and random terms such as"
    " (1 | SITEID), (1 | SITEID:AVISIT), (1 + WEEK | USUBJID), (1 + WEEK || USUBJID),"
    " (1 | SITEID/USUBJID)"
)
RESIDUAL_STRUCTURES = ("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh", "diag", "un")
_TOKEN = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_.]*)|(\d+(?:\.\d+)?)|(\*\*|\|\||[-+:*/^()|~,]))")


@dataclass(frozen=True)
class RandomSpec:
    """One random term `(terms | group)`.

    terms: left-hand side as written, e.g. `1 + WEEK`. group: its columns, e.g. (SITEID, AVISIT)
    for SITEID:AVISIT. correlated: false for a piece of a `||` term.
    """

    terms: str
    group: tuple[str, ...]
    correlated: bool = True

    @property
    def group_name(self) -> str:
        """`SITEID:AVISIT`."""
        return ":".join(self.group)

    def __str__(self) -> str:
        """`1 + WEEK | USUBJID`, without the parentheses."""
        return f"{self.terms} | {self.group_name}"


@dataclass(frozen=True)
class Formula:
    """A parsed mixed-model formula: `response ~ fixed + (random) + ...`.

    text: as written, with single blanks. fixed: right-hand side without random terms (`1` if
    nothing is left). random: in the order written, `a/b` as a and a:b, `||` split.
    """

    text: str
    response: str
    fixed: str
    random: tuple[RandomSpec, ...]


def parse_formula(text: str) -> Formula:
    """Parse `text`; raises ModelError that names what is not understood and what is allowed."""
    tokens = split_tokens(text)
    tildes = [i for i, token in enumerate(tokens) if token == "~"]
    if len(tildes) != 1:
        raise _refusal(text, f"found {len(tildes)} `~`, a formula has one: response ~ terms")
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    if len(left) != 1 or not _is_name(left[0]):
        raise _refusal(
            text,
            f"the response must be one column, found {' '.join(left) or 'nothing'!r}",
            allowed="a column such as AVAL; transform the outcome in the data, not here",
        )
    _refuse_calls(text, right)
    fixed, random = _split(text, right)
    if not random:
        raise _refusal(
            text,
            "no random term, so this is not a mixed model",
            allowed="at least one random term, e.g. + (1 | SITEID)",
            fix="add the grouping of the repeated readings, e.g. + (1 | USUBJID)",
        )
    if fixed:
        _check_terms(text, fixed)
    repeated = sorted({str(spec) for spec in random if random.count(spec) > 1})
    if repeated:
        raise _refusal(text, f"the random term ({repeated[0]}) stands twice")
    return Formula(" ".join(text.split()), left[0], _joined(fixed) or "1", tuple(random))


def formula_columns(formula: Formula) -> tuple[str, ...]:
    """Raw column names that the formula uses, in order of first appearance."""
    names = [formula.response, *fixed_columns(formula)]
    for spec in formula.random:
        names += [*term_columns(spec.terms), *spec.group]
    return tuple(dict.fromkeys(names))


def fixed_columns(formula: Formula) -> tuple[str, ...]:
    """Column names of the fixed part, in order of first appearance."""
    return term_columns(formula.fixed)


def term_columns(terms: str) -> tuple[str, ...]:
    """Column names in a terms text such as `1 + WEEK`."""
    return tuple(dict.fromkeys(token for token in split_tokens(terms) if _is_name(token)))


def _refusal(text: str, what: str, *, allowed: str = ALLOWED, fix: str = "") -> ModelError:
    return ModelError(
        "The formula is not understood.",
        [
            Problem(
                what, where=" ".join(text.split()) or "(empty formula)", allowed=allowed, fix=fix
            )
        ],
    )


def _is_name(token: str) -> bool:
    return token[0].isalpha()


def split_tokens(text: str) -> list[str]:
    """Names, numbers and operators of a formula; raises ModelError for any other character."""
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            found = text[position:].strip()[0]
            raise _refusal(text, f"the character {found!r} has no meaning in a formula")
        tokens.append(match.group(match.lastindex or 0))
        position = match.end()
    return tokens


def _refuse_calls(text: str, tokens: list[str]) -> None:
    for name, following in pairwise(tokens):
        if not _is_name(name) or following != "(":
            continue
        if name in RESIDUAL_STRUCTURES:
            raise _refusal(
                text,
                f"the residual structure {name}(...) is not implemented yet",
                fix="use a random intercept or slope, e.g. (1 | USUBJID)",
            )
        if name in ("offset", "weights"):
            raise _refusal(text, f"{name}(...) is not implemented")
        raise _refusal(
            text,
            f"the function call {name}(...) is refused: nothing in a formula is executed",
            fix="compute the column in the data and name it here",
        )


def _split(text: str, tokens: list[str]) -> tuple[list[str], list[RandomSpec]]:
    """Take the right-hand side apart into fixed tokens and random terms."""
    fixed: list[str] = []
    random: list[RandomSpec] = []
    for sign, term in _top_level_terms(text, tokens):
        bars = [token for token in term if token in ("|", "||")]
        if not bars:
            fixed += ([sign] if fixed or sign == "-" else []) + term
            continue
        if len(bars) > 1:
            raise _refusal(text, "nested or repeated bars in one random term")
        if term[0] != "(" or _closing(text, term) != len(term) - 1 or sign == "-":
            raise _refusal(
                text,
                f"a random term must stand alone, added, in parentheses, found {_joined(term)!r}",
            )
        random += _random_specs(text, term[1:-1], bars[0])
    return fixed, random


def _top_level_terms(text: str, tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Split at + and - outside parentheses; yield (sign, tokens)."""
    depth, sign, term = 0, "+", list[str]()
    for i, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if depth < 0:
            raise _refusal(text, "a closing parenthesis too many")
        if depth == 0 and token in ("+", "-"):
            if not term and i > 0:
                raise _refusal(text, f"two operators in a row before token {i + 1}")
            if term:
                yield sign, term
            sign, term = token, []
        else:
            term.append(token)
    if depth:
        raise _refusal(text, "a parenthesis is not closed")
    if not term:
        raise _refusal(text, "the formula ends without a term")
    yield sign, term


def _closing(text: str, term: list[str]) -> int:
    """Index of the parenthesis that closes the one at index 0."""
    depth = 0
    for i, token in enumerate(term):
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return i
    raise _refusal(text, "a parenthesis is not closed")


def _random_specs(text: str, inner: list[str], bar: str) -> list[RandomSpec]:
    cut = inner.index(bar)
    left, right = inner[:cut], inner[cut + 1 :]
    if not left:
        raise _refusal(text, f"the random term ({_joined(inner)}) has nothing left of the bar")
    if not right:
        raise _refusal(text, f"the random term ({_joined(inner)}) names no group")
    _check_terms(text, left)
    groups = _groups(text, right)
    pieces = [_joined(left)] if bar == "|" else _uncorrelated(text, left)
    return [RandomSpec(piece, group, bar == "|") for group in groups for piece in pieces]


def _groups(text: str, tokens: list[str]) -> list[tuple[str, ...]]:
    """`a/b` as a and a:b; `a:b` as it is."""
    levels: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        if i % 2 == 0 and _is_name(token):
            levels[-1].append(token)
        elif i % 2 == 1 and token == "/":
            levels.append([])
        elif i % 2 == 0 or token != ":":
            levels = []
            break
    if len(tokens) % 2 == 0 or not levels:
        raise _refusal(
            text,
            f"the group {_joined(tokens)!r} of a random term is not understood",
            allowed="one column, or columns joined by : or /, as SITEID:AVISIT or SITEID/USUBJID",
        )
    groups: list[tuple[str, ...]] = []
    for level in levels:
        groups.append((*(groups[-1] if groups else ()), *level))
    return groups


def _uncorrelated(text: str, left: list[str]) -> list[str]:
    """Pieces of `1 + a + b || g`: `1`, `0 + a`, `0 + b` (lme4's expansion)."""
    pieces = list(_top_level_terms(text, left))
    if any(sign == "-" or len(term) != 1 for sign, term in pieces):
        raise _refusal(
            text, f"left of || only sums are allowed, found {_joined(left)!r}",
            allowed="(1 + WEEK || USUBJID)",
        )  # fmt: skip
    names = [term[0] for _, term in pieces]
    slopes = [f"0 + {name}" for name in names if _is_name(name)]
    return slopes if "0" in names else ["1", *slopes]


def _check_terms(text: str, tokens: list[str]) -> None:
    """Operands and operators must alternate; numbers are 0, 1 or exponents."""
    want_operand, depth, previous = True, 0, "+"
    for token in tokens:
        if token in ("(", ")"):
            depth += 1 if token == "(" else -1
            fits = (token == "(") == want_operand and depth >= 0
        elif _is_name(token) or token[0].isdigit():
            fits = want_operand
            if token[0].isdigit():
                power = previous in ("^", "**")
                fits = fits and (token.isdigit() and int(token) > 0 if power else token in "01")
            want_operand = False
        else:
            # A leading sign, as in `-1 + WEEK`, is the only operator without a left operand.
            leading = want_operand and token in "+-" and previous in ("+", "(") and token == "-"
            fits = (not want_operand or leading) and token in ("+", "-", ":", "*", "^", "**")
            want_operand = True
        if not fits:
            raise _refusal(text, f"{token!r} is not allowed here, in {_joined(tokens)!r}")
        previous = token
    if want_operand or depth:
        raise _refusal(text, f"{_joined(tokens)!r} is not complete")


def _joined(tokens: list[str]) -> str:
    text = " ".join("**" if token == "^" else token for token in tokens)
    return re.sub(r"\s*(:|\*\*)\s*", r"\1", text).replace("( ", "(").replace(" )", ")")
