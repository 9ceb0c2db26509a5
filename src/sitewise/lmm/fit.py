"""Fit a linear mixed model: the door of this room for the workflow.

`fit_formula` for a frame and a formula, `fit_design` for a design that is needed elsewhere too.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.api import basis_of_design
from sitewise.lmm.design import Design, build_design
from sitewise.lmm.designed import model_of
from sitewise.lmm.digest import row_sums
from sitewise.lmm.engine import Solution, solve
from sitewise.lmm.estimates import Estimates, estimates_of, singularity_of
from sitewise.lmm.formula import Formula
from sitewise.lmm.linear.method import DF_METHODS, Method, method_of
from sitewise.lmm.linear.tests import estimates as estimates_by
from sitewise.lmm.linear.wald import wald
from sitewise.lmm.result import Estimate, Fit, Optimum, RandomTerm
from sitewise.lmm.score import Scored, score
from sitewise.lmm.threads import one_thread
from sitewise.version import __version__

if TYPE_CHECKING:
    import pandas as pd


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


@one_thread
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
    hypotheses = hypotheses or {}
    _check_arguments(design, df, alpha, hypotheses)
    model, schedule = model_of(design, reml)
    solution = solve(model, design.formula.text)
    estimates = estimates_of(solution)
    scored = score(
        solution, estimates, design.data, design.hierarchy, fixed=design.fixed, schedule=schedule
    )
    names = list(estimates.names)
    rows = np.vstack([np.eye(len(names)), *hypotheses.values()])
    basis = basis_of_design(design, schedule, row_sums((), design.y))
    method = method_of(df, None, "linear", reml)
    every = estimates_by(
        wald(solution, estimates, basis, method), rows, [*names, *hypotheses], alpha
    )
    fit = _result(design, solution, estimates, every, alpha=alpha, method=method)
    return Fitted(fit, scored.fitted, scored.residuals, tuple(_ranef(design, scored)))


def _result(
    design: Design,
    solution: Solution,
    estimates: Estimates,
    every: list[Estimate],
    *,
    alpha: float,
    method: Method,
) -> Fit:
    p, n = len(estimates.names), solution.model.likelihood.bottom.n
    deviance = solution.deviance
    npar = p + solution.model.parameters.n_phi
    sigma = math.sqrt(estimates.sigma2) if estimates.sigma2 is not None else math.nan
    best, paths = solution.found.best, solution.found.paths
    warnings = [*design.notes, *_doubts(solution)]
    return Fit(
        formula=design.formula.text,
        reml=solution.model.likelihood.reml,
        nobs=n,
        fixef=tuple(every[:p]),
        vcov=_rows(estimates.vcov),
        hypotheses=tuple(every[p:]),
        random=tuple(_random_terms(design, estimates)),
        sigma=sigma,
        theta=_theta(design, estimates, sigma),
        loglik=-deviance / 2,
        deviance=deviance,
        npar=npar,
        aic=deviance + 2 * npar,
        bic=deviance + math.log(n) * npar,
        aliased=design.aliased,
        levels=dict(design.levels),
        df_method=method.df,
        df_information=method.information,
        df_form=method.form,
        alpha=alpha,
        optimum=Optimum(
            engine="sitewise",
            engine_version=__version__,
            optimizer="trust-region Newton",
            iterations=sum(path.steps for path in paths),
            evaluations=sum(path.evaluations for path in paths),
            gradient_norm=float(np.linalg.norm(solution.gradient)),
            message=f"{len(paths)} starts; the best took {best.steps} steps: {best.reason}",
        ),
        converged=best.converged,
        singularity=singularity_of(estimates),
        warnings=tuple(warnings),
        rows=design.rows,
    )


def _doubts(solution: Solution) -> list[str]:
    """Sentences on an optimum that is no clear one."""
    found = []
    values = [path.value for path in solution.found.paths]
    if max(values) - min(values) > 1e-3:
        found.append(
            f"{len(values)} starts ended at deviances up to {max(values) - min(values):.4g} apart;"
            " the lowest is reported."
        )
    if not solution.found.best.converged:
        fall = solution.found.best.decrement
        found.append(f"Not converged: the deviance could still fall by about {fall:.3g}.")
    return found


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


def _in_order(design: Design, estimates: Estimates) -> list[int]:
    """Positions of the formula's random terms among the model's."""
    at = {term.basis.label: i for i, term in enumerate(estimates.terms)}
    return [at[str(spec)] for spec in design.formula.random]


def _theta(design: Design, estimates: Estimates, sigma: float) -> tuple[float, ...]:
    """Lower triangles of the relative Cholesky factors, term by term, by column (as lme4)."""
    found: list[float] = []
    for i in _in_order(design, estimates):
        L = _factor(estimates.terms[i].D) / sigma
        columns, rows = np.triu_indices(len(L))
        found += L[rows, columns].tolist()
    return tuple(found)


def _factor(D: np.ndarray) -> np.ndarray:
    """Cholesky factor of a semidefinite matrix, zero columns where it has no variance left."""
    q = len(D)
    L, rest = np.zeros((q, q)), D.copy()
    for j in range(q):
        if rest[j, j] > 1e-14 * max(D[j, j], 0.0) and rest[j, j] > 0:
            L[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
            rest = rest - np.outer(L[:, j], L[:, j])
    return L


def _random_terms(design: Design, estimates: Estimates) -> list[RandomTerm]:
    groups = {str(term.spec): len(term.labels) for term in design.terms}
    found = []
    for i in _in_order(design, estimates):
        term = estimates.terms[i]
        variances = np.diag(term.D)
        sds = np.sqrt(variances)
        safe = np.where(sds > 0, sds, 1.0)
        correlations = np.clip(term.D / safe / safe[:, None], -1.0, 1.0)
        np.fill_diagonal(correlations, 1.0)
        correlations[sds == 0, :] = np.nan
        correlations[:, sds == 0] = np.nan
        found.append(
            RandomTerm(term.basis.group, term.basis.names, tuple(variances.tolist()),
                       tuple(sds.tolist()), _rows(correlations), groups[term.basis.label])
        )  # fmt: skip
    return found


def _ranef(design: Design, scored: Scored) -> list[RanefRow]:
    by_label = {one.label: one for one in scored.ranef}
    found = []
    for spec in design.formula.random:
        one = by_label[str(spec)]
        order = sorted(range(len(one.labels)), key=lambda k: one.labels[k])
        found += [
            RanefRow(one.group, one.labels[k], name, float(one.blup[k, j]), float(one.se[k, j]))
            for k in order
            for j, name in enumerate(one.terms)
        ]
    return found


def _rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
