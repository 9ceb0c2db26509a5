"""The result of a fit: frozen, complete, nothing attached afterwards."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """One linear combination of the fixed effects and its test against 0.

    estimate, se, lower, upper: in units of the outcome (per unit of the column, for a slope).
    df: denominator degrees of freedom; t = estimate / se; p two-sided.
    lower, upper: interval of coverage 1 - alpha, by the t distribution on df.
    """

    name: str
    estimate: float
    se: float
    df: float
    t: float
    p: float
    lower: float
    upper: float


@dataclass(frozen=True)
class RandomTerm:
    """Covariance of one random-effects term `(terms | group)`, q terms.

    variances, sds: shape (q,), in squared units and units of the outcome per unit of the term.
    correlations: shape (q, q); NaN where a variance is 0.
    levels: number of levels of the group.
    """

    group: str
    terms: tuple[str, ...]
    variances: tuple[float, ...]
    sds: tuple[float, ...]
    correlations: tuple[tuple[float, ...], ...]
    levels: int


@dataclass(frozen=True)
class Singularity:
    """Whether the fit lies on the boundary of its parameter space: a verdict free of units.

    smallest: the smallest singular value over all terms of the relative covariance factor, its
        columns scaled by the root mean square of the term's values (so dimensionless, relative to
        sigma); singular if below `threshold`.
    where: the term concerned, as `1 + WEEK | USUBJID`; empty if not singular.
    kind: "" (not singular), "variance 0", or "correlation" (a combination of terms without
        variance, e.g. correlation +-1 of intercept and slope).
    """

    singular: bool
    smallest: float
    threshold: float
    where: str
    kind: str


@dataclass(frozen=True)
class Optimum:
    """How the optimiser got there: its own account, for the record."""

    engine: str
    engine_version: str
    optimizer: str
    iterations: int
    evaluations: int
    gradient_norm: float
    message: str


@dataclass(frozen=True)
class Fit:
    """A fitted linear mixed model, p fixed effects, n rows.

    vcov: shape (p, p), model-based covariance of the fixed effects, order of `fixef`.
    theta: relative Cholesky factors, term by term, lower triangles by column (as lme4).
    loglik: REML or ML log-likelihood as lme4, nlme and SAS count it (no log|X'X| term).
    npar: fixed effects + variances and covariances + residual variance; aic and bic use it, bic
        with log(nobs) (as lme4).
    aliased: columns dropped because they are combinations of others, as R drops them.
    levels: levels of each factor, the first is the reference.
    hypotheses: estimates of the requested linear combinations, in the order asked.
    rows: sha256 of the identifiers of the rows used: equal digests mean the same rows.
    df_method, df_information, df_form: as `sitewise.lmm.linear.method.Method` has them; under
        kenward-roger the SEs of `fixef` and `hypotheses` are adjusted and vcov is not.
    phi: covariance parameters as the engine has them, of the moments fitted; () where not kept.
    """

    formula: str
    reml: bool
    nobs: int
    fixef: tuple[Estimate, ...]
    vcov: tuple[tuple[float, ...], ...]
    hypotheses: tuple[Estimate, ...]
    random: tuple[RandomTerm, ...]
    sigma: float
    theta: tuple[float, ...]
    loglik: float
    deviance: float
    npar: int
    aic: float
    bic: float
    aliased: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    df_method: str
    alpha: float
    optimum: Optimum
    converged: bool
    singularity: Singularity
    warnings: tuple[str, ...]
    rows: str
    phi: tuple[float, ...] = ()
    df_information: str = ""
    df_form: str = ""
