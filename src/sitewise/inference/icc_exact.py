"""The interval of the sites' share of the variance from an F pivot: it holds its level with few.

y = X b + Z u + e, u ~ N(0, tau^2 I) over sites, e ~ N(0, V_w) within them. With every fixed effect
eliminated, C = Z'V_w^-1 Z - Z'V_w^-1 X (X'V_w^-1 X)^- X'V_w^-1 Z of rank r and q the same of y,
q ~ N(0, C + tau^2 C C), so that

    T(tau^2) = q'C^+ (I + tau^2 C)^-1 q,   T(tau^2) / r ~ F(r, d)

V_w from what is left within the sites, which q does not share. With one reading a patient
V_w = sigma^2 I and the pivot is exact (Wald 1947, Ann Math Stat 18:586-589; Seely & El-Bassiouni
1983, Ann Stat 11:197-201; Harville & Fenech 1985, Biometrics 41:137-152). With several,
V_w = sigma^2 (I + gamma J) by patient, gamma by REML within the sites: exact where sites, patients
and readings are balanced, d then being the patients less sites; close to it elsewhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sitewise.inference.icc_sums import Sums, sums_of
from sitewise.lmm.sums import sum_by

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

METHOD = "sites: F (Harville and Fenech 1985)"
RANK = 1e-9  # of the largest eigenvalue or singular value
LAST = 1.0 - 1e-9


def sites_share(
    y: "ArrayLike", X: "ArrayLike", sites: "ArrayLike", patients: "ArrayLike", alpha: float
) -> tuple[float, float]:
    """Two-sided interval, coverage 1 - alpha, of tau^2 / (tau^2 + variance within sites).

    y, sites, patients: (n,), patients lie in sites; X: (n, p), which may lack rank. Both ends stop
    at 0: both are 0 where the sites differ less than chance would make them (alpha / 2 of trials
    without any difference). NaN where nothing is left between or within the sites.
    """
    from scipy.special import fdtri  # scipy.stats takes half a second longer to import

    U = np.column_stack([np.asarray(X, dtype=float), np.asarray(y, dtype=float)])
    # Nothing here hangs on scale or location; both help the rank verdicts.
    U[:, -1] -= U[:, -1].mean()
    size = np.sqrt((U**2).mean(axis=0))
    U = U / np.where(size > 0, size, 1.0)
    site = np.unique(np.asarray(sites), return_inverse=True)[1]
    patient = np.unique(np.asarray(patients), return_inverse=True)[1]
    sums = sums_of(U, site, patient)
    d = _within_df(U[:, :-1], site, patient)
    if d < 1 or len(sums.counts) < 2:
        return math.nan, math.nan
    gamma, sigma2 = _within(sums, len(U))
    if not sigma2 > 0:
        return math.nan, math.nan
    between = _between(sums, gamma, sigma2)
    r = between.rank
    if r < 1:
        return math.nan, math.nan
    inside = sigma2 * (1 + gamma)

    def pivot(share: float) -> float:
        return between.at(share / (1 - share) * inside) / r

    return (
        _meets(pivot, float(fdtri(r, d, 1 - alpha / 2))),
        _meets(pivot, float(fdtri(r, d, alpha / 2))),
    )


def _meets(pivot: "Callable[[float], float]", quantile: float) -> float:
    """The share at which the pivot, which falls, meets a quantile; 0 or 1 where it does not."""
    from scipy.optimize import brentq

    if pivot(0.0) <= quantile:
        return 0.0
    if pivot(LAST) >= quantile:
        return 1.0
    return float(brentq(lambda share: pivot(share) - quantile, 0.0, LAST, xtol=1e-10))


def _within_df(X: "Floats", site: "Ints", patient: "Ints") -> int:
    """Degrees of freedom between patients within sites, after columns of X that patients carry."""
    n, k = int(patient.max()) + 1, int(site.max()) + 1
    m = np.bincount(patient).astype(float)
    means = sum_by(patient, X, n) / m[:, None]
    carried = np.abs(X - means[patient]).max(axis=0, initial=0.0) < RANK
    home = np.empty(n, dtype=np.int64)
    home[patient] = site
    own = means[:, carried]
    centres = sum_by(home, own, k) / np.bincount(home, minlength=k)[:, None]
    return n - k - int(np.linalg.matrix_rank(own - centres[home], tol=RANK * math.sqrt(n)))


def _within(sums: Sums, n: int) -> tuple[float, float]:
    """gamma and sigma^2 by REML with a fixed effect of every site."""
    from scipy.optimize import minimize_scalar

    def deviance(share: float) -> float:
        return _deviance(sums, n, share / (1 - share))[0]

    if sums.sizes[-1] == 1:  # one reading a patient
        return 0.0, _deviance(sums, n, 0.0)[1]
    found = minimize_scalar(deviance, bounds=(0.0, LAST), method="bounded", options={"xatol": 1e-9})
    share = float(found.x) if found.fun < deviance(0.0) else 0.0
    gamma = share / (1 - share)
    return gamma, _deviance(sums, n, gamma)[1]


def _deviance(sums: Sums, n: int, gamma: float) -> tuple[float, float]:
    """Restricted deviance within sites, but for a constant, and its sigma^2."""
    A, B, D, log_K = sums.at(gamma)
    left = A - B.T @ (B / D[:, None])
    values, vectors = np.linalg.eigh(left[:-1, :-1])
    kept = values > RANK * max(float(np.abs(np.diag(A)).max()), 1.0)
    along = vectors[:, kept].T @ left[:-1, -1]
    rest = float(left[-1, -1] - (along**2 / values[kept]).sum())
    df = n - len(D) - int(kept.sum())
    if df < 1 or rest <= 0:
        return math.inf, 0.0
    logs = log_K + float(np.log(D).sum()) + float(np.log(values[kept]).sum())
    return df * math.log(rest / df) + logs, rest / df


@dataclass(frozen=True)
class _Between:
    """C = (diag(D) - S S') / sigma2 and q, of which no sites x sites matrix is made.

    D: (k,), S: (k, p), q: (k,). x: C x = q. rank: of C.
    """

    D: "Floats"
    S: "Floats"
    q: "Floats"
    x: "Floats"
    rank: int
    sigma2: float

    def at(self, tau2: float) -> float:
        """T(tau2) = x'(I + tau2 C)^-1 q, the inverse by Woodbury's identity."""
        if tau2 == 0:
            return float(self.x @ self.q)
        ratio = tau2 / self.sigma2
        E = 1 + ratio * self.D
        ES, Eq = self.S / E[:, None], self.q / E
        inside = np.eye(self.S.shape[1]) - ratio * (self.S.T @ ES)
        return float(self.x @ (Eq + ratio * (ES @ np.linalg.solve(inside, self.S.T @ Eq))))


def _between(sums: Sums, gamma: float, sigma2: float) -> _Between:
    """What the sites tell beside the fixed effects."""
    A, B, D, _ = sums.at(gamma)
    values, vectors = np.linalg.eigh(A[:-1, :-1])
    kept = values > RANK * max(float(values[-1]), 0.0)
    turned = vectors[:, kept] / np.sqrt(values[kept])
    S = B[:, :-1] @ turned
    q = (B[:, -1] - S @ (turned.T @ A[:-1, -1])) / sigma2
    # C lacks the directions that fixed effects take whole: I - S'D^-1 S is 0 there, and S'D^-1 q.
    DS = S / D[:, None]
    own, basis = np.linalg.eigh(np.eye(S.shape[1]) - S.T @ DS)
    used = own > RANK
    inner = basis[:, used] @ ((basis[:, used].T @ (DS.T @ q)) / own[used])
    x = sigma2 * (q / D + DS @ inner)
    return _Between(D, S, q, x, len(D) - int((~used).sum()), sigma2)
