"""Which products of columns a terms text stands for: `a*b` is a, b and a:b.

Wilkinson & Rogers (1973), Appl. Stat. 22, 392-399, for the operators that a formula may hold; kept
apart from the matrix builder so that a plan is checked without importing it.
"""

from itertools import product

from sitewise.lmm.tokens import split_tokens

Term = frozenset[str]
_PRIORITY = {"+": 1, "-": 1, "*": 2, ":": 3, "^": 4, "**": 4}


def expand_terms(terms: str) -> tuple[Term, ...]:
    """Products of columns of a valid terms text, without the intercept, in order of appearance."""
    found, rest = _expression(split_tokens(terms), 1)
    if rest:
        raise ValueError(f"{terms!r} is no valid terms text")
    return tuple(term for term in found if term)


def _expression(tokens: list[str], lowest: int) -> tuple[list[Term], list[str]]:
    """Precedence climbing: the terms of operators of priority `lowest` and above, and the rest."""
    left: list[Term] = []
    if tokens[:1] != ["-"]:  # in `- 1 + x` nothing stands left of the sign
        left, tokens = _operand(tokens)
    while tokens and _PRIORITY.get(tokens[0], 0) >= lowest:
        operator, tokens = tokens[0], tokens[1:]
        if operator in ("^", "**"):
            power = [left] * int(tokens[0])
            left, tokens = _unique([_union(parts) for parts in product(*power)]), tokens[1:]
            continue
        right, tokens = _expression(tokens, _PRIORITY[operator] + 1)
        left = _combine(operator, left, right)
    return left, tokens


def _operand(tokens: list[str]) -> tuple[list[Term], list[str]]:
    if tokens[0] == "(":
        inside, rest = _expression(tokens[1:], 1)
        return inside, rest[1:]
    is_name = tokens[0][0].isalpha()
    return [frozenset([tokens[0]] if is_name else [])], tokens[1:]


def _combine(operator: str, left: list[Term], right: list[Term]) -> list[Term]:
    if operator == "-":
        return [term for term in left if term not in right]
    crossed = [a | b for a in left for b in right]
    if operator == ":":
        return _unique(crossed)
    return _unique([*left, *right, *(crossed if operator == "*" else [])])


def _union(parts: tuple[Term, ...]) -> Term:
    return frozenset().union(*parts)


def _unique(terms: list[Term]) -> list[Term]:
    return list(dict.fromkeys(terms))
