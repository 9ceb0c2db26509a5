"""How likely the largest of several |t| is beyond a point, exact in the far tail.

Given the scale s, s^2 ~ chi2(df) / df, a family of t statistics is normal, and each is beyond c
where its normal is beyond a = c s. So with p(c) = P(|T| > c) of a single one and any family's

    more(a) = P(some |Z_i| > a) / P(|Z| > a),  between 1 and the number of comparisons,

the family's tail is p(c) times the mean of more(c s) over s given |T| > c. Nothing is subtracted
from 1: the result has as many digits at 1e-200 as at 0.05, is never below p(c), grows with p(c),
and is 0 only where p(c) is. A union is split as "i beyond, none before i beyond", so that `more` is
a sum of means over what is known given Z_i > a:

- studentised range (Copenhaver & Holland 1988, J. Stat. Comput. Simul. 30, 1-15, for its inner
  integral), over the largest mean: one integral.
- correlations f_i f_j (Dunnett 1955, J. Am. Stat. Assoc. 50, 1096-1121, sec. 3), over the common
  factor: one integral.
- any correlations (Genz 1992, J. Comput. Graph. Stat. 1, 141-149), variable after variable on a
  fixed lattice (Richtmyer's, with Hickernell's tent), the same numbers every time.

Integrands are analytic and fall off at both ends, where the trapezoidal rule converges faster than
any power of its step (Trefethen & Weideman 2014, SIAM Rev. 56, 385-458).
"""

from collections.abc import Callable

import numpy as np

Floats = np.ndarray
More = Callable[[Floats], Floats]

FALL = 40.0  # fall of a log density from its top, beyond which nothing is integrated
SCALES = 256  # steps of the integral over s
REACH = 9.0  # in SDs, of the integrals over normal variables
NARROW = 0.1  # least SD beside a common factor that its integral takes
POINTS = 8192  # of the lattice
ENDS = 32  # where a family on the lattice is computed, between them a polynomial
FAR = 38.0  # from here on tails of normals are apart


def beyond(c: float, df: float, more: More) -> float:
    """P(some |T_i| > c) of a family, df of the common scale (inf: normals). Relative error 1e-9."""
    from scipy import special

    if np.isnan(c) or np.isnan(df):
        return np.nan
    if np.isinf(df):
        return float(min(1.0, 2 * special.ndtr(-c) * more(np.array([c]))[0]))
    s, weights = _scales(c, df)
    return float(min(1.0, 2 * special.stdtr(df, -c) * max(1.0, weights @ more(c * s))))


def point(tail: float, df: float, more: More, comparisons: int) -> float:
    """c with beyond(c) = tail: from that of one comparison to Bonferroni's."""
    from scipy import special
    from scipy.optimize import brentq

    def single(p: float) -> float:
        return float(-special.ndtri(p / 2) if np.isinf(df) else -special.stdtrit(df, p / 2))

    low, high = single(tail), single(tail / comparisons) * (1 + 1e-9)
    if np.isnan(df):
        return np.nan
    return float(
        brentq(lambda c: np.log(beyond(c, df, more) / tail), low * (1 - 1e-9), high, xtol=1e-10)
    )


def _scales(c: float, df: float) -> tuple[Floats, Floats]:
    """s, and their weights given |T| > c, which sum to 1; (SCALES,) each."""
    from scipy import special
    from scipy.optimize import brentq

    def log_density(u: Floats | float) -> Floats:  # of u = log s; concave
        s = np.exp(u)
        return np.asarray(df * (u - s * s / 2) + special.log_ndtr(-c * s))

    rough = np.linspace(-np.log(c + 2) - 1, 1.0, 400)
    values = log_density(rough)
    top, height = rough[values.argmax()], values.max()

    def fallen(u: float) -> float:
        return float(log_density(u) - height + FALL)

    left = brentq(fallen, top - 2 * (FALL + 10) / df - 10, top, xtol=1e-3)
    right = brentq(fallen, top, 8.0, xtol=1e-3)
    u = np.linspace(left, right, SCALES)
    weights = np.exp(log_density(u) - height)
    return np.exp(u), weights / weights.sum()


