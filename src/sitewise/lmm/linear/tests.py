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
WEIGHTS_ARE = "weights of the fixed effects, {'name': 1, ...} or in order, or a list of such"
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
    if not 0 < as_number(level) < 1:
        raise ModelError(
            "The intervals can't be made as asked.",
            [Problem(f"level is {level!r}", where="level", allowed="0 < level < 1, as 0.95")],
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


def rows_of(L: Contrast, names: Sequence[str], aliased: Sequence[str] = ()) -> np.ndarray:
    """Rows (k, p) of weights by position or by name; raises ModelError with every problem.

    A pandas Series is weights by its index, a frame a row of such each. aliased: columns that the
    fit dropped, which messages tell.
    """
    each = _each(L)
    problems: list[Problem] = []
    if each is None:
        problems.append(Problem(f"{L!r} is no weights", allowed=WEIGHTS_ARE))
    elif not each:
        problems.append(Problem("no contrast was given", allowed="one row or more"))
    elif len(wrong := {np.shape(one) for one in each}) == 1 and wrong != {(len(names),)}:
        (shape,) = wrong
        if shape:
            what = f"{len(each)} x {' x '.join(map(str, shape))} weights for {len(names)} effects"
            problems.append(Problem(what, allowed=f"shape ({len(names)},) or (k, {len(names)})"))
    rows = []
    if not problems:
        rows = [_row(one, names, f"contrast {i + 1}", problems) for i, one in enumerate(each or [])]
    if any(f"named {name!r}" in problem.what for problem in problems for name in aliased):
        problems.append(
            Problem(f"{', '.join(aliased)}: dropped, as combinations of the other columns",
                    where="the fit", fix="ask fit.emmeans, which says what the data can estimate")
        )  # fmt: skip
    if problems:
        raise ModelError("The contrast can't be made.", problems)
    return np.array(rows)


def _each(L: Any) -> list[Any] | None:
    """Each contrast of L; None where it is neither weights nor a list of such."""
    if hasattr(L, "to_dict"):  # of pandas
        found = L.to_dict() if np.ndim(L) == 1 else [one.to_dict() for _, one in L.iterrows()]
        return found if isinstance(found, list) else [found]
    if isinstance(L, Mapping):
        return [L]
    if isinstance(L, str) or not np.iterable(L):
        return None
    each = list(L)
    if any(isinstance(one, str) for one in each):
        return None
    if each and np.ndim(each[0]) == 0 and not isinstance(each[0], Mapping):
        return [each]
    return each


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
        given: list[Any] = [one.get(name, 0.0) for name in names]
    elif np.shape(one) == (p,):
        given = list(one)
    else:
        problems.append(
            Problem(f"shape {np.shape(one)}", where=where,
                    allowed=f"({p},): one weight a fixed effect")
        )  # fmt: skip
        return np.zeros(p)
    row = np.array([as_number(value) for value in given])
    if not np.all(np.isfinite(row)) or not np.any(row):
        bad = [repr(v) for v, n in zip(given, row, strict=True) if not np.isfinite(n)]
        what = f"{', '.join(bad)} among the weights" if bad else "all weights are 0"
        problems.append(Problem(what, where=where, allowed="finite weights, one of them not 0"))
    return row


def as_number(value: Any) -> float:
    """NaN where it is none."""
    if isinstance(value, str | bytes) or np.ndim(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


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
