"""Features of one batch from those of another coding: a hospital without the reference arm.

Its columns take another reference, or none. Every product of indicators is an integer combination
of the products that the batch has, on the levels that occur in it; a level that does not is 0.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.wide import Feature, Wide


def recoding(part: Wide, basis: Sequence[Feature]) -> np.ndarray:
    """M, (F', F): the features `basis` are M times those of `part`."""
    M = np.zeros((len(basis), len(part.basis)))
    index = {feature: j for j, feature in enumerate(part.basis)}
    occurring = _occurring(part)
    for i, feature in enumerate(basis):
        if feature in index:
            M[i, index[feature]] = 1.0
        elif feature.outcome or (feature.slot is not None and feature.slot not in part.slots):
            continue
        elif all(level is None or level in occurring[v] for v, level in feature.atoms):
            M[i] = _combination(feature, part, occurring)
    return M


def recoded(part: Wide, M: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """shift (C, F'), sums (C, F') and products (C, F', F') of the features M f."""
    shift, sums, products = part.shift, part.sums, part.products
    if M.shape[0] == M.shape[1] and np.array_equal(M, np.eye(len(M))):
        return shift.copy(), sums.copy(), products.copy()
    return shift @ M.T, sums @ M.T, M @ products @ M.T


def _occurring(part: Wide) -> dict[str, tuple[str, ...]]:
    """Levels in the batch of every factor, those of crossed groupings included."""
    found = dict(part.factors)
    for level in part.levels:
        for effect in level.effects:
            for i, v in enumerate(effect.across):
                found.setdefault(v, tuple(dict.fromkeys(one[i] for one in effect.across_levels)))
    return found


def _combination(wanted: Feature, part: Wide, occurring: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Weights (F,) of the batch's features that give `wanted`, solved on the grid of its levels."""
    numbers = _numbers(wanted)
    same = [
        j for j, feature in enumerate(part.basis)
        if not feature.outcome and feature.slot == wanted.slot and _numbers(feature) == numbers
    ]  # fmt: skip
    features = [wanted, *(part.basis[j] for j in same)]
    factors = sorted({v for f in features for v, level in f.atoms if level is not None})
    grid = list(product(*(occurring[v] for v in factors)))
    at = {v: i for i, v in enumerate(factors)}
    values = np.array(
        [[all(level is None or point[at[v]] == level for v, level in f.atoms) for point in grid]
         for f in features],
        dtype=np.float64,
    )  # fmt: skip
    weights = np.zeros(len(part.basis))
    if same:
        weights[same] = np.round(np.linalg.lstsq(values[1:].T, values[0], rcond=None)[0])
    if not np.array_equal(weights[same] @ values[1:], values[0]):
        raise ModelError(
            "These moments can't be added.",
            [Problem(f"{wanted.name} is not in the moments of one batch, whose levels are"
                     f" {'; '.join(v + ': ' + ', '.join(occurring[v]) for v in factors)}",
                     where=part.formula.text,
                     fix="make moments of this batch together with another one")],
        )  # fmt: skip
    return weights


def _numbers(feature: Feature) -> tuple[str, ...]:
    return tuple(v for v, level in feature.atoms if level is None)
