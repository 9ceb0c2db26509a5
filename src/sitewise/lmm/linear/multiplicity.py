"""Adjusted p-values and simultaneous intervals of a family of t tests.

Bonferroni; Holm 1979, Scand. J. Stat. 6, 65-70; Hochberg 1988, Biometrika 75, 800-802; Tukey by the
studentised range, each comparison on its own df (as R's emmeans); Dunnett 1955, J. Am. Stat. Assoc.
50, 1096-1121, by the multivariate t with the correlations of the estimates. An interval excludes 0
exactly where its adjusted p is below 1 - level. Holm and Hochberg are stepwise: no interval does
that, so they have none.
"""

from collections.abc import Callable, Sequence

import numpy as np

from sitewise.errors import ModelError, Problem

ADJUSTMENTS = ("none", "bonferroni", "holm", "hochberg", "tukey", "dunnett")
STEPWISE = ("holm", "hochberg")
POINTS = 5_000  # of the quasi-random integration, a comparison
SEED = 20_261_123  # of its shift: the same numbers every time
NORMAL = 1e6  # df from which t is normal
EDGE = 1e-13  # of the chi-square that is left out of an integral


def check_adjustment(adjust: str, kinds: Sequence[str]) -> None:
    """ModelError unless one of the general ones or of `kinds`, those that fit the comparisons."""
    allowed = [name for name in ADJUSTMENTS if name not in ("tukey", "dunnett") or name in kinds]
    if adjust in allowed:
        return
    what = f"unknown adjustment {adjust!r}"
    if adjust in ADJUSTMENTS:
        fits = {"tukey": "all pairs: .pairs()", "dunnett": "comparisons with one: .against()"}
        what = f"{adjust} is for {fits[adjust]}"
    raise ModelError(
        "The comparisons can't be adjusted as asked.",
        [Problem(what, where="adjust", allowed=", ".join(allowed))],
    )


def adjusted_p(
    adjust: str, t: np.ndarray, df: np.ndarray, p: np.ndarray, family: tuple[int, np.ndarray]
) -> np.ndarray:
    """Of one family, (k,). family: means compared, and correlations of the estimates (k, k)."""
    means, correlations = family
    k = len(p)
    if adjust == "bonferroni":
        return np.asarray(np.minimum(1.0, k * p))
    if adjust in STEPWISE:
        return _stepwise(p, adjust == "holm")
    if adjust == "tukey" and means > 2:
        pairs = zip(t, df, strict=True)
        return np.array([_range_tail(np.sqrt(2) * abs(x), means, d) for x, d in pairs])
    if adjust == "dunnett" and k > 1:
        return np.array([1 - _inside(abs(x), d, correlations) for x, d in zip(t, df, strict=True)])
    return p


def critical(
    adjust: str, df: np.ndarray, level: float, family: tuple[int, np.ndarray]
) -> np.ndarray:
    """By how many SEs the intervals reach, (k,); NaN where there is no interval."""
    from scipy import special

    means, correlations = family
    k = len(df)
    if adjust in STEPWISE and k > 1:
        return np.full(k, np.nan)
    if adjust == "tukey" and means > 2:
        return np.array([_range_point(level, means, d) / np.sqrt(2) for d in df])
    if adjust == "dunnett" and k > 1:
        each = {d: _solve(lambda c, d=d: _inside(c, d, correlations) - level) for d in set(df)}  # type: ignore[misc]
        return np.array([each[d] for d in df])
    tail = 1 - (1 - level) / 2 / (k if adjust == "bonferroni" else 1)
    normal = np.isinf(df)
    points = special.stdtrit(np.where(normal, 1.0, df), tail)
    return np.asarray(np.where(normal, special.ndtri(tail), points))


def _stepwise(p: np.ndarray, down: bool) -> np.ndarray:
    k = len(p)
    order = np.argsort(p, kind="stable")
    scaled = (k - np.arange(k)) * p[order]
    back = np.minimum.accumulate(scaled[::-1])[::-1]
    stepped = np.maximum.accumulate(scaled) if down else back
    found = np.empty(k)
    found[order] = np.minimum(1.0, stepped)
    return found


def _range_tail(q: float, means: int, df: float) -> float:
    from scipy.stats import studentized_range

    return float(studentized_range.sf(q, means, min(df, NORMAL)))


def _range_point(level: float, means: int, df: float) -> float:
    return _solve(lambda q: 1 - _range_tail(q, means, df) - level)


def _inside(c: float, df: float, correlations: np.ndarray) -> float:
    """P(all |T_i| <= c) of the multivariate t: that of the normal at c s, s^2 ~ chi2(df) / df."""
    from scipy import special

    if df > NORMAL:
        return float(_inside_normal(np.array([c]), correlations)[0])
    ends = np.sqrt(special.chdtri(df, np.array([1 - EDGE, EDGE])) / df)
    s, weights = _nodes(ends[0], ends[1], 32)
    log_density = (
        np.log(2) + df / 2 * np.log(df / 2) - special.gammaln(df / 2)
        + (df - 1) * np.log(s) - df * s**2 / 2
    )  # fmt: skip
    return float(weights @ (np.exp(log_density) * _inside_normal(c * s, correlations)))


def _inside_normal(ends: np.ndarray, correlations: np.ndarray) -> np.ndarray:
    """P(all |Z_i| <= end) at each end, (n,)."""
    from scipy import special
    from scipy.stats import multivariate_normal

    factor = _one_factor(correlations)
    if factor is None:
        k = len(correlations)
        law = multivariate_normal(
            np.zeros(k), correlations, allow_singular=True, maxpts=POINTS * k, seed=SEED
        )
        each = [law.cdf(np.full(k, end), lower_limit=np.full(k, -end)) for end in ends]
        return np.array(each, dtype=float)
    # Z_i = f_i Y + sqrt(1 - f_i^2) E_i: given Y they are independent (Dunnett 1955, sec. 3).
    y, weights = _nodes(-8.5, 8.5, 240)
    rest = np.sqrt(1 - factor**2)
    centre = factor * y[:, None] / rest
    reach = ends[:, None, None] / rest
    inside = (special.ndtr(reach - centre) - special.ndtr(-reach - centre)).prod(axis=-1)
    density = weights * np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(inside @ density)


def _one_factor(correlations: np.ndarray) -> np.ndarray | None:
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
    return found if np.abs(made - off).max() < 1e-9 and np.abs(found).max() < 0.999 else None


def _nodes(first: float, last: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre points and weights between two ends."""
    x, w = np.polynomial.legendre.leggauss(count)
    half = (last - first) / 2
    return first + half * (x + 1), half * w


def _solve(distance: Callable[[float], float]) -> float:
    from scipy.optimize import brentq

    top = 4.0
    while distance(top) < 0:
        top *= 2
    return float(brentq(distance, 0.0, top, xtol=1e-6))
