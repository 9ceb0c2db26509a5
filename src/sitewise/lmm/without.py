"""Moments without one unit: its cells subtracted, nothing read again."""

from dataclasses import replace

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.wide import Patients, Wide, WideLevel


def without_unit(part: Wide, group: tuple[str, ...], label: str) -> Wide:
    """The moments of all patients but those of one unit of a grouping above the patient.

    group: columns of a level of `part`, e.g. ("SITEID",); label: of one of its units. Cells of one
    unit hold no other unit's patients, so what is left is exact. Who the patients are and the
    digest of the rows are not kept: they are not in the cells. Raises ModelError where the moments
    have no such level or unit, or nothing would be left.
    """
    holds = [group in (level.group, *level.names) for level in part.levels]
    at = holds.index(True) if True in holds else -1
    labels = part.levels[at].names.get(group, part.levels[at].labels) if at >= 0 else ()
    if label not in labels:
        raise ModelError(
            "The moments can't be taken apart by this grouping.",
            [Problem(f"no unit {label!r} of {':'.join(group)} in the moments",
                     where=part.formula.text, allowed=", ".join(labels) or "no such grouping")],
        )  # fmt: skip
    gone = [np.zeros(len(level.labels), dtype=bool) for level in part.levels]
    gone[at][labels.index(label)] = True
    for k in range(at - 1, -1, -1):
        gone[k] = gone[k + 1][part.levels[k].parent]
    kept = ~gone[0][part.unit]
    for k in range(len(part.levels)):  # a unit above that has lost all its children goes too
        below = part.unit[kept] if k == 0 else part.levels[k - 1].parent[~gone[k - 1]]
        gone[k] = ~np.isin(np.arange(len(part.levels[k].labels)), below)
    if not kept.any():
        raise ModelError(f"Nothing is left without {label}.")
    patterns, own = np.unique(part.pattern[kept], return_inverse=True)
    n = part.n[kept]
    number = [np.cumsum(~g) - 1 for g in gone]
    return replace(
        part,
        levels=tuple(_level(part, k, gone, number) for k in range(len(part.levels))),
        patterns=part.patterns[patterns],
        unit=number[0][part.unit[kept]],
        pattern=own.astype(np.int64),
        n=n,
        shift=part.shift[kept],
        sums=part.sums[kept],
        products=part.products[kept],
        nobs=int(n @ part.patterns[part.pattern[kept]].sum(axis=1)),
        patients=Patients(hashes=np.arange(int(n.sum()), dtype=np.uint64)),
        digest=(0, 0, 0),
    )


def _level(part: Wide, k: int, gone: list[np.ndarray], number: list[np.ndarray]) -> WideLevel:
    level, left = part.levels[k], np.flatnonzero(~gone[k])
    above = level.parent[left]
    return replace(
        level,
        labels=tuple(level.labels[i] for i in left),
        parent=number[k + 1][above] if k + 1 < len(number) else above,
        names={g: tuple(names[i] for i in left) for g, names in level.names.items()},
    )
