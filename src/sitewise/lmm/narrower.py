"""Moments of a formula that asks less of the same rows: fewer random terms, another structure.

Cells hold what every random term of the formula needs, so they hold what some of them need; and
the structure of a residual covariance is no part of them. The rows are those of the wider formula.
Where a level goes a unit and a pattern may have several cells: such moments are fitted, not added.
"""

from dataclasses import replace

import numpy as np

from sitewise.lmm.formula import Formula, RandomSpec
from sitewise.lmm.wide import Wide


def narrower(part: Wide, formula: Formula) -> Wide | None:
    """The moments of `formula` if those of `part` hold it, else None.

    It must have the response and fixed part of `part`, some of its random terms, and a residual
    covariance over the same slots and patients where `part` has one, none where it has none.
    """
    own = part.formula
    residual = None if own.residual is None else (own.residual.slot, own.residual.group)
    wanted = None if formula.residual is None else (formula.residual.slot, formula.residual.group)
    same = (formula.response, _bare(formula.fixed)) == (own.response, _bare(own.fixed))
    kept = {_key(spec) for spec in formula.random}
    if not same or residual != wanted or not kept <= {_key(spec) for spec in own.random}:
        return None
    made = replace(
        part,
        formula=formula,
        patient_effects=tuple(e for e in part.patient_effects if _key(e.spec) in kept),
        levels=tuple(
            replace(level, effects=tuple(e for e in level.effects if _key(e.spec) in kept))
            for level in part.levels
        ),
    )
    for k in reversed(range(len(made.levels))):
        if not made.levels[k].effects:
            made = _without_level(made, k)
    return made


def _key(spec: RandomSpec) -> tuple[str, tuple[str, ...]]:
    """A term, whether it was written alone or is a piece of a `||` term."""
    return _bare(spec.terms), spec.group


def _bare(text: str) -> str:
    return "".join(text.split())


def _without_level(part: Wide, k: int) -> Wide:
    """Without a level that has no effects: what lies in its units lies in theirs."""
    parent = part.levels[k].parent
    levels = list(part.levels)
    unit = part.unit
    if k:
        levels[k - 1] = replace(levels[k - 1], parent=parent[levels[k - 1].parent])
    else:
        unit = parent[unit] if k + 1 < len(levels) else np.zeros_like(unit)
    del levels[k]
    return replace(part, levels=tuple(levels), unit=unit)
