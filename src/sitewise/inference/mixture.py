"""P-values of likelihood-ratio statistics: chi-squared, and the mixture at one boundary.

One variance on the boundary: Self & Liang (1987), J. Am. Stat. Assoc. 82, 605-610, cases 5 and 6;
Stram & Lee (1994), Biometrics 50, 1171-1177: a random effect added to q correlated ones is tested
against 0.5 chi2(q) + 0.5 chi2(q + 1).
"""

ROUNDING = 1e-6  # of a log-likelihood: the engine's optimum is good to this


def likelihood_ratio(null: float, full: float) -> float:
    """2 (full - null) of log-likelihoods, 0 where it is 0 but for rounding."""
    statistic = 2 * (full - null)
    return statistic if statistic > ROUNDING else 0.0


def naive_p(statistic: float, df: int) -> float:
    """P(chi2(df) >= statistic)."""
    from scipy import special  # scipy.stats takes half a second longer to import

    return float(special.chdtrc(df, statistic))


def mixture_p(statistic: float, q: int) -> float:
    """P of 0.5 chi2(q) + 0.5 chi2(q + 1); chi2(0) is the point 0, so 1 at a statistic of 0."""
    lower = float(statistic <= 0) if q == 0 else naive_p(statistic, q)
    return 0.5 * lower + 0.5 * naive_p(statistic, q + 1)


def mixture_words(q: int) -> str:
    """`0.5 chi2(1) + 0.5 chi2(2)`."""
    return f"0.5 chi2({q}) + 0.5 chi2({q + 1})"
