"""Residual covariances over the visits: what each gives, the first usable of the plan's order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sitewise.classical.ladder_result import CovarianceChoice, CovarianceRow
from sitewise.classical.mixed_rungs import terms_key
from sitewise.classical.question import Question
from sitewise.errors import ModelError
from sitewise.lmm.formula import STRUCTURES, parse_formula
from sitewise.lmm.usable import why_unusable
from sitewise.terms import AVISIT, USUBJID

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit


@dataclass(frozen=True)
class Chosen:
    """The table, and the fit of the structure taken; None if none is usable."""

    choice: CovarianceChoice
    fit: "LmmFit | None" = field(repr=False)


def choose_covariance(question: Question, order: Sequence[str]) -> Chosen:
    """Fit every structure with no random effect; take the first usable of `order`.

    A structure is passed over where its fit does not converge or its covariance is not positive
    definite. A random-effect variance at 0 is no trigger: there is none here.
    """
    rows: list[CovarianceRow] = []
    fits: dict[str, LmmFit] = {}
    for structure in dict.fromkeys([*order, *STRUCTURES]):
        formula = question.formula(f"{structure}({AVISIT} | {USUBJID})")
        try:
            fit = question.fit(formula)
        except ModelError as error:
            said = " ".join(str(error).split())
            nan = math.nan
            rows.append(CovarianceRow(structure, formula, nan, 0, nan, nan, nan, False, said))
            continue
        reason = why_unusable(fit)
        rows.append(_row(structure, fit, reason))
        if not reason:
            fits[structure] = fit
    taken = next((name for name in order if name in fits), "")
    by_name = {row.structure: row for row in rows}
    passed = list(order[: order.index(taken)] if taken else order)
    deviations = tuple(
        f"The plan's residual covariance {name} was not used: {by_name[name].reason}."
        + (f" {taken}, the next usable in the plan's order, was taken." if taken else "")
        for name in passed
    )
    choice = CovarianceChoice(tuple(order), taken, tuple(rows), deviations)
    return Chosen(choice, fits.get(taken))


def primary_row(
    question: Question, rows: Sequence[CovarianceRow], primary: Mapping[str, Any]
) -> CovarianceRow | None:
    """The primary model, whose likelihood is of the same readings and fixed part as theirs.

    primary: its fit as plain data (`fit.json`). None where it did not converge or is one of `rows`.
    """
    fit = primary["fit"]
    own = parse_formula(fit["formula"])
    same = [row for row in rows if terms_key(parse_formula(row.formula)) == terms_key(own)]
    if not fit["converged"] or same:
        return None
    p, reml = len(fit["fixef"]), bool(fit["reml"])
    k, n = int(fit["npar"]) - (p if reml else 0), int(fit["nobs"]) - (p if reml else 0)
    numbers = _criteria(float(fit["deviance"]), k, n, question.counts()[1])
    loglik = float(fit["loglik"])
    return CovarianceRow("primary", fit["formula"], loglik, k, *numbers, usable=True, reason="")


def _row(structure: str, fit: "LmmFit", reason: str) -> CovarianceRow:
    """Of a fit with a residual covariance alone."""
    k = fit.npar_cov if fit.reml else fit.npar
    n = fit.nobs - (len(fit.estimates.beta) if fit.reml else 0)
    numbers = _criteria(fit.deviance, k, n, fit.basis.subjects)
    return CovarianceRow(structure, fit.formula, fit.loglik, k, *numbers, not reason, reason)


def _criteria(deviance: float, k: int, n: int, patients: int) -> tuple[float, float, float]:
    """AIC, AICc, BIC as mmrm and SAS count them under REML: covariance parameters only.

    AICc: Hurvich & Tsai 1989, Biometrika 76:297-307, with n - p rows under REML (SAS PROC MIXED).
    """
    aic = deviance + 2 * k
    aicc = aic + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.nan
    return aic, aicc, deviance + math.log(patients) * k
