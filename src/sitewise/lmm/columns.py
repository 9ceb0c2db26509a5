"""Columns of a model matrix from terms and a frame: treatment contrasts, names as R writes them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import term_columns

if TYPE_CHECKING:
    import pandas as pd

_CODED = re.compile(r"(\w+)\[(?:T\.)?(\d+)\]")


@dataclass(frozen=True)
class Coding:
    """How the columns of a terms text are built, so that new rows get the same columns.

    names: R style, shape (p,). levels: of each factor used, the first is the reference.
    spec: formulaic's ModelSpec, on factors coded as the position of their level.
    """

    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    spec: Any = field(repr=False)


def build_columns(
    terms: str, frame: "pd.DataFrame", levels: Mapping[str, Sequence[str]]
) -> tuple[np.ndarray, Coding]:
    """Build the matrix of `terms`, shape (n, p), and its coding.

    Columns in `levels` are factors with treatment contrasts (full indicators where there is no
    intercept, as R does); the others must be numbers. No cell may be missing.
    """
    from formulaic import ModelSpec

    coded = _coded(frame, {name: tuple(values) for name, values in levels.items()})
    matrix = ModelSpec(formula=_ordered(terms), output="numpy").get_model_matrix(coded, context={})
    spec = matrix.model_spec
    kept = {name: tuple(values) for name, values in levels.items()}
    names = tuple(_r_name(name, kept) for name in spec.column_names)
    values = np.asarray(matrix, dtype=np.float64).reshape(len(frame), len(names))
    return values, Coding(names, kept, spec)


def columns_of(coding: Coding, frame: "pd.DataFrame") -> np.ndarray:
    """Rows of the same columns for new data, shape (k, p); raises ModelError for a new level."""
    matrix = coding.spec.get_model_matrix(_coded(frame, coding.levels), context={})
    return np.asarray(matrix, dtype=np.float64).reshape(len(frame), len(coding.names))


def _ordered(terms: str) -> str:
    """Terms written out, factors of each in the order in which the text first names them (as R)."""
    from formulaic import Formula

    first = {name: i for i, name in enumerate(term_columns(terms))}
    written = []
    for term in Formula(terms):
        factors = [str(factor) for factor in term.factors]
        written.append(":".join(sorted(factors, key=lambda name: first.get(name, -1))))
    return " + ".join(written if "1" in written else ["0", *written])


def _coded(frame: "pd.DataFrame", levels: Mapping[str, tuple[str, ...]]) -> "pd.DataFrame":
    """Replace each factor by the position of its level: level names never meet a parser."""

    import pandas as pd

    columns: dict[str, Any] = {}
    for name in frame.columns:
        if name not in levels:
            columns[name] = frame[name].to_numpy(dtype=np.float64)
            continue
        values = frame[name].astype(str)
        positions = {level: i for i, level in enumerate(levels[name])}
        codes = values.map(positions)
        unknown = sorted(set(values[codes.isna()]))
        if unknown:
            raise ModelError(
                "A value is not a level of its factor.",
                [Problem(f"{name} has {', '.join(map(repr, unknown[:5]))}", where=name,
                         allowed=", ".join(levels[name]))],
            )  # fmt: skip
        columns[name] = pd.Categorical.from_codes(
            codes.to_numpy(dtype=np.int64), pd.Index([str(i) for i in range(len(levels[name]))])
        )
    return pd.DataFrame(columns, index=range(len(frame)))


def _r_name(name: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    """`AVISIT[T.2]:TRT01P[T.1]` as `AVISITMonth 12:TRT01PTASSH+HIC`."""
    if name in ("Intercept", "1"):
        return "(Intercept)"
    return _CODED.sub(lambda found: found[1] + levels[found[1]][int(found[2])], name)