def range_more(means: int) -> More:
    """Of all pairs of independent means of equal variance, as Tukey's."""
    from scipy import special

    def more(a: Floats) -> Floats:
        width = a[:, None] * np.sqrt(2)
        z = width / 2 + np.linspace(-REACH, REACH + 1, 120)  # the largest mean
        weights = _normalised(-(z**2) / 2 + special.log_ndtr(z - width))
        below, far_below = special.ndtr(z), special.ndtr(z - width)
        within = np.maximum(below - far_below, 0.0)
        parts = sum(below**j * within ** (means - 2 - j) for j in range(means - 1))
        return np.asarray(means / 2 * (weights * parts).sum(axis=1))

    return _bounded(more, means * (means - 1) // 2)


def largest_more(correlations: Floats) -> More:
    """Of estimates with these correlations, (k, k), k of 2 or more."""
    factor = common_factor(correlations)
    more = _between(lattice_more(correlations)) if factor is None else factor_more(factor)
    return _bounded(more, len(correlations))


def common_factor(correlations: Floats) -> Floats | None:
    """f with correlations f_i f_j, as those of comparisons of independent means have; else None."""
    k = len(correlations)
    off = correlations - np.diag(np.diag(correlations))
    if not np.any(off):
        return np.zeros(k)
    if k == 2:
        size = np.sqrt(abs(off[0, 1]))
        found = np.array([size, np.copysign(size, off[0, 1])])
    else:
        found = np.zeros(k)
        for i in range(k):
            others = np.delete(np.arange(k), i)
            inner = np.abs(off[np.ix_(others, others)])
            a, b = others[list(np.unravel_index(inner.argmax(), inner.shape))]
            if off[a, b] == 0:
                return None
            found[i] = np.sqrt(max(off[i, a] * off[i, b] / off[a, b], 0.0))
        found *= np.where(off[np.argmax(found)] < 0, -1.0, 1.0)
    made = np.outer(found, found)
    np.fill_diagonal(made, 0.0)
    wide = np.abs(found).max() < np.sqrt(1 - NARROW**2)
    return found if wide and np.abs(made - off).max() < 1e-9 else None


def factor_more(factor: Floats) -> More:
    """Z_i = f_i Y + sqrt(1 - f_i^2) E_i: given Y they are independent."""
    from scipy import special

    rest = np.sqrt(1 - factor**2)
    steps = np.linspace(-REACH, REACH, int(np.ceil(2 * REACH * 1.8 / rest.min())))

    def more(a: Floats) -> Floats:
        ends, found = a[:, None], np.zeros(len(a))
        for i, (f, r) in enumerate(zip(factor, rest, strict=True)):
            y = f * ends + steps
            weights = _normalised(-(y**2) / 2 + special.log_ndtr((f * y - ends) / r))
            for g, q in zip(factor[:i], rest[:i], strict=True):
                weights = weights * (
                    special.ndtr((ends - g * y) / q) - special.ndtr((-ends - g * y) / q)
                )
            found += weights.sum(axis=1)
        return found

    return more


def lattice_more(correlations: Floats) -> More:
    """By the lattice, each variable drawn given those before it."""
    k = len(correlations)
    primes = [n for n in range(2, 8 * k + 8) if all(n % m for m in range(2, n))][:k]
    drawn = np.outer(np.arange(1, POINTS + 1), np.sqrt(primes)) % 1.0
    drawn = np.clip(1 - np.abs(2 * drawn - 1), 1e-15, 1 - 1e-15)
    roots = [_root(correlations, [i, *range(i)]) for i in range(1, k)]

    def more(a: Floats) -> Floats:
        return np.array([1 + sum(_none_before(end, root, drawn) for root in roots) for end in a])

    return more


def _none_before(end: float, root: Floats, drawn: Floats) -> float:
    """P(all but the first within +-end | the first > end); root: Cholesky factor, (k, k)."""
    from scipy import special

    z = np.zeros((len(drawn), len(root)))
    z[:, 0] = -special.ndtri_exp(np.log(drawn[:, 0]) + special.log_ndtr(-end))
    inside = np.ones(len(drawn))
    for j in range(1, len(root)):
        centre, sd = z[:, :j] @ root[j, :j], max(root[j, j], 1e-12)
        low, high = special.ndtr((-end - centre) / sd), special.ndtr((end - centre) / sd)
        inside *= high - low
        if j + 1 < len(root):
            at = np.clip(low + drawn[:, j] * (high - low), 1e-300, 1 - 1e-16)
            z[:, j] = special.ndtri(at)
    return float(inside.mean())


def _root(correlations: Floats, order: list[int]) -> Floats:
    """Lower Cholesky factor in this order; 0 for what is own of one that the others determine."""
    C = correlations[np.ix_(order, order)]
    root = np.zeros_like(C)
    for j in range(len(C)):
        own = C[j, j] - root[j, :j] @ root[j, :j]
        if own < 1e-12:
            continue
        root[j, j] = np.sqrt(own)
        root[j + 1 :, j] = (C[j + 1 :, j] - root[j + 1 :, :j] @ root[j, :j]) / root[j, j]
    return root


def _between(more: More) -> More:
    """Computed at Chebyshev points of x = a / (a + 3) once; a polynomial between them."""
    top = FAR / (FAR + 3)
    nodes = np.cos(np.pi * (np.arange(ENDS) + 0.5) / ENDS)
    x = (nodes + 1) / 2 * top
    fitted = np.polynomial.chebyshev.chebfit(nodes, more(3 * x / (1 - x)), ENDS - 1)

    def found(a: Floats) -> Floats:
        x = np.minimum(a / (a + 3), top)
        return np.asarray(np.polynomial.chebyshev.chebval(2 * x / top - 1, fitted))

    return found


def _bounded(more: More, comparisons: int) -> More:
    """Between 1 and the number of comparisons, which rounding may pass."""
    return lambda a: np.clip(more(a), 1.0, comparisons)


def _normalised(logs: Floats) -> Floats:
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
