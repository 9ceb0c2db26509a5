"""What terms the text of a formula's right-hand side stands for."""

from functools import lru_cache
from itertools import product

from sitewise.lmm.tokens import is_name, split_tokens

Term = tuple[str, ...]
INTERCEPT: Term = ()


@lru_cache(maxsize=256)
def expand_terms(text: str) -> tuple[Term, ...]:
    """Terms of a text such as `AVISIT * ARM + AGE`: by degree, then as written; () the intercept.

    An expression is a set of terms, a term a set of columns (Wilkinson & Rogers 1973, Applied
    Statistics 22, 392-399): `a + b` is the union, `a - b` what is in a and not in b, `a:b` every
    term of a joined with every one of b, `a * b` is a + b + a:b, `a ^ n` is a joined with itself
    n times. `^` binds before `:`, that before `*`, that before `+` and `-`. The intercept is in
    unless `0` or `- 1` takes it out. Columns stand in a term in the order in which the text first
    names them. text: as `tokens.check_terms` allows it.
    """
    tokens = split_tokens(text)
    names = {name: i for i, name in enumerate(dict.fromkeys(filter(is_name, tokens)))}
    found = _Reader(tokens, names).sum([INTERCEPT])
    return tuple(sorted(found, key=len))


class _Reader:
    """Reads tokens from the left; each method reads one level of precedence."""

    def __init__(self, tokens: list[str], names: dict[str, int]) -> None:
        self._tokens = tokens
        self._at = 0
        self._names = names

    def sum(self, found: list[Term]) -> list[Term]:
        """Terms joined by + and -, beginning with those in `found`."""
        sign = "-" if self._take("-") else "+"
        while True:
            zero = self._next == "0"
            own = self._crossed()
            if zero:  # `+ 0` is `- 1`
                own, sign = [INTERCEPT], "-" if sign == "+" else "+"
            if sign == "+":
                found = _union(found, own)
            else:
                found = [term for term in found if term not in own]
            if self._next not in ("+", "-"):
                return found
            sign = self._read()

    def _crossed(self) -> list[Term]:
        found = self._joined()
        while self._take("*"):
            other = self._joined()
            found = _union(found, other, self._join(found, other))
        return found

    def _joined(self) -> list[Term]:
        found = self._raised()
        while self._take(":"):
            found = self._join(found, self._raised())
        return found

    def _raised(self) -> list[Term]:
        found = self._operand()
        while self._take("^") or self._take("**"):
            once, power = found, int(self._read())
            # Beyond as many factors as there are columns nothing is new.
            for _ in range(min(power, len(self._names) + 1) - 1):
                found = self._join(found, once)
        return found

    def _operand(self) -> list[Term]:
        token = self._read()
        if token == "(":
            found = self.sum([])
            self._read()
            return found
        return [(token,) if is_name(token) else INTERCEPT]

    def _join(self, left: list[Term], right: list[Term]) -> list[Term]:
        joined = (set(a) | set(b) for a, b in product(left, right))
        return _union([tuple(sorted(term, key=self._names.__getitem__)) for term in joined])

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _read(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, token: str) -> bool:
        found = self._next == token
        self._at += found
        return found


def _union(*parts: list[Term]) -> list[Term]:
    return list(dict.fromkeys(term for part in parts for term in part))
