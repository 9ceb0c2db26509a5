"""A fit as a record: all that needs no rows, frozen; and the fitted model again from its record."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.api import based_part, basis_of_part
from sitewise.lmm.certificate import certify
from sitewise.lmm.columns import Column, column_values, model_columns
from sitewise.lmm.design import Design
from sitewise.lmm.engine import Solution, build_model
from sitewise.lmm.estimates import estimates_of
from sitewise.lmm.formula import Formula, fixed_columns
from sitewise.lmm.linear.method import DF_METHODS
from sitewise.lmm.linear.tests import estimates
from sitewise.lmm.linear.wald import wald_of
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.moments import Moments
from sitewise.lmm.newton import Minimum, Path
from sitewise.lmm.result import Fit, Optimum, RandomTerm
from sitewise.lmm.rows import NewRows
from sitewise.version import __version__

APART = 1e-3  # of the deviance at the ends of two searches, from which it is said


@dataclass(frozen=True)
class FixedPart:
    """The fixed part of a model as symbols, p columns kept: rows of X for any values.

    columns: before any was dropped. kept: which of them are estimated. combinations: (kept,
    dropped): X[:, ~kept] = X[:, kept] combinations, in the data.
    """

    formula: Formula
    levels: Mapping[str, tuple[str, ...]]
    columns: tuple[Column, ...] = field(repr=False)
    kept: np.ndarray = field(repr=False)
    combinations: np.ndarray = field(repr=False)

    def rows(self, values: Mapping[str, Sequence[str | float]]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of X (k, p), and how far each breaks the aliasing of the data (k, dropped).

        values: of every column of the fixed part, k of each. A linear combination of fixed effects
        is estimable if and only if its combination of the second part is 0: dropped columns are
        then the same combinations of the others as in the data.
        """
        names = fixed_columns(self.formula)
        codes = {
            name: np.array([self.levels[name].index(str(v)) for v in values[name]])
            for name in names
            if name in self.levels
        }
        numbers = {n: np.array(values[n], dtype=np.float64) for n in names if n not in codes}
        size = max((len(own) for own in values.values()), default=1)
        full = column_values(self.columns, NewRows(size, numbers, codes, dict(self.levels)))
        own = full[:, self.kept]
        return own, full[:, ~self.kept] - own @ self.combinations


def fixed_part(fit: LmmFit) -> FixedPart:
    """Of a fit."""
    basis, fixed = fit.basis, fit.solution.model.fixed
    numbers = [name for name in fixed_columns(basis.formula) if name not in basis.levels]
    # Row moments keep all declared levels: those that never occur have no column.
    for levels in (basis.levels, {**basis.levels, **basis.declared}):
        columns = tuple(
            column
            for column in model_columns(basis.formula.fixed, levels, numbers)
            if column.name in fixed.names
        )
        if tuple(column.name for column in columns) == fixed.names:
            return FixedPart(basis.formula, basis.levels, columns, fixed.kept, fixed.combinations)
    raise ValueError(f"{basis.formula.text}: its columns are not those that were fitted")


def fixed_part_of_design(design: Design) -> FixedPart:
    """Of a design."""
    return FixedPart(
        design.formula, design.levels, design.columns, design.kept, design.combinations
    )


def record_of(
    fit: LmmFit, *, alpha: float, df: str, hypotheses: Mapping[str, np.ndarray] | None = None
) -> Fit:
    """A fit as its record.

    hypotheses: linear combinations of the fixed effects by name, shape (p,) each, tested against 0.
    alpha: intervals have coverage 1 - alpha. Raises ModelError for arguments that can't be.
    """
    hypotheses = hypotheses or {}
    names = list(fit.estimates.names)
    check_arguments(len(names), df, alpha, hypotheses)
    p, vcov = len(names), fit.estimates.vcov
    rows = np.vstack([np.eye(p), *hypotheses.values()])
    wald = wald_of(fit, df)
    every = estimates(wald, rows, [*names, *hypotheses], alpha)
    return Fit(
        formula=fit.formula,
        reml=fit.reml,
        nobs=fit.nobs,
        fixef=tuple(every[:p]),
        vcov=_tuples(vcov),
        hypotheses=tuple(every[p:]),
        random=_random_terms(fit),
        sigma=math.nan if fit.sigma is None else fit.sigma,
        theta=tuple(fit.theta.tolist()),
        loglik=fit.loglik,
        deviance=fit.deviance,
        npar=fit.npar,
        aic=fit.aic,
        bic=fit.bic,
        aliased=fit.aliased,
        levels=fit.levels,
        df_method=wald.method.df,
        alpha=alpha,
        optimum=_optimum(fit.solution),
        converged=fit.converged,
        singularity=fit.singularity,
        warnings=(*fit.warnings, *_doubts(fit.solution)),
        rows=fit.basis.digest,
        phi=tuple(fit.solution.phi.tolist()),
        df_information=wald.method.information,
        df_form=wald.method.form,
    )


