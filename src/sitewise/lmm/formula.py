"""Mixed-model formulas in lme4 syntax: read, never executed.

A formula may hold names, `+ - : *`, powers, `0` and `1`, parentheses, random terms
`(terms | group)` and, as in mmrm, one residual covariance `us(slot | group)`. Function calls are
refused, so no text of a plan is ever run as code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sitewise.lmm.tokens import check_terms, is_name, joined, refusal, split_tokens

STRUCTURES = ("us", "cs", "csh", "ar1", "ar1h")
_OTHER_STRUCTURES = (
    "toep", "toeph", "ad", "adh", "diag", "un", "homdiag", "hetdiag", "sp_exp", "sp_gau", "exp",
    "gau", "mat", "ou", "corCompSymm", "corAR1", "corSymm", "vc",
)  # fmt: skip


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
class ResidualSpec:
    """A residual covariance `us(AVISIT | USUBJID)`: one covariance over slots, equal in all groups.

    structure: us, cs, csh, ar1 or ar1h. slot: the column whose levels, in order, are the rows of
    the covariance (AVISIT). group: columns that name the patient, e.g. (USUBJID,).
    """

    structure: str
    slot: str
    group: tuple[str, ...]

    @property
    def group_name(self) -> str:
        """`SITEID:USUBJID`."""
        return ":".join(self.group)

    def __str__(self) -> str:
        """`us(AVISIT | USUBJID)`."""
        return f"{self.structure}({self.slot} | {self.group_name})"


@dataclass(frozen=True)
class Formula:
    """A parsed mixed-model formula: `response ~ fixed + (random) + ... [+ us(slot | group)]`.

    text: as written, with single blanks. fixed: right-hand side without random terms (`1` if
    nothing is left). random: in the order written, `a/b` as a and a:b, `||` split. residual: the
    residual covariance, None where residuals are independent.
    """

    text: str
    response: str
    fixed: str
    random: tuple[RandomSpec, ...]
    residual: ResidualSpec | None = None


def parse_formula(text: str) -> Formula:
    """Parse `text`; raises ModelError that names what is not understood and what is allowed."""
    tokens = split_tokens(text)
    tildes = [i for i, token in enumerate(tokens) if token == "~"]
    if len(tildes) != 1:
        raise refusal(text, f"found {len(tildes)} `~`, a formula has one: response ~ terms")
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    if len(left) != 1 or not is_name(left[0]):
        raise refusal(
            text,
            f"the response must be one column, found {' '.join(left) or 'nothing'!r}",
            allowed="a column such as AVAL; transform the outcome in the data, not here",
        )
    _refuse_calls(text, right)
    fixed, random, residuals = _split(text, right)
    if not random and not residuals:
        raise refusal(
            text,
            "no random term and no residual covariance, so this is not a mixed model",
            allowed="at least one, e.g. + (1 | SITEID) or + us(AVISIT | USUBJID)",
            fix="add the grouping of the repeated readings, e.g. + (1 | USUBJID)",
        )
    if len(residuals) > 1:
        raise refusal(
            text,
            f"{len(residuals)} residual covariances: {', '.join(map(str, residuals))}",
            allowed="one residual covariance",
        )
    if left[0] in right:
        raise refusal(text, f"the response {left[0]} stands on the right-hand side, too",
                      allowed="a response that explains nothing itself")  # fmt: skip
    if fixed:
        check_terms(text, fixed)
    repeated = sorted({str(spec) for spec in random if random.count(spec) > 1})
    if repeated:
        raise refusal(text, f"the random term ({repeated[0]}) stands twice")
    residual = residuals[0] if residuals else None
    return Formula(" ".join(text.split()), left[0], joined(fixed) or "1", tuple(random), residual)


def formula_columns(formula: Formula) -> tuple[str, ...]:
    """Raw column names that the formula uses, in order of first appearance."""
    names = [formula.response, *fixed_columns(formula)]
    for spec in formula.random:
        names += [*term_columns(spec.terms), *spec.group]
    if formula.residual is not None:
        names += [formula.residual.slot, *formula.residual.group]
    return tuple(dict.fromkeys(names))


def fixed_columns(formula: Formula) -> tuple[str, ...]:
    """Column names of the fixed part, in order of first appearance."""
    return term_columns(formula.fixed)


def term_columns(terms: str) -> tuple[str, ...]:
    """Column names in a terms text such as `1 + WEEK`."""
    return tuple(dict.fromkeys(token for token in split_tokens(terms) if is_name(token)))


def _refuse_calls(text: str, tokens: list[str]) -> None:
    for name, following in pairwise(tokens):
        if not is_name(name) or following != "(" or name in STRUCTURES:
            continue
        if name in _OTHER_STRUCTURES:
            meant = "us" if name == "un" else "one of them"
            raise refusal(
                text,
                f"the covariance structure {name}(...) is not implemented",
                allowed=f"{', '.join(STRUCTURES)}, as us(AVISIT | USUBJID)",
                fix=f"use {meant}, or a random intercept or slope, e.g. (1 | USUBJID)",
            )
        if name in ("offset", "weights"):
            raise refusal(text, f"{name}(...) is not implemented")
        raise refusal(
            text,
            f"the function call {name}(...) is refused: nothing in a formula is executed",
            fix="compute the column in the data and name it here",
        )


def _split(text: str, tokens: list[str]) -> tuple[list[str], list[RandomSpec], list[ResidualSpec]]:
    """Take the right-hand side apart into fixed tokens, random terms, residual covariances."""
    fixed: list[str] = []
    random: list[RandomSpec] = []
    residuals: list[ResidualSpec] = []
    for sign, term in _top_level_terms(text, tokens):
        if term[0] in STRUCTURES and term[1:2] == ["("]:
            residuals.append(_residual(text, sign, term))
            continue
        called = [a for a, b in pairwise(term) if a in STRUCTURES and b == "("]
        if called:
            raise refusal(text, f"{called[0]}(...) must stand alone, added: + {called[0]}(...)")
        bars = [token for token in term if token in ("|", "||")]
        if not bars:
            fixed += ([sign] if fixed or sign == "-" else []) + term
            continue
        if len(bars) > 1:
            raise refusal(text, "nested or repeated bars in one random term")
        if term[0] != "(" or _closing(text, term) != len(term) - 1 or sign == "-":
            raise refusal(
                text,
                f"a random term must stand alone, added, in parentheses, found {joined(term)!r}",
            )
        random += _random_specs(text, term[1:-1], bars[0])
    return fixed, random, residuals


def _residual(text: str, sign: str, term: list[str]) -> ResidualSpec:
    """`us(AVISIT | USUBJID)`: one slot column, a bar, columns joined by a colon."""
    structure, found = term[0], term[0] + joined(term[1:])
    if sign == "-" or _closing(text, term[1:]) != len(term) - 2:
        raise refusal(text, f"a residual covariance must stand alone, added, found {found!r}")
    inner = term[2:-1]
    cut = inner.index("|") if "|" in inner else len(inner)
    slot, group = inner[:cut], inner[cut + 1 :]
    if "/" in group:
        raise refusal(
            text,
            f"a covariance for each {group[0]} ({found}) is not implemented",
            allowed=f"one covariance for all: {structure}({joined(slot)} | {group[-1]})",
            fix="where patients' labels repeat across sites, write SITEID:USUBJID",
        )
    names, colons = group[::2], group[1::2]
    simple = names and len(group) % 2 == 1 and all(is_name(name) for name in names)
    if len(slot) != 1 or not is_name(slot[0]) or not simple or set(colons) - {":"}:
        raise refusal(
            text,
            f"the residual covariance {found!r} is not understood",
            allowed=f"one column, a bar, the patient: {structure}(AVISIT | USUBJID)",
            fix="for a random intercept and slope write (1 + WEEK | USUBJID), without a name",
        )
    return ResidualSpec(structure, slot[0], tuple(names))


def _top_level_terms(text: str, tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Split at + and - outside parentheses; yield (sign, tokens)."""
    depth, sign, term = 0, "+", list[str]()
    for i, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if depth < 0:
            raise refusal(text, "a closing parenthesis too many")
        if depth == 0 and token in ("+", "-"):
            if not term and i > 0:
                raise refusal(text, f"two operators in a row before token {i + 1}")
            if term:
                yield sign, term
            sign, term = token, []
        else:
            term.append(token)
    if depth:
        raise refusal(text, "a parenthesis is not closed")
    if not term:
        raise refusal(text, "the formula ends without a term")
    yield sign, term


