"""Whether time is straight: lines in WEEK against a mean of its own for every visit and arm.

The primary model is fitted once more with these means beside its lines. By REML, an F test that
they add nothing, with the plan's degrees of freedom; by ML, the likelihood ratio, which takes the
variances for known and so stands beside the F only.
"""

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import CovarianceChoice, Rung
from sitewise.classical.question import Ask, Question, df_of, state_of, tested
from sitewise.classical.straight_result import MeansRow, StraightLines
from sitewise.errors import ModelError
from sitewise.lmm.formula import fixed_columns
from sitewise.lmm.record import fixed_part
from sitewise.terms import AVAL, AVISIT, TRT01P, USUBJID, WEEK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sitewise.lmm.lmmfit import LmmFit

LINES, VISITS = "lines", "visits"
STOPPED = "not converged"


def straight_lines(
    question: Question, rungs: "Sequence[Rung]", choice: CovarianceChoice, ask: Ask
) -> StraightLines | None:
    """The test, and the primary contrast with and without the lines.

    rungs: of the ladder, whose primary and MMRM rows are along lines. ask: as `relatives`. None
    where the primary model is no line in WEEK, or two visits or fewer were seen.
    """
    columns = fixed_columns(question.design.formula)
    seen = question.rows[AVISIT].nunique()
    if WEEK not in columns or AVISIT in columns or seen < 3:
        return None
    formula = question.design.formula
    random = " + ".join(part for part in _random(question))
    own = f"{AVAL} ~ {formula.fixed} + {AVISIT}*{TRT01P} + {random}"
    by_key = {("primary" if rung.planned else rung.key): rung for rung in rungs}
    by_visit, fit = _asked(question, "visits", _visits_label(by_key["primary"]), own, ask)
    rows = [_of_rung("primary", by_key["primary"]), by_visit]
    if choice.taken:
        means = re.sub(rf"\b{WEEK}\b", AVISIT, formula.fixed)
        mmrm = f"{AVAL} ~ {means} + {choice.taken}({AVISIT} | {USUBJID})"
        label = f"MMRM, {choice.taken}, a mean for each visit"
        rows += [
            _of_rung("mmrm", by_key["mmrm"]),
            _asked(question, "mmrm_visits", label, mmrm, ask)[0],
        ]
    return _tested(question, own, fit, tuple(rows), by_visit.refused)


def _random(question: Question) -> list[str]:
    """The random parts of the primary model, as written."""
    formula = question.design.formula
    parts = [f"({spec.terms} | {spec.group_name})" for spec in formula.random]
    return parts if formula.residual is None else [*parts, str(formula.residual)]


def _visits_label(primary: Rung) -> str:
    return f"{primary.label}, a mean for each visit"


def _of_rung(key: str, rung: Rung) -> MeansRow:
    """A row of the ladder, as it stands there."""
    return MeansRow(key, rung.label, rung.formula, LINES, rung.answer, rung.state, rung.refused)


def _asked(
    question: Question, key: str, label: str, formula: str, ask: Ask
) -> "tuple[MeansRow, LmmFit | None]":
    """The primary contrast of a model with means by visit, and the fit where there is one."""
    try:
        fit = question.fit(formula)
        found = _answer(question, fit, ask)
    except ModelError as error:
        said = " ".join(str(error).split())
        return MeansRow(key, label, formula, VISITS, None, "", said), None
    why = "" if found is not None else "the readings do not determine it"
    return MeansRow(key, label, formula, VISITS, found, state_of(fit), why), fit


def _answer(question: Question, fit: "LmmFit", ask: Ask) -> Answer | None:
    contrast, _ = ask(question.plan, fixed_part(fit), question.rows)
    if contrast is None or not contrast.estimable:
        return None
    return tested(fit, np.asarray(contrast.row, dtype=float), question.plan)


def _tested(
    question: Question,
    formula: str,
    fit: "LmmFit | None",
    rows: tuple[MeansRow, ...],
    refused: str,
) -> StraightLines:
    nan, method = math.nan, df_of(question.reml, question.plan)
    none = (formula, nan, 0, nan, nan, method, nan, nan, rows)
    if fit is None:
        return StraightLines(*none, refused)
    if not fit.converged:
        return StraightLines(*none, "the model with a mean for each visit did not converge")
    from scipy import special

    from sitewise.lmm.linear.wald import wald_of

    lines = set(question.design.names)
    names = list(fit.estimates.names)
    beyond = [i for i, name in enumerate(names) if name not in lines]
    try:
        test = wald_of(fit, method).joint(np.eye(len(names))[beyond])
        chi2 = _likelihood_ratio(question, formula)
    except ModelError as error:
        return StraightLines(*none, " ".join(str(error).split()))
    p = float(special.chdtrc(test.df1, chi2)) if chi2 >= 0 else nan
    return StraightLines(formula, test.F, test.df1, test.df2, test.p, method, chi2, p, rows, "")


def _likelihood_ratio(question: Question, formula: str) -> float:
    """Twice the difference in log-likelihood by ML; NaN where a fit did not converge."""
    fits = [question.fit(one, reml=False) for one in (question.design.formula.text, formula)]
    if not all(fit.converged for fit in fits):
        return math.nan
    return 2 * max(fits[1].loglik - fits[0].loglik, 0.0)
