"""Tokens of a formula, and how what is not understood is said."""

import re

from sitewise.errors import ModelError, Problem

ALLOWED = (
    "names of columns, + - : *, powers (^2), 0 and 1, parentheses, random terms such as"
    " (1 | SITEID), (1 | SITEID:AVISIT), (1 + WEEK | USUBJID), (1 + WEEK || USUBJID),"
    " (1 | SITEID/USUBJID), and one residual covariance us, cs, csh, ar1 or ar1h, as"
    " us(AVISIT | USUBJID)"
)
_TOKEN = re.compile(r"\s*(?:([^\W\d_][\w.]*)|(\d+(?:\.\d+)?)|(\*\*|\|\||[-+:*/^()|~,]))")


def refusal(text: str, what: str, *, allowed: str = ALLOWED, fix: str = "") -> ModelError:
    """The error for a formula that is not understood, to be raised."""
    return ModelError(
        "The formula is not understood.",
        [
            Problem(
                what, where=" ".join(text.split()) or "(empty formula)", allowed=allowed, fix=fix
            )
        ],
    )


def split_tokens(text: str) -> list[str]:
    """Names, numbers and operators of a formula; raises ModelError for any other character."""
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        # A word of Python may begin with what is no letter, as a superscript.
        if match is None or (match.group(1) and not is_name(match.group(1))):
            found = text[position:].strip()[0]
            raise refusal(
                text,
                f"the character {found!r} has no meaning in a formula",
                fix="a column's name begins with a letter; letters, digits, . and _ follow: rename"
                " others, data.rename(columns={'my x': 'my_x'}). Nothing in a formula is executed",
            )
        tokens.append(match.group(match.lastindex or 0))
        position = match.end()
    return tokens


def is_name(token: str) -> bool:
    """Whether a token is the name of a column (or of a function)."""
    return token[0].isalpha()


def joined(tokens: list[str]) -> str:
    """Tokens as text, powers as `**`."""
    text = " ".join("**" if token == "^" else token for token in tokens)
    return re.sub(r"\s*(:|\*\*)\s*", r"\1", text).replace("( ", "(").replace(" )", ")")


def check_terms(text: str, tokens: list[str]) -> None:
    """Operands and operators must alternate; numbers are exponents or, as terms, 0 and 1."""
    want_operand, depth, previous = True, 0, "+"
    for token, following in zip(tokens, [*tokens[1:], ")"], strict=True):
        power = previous in ("^", "**")
        if token in ("(", ")"):
            depth += 1 if token == "(" else -1
            fits = (token == "(") == want_operand and depth >= 0
        elif is_name(token) or token[0].isdigit():
            fits = want_operand
            if token[0].isdigit():
                fits = fits and (token.isdigit() and int(token) > 0 if power else token in "01")
            want_operand = False
        else:
            # A leading sign, as in `-1 + WEEK`, is the only operator without a left operand.
            leading = want_operand and token in "+-" and previous in ("+", "(") and token == "-"
            fits = (not want_operand or leading) and token in ("+", "-", ":", "*", "^", "**")
            want_operand = True
        if not fits:
            raise refusal(text, f"{token!r} is not allowed here, in {joined(tokens)!r}")
        apart = previous in ("+", "-", "(") and following in ("+", "-", ")")
        if token in ("0", "1") and not power and not apart:
            raise refusal(
                text,
                f"{token} is no column that could be multiplied, in {joined(tokens)!r}",
                fix="1 is the intercept, 0 leaves it out: each is a term of its own, 0 + A:B",
            )
        previous = token
    if want_operand or depth:
        raise refusal(text, f"{joined(tokens)!r} is not complete")
