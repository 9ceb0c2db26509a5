"""What the data can estimate of marginal means: rows that keep to the aliasing of the columns."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from sitewise.lmm.linear.tests import tested
from sitewise.lmm.linear.wald import Wald

REDUCED = "some differences are not estimable from these data; df1 counts those that are"
UNKNOWN = "NaN: these data can't estimate it, it needs an effect that was dropped (fit.aliased)"
BROKEN = 1e-7  # of the aliasing of the data, from which a mean is not estimable


def estimable(
    wald: Wald, rows: np.ndarray, broken: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    """Tests of the rows, NaN where the data can't estimate one."""
    good = np.abs(broken).max(axis=1, initial=0.0) < BROKEN
    found = tested(wald, rows[good], level) if good.any() else tested(wald, rows[:0], level)
    wide = {}
    for name, values in found.items():
        wide[name] = np.full(len(rows), np.nan)
        wide[name][good] = values
    return wide


def noted(attrs: Mapping[Hashable, Any], estimates: np.ndarray) -> dict[Hashable, Any]:
    """The attributes of a table, with a note where an estimate is NaN."""
    if not np.isnan(estimates).any():
        return dict(attrs)
    notes = [str(attrs["note"])] if attrs.get("note") else []
    return {**attrs, "note": "; ".join([*notes, UNKNOWN])}


def estimable_rows(rows: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """Of the combinations of rows (k, p), those that break no aliasing, (q, p); q up to k."""
    if np.abs(broken).max(initial=0.0) < BROKEN:
        return rows
    vectors, sizes, _ = np.linalg.svd(broken)
    rank = int(np.sum(sizes > BROKEN * max(1.0, sizes[0])))
    return np.asarray(vectors[:, rank:].T @ rows)
