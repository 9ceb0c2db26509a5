"""Sums that every likelihood of random intercepts of sites and patients hangs on.

V = sigma^2 (K + lambda Z Z'), K = I + gamma J by patient, Z the indicators of sites: K^-1 acts
through the sums of patients, alike for patients of as many readings, and V^-1 through those of
sites, so an evaluation costs what there are sites, not rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.lmm.sums import sum_by

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sums:
    """What V_w^-1 needs: it acts through patients' sums, alike for patients of m readings.

    U = [X y] (n, p + 1). whole: U'U. sizes: m, ascending. squares: of each m, sum over its patients
    of s s' with s their sums of U. rows: U summed by site, (k, p + 1), counts (k,); shared: by m,
    m times the sums of U by site over its patients; counted: by m, m^2 times its patients by site.
    patients: of each m.
    """

    whole: "Floats"
    sizes: "Ints"
    squares: "Floats"
    rows: "Floats"
    counts: "Floats"
    shared: "Floats"
    counted: "Floats"
    patients: "Floats"

    def at(self, gamma: float) -> tuple["Floats", "Floats", "Floats", float]:
        """U'K^-1U, Z'K^-1U, the diagonal of Z'K^-1Z and log|K|, K = I + gamma J by patient."""
        shrink = gamma / (1 + self.sizes * gamma)
        A = self.whole - np.tensordot(shrink, self.squares, 1)
        B = self.rows - np.tensordot(shrink, self.shared, 1)
        D = self.counts - np.tensordot(shrink, self.counted, 1)
        return A, B, D, float(self.patients @ np.log1p(self.sizes * gamma))


def sums_of(U: "Floats", site: "Ints", patient: "Ints") -> Sums:
    """U: (n, k); site, patient: (n,), numbers from 0, patients lie in sites."""
    n, k = patient.max() + 1, site.max() + 1
    m = np.bincount(patient)
    home = np.empty(n, dtype=np.int64)
    home[patient] = site
    own = sum_by(patient, U, n)
    sizes = np.unique(m)
    groups = [m == size for size in sizes]
    return Sums(
        whole=U.T @ U,
        sizes=sizes,
        squares=np.array([own[g].T @ own[g] for g in groups]),
        rows=sum_by(site, U, k),
        counts=np.bincount(site, minlength=k).astype(float),
        shared=np.array(
            [size * sum_by(home[g], own[g], k) for size, g in zip(sizes, groups, strict=True)]
        ),
        counted=np.array(
            [size**2 * np.bincount(home[g], minlength=k)
             for size, g in zip(sizes, groups, strict=True)],
            dtype=float,
        ),
        patients=np.array([g.sum() for g in groups], dtype=float),
    )  # fmt: skip


def restricted_deviance(
    y: "ArrayLike", X: "ArrayLike", site: "Ints", patient: "Ints"
) -> Callable[["Floats"], float]:
    """-2 restricted log-likelihood, but for a constant, least over beta and sigma, of theta.

    theta: (2,), the standard deviations of the intercepts of sites and of patients over sigma. X:
    (n, p), full rank; y: (n,); site, patient: (n,), numbers from 0.
    """
    U = np.column_stack([np.asarray(X, dtype=float), np.asarray(y, dtype=float)])
    U[:, -1] -= U[:, -1].mean()
    U /= np.sqrt((U**2).mean(axis=0))
    sums, df = sums_of(U, site, patient), len(U) - U.shape[1] + 1

    def deviance(theta: "Floats") -> float:
        A, B, D, log_K = sums.at(float(theta[1]) ** 2)
        ratio = float(theta[0]) ** 2
        grown = 1 + ratio * D
        V = A - B.T @ (B * (ratio / grown)[:, None])
        half = np.linalg.cholesky(V[:-1, :-1])
        along = np.linalg.solve(half, V[:-1, -1])
        rest = float(V[-1, -1] - along @ along)
        logs = log_K + float(np.log(grown).sum()) + 2 * float(np.log(np.diag(half)).sum())
        return float(df * math.log(rest) + logs)

    return deviance
