"""Words on patients: who is analysed, who is left out and why, who lacks a visit."""

from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed
from sitewise.report.words_leaving import reasons_given
from sitewise.terms import Use


def everybody(evidence: Evidence) -> int:
    """Patients with any analysed reading, of all arms and endpoints."""
    return sum(evidence_arms(evidence).values())


def evidence_arms(evidence: Evidence) -> dict[str, int]:
    """Patients with any analysed reading by arm, in the order of the plan."""
    found = {r.arm: r.patients for r in evidence.description.flow if r.site == ""}
    return {arm.name: found.get(arm.name, 0) for arm in evidence.plan.arms.order}


def _without_reading(evidence: Evidence, endpoint: str) -> int:
    """Patients without any analysed reading of the endpoint."""
    seen = sum(
        r.patients
        for r in evidence.description.patterns
        if r.endpoint == endpoint and "x" in r.pattern
    )
    return max(0, everybody(evidence) - seen)


def reasons(evidence: Evidence, endpoint: str) -> str:
    """Why patients are not in the primary model: reasons of dropped rows, with their patients."""
    left = everybody(evidence) - evidence.primary_fit(endpoint).patients
    found = [
        (told(evidence, use.reason), use.patients)
        for use in evidence.primary_fit(endpoint).uses
        if use.use == Use.DROPPED and use.patients
    ]
    if none := _without_reading(evidence, endpoint):
        found.append((f"no analysed reading of {endpoint}", none))
    if len(found) == 1 and found[0][1] == left:  # the number stands before it
        return found[0][0]
    text = "; ".join(f"{reason}: {n}" for reason, n in found) or "no reason was recorded"
    # Reasons are counted by row: a patient may have two, or lose one row and keep the others.
    if found and sum(n for _, n in found) != left:
        text += "; patients with such rows, of whom some have several reasons or other rows in use"
    return text


def told(evidence: Evidence, reason: str) -> str:
    """A reason of a dropped row; a set's name is nothing to a reader without what it means."""
    for name, planned in evidence.plan.analysis_sets.items():
        if reason.endswith(f"analysis set {name}"):
            return f"{reason}, {planned.label[:1].lower()}{planned.label[1:]}"
    return reason


def analysed_sentence(evidence: Evidence, endpoint: str) -> str:
    """`SYSBP: 757 patients, 641 analysed by the primary model, 116 left out (why)`."""
    fit, total = evidence.primary_fit(endpoint), everybody(evidence)
    left = total - fit.patients
    head = f"{endpoint}: {plural(total, 'patient')}, {fit.patients} analysed"
    if not left:
        return f"{head}, none left out."
    return f"{head}, {left} left out ({reasons(evidence, endpoint)})."


def analysed_text(evidence: Evidence) -> str:
    """The sentences of all endpoints, or one where no patient is left out of any."""
    total = everybody(evidence)
    if all(evidence.primary_fit(name).patients == total for name in evidence.endpoints):
        names = listed(list(evidence.endpoints))
        return f"{plural(total, 'patient')}, none left out of the primary model of {names}."
    return " ".join(analysed_sentence(evidence, name) for name in evidence.endpoints)


def missing_sentence(evidence: Evidence) -> str:
    """Who is left out of the primary models or lacks their visit.

    Endpoints that lack the same patients are told together.
    """
    bodies: dict[str, list[str]] = {}
    for name in evidence.endpoints:
        if parts := _lacking(evidence, name):
            bodies.setdefault(listed(parts), []).append(name)
    if not bodies:
        return ""
    of = f"of {plural(everybody(evidence), 'patient')} "
    told = []
    for body, names in bodies.items():
        told.append(f"{listed(names)}: {of}{body}")
        of = ""
    left = any(_left(evidence, name) for name in evidence.endpoints)
    why = reasons_given(evidence, next(iter(evidence.plan.endpoints)))
    more = [*([why] if why else []), *(["Patients left out add nothing to the answer."] * left)]
    return " ".join([f"{'; '.join(told)}.", *more])


def _left(evidence: Evidence, endpoint: str) -> int:
    """Patients left out of the primary model."""
    return max(0, everybody(evidence) - evidence.primary_fit(endpoint).patients)


def _lacking(evidence: Evidence, endpoint: str) -> list[str]:
    """What patients of one endpoint lack, by arm."""
    total, visit = everybody(evidence), evidence.plan.primary.visit
    left, by_arm = _left(evidence, endpoint), evidence_arms(evidence)
    seen = {
        r.arm: r.n
        for r in evidence.description.outcomes
        if r.endpoint == endpoint and r.visit == visit
    }
    lacking = {arm: n - seen.get(arm, 0) for arm, n in by_arm.items()}
    every = sum(
        r.patients
        for r in evidence.description.patterns
        if r.endpoint == endpoint and "." not in r.pattern
    )
    parts = []
    if left:
        are = "is" if left == 1 else "are"
        parts.append(f"{left} {are} left out of the primary model ({reasons(evidence, endpoint)})")
    if (absent := sum(lacking.values())) > 0:
        arms = [f"{arm} {lacking[arm]} of {n}" for arm, n in by_arm.items()]
        have = "has" if absent == 1 else "have"
        parts.append(f"{absent} {have} no reading at {visit} ({listed(arms)})")
    if total > every:
        lack = "lacks" if total - every == 1 else "lack"
        parts.append(f"{total - every} {lack} a reading at one visit or more")
    return parts
