"""The rungs that are mixed models: random intercepts, slopes, residual covariances."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import Rung, Share
from sitewise.classical.question import Question, answer, df_of, state_of, tested
from sitewise.errors import ModelError
from sitewise.lmm.formula import Formula, parse_formula
from sitewise.terms import AVISIT, SITEID, USUBJID, WEEK

if TYPE_CHECKING:
    from sitewise.lmm.lmmfit import LmmFit

SITE, PATIENT, VISIT = f"(1 | {SITEID})", f"(1 | {USUBJID})", f"(1 | {SITEID}:{AVISIT})"
SLOPE = f"(1 + {WEEK} | {USUBJID})"
MIXED = {
    "site": ("Site random intercept", SITE),
    "patient": ("Patient random intercept", PATIENT),
    "nested": ("Three levels: patients in sites", f"{SITE} + {PATIENT}"),
    "site_by_visit": ("Three levels, with site-by-visit", f"{SITE} + {VISIT} + {PATIENT}"),
    "slope": ("Three levels, random slope of patients", f"{SITE} + {SLOPE}"),
}
NOT_SAME = "its fixed part has other columns than the primary model's on these rows"


def mixed_rung(
    question: Question, key: str, label: str, formula: str
) -> tuple[Rung, "LmmFit | None"]:
    """Fit one model and ask it the question; a refusal is a rung too."""
    try:
        fit = question.fit(formula)
    except ModelError as error:
        return blank(question, key, label, formula, " ".join(str(error).split())), None
    return rung_of(question, key, label, fit), fit


def rung_of(question: Question, key: str, label: str, fit: "LmmFit") -> Rung:
    """The rung of a fitted model on the question's rows."""
    if tuple(fit.estimates.names) != question.design.names or question.row is None:
        return blank(question, key, label, fit.formula, NOT_SAME)
    try:
        found = tested(fit, question.row, question.plan)
        base = None if question.base is None else tested(fit, question.base, question.plan)
    except ModelError as error:
        return blank(question, key, label, fit.formula, " ".join(str(error).split()))
    return replace(
        blank(question, key, label, fit.formula, ""),
        answer=found,
        base=base,
        df_method=df_of(fit.reml, question.plan),
        state=state_of(fit),
        notes=_notes(fit),
    )


def _notes(fit: "LmmFit") -> tuple[str, ...]:
    found = []
    if not fit.converged:
        found.append("The fit did not converge: its numbers are not final.")
    elif fit.singular:
        at = fit.singularity
        found.append(f"Singular: {at.kind} at ({at.where}).")
    return tuple(found)


def blank(question: Question, key: str, label: str, formula: str, refused: str) -> Rung:
    """A rung of the question's rows without an answer."""
    rows, patients, sites = question.counts()
    return Rung(key, label, formula, rows, patients, sites, None, None, float("nan"), "", refused,
                "", False, ())  # fmt: skip


def shares_of(key: str, fit: "LmmFit") -> list[Share]:
    """Variances of random intercepts and the residual as shares of their sum."""
    table = fit.varcorr
    found = list(zip(table["group"].astype(str), table["variance"].astype(float), strict=True))
    total = sum(value for _, value in found)
    return [Share(key, group, value, value / total) for group, value in found]


def terms_key(formula: Formula) -> tuple[frozenset[str], str, str]:
    """What makes two formulas one model: random terms, residual covariance, fixed part."""
    random = frozenset("".join(str(spec).split()) for spec in formula.random)
    return random, str(formula.residual or ""), "".join(formula.fixed.split())


def mark_planned(question: Question, rungs: list[Rung], primary: Mapping[str, Any]) -> list[Rung]:
    """The rungs with the plan's primary model marked, or added where no rung is it.

    primary: its fit as plain data (`fit.json`); the planned rung has its numbers.
    """
    name = question.plan.primary.model
    spec = question.plan.models[name]
    own = terms_key(parse_formula(spec.formula))
    label = f"Primary analysis: {spec.label}"
    numbers = planned_answer(primary, question.plan.alpha)
    formulas = [terms_key(parse_formula(r.formula)) if r.formula else None for r in rungs]
    found = [i for i, key in enumerate(formulas) if key == own]
    if found:
        i = found[0]
        rungs[i] = replace(rungs[i], answer=numbers, planned=True, refused="")
        return rungs
    rung, _ = mixed_rung(question, "primary", label, spec.formula)
    return [*rungs, replace(rung, answer=numbers, planned=True, refused="")]


def planned_answer(primary: Mapping[str, Any], alpha: float) -> Answer:
    """The primary contrast of `fit.json`; NaN and infinities are text there, which float reads."""
    result = primary["primary"]["result"]
    estimate, se, df = (float(result[key]) for key in ("estimate", "se", "df"))
    return answer(estimate, se, df, alpha)


def se_of(one: Answer | None) -> float:
    """SE, or NaN."""
    return float("nan") if one is None else one.se
