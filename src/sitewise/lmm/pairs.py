"""Second derivatives of an elimination: every pair of directions by one Gram matrix a level.

Formulas in `sitewise.lmm.recursion`. What arises at a level stands in the columns above it; the
chain of the T above maps it to the final columns, and Psi of the chain gives its part of traces.
"""

import numpy as np

from sitewise.lmm.recursion import Eliminated, Left, solve_units


def second_order(done: Eliminated) -> tuple[np.ndarray, np.ndarray]:
    """t_jk (J, J) and B_jk (J, J, m, m) but for the bottom's own linear part.

    To be added by the bottom: tr(R^-1 R_j R^-1 R_k) - 2 tr(Psi S'W_jk S) and the transformed
    [X y]'W_jk[X y], W_jk = R^-1 R_j R^-1 R_k R^-1.
    """
    shape, J = done.shape, len(done.t)
    m = shape.m
    t2, B2 = np.zeros((J, J)), np.zeros((J, J, m, m))
    active = done.bottom
    for level, left in enumerate(done.levels):
        up = shape.above(level)
        coefficients, inner = _parents_chain(done, level)
        new = slice(active, active + len(left.E))
        Y = _final(left.Y, coefficients, up)
        CY = left.C @ Y
        B2[:active, :active] -= _gram(Y, CY)
        CB = left.C @ left.BSS
        t2[:active, :active] += _dot(CB, np.swapaxes(CB, -1, -2))
        K = _final(left.K, coefficients, up)
        EK = left.E[:, None] @ K
        FEK = solve_units(np.swapaxes(left.M, -1, -2), EK)
        cross = _gram(Y, FEK)
        B2[:active, new] += cross
        B2[new, :active] += cross.transpose(1, 0, 3, 2)
        FE = solve_units(
            np.swapaxes(left.M, -1, -2),
            np.broadcast_to(left.E[:, None], (len(left.E), *left.C.shape)),
        )  # F'E
        FEF = np.swapaxes(
            solve_units(np.swapaxes(left.M, -1, -2), np.swapaxes(FE, -1, -2)), -1, -2
        )  # F'EF
        mixed = _dot(left.BSS, np.swapaxes(FEF, -1, -2))
        t2[:active, new] += mixed
        t2[new, :active] += mixed.T
        KSEK = left.KS @ EK
        B2[new, new] += _gram(EK, KSEK)
        EKS = left.E[:, None] @ left.KS
        t2[new, new] += _dot(EKS, np.swapaxes(EKS, -1, -2))
        if up:
            _traces_above(t2, left, inner, (active, new))
        active = new.stop
    B2 = (B2 + B2.transpose(0, 1, 3, 2)) / 2
    return t2, B2


def _traces_above(t2: np.ndarray, left: Left, inner: np.ndarray, which: tuple[int, slice]) -> None:
    """-2 tr(Psi X_SS) of the terms X that arise at a level, in the columns of S above it."""
    active, new = which
    up = inner.shape[-1]
    Y, K = left.Y[..., :up], left.K[..., :up]
    YP, KP = Y @ inner, K @ inner
    t2[:active, :active] += 2 * _dot(YP, left.C @ Y)
    EK = left.E[:, None] @ K
    mixed = -2 * _dot(YP, solve_units(np.swapaxes(left.M, -1, -2), EK))
    t2[:active, new] += mixed
    t2[new, :active] += mixed.T
    EKP = left.E[:, None] @ KP
    own = -2 * _dot(EKP, left.KS @ EK)
    t2[new, new] += (own + own.T) / 2


def _parents_chain(done: Eliminated, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (units, columns above, m) and Psi of the chain above each unit of a level."""
    if level + 1 == len(done.levels):
        units = done.shape.units[level]
        return np.zeros((units, 0, done.shape.m)), np.zeros((units, 0, 0))
    parent, chain = done.shape.parents[level], done.chains[level + 1]
    return chain.coefficients[parent], chain.inner[parent]


def _final(columns: np.ndarray, coefficients: np.ndarray, up: int) -> np.ndarray:
    """Rows over [S above, X y] as rows over the final [X y]."""
    return columns[..., up:] + columns[..., :up] @ coefficients if up else columns


def _gram(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum over units of left_j'right_k: (J, K, m, m) from (J, u, q, m) and (K, u, q, m)."""
    J, u, q, m = left.shape
    K = len(right)
    a = left.transpose(0, 3, 1, 2).reshape(J * m, u * q)
    b = right.transpose(1, 2, 0, 3).reshape(u * q, K * m)
    return np.asarray((a @ b).reshape(J, m, K, m).transpose(0, 2, 1, 3))


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum over units and entries of left_j * right_k: (J, K)."""
    return np.asarray(left.reshape(len(left), -1) @ right.reshape(len(right), -1).T)
