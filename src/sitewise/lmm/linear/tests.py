"""Tables of tests: each fixed effect, any contrast."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.linear.wald import Wald, standard_errors
from sitewise.lmm.result import Estimate

if TYPE_CHECKING:
    import pandas as pd

Weights = Mapping[str, float]
Contrast = Weights | Sequence[float] | Sequence[Sequence[float]] | Sequence[Weights] | np.ndarray
COLUMNS = ("estimate", "se", "df", "t", "p", "lower", "upper")


def t_columns(
    estimate: np.ndarray, se: np.ndarray, df: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    """`COLUMNS` of t tests against 0 (normal where df is inf); level: coverage of the intervals."""
    from scipy import special

    t = estimate / se
    finite = np.where(np.isinf(df), 1e10, df)
    p = np.where(np.isinf(df), 2 * special.ndtr(-np.abs(t)), 2 * special.stdtr(finite, -np.abs(t)))
    tail = (1 + level) / 2
    half = np.where(np.isinf(df), special.ndtri(tail), special.stdtrit(finite, tail)) * se
    values = (estimate, se, df, t, p, estimate - half, estimate + half)
    return dict(zip(COLUMNS, values, strict=True))


def tested(wald: Wald, rows: np.ndarray, level: float) -> dict[str, np.ndarray]:
    """`COLUMNS` of the rows (k, p); NaN but for the estimate where no df tell how sure it is."""
    if not 0 < level < 1:
        raise ModelError(
            "The intervals can't be made as asked.",
            [Problem(f"level is {level}", where="level", allowed="0 < level < 1, as 0.95")],
        )
    rows = np.atleast_2d(rows)
    df = wald.df(rows)
    se = np.where(np.isnan(df), np.nan, standard_errors(rows, wald.vcov))
    return t_columns(rows @ wald.beta, se, df, level)


def estimates(wald: Wald, rows: np.ndarray, names: Sequence[str], alpha: float) -> list[Estimate]:
    """As records: tests against 0 and intervals of coverage 1 - alpha, (k,) each."""
    columns = tested(wald, rows, 1 - alpha)
    return [
        Estimate(name, *(float(columns[c][i]) for c in COLUMNS)) for i, name in enumerate(names)
    ]


def tests(wald: Wald, names: Sequence[str], level: float) -> "pd.DataFrame":
    """One row a fixed effect; names: of the fixed effects, (p,)."""
    return contrast(wald, np.eye(len(names)), names, level)


def contrast(wald: Wald, rows: np.ndarray, labels: Sequence[str], level: float) -> "pd.DataFrame":
    """Tests of the linear combinations `rows` (k, p), one row each."""
    from sitewise.lmm.linear.table import Tested

    if len(labels) != len(rows):
        raise ModelError(
            "The contrasts can't be named.",
            [Problem(f"{len(labels)} names for {len(rows)} contrasts", where="names",
                     allowed="a name each")],
        )  # fmt: skip
    found = Tested(tested(wald, rows, level), index=list(labels))
    found.attrs = wald.method.attrs | {"level": level}
    return found


def joint(wald: Wald, rows: np.ndarray) -> "pd.DataFrame":
    """One row F, df1, df2, p: the test that all `rows` are 0."""
    from sitewise.lmm.linear.table import Tested

    found = Tested([vars(wald.joint(rows))])[["F", "df1", "df2", "p"]]
    found.attrs = wald.method.attrs
    return found


def rows_of(L: Contrast, names: Sequence[str]) -> np.ndarray:
    """Rows (k, p) of weights by position or by name; raises ModelError with every problem."""
    if isinstance(L, Mapping):
        each: list[Any] = [L]
    else:
        each = list(L)
        if each and np.ndim(each[0]) == 0 and not isinstance(each[0], Mapping):
            each = [each]
    problems: list[Problem] = []
    rows = [_row(one, names, f"contrast {i + 1}", problems) for i, one in enumerate(each)]
    if not rows:
        problems.append(Problem("no contrast was given", allowed="one row or more"))
    if problems:
        raise ModelError("The contrast can't be made.", problems)
    return np.array(rows)


def _row(one: Any, names: Sequence[str], where: str, problems: list[Problem]) -> np.ndarray:
    p = len(names)
    if isinstance(one, Mapping):
        unknown = [name for name in one if name not in names]
        problems += [
            Problem(f"no fixed effect is named {name!r}", where=where, allowed=", ".join(names))
            for name in unknown
        ]
        if unknown:
            return np.zeros(p)
        row = np.array([float(one.get(name, 0.0)) for name in names])
    else:
        row = np.asarray(one, dtype=float)
        if row.shape != (p,):
            problems.append(
                Problem(f"shape {row.shape}", where=where,
                        allowed=f"({p},): one weight a fixed effect")
            )  # fmt: skip
            return np.zeros(p)
    if not np.all(np.isfinite(row)) or not np.any(row):
        what = "a weight is not finite" if np.any(row) else "all weights are 0"
        problems.append(Problem(what, where=where, allowed="finite weights, one of them not 0"))
    return row


def label_rows(rows: np.ndarray, names: Sequence[str]) -> list[str]:
    """`a - 0.5 b` of each row."""
    return [_said(row, names) for row in rows]


def _said(row: np.ndarray, names: Sequence[str]) -> str:
    """`a - 0.5 b`."""
    found = ""
    for weight, name in zip(row, names, strict=True):
        if weight == 0:
            continue
        size = "" if abs(weight) == 1 else f"{abs(weight):g} "
        sign = ("-" if weight < 0 else "") if not found else (" - " if weight < 0 else " + ")
        found += f"{sign}{size}{name}"
    return found
