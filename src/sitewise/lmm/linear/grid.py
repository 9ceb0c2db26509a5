"""The reference grid of a fit: what marginal means are averages over.

As R's emmeans: every combination of the factors' levels, each number at its mean over the rows used
(all its values given by `at` where there are some). The mean comes from the moments, see `spans`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import fixed_columns
from sitewise.lmm.linear.spans import Spans
from sitewise.lmm.linear.tests import as_number

Value = str | float
WEIGHTS = ("equal", "proportional")


@dataclass(frozen=True)
class Grid:
    """Values of every variable of the fixed part, in the order of the formula."""

    spans: Spans = field(repr=False)
    values: Mapping[str, tuple[Value, ...]]

    def cells(self, names: Sequence[str]) -> list[tuple[Value, ...]]:
        """Joint values of these variables, the last varies fastest."""
        return list(product(*(self.values[name] for name in names)))

    def row(self, fixed: Mapping[str, Value], weights: str) -> tuple[np.ndarray, np.ndarray]:
        """The row (p,) of one cell, the others averaged; how it breaks the aliasing (dropped,).

        weights: of the combinations of the other factors, equal or by their rows in the data.
        """
        free = [name for name in self.values if name not in fixed]
        combinations = self.cells(free)
        shares = self._shares(free, combinations, weights)
        columns = {
            name: [fixed[name]] * len(combinations) if name in fixed
            else [one[free.index(name)] for one in combinations]
            for name in self.values
        }  # fmt: skip
        rows, broken = self.spans.part.rows(columns)
        return shares @ rows, shares @ broken

    def _shares(
        self, free: Sequence[str], combinations: Sequence[tuple[Value, ...]], weights: str
    ) -> np.ndarray:
        equal = np.full(len(combinations), 1 / len(combinations))
        factors = [name for name in free if name in self.spans.levels]
        if weights == "equal" or not factors:
            return equal
        shares: dict[tuple[Value, ...], float] = {}
        for levels in product(*(self.values[name] for name in factors)):
            shares[levels] = _share(self.spans, dict(zip(factors, levels, strict=True)))
        places = [free.index(name) for name in factors]
        found = np.array([shares[tuple(one[i] for i in places)] for one in combinations])
        return np.asarray(found / found.sum())


def _share(spans: Spans, levels: Mapping[str, Value]) -> float:
    """Share of the rows at these levels; ModelError where the moments don't tell."""
    atoms = [(name, str(level)) for name, level in levels.items()]
    for split in range(2 ** len(atoms) // 2 or 1):  # in two parts that the columns span
        own = frozenset(a for i, a in enumerate(atoms) if split >> i & 1)
        mean = spans.mean(own, frozenset(atoms) - own)
        if mean is not None:
            return max(mean, 0.0)
    raise ModelError(
        "The means can't be weighted by rows.",
        [Problem(f"the moments of this formula don't hold how many rows there are by"
                 f" {' x '.join(levels)} together", where="weights",
                 allowed="factors, or pairs of factors, of the fixed part",
                 fix="use weights='equal', or put one of them in `by` or `at`")],
    )  # fmt: skip


def grid_of(spans: Spans, shown: Sequence[str], at: Mapping[str, object]) -> Grid:
    """The grid; shown: variables that are not averaged. ModelError with every problem."""
    names = fixed_columns(spans.part.formula)
    if not isinstance(at, Mapping):
        raise ModelError(
            "The marginal means can't be made as asked.",
            [Problem(f"{at!r} gives no values", where="at", allowed="{'AGE': 60, ...}")],
        )
    problems = [
        Problem(f"{name!r} is not in the fixed part", where=where, allowed=", ".join(names))
        for where, asked in (("specs, by", shown), ("at", at)) for name in asked
        if name not in names
    ]  # fmt: skip
    values = {}
    for name in names:
        values[name] = _values(spans, name, at, problems)
    if problems:
        raise ModelError("The marginal means can't be made as asked.", problems)
    return Grid(spans, values)


def _values(
    spans: Spans, name: str, at: Mapping[str, object], problems: list[Problem]
) -> tuple[Value, ...]:
    levels = spans.levels.get(name)
    if name in at:
        given: Any = at[name]
        own = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
        if not own or len(set(map(str, own))) < len(own):
            what = f"a value of {name} twice" if own else f"no value of {name}"
            problems.append(Problem(what, where="at", allowed="one or more, each once"))
        if levels is None:
            found = tuple(as_number(value) for value in own)
            problems += [
                Problem(f"{name} is {value!r}", where="at", allowed="finite numbers")
                for value, number in zip(own, found, strict=True) if not np.isfinite(number)
            ]  # fmt: skip
            return found
        problems += [
            Problem(f"{value!r} is no level of {name}", where="at", allowed=", ".join(levels))
            for value in own
            if str(value) not in levels
        ]
        return tuple(str(value) for value in own)
    if levels is not None:
        return levels
    mean = spans.mean(frozenset({(name, None)}))
    if mean is None:
        problems.append(
            Problem(f"the mean of {name} over the rows can't be had from the moments of this"
                    " formula", where="at", allowed=f"at={{{name!r}: a number, ...}}",
                    fix="give its value, or put its main effect and an intercept in the formula")
        )  # fmt: skip
        return (np.nan,)
    return (mean,)
