"""Satterthwaite and Kenward-Roger: how the variances' uncertainty reaches the fixed effects.

With Phi = (X'V^-1X)^-1, v the natural parameters of V, P_j, Q_jk, R_jk as in
`sitewise.lmm.likelihood.Point`, and W the covariance of the estimates of v:

- One row l (Fai & Cornelius 1996, J. Stat. Comput. Simul. 54, 363-378; Kenward & Roger 1997,
  Biometrics 53, 983-997): df = 2 f^2 / (g'W g), f = l'Phi l, g_j = -l'Phi P_j Phi l.
- Kenward & Roger 1997, eq. 4-5: Phi_A = Phi + 2 Phi [sum W_jk (Q_jk - P_j Phi P_k - R_jk/4)] Phi.

W from the expected information is E^-1 in v: V is linear in the entries of each D, so a variance
at 0 stays among them, as in pbkrtest. From the observed one it is twice the inverse of the
deviance's Hessian in phi, flat directions left out: a variance at 0 contributes nothing, as in
lmerTest. All is computed in conditioned units.
"""

from dataclasses import dataclass, field

import numpy as np

from sitewise.lmm.engine import Solution
from sitewise.lmm.linear.joint import FTest, independent_rows, kenward_roger_f, satterthwaite_f
from sitewise.lmm.linear.method import Method

HEARD = 1e-8  # share of a row's variance that a variance may move unheard
FLAT = 1e-10  # eigenvalue of an information, relative to the largest, that says nothing


@dataclass(frozen=True)
class Delta:
    """Satterthwaite or Kenward-Roger of one solution, p fixed effects, J parameters.

    beta (p,), vcov (p, p): in the units of the data, vcov adjusted under Kenward-Roger. phi: Phi
    before any adjustment, adjusted: Phi_A, first: P_j (J, p, p), W (J, J): in conditioned units.
    silent: (J,) bool, variances on which the data say nothing; what hangs on one has no df.
    """

    method: Method
    beta: np.ndarray
    vcov: np.ndarray = field(repr=False)
    R: np.ndarray = field(repr=False)
    b: np.ndarray = field(repr=False)
    phi: np.ndarray = field(repr=False)
    adjusted: np.ndarray = field(repr=False)
    first: np.ndarray = field(repr=False)
    W: np.ndarray = field(repr=False)
    silent: np.ndarray = field(repr=False)

    def df(self, rows: np.ndarray) -> np.ndarray:
        """(k,) of the rows (k, p); inf where no variance has a say, NaN where a silent one has."""
        f, g = self._slopes(rows)
        with np.errstate(divide="ignore", invalid="ignore"):  # a row of zeros has none: NaN
            found: np.ndarray = 2 * f**2 / np.einsum("ki,ij,kj->k", g, self.W, g)
        return np.where(self.hangs(rows), np.nan, found)

    def hangs(self, rows: np.ndarray) -> np.ndarray:
        """(k,) bool: whether the variance of a row hangs on one that the data say nothing on."""
        f, g = self._slopes(rows)
        heard: np.ndarray = np.abs(g[:, self.silent]) > HEARD * f[:, None]
        return np.asarray(heard.any(axis=1))

    def joint(self, rows: np.ndarray) -> FTest:
        """F test that all rows (k, p) are 0."""
        if self.hangs(np.atleast_2d(rows)).any():
            return FTest(np.nan, len(independent_rows(rows)), np.nan, np.nan, np.nan)
        if self.method.df == "satterthwaite":
            return satterthwaite_f(rows, self.beta, self.vcov, self.df)
        kept = independent_rows(self._conditioned(rows))
        return kenward_roger_f(kept, self.b, (self.phi, self.adjusted), self.first, self.W)

    def _conditioned(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.solve(self.R.T, np.atleast_2d(rows).T).T)

    def _slopes(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """f (k,) and g (k, J) of each row."""
        conditioned = self._conditioned(rows)
        projected = conditioned @ self.phi
        f = np.einsum("ka,ka->k", projected, conditioned)
        return f, -np.einsum("ka,jab,kb->kj", projected, self.first, projected, optimize=True)


def delta_of(solution: Solution, beta: np.ndarray, method: Method) -> Delta:
    """For a solution; `beta` in the units of the data."""
    point, fixed = solution.point, solution.model.fixed
    W = spread_of(solution, method.information)
    adjusted = point.phi
    if method.df == "kenward-roger":
        adjusted = _adjusted(solution, W, method.form)
    back = np.linalg.inv(fixed.R)
    vcov = fixed.unit**2 * back @ adjusted @ back.T
    b = fixed.R @ beta / fixed.unit
    return Delta(
        method, beta, (vcov + vcov.T) / 2, fixed.R, b, point.phi, adjusted, point.first, W,
        point.silent,
    )  # fmt: skip


def spread_of(solution: Solution, information: str) -> np.ndarray:
    """W, the covariance of the estimates of v, (J, J)."""
    if information == "observed":
        J = solution.model.parameters.jacobian(solution.phi)
        values, vectors = np.linalg.eigh(solution.hessian)
        kept = values > FLAT * values[-1]
        root = J @ (vectors[:, kept] * np.sqrt(2 / values[kept]))
        return np.asarray(root @ root.T)
    heard = np.flatnonzero(~solution.point.silent)
    E = solution.point.expected[np.ix_(heard, heard)]
    size = np.sqrt(np.diag(E))
    values, vectors = np.linalg.eigh(E / np.outer(size, size))
    kept = values > FLAT * values[-1]
    root = vectors[:, kept] / np.sqrt(values[kept]) / size[:, None]
    W = np.zeros(solution.point.expected.shape)
    W[np.ix_(heard, heard)] = root @ root.T
    return W


def _adjusted(solution: Solution, W: np.ndarray, form: str) -> np.ndarray:
    point = solution.point
    P, phi = point.first, point.phi
    PW = np.einsum("jk,kab->jab", W, P)
    inner = np.einsum("jk,jkab->ab", W, point.second) - np.einsum("jab,bc,jcd->ad", P, phi, PW)
    if form == "full":
        inner = inner - _bent(solution, W) / 4
    adjusted = phi + 2 * phi @ inner @ phi
    return np.asarray((adjusted + adjusted.T) / 2)


def _bent(solution: Solution, W: np.ndarray) -> np.ndarray:
    """sum W_jk R_jk in mmrm's theta of the residual covariance, (p, p).

    Random effects and sigma^2 stay in their variances and covariances, in which V is linear: mmrm
    has neither, and its theta does not exist on the boundary.
    """
    parameters, point = solution.model.parameters, solution.point
    bent = np.zeros_like(point.phi)
    if parameters.has_sigma:
        return bent
    if point.curved is not None:
        bent += np.einsum("jk,jkab->ab", W, point.curved)
    own, at = parameters.v_at[-1], parameters.phi_at[-1]
    slopes, bends = parameters.residual.mmrm(solution.phi[at])
    back = np.linalg.inv(slopes)
    weights = np.einsum("ab,jab->j", back @ W[own, own] @ back.T, bends)
    # X'V^-1 V_j V^-1 X = -P_j
    return np.asarray(bent - np.einsum("j,jab->ab", weights, point.first[own]))
