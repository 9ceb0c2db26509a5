"""Families of comparisons of means: tests, adjusted p-values, intervals that go with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.linear.estimable import estimable, noted
from sitewise.lmm.linear.multiplicity import (
    STEPWISE,
    Family,
    adjusted_p,
    check_adjustment,
    critical,
)
from sitewise.lmm.linear.tests import COLUMNS, as_number

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.linear.emmeans import Means

TAKEN = ("contrast", *COLUMNS, "F", "df1", "df2")  # names that columns of numbers have
NO_INTERVALS = "none: a stepwise adjustment has no intervals that agree with its tests"


def said(values: Sequence[object]) -> str:
    """`High 60` of the values of a cell."""
    return " ".join(f"{v:g}" if isinstance(v, float | int) else str(v) for v in values)


def check_weights(weights: object, size: int) -> None:
    """ModelError unless contrasts by name, each of weights of `size` means, not all 0."""
    like = "{'name of the contrast': {'High': 1, 'Low': -1}}, or its weights in order"
    if not isinstance(weights, Mapping) or not weights:
        raise ModelError(
            "The contrast can't be made.",
            [Problem(f"{weights!r} names no contrast", where="weights", allowed=like)],
        )
    problems = []
    for name, own in weights.items():
        if isinstance(own, str) or not np.iterable(own):
            problems.append(Problem(f"{own!r} is no weights", where=str(name), allowed=like))
            continue
        given = list(own.values()) if isinstance(own, Mapping) else list(own)
        found = np.array([as_number(value) for value in given])
        if not isinstance(own, Mapping) and len(given) != size:
            problems.append(
                Problem(f"{len(given)} weights for {size} means", where=str(name),
                        allowed="a weight each")
            )  # fmt: skip
        elif not np.isfinite(found).all() or not found.any():
            bad = [repr(v) for v, n in zip(given, found, strict=True) if not np.isfinite(n)]
            what = f"{', '.join(bad)} among the weights" if bad else "all weights are 0"
            allowed = "finite weights, one of them not 0"
            problems.append(Problem(what, where=str(name), allowed=allowed))
    if problems:
        raise ModelError("The contrast can't be made.", problems)


@dataclass(frozen=True)
class Compared:
    """A comparison: its name and the weights of means by their position."""

    name: str
    weights: Mapping[int, float]


def compared(
    means: "Means",
    families: "Sequence[tuple[tuple[str | float, ...], int, Sequence[Compared]]]",
    adjust: str,
    kinds: Sequence[str],
) -> "pd.DataFrame":
    """A row a comparison: the cell of `by`, contrast, estimate, se, df, t, p, lower, upper.

    families: cell of `by`, how many means, its comparisons; each is adjusted by itself. kinds: the
    adjustments beyond the general ones that these comparisons admit.
    """
    import pandas as pd

    from sitewise.lmm.linear.table import Tested

    check_adjustment(adjust, kinds)
    tables = []
    for where, size, asked in families:
        names = [one.name for one in asked]
        table = pd.DataFrame({"contrast": names, **_family(means, asked, size, adjust)})
        for i, (name, value) in enumerate(zip(means.by, where, strict=True)):
            table.insert(i, f"{name}_" if name in TAKEN else name, value)
        tables.append(table)
    found = Tested(pd.concat(tables, ignore_index=True))
    said = NO_INTERVALS if adjust in STEPWISE else "simultaneous" if adjust != "none" else "each"
    attrs = means.wald.method.attrs | {
        "level": means.level, "adjust": adjust, "intervals": said,
    }  # fmt: skip
    found.attrs = noted(attrs, found["estimate"].to_numpy())
    return found


def _family(
    means: "Means", asked: Sequence[Compared], size: int, adjust: str
) -> dict[str, np.ndarray]:
    W = np.zeros((len(asked), len(means.cells)))
    for i, one in enumerate(asked):
        for at, weight in one.weights.items():
            W[i, at] = weight
    rows = W @ means.rows
    columns = estimable(means.wald, rows, W @ means.broken, means.level)
    good = np.isfinite(columns["se"]) & (columns["se"] > 0)
    if adjust == "none" or not good.any():
        return columns
    cov = rows[good] @ means.wald.vcov @ rows[good].T
    sds = np.sqrt(np.diag(cov))
    family = Family(size, cov / np.outer(sds, sds))
    df = columns["df"][good]
    columns["p"][good] = adjusted_p(adjust, columns["t"][good], df, columns["p"][good], family)
    half = critical(adjust, df, means.level, family) * columns["se"][good]
    columns["lower"][good] = columns["estimate"][good] - half
    columns["upper"][good] = columns["estimate"][good] + half
    return columns
