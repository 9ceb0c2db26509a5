"""A ladder and a reconciliation of a synthetic trial: every kind of rung and step."""

from typing import Any

from sitewise.classical.answer import Answer
from sitewise.classical.baseline_result import BaselineHandling, HandlingRow
from sitewise.classical.ladder_result import (
    CovarianceChoice,
    CovarianceRow,
    Guard,
    Guarded,
    Ladder,
    LeftOut,
    Rung,
    Share,
)
from sitewise.classical.reconciliation_result import EffectMatch, Reconciliation, Step

NAN = float("nan")
FORMULA = "AVAL ~ 1 + (1 | USUBJID)"
MIXED = {"formula": FORMULA, "df_method": "kenward-roger"}
CONTRAST = "Active minus Placebo at Month 4, change from baseline"


def answer(se: float, p: float = 0.1) -> Answer:
    return Answer(-3.1, se, 50.0, p, -3.1 - 2 * se, -3.1 + 2 * se)


def rung(key: str, label: str, se: float, at_base: float, **changes: Any) -> Rung:
    own = {
        "key": key, "label": label, "formula": "", "rows": 100, "patients": 36, "sites": 3,
        "answer": answer(se), "base": answer(at_base), "effective": 100 / se, "df_method": "n - p",
        "refused": "", "state": "", "planned": False, "notes": (),
    }  # fmt: skip
    return Rung(**{**own, **changes})


def ladder(trial: Any, endpoint: str) -> Ladder:
    """With a refusal, a singular fit, one that did not converge and a covariance passed over."""
    cluster = trial.design == "cluster"
    rungs = (
        rung("ols", "Least squares, hierarchy ignored", 1.8, 1.2),
        rung("site_fixed", "Least squares, site as fixed effect", NAN, NAN, answer=None, base=None,
             effective=NAN, refused="the arm is constant within every site"),
        rung("patient", "Patient random intercept", 1.5, 1.3, answer=answer(1.5, 0.04),
             state="regular", **MIXED),
        rung("nested", "Three levels: patients in sites", 1.5, 1.6, state="singular", **MIXED,
             notes=("Singular: variance 0 at (1 | SITEID).",)),
        rung("slope", "Three levels, random slope of patients", 9.9, 9.9, state="not converged",
             **MIXED),
        rung("site_by_visit", "Three levels, with site-by-visit", 1.84, 1.7, planned=True,
             state="regular", **MIXED),
    )  # fmt: skip
    shares = (Share("nested", "SITEID", 8.4, 0.03), Share("nested", "Residual", 271.0, 0.97),
              Share("site_by_visit", "SITEID:AVISIT", 5.2, 0.02))  # fmt: skip
    covariance = CovarianceChoice(
        ("us", "csh"), "csh",
        (CovarianceRow("us", "AVAL ~ 1 + us(AVISIT | USUBJID)", NAN, 0, NAN, NAN, NAN, False,
                       "the fit did not converge"),
         CovarianceRow("csh", "AVAL ~ 1 + csh(AVISIT | USUBJID)", -400.0, 4, 808.0, 808.4, 814.0,
                       True, "")),
        ("The plan's residual covariance us was not used: the fit did not converge.",),
    )  # fmt: skip
    checked = (
        Guarded("ols", "Least squares, hierarchy ignored", 97.0, 0.03, 2, 0.2, "beyond"),
        Guarded("site_by_visit", "Three levels, with site-by-visit", 2.0, 0.1, 2, 0.2, "within"),
        Guarded("baseline_constrained", "baseline as outcome, arms equal at baseline (cLDA)", 7.0,
                0.194, 3, 0.301, "assumed"),
    )  # fmt: skip
    guard = Guard(3, 2, 3, 1, 2, 3, 1.9, (1.4, 2.8), checked, False, answer(1.5), answer(1.84), 7.4,
                  0.003, "")  # fmt: skip
    return Ladder(
        endpoint, CONTRAST, "Active minus Placebo at Baseline",
        "SITEID" if cluster else "USUBJID", 3 if cluster else 36, rungs, shares, 1.8 / 1.84,
        1.2 / 1.7, 1.0, 1.3, covariance, guard if cluster else None,
        baseline(endpoint) if cluster else None,
        (LeftOut("001", 12, answer(1.9, 0.04), 0.8, 1.03, "regular", ""),
         LeftOut("002", 12, answer(1.9), -0.1, 1.02, "regular", ""),
         LeftOut("003", 12, None, NAN, NAN, "", "the others do not determine the contrast")),
    )  # fmt: skip


def baseline(endpoint: str) -> BaselineHandling:
    """Free, constrained and a refusal; variances that differ."""
    rows = (
        HandlingRow("free", "Outcome, arms free at baseline", FORMULA, 100, 36, 3, answer(1.7),
                    0.0, "regular", ""),
        HandlingRow("constrained", "Outcome, arms equal at baseline (cLDA)", FORMULA, 100, 36,
                    3, answer(1.6), 0.9, "singular", ""),
        HandlingRow("change", "Change score", "CHG ~ 1", 60, 30, 3, None, NAN, "", "no rows"),
    )  # fmt: skip
    return BaselineHandling(endpoint, "Active minus Placebo at Month 4", True, rows, answer(1.3),
                            ("Baseline", "Month 2", "Month 4"), (11.9, 18.6, 18.5), "")  # fmt: skip


def reconciliation(trial: Any, endpoint: str) -> Reconciliation:
    """Three effects, a step refused, a step that changes nothing."""
    effects = tuple(
        EffectMatch(x, 3.2, 1.0, 28.0, 0.08, NAN, NAN, 3.2, 3.2, 1e-12, "both", "the same")
        for x in ("TRT01P", "AVISIT", "AVISIT:TRT01P")
    )
    steps = (
        Step("anova", "Repeated-measures ANOVA, complete cases", "", 90, 30, 3, answer(1.6), "",
             "", False, NAN, NAN),
        Step("all", "All patients, compound symmetry", "AVAL ~ 1 + (1 | USUBJID)", 100, 36, 3,
             answer(1.5), "regular", "", False, 0.1, 0.94),
        Step("covariance", "Covariance within patients of the primary analysis", "", 100, 36, 3,
             None, "", "the data can't tell these apart", False, NAN, NAN),
        Step("primary", "Primary analysis: Planned", "", 100, 36, 3, answer(1.84), "regular", "",
             True, 0.0, 1.2),
    )  # fmt: skip
    return Reconciliation(endpoint, CONTRAST, 100, 36, 3, False, 89.3, effects, steps, "", ())
