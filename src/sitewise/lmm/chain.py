"""How the columns of a unit end, once it and all levels above it are eliminated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sitewise.lmm.recursion import Left, Shape


@dataclass(frozen=True)
class Chain:
    """How the columns of a unit and of all above it end, by unit of the innermost level.

    coefficients: (units, sum q, m): the columns [X y] of V^-1 are R^-1 ([X y] + S coefficients), so
    -coefficients applied to (b, -1) gives the BLUPs. inner: (units, sum q, sum q), the matrix
    Psi of V^-1 = R^-1 - R^-1 S Psi S'R^-1 on the unit's own rows.
    """

    coefficients: np.ndarray
    inner: np.ndarray


def chains_of(shape: "Shape", levels: "Sequence[Left]") -> tuple[Chain, ...]:
    """From the outermost level down."""
    chains: list[Chain] = []
    for level in reversed(range(len(levels))):
        left, up = levels[level], shape.above(level)
        own = -left.N[..., up:]
        if not up:
            chains.append(Chain(own, left.C))
            continue
        parent = shape.parents[level]
        above = chains[-1]
        coefficients, inner = above.coefficients[parent], above.inner[parent]
        moved = -left.N[..., :up]
        own = own + moved @ coefficients
        cross = moved @ inner
        corner = left.C + cross @ np.swapaxes(moved, -1, -2)
        chains.append(
            Chain(
                np.concatenate([own, coefficients], axis=-2),
                np.block([[corner, cross], [np.swapaxes(cross, -1, -2), inner]]),
            )
        )
    return tuple(reversed(chains))
