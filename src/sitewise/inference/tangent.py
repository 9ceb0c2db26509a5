"""What a likelihood-ratio statistic is distributed as where variances lie on the boundary.

Self & Liang (1987), J. Am. Stat. Assoc. 82, 605-610, theorem 3: with Z ~ N(0, I^-1), I the
information at the null, C0 and C1 the tangent cones of the two models there,

    T = d2(Z, C0) - d2(Z, C1),    d2(z, C) = min over c in C of (z - c)'I (z - c).

The tangent cone of {D positive semidefinite} at D is {E : N'E N positive semidefinite}, N the null
space of D (all of the cone itself at D = 0): only N'E N matters, with the metric that remains when
all else is free. Where C0 is a linear space T is chi-bar-squared (Shapiro 1988, Int. Stat. Rev. 56,
49-62). T is homogeneous of degree 2, so with the radius r of the part of Z that is not free under
both models, r^2 ~ chi2(J), independent of its direction u,

    P(T >= t) = E_u P(chi2(J) >= t / T(u)),

whose mean over directions drawn from a seed has a small Monte Carlo error in the far tail, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sitewise.inference.cones import distances

DRAWS = 20_000
FREE = 1e-9  # of r^2: T(u) below it is 0, above 1 less it is r^2


@dataclass(frozen=True)
class Cone:
    """{x : G x in a product of PSD cones of these sizes}; G (k, n)."""

    G: np.ndarray = field(repr=False)
    sizes: tuple[int, ...]

    def squared(self, z: np.ndarray, information: np.ndarray) -> np.ndarray:
        """d2 of each row of z (n, J) in the metric of the information."""
        if not self.sizes:
            return np.zeros(len(z))
        spread = self.G @ np.linalg.solve(information, self.G.T)
        return distances(z @ self.G.T, np.linalg.inv(spread), self.sizes)


@dataclass(frozen=True)
class ChiBar:
    """A simulated null distribution.

    J: dimensions not free under both models. shares: T(u) of each draw. weights: of chi2(0),
    chi2(1), ..., chi2(J), where C0 is linear and J <= 3 (they follow from how often T(u) is 0 and
    1: weights of even and of odd degrees sum to 1/2 each); else empty.
    """

    J: int
    shares: np.ndarray = field(repr=False)
    weights: tuple[float, ...]

    def p(self, statistic: float, more: int = 0) -> tuple[float, float]:
        """P(T + chi2(more) >= statistic) and its Monte Carlo standard error."""
        if statistic <= 0:
            return 1.0, 0.0
        if more:
            return self._with_more(statistic, more)
        from scipy import special  # scipy.stats takes half a second longer to import

        with np.errstate(divide="ignore"):
            tails = special.chdtrc(self.J, statistic / self.shares)
        return _mean(tails)

    def _with_more(self, statistic: float, more: int) -> tuple[float, float]:
        """Fixed effects are tested, too: asymptotically independent of the variances.

        r^2 and chi2(more) sum to chi2(J + more), of which r^2 is a Beta(J/2, more/2) share.
        """
        from scipy import special

        generator = np.random.default_rng(len(self.shares))
        own = generator.beta(self.J / 2, more / 2, len(self.shares))
        total = own * self.shares + (1 - own)
        return _mean(special.chdtrc(self.J + more, statistic / total))


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def constraint(null_spaces: Sequence[np.ndarray], starts: Sequence[int], n: int) -> Cone:
    """The tangent cone of PSD blocks in n parameters.

    null_spaces: N (q, m) of each block, m may be 0. starts: position of its lower triangle in v.
    """
    parts, sizes = [], []
    for N, start in zip(null_spaces, starts, strict=True):
        q, m = N.shape
        if m == 0:
            continue
        columns, rows = np.triu_indices(q)
        own_columns, own_rows = np.triu_indices(m)
        E = np.zeros((len(rows), q, q))
        E[np.arange(len(rows)), rows, columns] = 1.0
        E[np.arange(len(rows)), columns, rows] = 1.0
        block = np.zeros((len(own_rows), n))
        block[:, start : start + len(rows)] = (N.T @ E @ N)[:, own_rows, own_columns].T
        parts.append(block)
        sizes.append(m)
    return Cone(np.vstack(parts) if parts else np.zeros((0, n)), tuple(sizes))


def chi_bar(
    information: np.ndarray, A: np.ndarray, null: Cone, full: Cone, *, seed: int, draws: int = DRAWS
) -> ChiBar:
    """The null distribution.

    information: (n, n) in the larger model's v at the null. A: (n, n0), the smaller model's
    directions in v, of full column rank. null: its cone in n0 parameters. full: the larger one's.
    Raises LinAlgError where the information is not positive definite.
    """
    scale = 1 / np.sqrt(np.diag(information))
    root = np.linalg.cholesky(information * np.outer(scale, scale))
    if np.linalg.cond(root) > 1e6:
        raise np.linalg.LinAlgError("the data say nothing on some parameter at the null")
    root = root / scale[:, None]
    g = np.random.default_rng(seed).standard_normal((draws, len(information)))
    z = np.linalg.solve(root.T, g.T).T  # I = root root', so z ~ N(0, I^-1)
    half = root.T @ A
    Q, R = np.linalg.qr(half)
    own = np.linalg.solve(R, Q.T @ g.T).T
    outside = np.einsum("ni,ni->n", g, g) - np.einsum("ni,ni->n", g @ Q, g @ Q)
    T = np.maximum(outside, 0.0) + null.squared(own, half.T @ half) - full.squared(z, information)
    free = half @ _null_space(null.G) if null.sizes else half
    F = np.linalg.qr(free)[0] if free.shape[1] else np.zeros((len(information), 0))
    J = len(information) - F.shape[1]
    r2 = np.einsum("ni,ni->n", g, g) - np.einsum("ni,ni->n", g @ F, g @ F)
    shares = np.clip(T / r2, 0.0, 1.0)
    shares[shares < FREE] = 0.0
    shares[shares > 1 - FREE] = 1.0
    return ChiBar(J, shares, _weights(shares, J) if not null.sizes else ())


def _weights(shares: np.ndarray, J: int) -> tuple[float, ...]:
    none, all_of_it = float(np.mean(shares == 0)), float(np.mean(shares == 1))
    if J == 1:
        return none, 1 - none
    if J == 2:
        return none, 1 - none - all_of_it, all_of_it
    if J == 3:
        return none, 0.5 - all_of_it, 0.5 - none, all_of_it
    return ()


def _null_space(G: np.ndarray) -> np.ndarray:
    _, sizes, right = np.linalg.svd(G)
    rank = int(np.sum(sizes > 1e-10 * sizes.max(initial=1e-300)))
    found: np.ndarray = right[rank:].T
    return found


def block_null(D: np.ndarray, threshold: float) -> np.ndarray:
    """Orthonormal null space (q, m) of a block, singular values of its root below `threshold`."""
    values, vectors = np.linalg.eigh(D)
    found: np.ndarray = vectors[:, np.sqrt(np.maximum(values, 0.0)) < threshold]
    return found
