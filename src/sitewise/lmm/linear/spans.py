"""Which functions of the data the fixed-effects columns span, and their sums over the rows.

X = X~ R with X~'X~ = n I (see `sitewise.lmm.conditioned`), so R'R is the mean of x x' over the rows
used: the mean of anything that the columns span, and of any product of two such, needs no rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sitewise.lmm.columns import Atom
from sitewise.lmm.record import FixedPart, fixed_part

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit

Product = frozenset[Atom]  # of numbers and indicators of levels; empty: 1


@dataclass(frozen=True)
class Spans:
    """The columns of a fit as functions of the data, p kept. R: (p, p)."""

    part: FixedPart
    R: np.ndarray = field(repr=False)

    @property
    def levels(self) -> Mapping[str, tuple[str, ...]]:
        """Of the factors of the fixed part, the first is the reference."""
        return {name: self.part.levels[name] for name in self._variables if name in self._factors}

    @cached_property
    def _variables(self) -> tuple[str, ...]:
        atoms = [atom for column in self.part.columns for atom in column.atoms]
        return tuple(dict.fromkeys(name for name, _ in atoms))

    @cached_property
    def _factors(self) -> frozenset[str]:
        atoms = [atom for column in self.part.columns for atom in column.atoms]
        return frozenset(name for name, level in atoms if level is not None)

    @cached_property
    def _index(self) -> dict[Product, int]:
        return {frozenset(column.atoms): j for j, column in enumerate(self.part.columns)}

    def weights(self, product: Product) -> np.ndarray | None:
        """Of the kept columns (p,), so that they make `product` in the rows; None if they don't."""
        full = self._full(product, frozenset())
        if full is None:
            return None
        kept = self.part.kept
        return np.asarray(full[kept] + self.part.combinations @ full[~kept])

    def mean(self, product: Product, other: Product = frozenset()) -> float | None:
        """Mean over the rows used of product x other, where the columns span both."""
        one, two = self.weights(product), self.weights(other)
        if one is None or two is None:
            return None
        return float((self.R @ one) @ (self.R @ two))

    def _full(self, product: Product, trying: frozenset[Product]) -> np.ndarray | None:
        """Weights of all columns; `trying` keeps the two rules from calling each other."""
        if product in self._index:
            found = np.zeros(len(self._index))
            found[self._index[product]] = 1.0
            return found
        if product in trying:
            return None
        trying = trying | {product}
        for name, level in sorted(product, key=str):  # the reference level is 1 less the others
            if level is not None and level == self.part.levels[name][0]:
                rest = product - {(name, level)}
                others = [rest | {(name, other)} for other in self.part.levels[name][1:]]
                parts = [self._full(one, trying) for one in (rest, *others)]
                if all(one is not None for one in parts):
                    return np.asarray(parts[0] - sum(parts[1:]))  # type: ignore[operator,arg-type]
        for name in self._beside(product):  # anything is the sum of its parts by level
            parts = [self._full(product | {(name, lev)}, trying) for lev in self.part.levels[name]]
            if all(one is not None for one in parts):
                return np.asarray(sum(parts))  # type: ignore[arg-type]
        return None

    def _beside(self, product: Product) -> list[str]:
        """Factors that stand in a column with all variables of the product."""
        own = {name for name, _ in product}
        found: dict[str, None] = {}
        for column in self.part.columns:
            names = dict.fromkeys(name for name, _ in column.atoms)
            if own <= set(names):
                found |= {n: None for n in names if n in self._factors and n not in own}
        return list(found)


def spans_of(fit: "LmmFit") -> Spans:
    """Of a fit."""
    return Spans(fixed_part(fit), fit.solution.model.fixed.R)
