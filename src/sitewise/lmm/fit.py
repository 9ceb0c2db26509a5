"""Fit a linear mixed model: the door of this room.

`fit_formula` for a frame and a formula, `fit_design` for a design that is needed elsewhere too.
The optimum is found by the package behind `sitewise.lmm.search`; every number reported is computed
here, at that optimum, from `sitewise.lmm.profile`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.formula import Formula
from sitewise.lmm.result import Estimate, Fit, RandomTerm

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.optimum import Certified
    from sitewise.lmm.profile import Profile

DF_METHODS = ("satterthwaite",)


@dataclass(frozen=True)
class RanefRow:
    """One predicted random effect: its BLUP and its SE given the data.

    se: sqrt of the conditional variance, fixed effects and variances taken as known (as lme4's
    condVar). blup, se: units of the outcome per unit of the term.
    """

    group: str
    level: str
    term: str
    blup: float
    se: float


@dataclass(frozen=True)
class Fitted:
    """A fit with what belongs to its rows.

    fitted, residuals: conditional on the random effects, shape (n,), rows used in their order.
    ranef: term by term in the order of the formula, levels sorted.
    """

    fit: Fit
    fitted: np.ndarray = field(repr=False)
    residuals: np.ndarray = field(repr=False)
    ranef: tuple[RanefRow, ...] = field(repr=False)


def fit_formula(
    formula: str | Formula,
    frame: "pd.DataFrame",
    levels: Mapping[str, Sequence[str]],
    *,
    reml: bool = True,
    alpha: float,
    df: str = "satterthwaite",
    hypotheses: Mapping[str, np.ndarray] | None = None,
) -> Fitted:
    """Build the design and fit it; see `build_design` and `fit_design`."""
    design = build_design(formula, frame, levels)
    return fit_design(design, reml=reml, alpha=alpha, df=df, hypotheses=hypotheses or {})


def fit_design(
    design: Design,
    *,
    reml: bool,
    alpha: float,
    hypotheses: Mapping[str, np.ndarray] | None = None,
    df: str = "satterthwaite",
) -> Fitted:
    """Fit by REML or ML.

    hypotheses: linear combinations of the fixed effects by name, shape (p,) each, tested against 0.
    alpha: intervals have coverage 1 - alpha. Raises ModelError where no estimate exists.
    """
    from sitewise.lmm.optimum import find_optimum
    from sitewise.lmm.profile import Profile

    hypotheses = hypotheses or {}
    _check_arguments(design, df, alpha, hypotheses)
    profile = Profile(design)
    certified = find_optimum(profile, reml)
    state = certified.derivatives.state
    sigma = profile.unit * math.sqrt(state.penalised / profile.denominator(reml))
    effects = [
        effect * profile.unit / scale
        for effect, scale in zip(state.effects, profile.scales, strict=True)
    ]
    fitted = profile.Q @ (profile.offset + profile.unit * state.coefficients)
    for block, effect in zip(design.blocks, effects, strict=True):
        fitted = fitted + np.einsum("ij,ij->i", block.values, effect[block.codes])
    ses = [sigma * np.sqrt(v) for v in profile.conditional_variances(certified.theta)]
    estimates, vcov = _fixed_effects(profile, certified, sigma, hypotheses, alpha)
    fit = _result(
        profile,
        certified,
        sigma=sigma,
        reml=reml,
        df=df,
        alpha=alpha,
        estimates=estimates,
        vcov=vcov,
    )
    return Fitted(fit, fitted, design.y - fitted, tuple(_ranef(design, effects, ses)))


def _fixed_effects(
    profile: "Profile",
    certified: "Certified",
    sigma: float,
    hypotheses: Mapping[str, np.ndarray],
    alpha: float,
) -> tuple[list[Estimate], np.ndarray]:
    """Estimates of the p fixed effects and the hypotheses, and the covariance of the former."""
    from sitewise.lmm.satterthwaite import satterthwaite

    p, derivatives = profile.p, certified.derivatives
    # beta = R^-1 (offset + unit b), so a row l over X's columns is l R^-1 over Q's.
    rows = np.column_stack([np.eye(p), *hypotheses.values()])
    to_q = np.linalg.solve(profile.R.T, rows).T
    beta_q = profile.offset + profile.unit * derivatives.state.coefficients
    vcov_q = sigma**2 * derivatives.vcov
    estimates = _estimates(
        [*profile.design.names, *hypotheses],
        to_q @ beta_q,
        np.sqrt(np.einsum("ki,ij,kj->k", to_q, vcov_q, to_q)),
        satterthwaite(derivatives, to_q),
        alpha,
    )
    vcov: np.ndarray = to_q[:p] @ vcov_q @ to_q[:p].T
    return estimates, (vcov + vcov.T) / 2


def _result(
    profile: "Profile",
    certified: "Certified",
    *,
    sigma: float,
    reml: bool,
    df: str,
    alpha: float,
    estimates: list[Estimate],
    vcov: np.ndarray,
) -> Fit:
    from sitewise.lmm.profile import factors

    design, p = profile.design, profile.p
    theta = profile.to_external(certified.theta)
    random = _random_terms(design, factors(design.blocks, theta), sigma)
    deviance = profile.deviance(certified.derivatives.state, reml)
    npar = p + len(theta) + 1
    return Fit(
        formula=design.formula.text,
        reml=reml,
        nobs=profile.n,
        fixef=tuple(estimates[:p]),
        vcov=_rows(vcov),
        hypotheses=tuple(estimates[p:]),
        random=tuple(random),
        sigma=sigma,
        theta=tuple(theta.tolist()),
        loglik=-deviance / 2,
        deviance=deviance,
        npar=npar,
        aic=deviance + 2 * npar,
        bic=deviance + math.log(profile.n) * npar,
        aliased=design.aliased,
        levels=dict(design.levels),
        df_method=df,
        alpha=alpha,
        optimum=certified.optimum,
        converged=certified.converged,
        singularity=certified.singularity,
        warnings=(*design.notes, *certified.warnings),
        rows=design.rows,
    )


def _check_arguments(
    design: Design, df: str, alpha: float, hypotheses: Mapping[str, np.ndarray]
) -> None:
    problems = []
    if df not in DF_METHODS:
        problems.append(
            Problem(f"unknown df method {df!r}", where="df", allowed=", ".join(DF_METHODS))
        )
    if not 0 < alpha < 1:
        problems.append(Problem(f"alpha is {alpha}", where="alpha", allowed="0 < alpha < 1"))
    for name, row in hypotheses.items():
        if np.shape(row) != (len(design.names),):
            problems.append(
                Problem(f"the hypothesis {name!r} has shape {np.shape(row)}",
                        allowed=f"({len(design.names)},): one weight a fixed effect")
            )  # fmt: skip
        elif not np.any(row):
            problems.append(Problem(f"the hypothesis {name!r} has no weight other than 0"))
    if problems:
        raise ModelError("The fit can't be made as asked.", problems)


def _estimates(
    names: list[str], estimate: np.ndarray, se: np.ndarray, df: np.ndarray, alpha: float
) -> list[Estimate]:
    from scipy import special  # scipy.stats takes half a second longer to import

    t = estimate / se
    p = 2 * special.stdtr(df, -np.abs(t))
    half = special.stdtrit(df, 1 - alpha / 2) * se
    columns = (estimate, se, df, t, p, estimate - half, estimate + half)
    return [
        Estimate(name, *(float(v) for v in values))
        for name, values in zip(names, zip(*columns, strict=True), strict=True)
    ]


def _random_terms(design: Design, lams: Sequence[np.ndarray], sigma: float) -> list[RandomTerm]:
    terms = []
    for block, lam in zip(design.blocks, lams, strict=True):
        lengths = np.linalg.norm(lam, axis=1)
        safe = np.where(lengths > 0, lengths, 1.0)
        unit = lam / safe[:, None]
        correlations = np.clip(unit @ unit.T, -1.0, 1.0)
        np.fill_diagonal(correlations, 1.0)
        correlations[lengths == 0, :] = np.nan
        correlations[:, lengths == 0] = np.nan
        sds = sigma * lengths
        terms.append(
            RandomTerm(block.spec.group_name, block.names, tuple((sds**2).tolist()),
                       tuple(sds.tolist()), _rows(correlations), len(block.levels))
        )  # fmt: skip
    return terms


def _ranef(
    design: Design, effects: Sequence[np.ndarray], ses: Sequence[np.ndarray]
) -> list[RanefRow]:
    return [
        RanefRow(block.spec.group_name, level, term, float(effect[i, j]), float(se[i, j]))
        for block, effect, se in zip(design.blocks, effects, ses, strict=True)
        for i, level in enumerate(block.levels)
        for j, term in enumerate(block.names)
    ]


def _rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
