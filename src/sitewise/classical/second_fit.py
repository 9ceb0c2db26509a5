"""What a second engine is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sitewise.lmm.design import Design

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


class NotExpressibleError(ModelError):
    """The engine has no such model. Its title says why, in words that go on from "because"."""


@dataclass(frozen=True)
class Term:
    """One term `(columns | group)`.

    code: shape (n,), the level of each row, 0..levels-1. Z: shape (n, q), one column a name.
    """

    group: str
    columns: tuple[str, ...]
    code: "Ints"
    Z: "Floats"


@dataclass(frozen=True)
class SecondFit:
    """What a second engine found: its own numbers throughout.

    engine: name, and method where it has several. version: of the package. loglik: REML or ML, as
    asked. fixef, se: shape (p,), order of the columns of X. variances: (group, column) -> variance,
    covariances between columns left out. sigma2: residual variance, NaN where there is not one.
    warnings: what it says by other ways than Python's warnings.
    """

    engine: str
    version: str
    loglik: float
    fixef: tuple[float, ...]
    se: tuple[float, ...]
    variances: Mapping[tuple[str, str], float]
    sigma2: float
    converged: bool
    warnings: tuple[str, ...] = ()


def terms_of(design: "Design") -> tuple[Term, ...]:
    """Rows of each random term, in the order of the formula."""
    from sitewise.lmm.columns import column_values

    return tuple(
        Term(
            term.spec.group_name,
            tuple(column.name for column in term.columns),
            term.codes,
            np.ascontiguousarray(column_values(term.columns, design.data)),
        )
        for term in design.terms
    )


def rows_of(design: "Design") -> "pd.DataFrame":
    """The rows used as a frame of the formula's columns, for engines that read formulas.

    Factors and groupings are categorical, in the order of the design, levels without a row left
    out: engines order text by the alphabet, and month 12 would then be mistaken for month 6.
    """
    import pandas as pd

    rows = design.data
    columns: dict[str, object] = {design.formula.response: rows.y}
    columns |= {name: rows.numbers[name] for name in sorted(rows.numbers)}
    for name in sorted(rows.codes):
        codes: NDArray[np.int64] = rows.codes[name].astype(np.int64)
        found = pd.Categorical.from_codes(codes, pd.Index(rows.labels[name]))
        columns[name] = found.remove_unused_categories()
    return pd.DataFrame(columns)


def formula_of(design: "Design") -> str:
    """The formula with `a/b` and `||` written out, so that every engine reads it alike."""
    formula = design.formula
    random = [f"({spec})" for spec in formula.random]
    return f"{formula.response} ~ {' + '.join([formula.fixed, *random])}"
