"""`sitewise.lrt(fit0, fit1)`: likelihood-ratio tests of nested mixed models, or why none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from sitewise.errors import ComparisonError, ModelError, Problem, plural
from sitewise.inference.mixture import likelihood_ratio, mixture_p, mixture_words, naive_p
from sitewise.inference.placed import Pair, place
from sitewise.inference.smaller import NotEmbeddedError
from sitewise.inference.tangent import ChiBar
from sitewise.lmm.arguments import check_seed, is_whole
from sitewise.lmm.lmmfit import LmmFit

FEW_UNITS = 20
BOOTSTRAP = 999  # draws at most where units are few and none are asked for
SURE = 20  # draws with a statistic as large that end a bootstrap: p is then known within a quarter
FIXED = (
    "Fixed effects are tested: the chi-square takes the variances for known. F with its degrees of"
    " freedom: fit.contrast(rows, joint=True)."
)
CHI2, MIXTURE, CHI_BAR = "chi2", "mixture", "chi-bar"


@dataclass(frozen=True)
class BootstrapTest:
    """The statistic refitted to outcomes drawn from the smaller model.

    Drawn until `SURE` statistics are as large as the one tested, l draws: p = SURE / l; else p =
    (1 + as many as are as large) / (1 + draws); valid tests both (Besag & Clifford 1991, Biometrika
    78, 301-304). error: its Monte Carlo standard error. draws: made; most: asked for. statistics:
    (draws,). failed: draws whose search did not converge; they count as they ended.
    """

    p: float
    error: float
    draws: int
    most: int
    failed: int
    seed: int
    statistics: np.ndarray = field(repr=False)

    @property
    def drawn(self) -> str:
        """How many draws were made, and why fewer than were asked for."""
        if self.draws == self.most:
            return f"{self.draws} draws"
        return f"{self.draws} draws of at most {self.most}, as {SURE} were as large by then"


@dataclass(frozen=True)
class LrtResult:
    """A likelihood-ratio test.

    null, full: the formulas. method: REML or ML. statistic: 2 (loglik_full - loglik_null), not
    below 0 beyond rounding. df: difference in parameters; df_fixed: of these, fixed effects.
    kind: chi2, mixture or chi-bar; rule: the distribution that p is of, in words. p: by that rule;
    error: its Monte Carlo standard error, 0 where nothing was simulated. p_naive: chi2(df).
    weights: of chi2(0), chi2(1), ..., where known. units: levels of the grouping with the fewest
    among those tested, None where no random effect is tested. bootstrap: beside p, or None.
    cautions: sentences. without_bootstrap: why there is no bootstrap that was asked for, or "".
    """

    null: str
    full: str
    method: str
    loglik_null: float
    loglik_full: float
    statistic: float
    df: int
    df_fixed: int
    kind: str
    rule: str
    p: float
    error: float
    p_naive: float
    weights: tuple[float, ...]
    units: int | None
    bootstrap: BootstrapTest | None
    cautions: tuple[str, ...]
    without_bootstrap: str = ""

    @property
    def p_mixture(self) -> float | None:
        """p where a variance is tested at its boundary, None where chi-squared is the rule."""
        return None if self.kind == CHI2 else self.p

    @property
    def p_bootstrap(self) -> float | None:
        """p of the parametric bootstrap, None where there is none."""
        return None if self.bootstrap is None else self.bootstrap.p

    def __str__(self) -> str:
        """The test as text."""
        lines = [
            f"Likelihood-ratio test ({self.method})",
            f"  null  {self.null}: log-likelihood {self.loglik_null:.6f}",
            f"  full  {self.full}: log-likelihood {self.loglik_full:.6f}",
            f"  statistic {self.statistic:.6g}, {plural(self.df, 'parameter')} more",
            f"  p = {self.p:.4g}" + (f" (Monte Carlo SE {self.error:.1g})" if self.error else "")
            + f": {self.rule}",
        ]  # fmt: skip
        if self.bootstrap is not None:
            own = self.bootstrap
            lines.append(
                f"  p = {own.p:.4g} (Monte Carlo SE {own.error:.1g}): parametric bootstrap, "
                f"{own.drawn}, seed {own.seed}"
            )
        return "\n".join([*lines, *(f"  {text}" for text in self.cautions)])

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        return f"<pre>{escape(str(self))}</pre>"


def lrt(
    fit0: LmmFit | str, fit1: LmmFit, *, bootstrap: int | None = None, seed: int = 1
) -> LrtResult:
    """Test fit0 within fit1.

    fit0: the smaller model; or, to test all random terms and the residual covariance of fit1 at
    once, the formula without them (`"y ~ x"`), fitted here by the likelihood of fit1. bootstrap:
    draws of the parametric bootstrap, fewer where enough are as large; None: 999 where a tested
    grouping has fewer than 20 levels, else none; 0: never. seed: of everything drawn.
    Raises ComparisonError, with every reason, where the test would be invalid.
    """
    _check(fit0, fit1, bootstrap, seed)
    pair = place(fit0, fit1)
    few = pair.units is not None and pair.units < FEW_UNITS
    draws = (BOOTSTRAP if few else 0) if bootstrap is None else bootstrap
    return test_of(pair, bootstrap=draws, seed=seed)


def _check(fit0: object, fit1: object, bootstrap: object, seed: object) -> None:
    """Raise ComparisonError, with every problem, for what is no fit, number of draws or seed."""
    problems: list[Problem] = []
    if not isinstance(fit0, LmmFit | str):
        problems.append(
            Problem(f"found a {type(fit0).__name__}", where="fit0",
                    allowed="a fit of sitewise.lmm, or a formula without random terms")
        )  # fmt: skip
    if not isinstance(fit1, LmmFit):
        problems.append(
            Problem(f"found a {type(fit1).__name__}", where="fit1", allowed="a fit of sitewise.lmm",
                    fix="give the smaller model first, then the larger one")
        )  # fmt: skip
    if bootstrap is not None and not is_whole(bootstrap, 0):
        problems.append(
            Problem(f"found {bootstrap!r}", where="bootstrap",
                    allowed="None, or a whole number of draws, 0 for none")
        )  # fmt: skip
    check_seed(seed, problems)
    if problems:
        raise ComparisonError("The models can't be compared as asked.", problems)


def test_of(pair: Pair, *, bootstrap: int, seed: int) -> LrtResult:
    """The test of a pair that is valid. bootstrap: draws, 0 for none."""
    full = pair.larger
    statistic = likelihood_ratio(-pair.small.deviance / 2, full.loglik)
    df = full.npar - pair.small.npar
    kind, rule, p, error, weights = _rule(pair, statistic, df, seed)
    own, none = None, ""
    if bootstrap > 0:
        try:
            own = _bootstrapped(pair, statistic, bootstrap, seed)
        except NotEmbeddedError as reason:
            none = f"No bootstrap: {reason}."
        except ModelError as reason:
            none = f"No bootstrap: {'; '.join(problem.what for problem in reason.problems)}."
    cautions = (
        *_cautions(pair, kind, own is not None),
        *([none] if none else []),
        *([FIXED] if pair.fixed else []),
    )
    return LrtResult(
        pair.small.text, full.formula, "REML" if full.reml else "ML", -pair.small.deviance / 2,
        full.loglik, statistic, df, len(pair.fixed), kind, rule, p, error, naive_p(statistic, df),
        weights, pair.units, own, cautions, none,
    )  # fmt: skip


def _rule(
    pair: Pair, statistic: float, df: int, seed: int
) -> tuple[str, str, float, float, tuple[float, ...]]:
    """(kind, rule in words, p, Monte Carlo error, weights)."""
    more = len(pair.fixed)
    if not pair.random and (not pair.null_singular or not pair.widened):
        return CHI2, f"chi2({df})", naive_p(statistic, df), 0.0, ()
    single = len(pair.random) == 1 and not pair.covariances and not pair.residual
    if single and not pair.null_singular:
        q = len(pair.random[0].partners) + more
        weights = (*([0.0] * q), 0.5, 0.5)
        return MIXTURE, mixture_words(q), mixture_p(statistic, q), 0.0, weights
    try:
        simulated = pair.chi_bar(seed)
    except (NotEmbeddedError, np.linalg.LinAlgError) as reason:
        rule = f"chi2({df}), too large since variances can't be negative (no mixture: {reason})"
        return CHI2, rule, naive_p(statistic, df), 0.0, ()
    p, error = simulated.p(statistic, more)
    return CHI_BAR, _words(pair, simulated, more), p, error, simulated.weights


def _words(pair: Pair, simulated: ChiBar, more: int) -> str:
    tail = f" + chi2({more}) of the fixed effects" if more else ""
    drawn = f"{len(simulated.shares)} projections on the tangent cone"
    if pair.null_singular:
        return (
            f"the distribution at a null on the boundary ({pair.null_singular}), by {drawn}{tail}"
        )
    if not simulated.weights:
        return f"chi-bar-squared on up to {simulated.J} df, by {drawn}{tail}"
    mixed = " + ".join(f"{w:.3f} chi2({k})" for k, w in enumerate(simulated.weights) if w > 0)
    return f"chi-bar-squared {mixed}, weights by {drawn}{tail}"


def _bootstrapped(pair: Pair, statistic: float, most: int, seed: int) -> BootstrapTest:
    from sitewise.inference.bootstrap import null_statistics

    found: list[float] = []
    larger = failed = 0
    for drawn, converged in null_statistics(pair, most, seed):
        found.append(drawn)
        failed += not converged
        # A tie but for rounding is as large: many draws are exactly 0, as the statistic may be.
        larger += drawn >= statistic - 1e-6
        if larger == SURE:
            break
    draws = len(found)
    p = larger / draws if larger == SURE else (1 + larger) / (1 + draws)
    error = float(np.sqrt(p * (1 - p) / draws))
    return BootstrapTest(p, error, draws, most, failed, seed, np.array(found))


def _cautions(pair: Pair, kind: str, bootstrapped: bool) -> Sequence[str]:
    found, units = [], pair.units
    if pair.null_singular:
        found.append(
            f"The smaller model is itself singular ({pair.null_singular}): the p-value takes that"
            " variance for 0 exactly."
        )
    if pair.larger.singular:
        found.append(
            f"The larger model is singular ({pair.larger.singularity.where}): the data support"
            " fewer random effects than it has."
        )
    if units is not None:
        few = ""
        if units < FEW_UNITS:
            few = " That is few" + (": the bootstrap stands beside it." if bootstrapped else ".")
        name = "Chi-squared" if kind == CHI2 else "The mixture"
        found.append(f"{name} is an approximation for many units; here there are {units}.{few}")
    if pair.fixed:
        fewest = min((pair.larger.units(t.label) for t in pair.larger.basis.terms), default=None)
        if fewest is not None:
            found.append(
                "A likelihood-ratio test of fixed effects rejects too often where units are few;"
                f" here there are {fewest}."
            )
    return found
