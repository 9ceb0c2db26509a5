"""The result of comparing models: likelihood-ratio tests and information criteria."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelComparison:
    """One likelihood-ratio test of two models of the plan.

    refused: why the test would be invalid; empty if it was made (then the numbers stand).
    method: `REML` or `ML`: the likelihood that the statistic uses.
    statistic: 2 (loglik_full - loglik_null), not below 0 beyond rounding; df: difference in npar.
    p_naive: against chi-squared on df.
    p_mixture: against the boundary mixture; None where no mixture applies. p_error: its Monte
    Carlo standard error, 0 where the weights are known.
    mixture: the mixture in words, e.g. `0.5 chi2(0) + 0.5 chi2(1)`; or why there is none.
    p_bootstrap: by the parametric bootstrap with its Monte Carlo standard error, draws and seed;
    None where there is none.
    cautions: sentences (few levels of the tested group, singular null).
    f, f_df1, f_df2, f_p: where fixed effects are tested, the F test of them in the larger model by
    its own degrees of freedom; None elsewhere. df_fixed: how many of df are fixed effects.
    """

    question: str
    null: str
    full: str
    refused: str
    method: str
    loglik_null: float
    loglik_full: float
    statistic: float
    df: int
    p_naive: float
    p_mixture: float | None
    mixture: str
    cautions: tuple[str, ...]
    p_error: float = 0.0
    p_bootstrap: float | None = None
    bootstrap_error: float | None = None
    bootstrap_draws: int | None = None
    bootstrap_seed: int | None = None
    df_fixed: int = 0
    f: float | None = None
    f_df1: int | None = None
    f_df2: float | None = None
    f_p: float | None = None


@dataclass(frozen=True)
class CriterionRow:
    """Information criteria of one model within a group that is comparable."""

    model: str
    label: str
    formula: str
    nobs: int
    npar: int
    loglik: float
    aic: float
    bic: float
    singular: bool
    converged: bool


@dataclass(frozen=True)
class CriterionGroup:
    """Models whose AIC and BIC may be compared: same rows, same method; REML: same fixed part."""

    basis: str
    rows: tuple[CriterionRow, ...]


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of one endpoint, in the order of the plan."""

    endpoint: str
    tests: tuple[ModelComparison, ...]
    criteria: tuple[CriterionGroup, ...]
