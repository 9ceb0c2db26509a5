"""The sentences of the cross-check: what should agree, why it does not, what each side assumes."""

import math
from collections.abc import Sequence

from sitewise.classical.result import AnovaRow
from sitewise.lmm.linear.method import NAMES
from sitewise.plan.model import Plan
from sitewise.terms import AVISIT

# Relative difference of two F that are the same number, computed by two programs.
SAME_F = 1e-5


def agreement(row: AnovaRow, f: float, *, equal: bool, positive: bool) -> str:
    """Whether the mixed model's F should be the ANOVA's on the same complete cases, and is.

    equal: the arms have as many complete patients each. positive: the patient variance of the
    mixed model is not 0.
    """
    same = abs(f - row.f) <= SAME_F * max(abs(f), abs(row.f))
    both = f"{f:.3f} against {row.f:.3f}"
    if not positive:
        return (
            "the patient variance is estimated as 0, which the ANOVA does not know: F need not"
            f" agree ({both})"
        )
    if not equal and row.effect == AVISIT:
        return (
            "the arms differ in size: the ANOVA's F for the visit is sequential, the mixed"
            f" model's is type III, so they need not agree ({both})"
        )
    return (
        "expected to agree, and does"
        if same
        else f"expected to agree, and does not ({both}): one of the two is wrong"
    )


def size_note(by_arm: Sequence[tuple[str, int]]) -> str:
    """What agrees on complete cases, given the arms' sizes."""
    sizes = ", ".join(f"{arm} {n}" for arm, n in by_arm)
    if len({n for _, n in by_arm}) == 1:
        return (
            f"On complete cases with arms of one size ({sizes}) all three F of the ANOVA are those"
            " of the mixed model with a patient intercept, as long as the patient variance is"
            " positive."
        )
    return (
        f"The arms differ in size among complete cases ({sizes}): only the F of the interaction"
        " and of the arm are those of the mixed model with a patient intercept; the ANOVA's F for"
        " the visit is sequential, not type III."
    )


def site_note(plan: Plan, anova_df: float, site_df: float) -> str:
    """Whole sites were randomised, and the ANOVA counts patients."""
    note = (
        f"Whole sites were randomised, and the repeated-measures ANOVA does not know them: its"
        f" {anova_df:g} denominator degrees of freedom for the arm count patients"
    )
    if math.isfinite(site_df):
        note += (
            f"; with a random site intercept the same complete cases give {site_df:.1f}"
            f" ({NAMES[plan.df]})"
        )
    return note + (
        ". Its p for the arm is not valid here, nor are those of visit and interaction where sites"
        " change differently."
    )


def assumptions(plan: Plan, visits: int) -> tuple[str, ...]:
    """What each analysis needs to be right, one line each."""
    lines = [
        "Complete cases: valid if whether a patient is complete is unrelated to the outcomes,"
        " given the arm.",
        "Mixed model: valid if readings are missing at random given its fixed part and the"
        " observed readings, and its covariance is right.",
    ]
    if visits > 2:
        lines.append(
            "The ANOVA also needs sphericity (all differences between two visits have one"
            " variance); the Greenhouse-Geisser correction relaxes this."
        )
    if plan.baseline.handling == "covariate":
        lines.append(
            "The plan has the baseline as covariate: here the visits after baseline are compared"
            " without it."
        )
    return tuple(lines)