def _closing(text: str, term: list[str]) -> int:
    """Index of the parenthesis that closes the one at index 0."""
    depth = 0
    for i, token in enumerate(term):
        depth += (token == "(") - (token == ")")
        if depth == 0:
            return i
    raise refusal(text, "a parenthesis is not closed")


def _random_specs(text: str, inner: list[str], bar: str) -> list[RandomSpec]:
    cut = inner.index(bar)
    left, right = inner[:cut], inner[cut + 1 :]
    if not left:
        raise refusal(text, f"the random term ({joined(inner)}) has nothing left of the bar")
    if not right:
        raise refusal(text, f"the random term ({joined(inner)}) names no group")
    check_terms(text, left)
    groups = _groups(text, right)
    pieces = [joined(left)] if bar == "|" else _uncorrelated(text, left)
    return [RandomSpec(piece, group, bar == "|") for group in groups for piece in pieces]


def _groups(text: str, tokens: list[str]) -> list[tuple[str, ...]]:
    """`a/b` as a and a:b; `a:b` as it is."""
    levels: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        if i % 2 == 0 and is_name(token):
            levels[-1].append(token)
        elif i % 2 == 1 and token == "/":
            levels.append([])
        elif i % 2 == 0 or token != ":":
            levels = []
            break
    if len(tokens) % 2 == 0 or not levels:
        raise refusal(
            text,
            f"the group {joined(tokens)!r} of a random term is not understood",
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
        raise refusal(
            text, f"left of || only sums are allowed, found {joined(left)!r}",
            allowed="(1 + WEEK || USUBJID)",
        )  # fmt: skip
    names = [term[0] for _, term in pieces]
    slopes = [f"0 + {name}" for name in names if is_name(name)]
    return slopes if "0" in names else ["1", *slopes]
