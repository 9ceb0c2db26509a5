"""Second derivatives in the entries of an unstructured covariance over slots.

With R_j = e_a e_b' (+ its transpose) every W R_j W R_k W is a sum of w_a W_bc w_d', w_a a column of
W: instead of one contraction a pair (T^4 / 4 of them) there is one for each of T^2 outer products
w_a w_d', by pattern, and its sum over patterns with weights W_bc is one matrix product.
"""

import numpy as np

from sitewise.lmm.contraction import Contraction, Projected

MOST = 30_000_000  # numbers in the table of T^4 m^2


def entries(first: np.ndarray) -> np.ndarray | None:
    """(a, b) of each direction (J, 2) where all are units e_a e_b' + e_b e_a'; else None."""
    rows, columns = np.triu_indices(first.shape[-1])
    if len(first) != len(rows):
        return None
    units = np.zeros_like(first)
    place = np.arange(len(rows))
    units[place, rows, columns] = units[place, columns, rows] = 1.0
    return np.column_stack([rows, columns]) if np.array_equal(first, units) else None


def fits(contraction: Contraction) -> bool:
    """Whether the table is small enough."""
    slots = contraction.cells.patterns.shape[1]
    return int(slots**4 * contraction.shape.m**2) <= MOST


def unit_pairs(
    contraction: Contraction, W: np.ndarray, parts: Projected, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """t_jk (J, J) and B_jk (J, J, m, m), as `SlotStart.pairs`. W: (P, T, T). at: (J, 2)."""
    P, T = W.shape[:2]
    m, patients = contraction.shape.m, contraction.cells.patients
    outer, inner = _outer(contraction, W, parts)
    traces = (patients[:, None, None] * W - 2 * inner).reshape(P, -1)
    weights = W.reshape(P, -1)
    table = (outer.reshape(P, -1).T @ weights).reshape(T, T, m, m, T, T)
    t = _gathered((traces.T @ weights).reshape(T, T, T, T), at)
    B = _gathered(table.transpose(0, 1, 4, 5, 2, 3), at)
    return (t + t.T) / 2, (B + np.swapaxes(B, -1, -2)) / 2


def _outer(
    contraction: Contraction, W: np.ndarray, parts: Projected
) -> tuple[np.ndarray, np.ndarray]:
    """[X y]'w_a w_d'[X y] transformed, (P, T, T, m, m), and tr(Psi S'w_a w_d'S), (P, T, T)."""
    atoms, m = contraction.atoms, contraction.shape.m
    P, T = W.shape[:2]
    n, own = len(atoms.features), atoms.own
    u = atoms.a @ W  # (P, n, T)
    Ku = (u[..., None] * atoms.K[:, None, :]).reshape(P, n, T * m)
    found = np.swapaxes(Ku, 1, 2) @ (contraction.by_pattern @ Ku)
    inner = np.zeros((P, T, T))
    if own:
        us = u[:, :own]
        mixed = parts.mixed.transpose(0, 1, 3, 2).reshape(P, own * m, n) @ Ku
        cross = np.einsum("pia,pixz->paxz", us, mixed.reshape(P, own, m, T * m), optimize=True)
        cross = cross.reshape(P, T * m, T * m)
        found += cross + np.swapaxes(cross, 1, 2)
        half = np.einsum("pkd,pikxy->pixdy", us, parts.square, optimize=True)
        found += np.einsum("pia,pixdy->paxdy", us, half, optimize=True).reshape(found.shape)
        inner = np.swapaxes(us, 1, 2) @ parts.inner @ us
    return found.reshape(P, T, m, T, m).transpose(0, 1, 3, 2, 4), inner


def _gathered(table: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Sums over both orders of both entries: table[x, w, y, z] for e_x e_y', e_z e_w'."""
    a, b = at.T
    j, k = np.arange(len(at))[:, None], np.arange(len(at))[None]
    found = np.zeros((len(at), len(at), *table.shape[4:]))
    for x, y in ((a, b), (b, a)):
        for z, w in ((a, b), (b, a)):
            found += table[x[j], w[k], y[j], z[k]]
    once = np.where(a == b, 0.5, 1.0)
    scale = (once[:, None] * once).reshape(len(at), len(at), *([1] * (table.ndim - 4)))
    return np.asarray(found * scale)
