"""Which columns of a matrix are combinations of those before them, as R drops them."""

import numpy as np

COLLINEAR = 1e-7  # what is left of a column, relative to its length: the figure of R's lm and lme4
_CHUNK = 1 << 16  # rows of a step of the triangularisation: bounds memory


def independent_columns(
    X: np.ndarray, tolerance: float = COLLINEAR
) -> tuple[np.ndarray, np.ndarray]:
    """Which columns are kept, in column order, and what the others are made of.

    Returns kept, boolean (p,), and C, shape (kept, dropped), with X[:, ~kept] = X[:, kept] @ C.
    A column goes if what is left of it after projection on those before it is below `tolerance`
    of its length: the rule and the figure of R's lm and lme4.
    """
    X = _triangle(X) if len(X) > 2 * X.shape[1] else X
    n, p = X.shape
    kept = np.zeros(p, dtype=bool)
    Q = np.empty((n, min(n, p)))
    rank = 0
    for j in range(p):
        length = np.linalg.norm(X[:, j])
        rest = X[:, j].copy()
        for _ in range(2):  # twice is enough (Kahan, in Parlett 1998, sec. 6.9)
            rest -= Q[:, :rank] @ (Q[:, :rank].T @ rest)
        left = np.linalg.norm(rest)
        if rank < min(n, p) and left > tolerance * length:
            Q[:, rank] = rest / left
            kept[j] = True
            rank += 1
    if kept.all():
        return kept, np.zeros((p, 0))
    lengths = np.linalg.norm(X, axis=0)
    lengths[lengths == 0] = 1.0
    scaled = X / lengths  # columns in very different units would spoil the solution
    combinations = np.linalg.lstsq(scaled[:, kept], scaled[:, ~kept], rcond=None)[0]
    combinations[np.abs(combinations) < 1e-9] = 0.0
    combinations *= lengths[~kept] / lengths[kept][:, None]
    return kept, combinations


def _triangle(X: np.ndarray) -> np.ndarray:
    """R of X = Q R by steps over rows: lengths and angles of the columns are those of X."""
    p = X.shape[1]
    upper: np.ndarray = np.zeros((0, p))
    for start in range(0, len(X), _CHUNK):
        stacked = np.vstack([upper, X[start : start + _CHUNK]])
        upper = np.asarray(np.linalg.qr(stacked, mode="r"))
    return upper
