"""Words on why patients have no reading at the visits that matter."""

from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed
from sitewise.report.leaving import NONE_GIVEN, Absent, absent

NO_COLUMN = "The plan names no column of reasons for leaving: who was not seen is counted, not why."


def why_absent(e: Evidence, endpoint: str) -> str:
    """Who has no reading at the primary visit, and why; nothing without a column of reasons."""
    own = absent(e.description, endpoint, e.plan.primary.visit)
    return _totals(endpoint, own[0]) if own else ""


def why_absent_by_arm(e: Evidence, endpoint: str) -> str:
    """The same by arm, of each visit that was counted."""
    own = absent(e.description, endpoint)
    return " ".join(_by_arm(endpoint, one) for one in own)


def reasons_given(e: Evidence, endpoint: str) -> str:
    """Why patients have no reading at the primary visit, in one sentence; nothing without reasons.

    It stands where their number was told.
    """
    own = absent(e.description, endpoint, e.plan.primary.visit)
    if not own or not own[0].given:
        return ""
    return f"Reasons in the hospital files: {_reasons(own[0])}."


def reasons_note(e: Evidence) -> str:
    """What stands under a table of patients by reason."""
    if e.plan.leaving.column is None:
        return NO_COLUMN
    return (
        f"Reasons for leaving early: as the column {e.plan.leaving.column} of the hospital files"
        " gives them. None given: the cell is empty, as that of patients who missed the visit and"
        " did not leave."
    )


def _totals(endpoint: str, own: Absent) -> str:
    """Reasons of all arms together."""
    head = _head(endpoint, own)
    if not own.given:
        none = "; the hospital files give no reason for any of them" if own.patients else ""
        return f"{head}{none}.{_contrary(own)}"
    return f"{head}. Reasons in the hospital files: {_reasons(own)}.{_contrary(own)}"


def _reasons(own: Absent) -> str:
    """Reasons with their patients, and how many have none."""
    without = sum(dict(own.reasons)[NONE_GIVEN])
    rest = f"; for {without} they give none" if without else ""
    return listed([f"{sum(numbers)} {reason}" for reason, numbers in own.given]) + rest


def _by_arm(endpoint: str, own: Absent) -> str:
    """Each reason with its patients by arm."""
    if len(own.arms) < 2 or not own.given:
        return _totals(endpoint, own)
    told = [
        f"{reason} {listed([f'{arm} {n}' for arm, n in zip(own.arms, numbers, strict=True)])}"
        for reason, numbers in own.reasons
        if sum(numbers)
    ]
    return f"{_head(endpoint, own)}. By reason: {'; '.join(told)}.{_contrary(own)}"


def _head(endpoint: str, own: Absent) -> str:
    if not own.patients:
        return f"No patient is without a reading of {endpoint} at {own.visit}"
    have = "has" if own.patients == 1 else "have"
    return f"{plural(own.patients, 'patient')} {have} no reading of {endpoint} at {own.visit}"


def _contrary(own: Absent) -> str:
    if not own.contrary:
        return ""
    have = "has" if own.contrary == 1 else "have"
    return (
        f" {plural(own.contrary, 'patient')} {have} a reason for leaving early and a reading at"
        f" {own.visit}: see the findings."
    )
