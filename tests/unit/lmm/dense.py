"""Textbook formulas with n x n matrices: what the recursion is held against."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def symmetric(i: int, j: int, q: int) -> np.ndarray:
    """Derivative of a symmetric matrix in its entry (i, j)."""
    E = np.zeros((q, q))
    E[i, j] = E[j, i] = 1.0
    return E


def triangle(q: int) -> list[np.ndarray]:
    """Derivatives in the lower triangle, column by column."""
    return [symmetric(i, j, q) for j in range(q) for i in range(j, q)]


@dataclass(frozen=True)
class Dense:
    """Searle, Casella & McCulloch (1992), Variance Components, ch. 6 and app. M."""

    deviance: float
    b: np.ndarray
    phi: np.ndarray
    gradient: np.ndarray
    expected: np.ndarray
    average: np.ndarray
    hessian: np.ndarray
    first: np.ndarray
    second: np.ndarray


def dense(
    X: np.ndarray,
    y: np.ndarray,
    V: np.ndarray,
    dV: Sequence[np.ndarray],
    *,
    reml: bool,
    d2V: Sequence[tuple[tuple[int, int], np.ndarray]] = (),
) -> Dense:
    """-2 log-likelihood and its derivatives in the parameters of V."""
    n, p = X.shape
    Vi = np.linalg.inv(V)
    phi = np.linalg.inv(X.T @ Vi @ X)
    b = phi @ X.T @ Vi @ y
    r = y - X @ b
    P = Vi - Vi @ X @ phi @ X.T @ Vi
    Q = P if reml else Vi
    logs = np.linalg.slogdet(V)[1] + (np.linalg.slogdet(X.T @ Vi @ X)[1] if reml else 0.0)
    deviance = logs + r @ Vi @ r + (n - p if reml else n) * np.log(2 * np.pi)
    Py = P @ y
    gradient = np.array([np.trace(Q @ d) - Py @ d @ Py for d in dV])
    E = np.array([[np.trace(Q @ a @ Q @ c) / 2 for a in dV] for c in dV])
    AI = np.array([[Py @ a @ P @ c @ Py / 2 for a in dV] for c in dV])
    H = 4 * AI - 2 * E
    for (a, c), bend in d2V:
        more = np.trace(Q @ bend) - Py @ bend @ Py
        H[a, c] += more
        H[c, a] += more if a != c else 0.0
    W = Vi @ X
    first = np.array([-W.T @ a @ W for a in dV])
    second = np.array([[W.T @ a @ Vi @ c @ W for c in dV] for a in dV])
    second = (second + second.transpose(1, 0, 2, 3)) / 2
    return Dense(float(deviance), b, phi, gradient, E, AI, H, first, second)


def by_group(columns: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Z: the columns in the block of each row's unit."""
    n, q = columns.shape
    Z = np.zeros((n, codes.max() + 1, q))
    Z[np.arange(n), codes] = columns
    return Z.reshape(n, -1)


def spread(Z: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Z (I (x) E) Z'."""
    return np.asarray(Z @ np.kron(np.eye(Z.shape[1] // len(E)), E) @ Z.T)
