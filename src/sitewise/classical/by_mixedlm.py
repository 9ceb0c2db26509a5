"""The package mixedlm (Rust) as a second engine: a formula and a frame in, its own numbers out.

It builds its own design from the formula; only the rows used are shared with the first engine.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.classical.second_fit import NotExpressibleError, SecondFit, formula_of, rows_of

if TYPE_CHECKING:
    from sitewise.lmm.design import Design

ENGINE = "mixedlm"
SAME = 1e-9  # of a column's largest value: two columns of X are one


def fit_mixedlm(design: "Design", *, reml: bool) -> SecondFit:
    """Fit by mixedlm; raises NotExpressibleError where its design has not the columns of `design`.

    Its coefficients are called `AVISIT.1`, `AVISIT.2`, so columns are found by what they hold.
    What it warns of are Python's warnings: catch them with `warnings.catch_warnings`.
    """
    import mixedlm

    if design.formula.residual is not None:
        raise NotExpressibleError(
            f"{ENGINE} has no residual covariance ({design.formula.residual})"
        )
    fit = mixedlm.lmer(formula_of(design), rows_of(design), REML=reml)
    at = _columns(design, np.asarray(fit.matrices.X, dtype=float))
    se = np.sqrt(np.diag(np.asarray(fit.vcov())))
    return SecondFit(
        engine=f"{ENGINE} ({fit.optimizer})",
        version=version(ENGINE),
        loglik=float(fit.logLik().value),
        fixef=tuple(np.asarray(fit.beta, dtype=float)[at].tolist()),
        se=tuple(se[at].tolist()),
        variances=_variances(design, fit),
        sigma2=float(fit.sigma) ** 2,
        converged=bool(fit.converged),
    )


def _columns(design: "Design", theirs: np.ndarray) -> list[int]:
    """Where each column of X stands in the engine's own."""
    if theirs.shape[0] != len(design.y):
        raise NotExpressibleError(
            f"{ENGINE} used {theirs.shape[0]} rows of {len(design.y)}, so the fits are not of one"
            " set of rows"
        )
    found, missing = [], []
    for name, column in zip(design.names, design.X.T, strict=True):
        apart = np.abs(theirs - column[:, None]).max(axis=0, initial=0.0)
        if not apart.size or apart.min() > SAME * np.abs(column).max():
            missing.append(name)
            continue
        found.append(int(apart.argmin()))
    if missing or theirs.shape[1] != len(found):
        raise NotExpressibleError(
            f"{ENGINE} makes other columns of the fixed part (its own has {theirs.shape[1]}, that"
            f" of sitewise.lmm {len(design.names)}; not in its own: {', '.join(missing) or 'none'})"
        )
    return found


def _variances(design: "Design", fit: Any) -> dict[tuple[str, str], float]:
    """Its terms stand in the order of the formula; its columns within a term too."""
    groups = list(fit.VarCorr().groups.values())
    variances: dict[tuple[str, str], float] = {}
    for term, own in zip(design.terms, groups, strict=True):
        if own.grouping_factor != term.spec.group_name:
            raise NotExpressibleError(
                f"{ENGINE} puts {own.grouping_factor} where the formula has {term.spec.group_name}"
            )
        values = np.diag(np.asarray(own.cov, dtype=float)).tolist()
        for column, value in zip(term.columns, values, strict=True):
            variances[term.spec.group_name, column.name] = value
    return variances