def refit_at(formula: str, moments: Moments, record: Fit) -> LmmFit:
    """The fit of which `record` was made, from the same moments, without a search."""
    part = moments.part(formula)
    model = build_model(based_part(part), record.reml)
    phi = np.array(record.phi)
    if phi.shape != (model.parameters.n_phi,):
        raise ModelError(
            "The record is not one of this model.",
            [Problem(f"it has {len(phi)} covariance parameters, the model {model.parameters.n_phi}",
                     where=formula, fix="fit the model again")],
        )  # fmt: skip
    point = model.point(phi)
    gradient, hessian = model.in_phi(phi, point)
    path = Path(
        phi, phi, record.deviance, record.deviance, gradient, hessian, 0.0, 0, 1,
        record.converged, record.optimum.message,
    )  # fmt: skip
    found = Minimum(path, (path,), (path,))
    solution = Solution(model, phi, point, gradient, hessian, record.deviance, found)
    certified = certify(model.parameters, found, point.gradient)
    return LmmFit(solution, estimates_of(solution), basis_of_part(part), certified)


def check_arguments(p: int, df: str, alpha: float, hypotheses: Mapping[str, np.ndarray]) -> None:
    """Raise ModelError for what `record_of` can't be asked, p fixed effects."""
    problems = []
    if df not in DF_METHODS:
        problems.append(
            Problem(f"unknown df method {df!r}", where="df", allowed=", ".join(DF_METHODS))
        )
    if not 0 < alpha < 1:
        problems.append(Problem(f"alpha is {alpha}", where="alpha", allowed="0 < alpha < 1"))
    for name, row in hypotheses.items():
        if np.shape(row) != (p,):
            problems.append(
                Problem(f"the hypothesis {name!r} has shape {np.shape(row)}",
                        allowed=f"({p},): one weight a fixed effect")
            )  # fmt: skip
        elif not np.any(row):
            problems.append(Problem(f"the hypothesis {name!r} has no weight other than 0"))
    if problems:
        raise ModelError("The fit can't be made as asked.", problems)


def _optimum(solution: Solution) -> Optimum:
    best, paths = solution.found.best, solution.found.paths
    return Optimum(
        engine="sitewise",
        engine_version=__version__,
        optimizer="trust-region Newton",
        iterations=sum(path.steps for path in paths),
        evaluations=sum(path.evaluations for path in paths),
        gradient_norm=float(np.linalg.norm(solution.gradient)),
        message=f"{len(paths)} starts; the best took {best.steps} steps: {best.reason}",
    )


def _doubts(solution: Solution) -> list[str]:
    """Sentences on an optimum that is no clear one."""
    found = []
    values = [path.value for path in solution.found.paths]
    if max(values) - min(values) > APART:
        found.append(
            f"{len(values)} starts ended at deviances up to {max(values) - min(values):.4g} apart;"
            " the lowest is reported."
        )
    if not solution.found.best.converged:
        fall = solution.found.best.decrement
        found.append(f"Not converged: the deviance could still fall by about {fall:.3g}.")
    return found


def _random_terms(fit: LmmFit) -> tuple[RandomTerm, ...]:
    at = {term.basis.label: term for term in fit.estimates.terms}
    found = []
    for spec in fit.basis.formula.random:
        term = at[str(spec)]
        variances = np.diag(term.D)
        sds = np.sqrt(variances)
        safe = np.where(sds > 0, sds, 1.0)
        correlations = np.clip(term.D / safe / safe[:, None], -1.0, 1.0)
        np.fill_diagonal(correlations, 1.0)
        correlations[sds == 0, :] = np.nan
        correlations[:, sds == 0] = np.nan
        found.append(
            RandomTerm(term.basis.group, term.basis.names, tuple(variances.tolist()),
                       tuple(sds.tolist()), _tuples(correlations), fit.units(str(spec)))
        )  # fmt: skip
    return tuple(found)


def _tuples(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
