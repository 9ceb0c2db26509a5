"""What to know before trusting the answer: sites and patients left out, fits, disagreements."""

from collections.abc import Mapping

from sitewise.errors import plural
from sitewise.inference.planned_fit import PlannedFit
from sitewise.inference.singular_terms import singular_terms
from sitewise.plan.named_visits import other_visits_named
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, typeset
from sitewise.report.pictured import raw_reading
from sitewise.report.section_by_site import differs
from sitewise.report.section_not_at_random import tipping_sentence
from sitewise.report.section_straight import straight_cautions
from sitewise.report.words_departures import model_departures
from sitewise.report.words_fragile import by_handling, fragile
from sitewise.report.words_models import is_linear
from sitewise.report.words_patients import missing_sentence
from sitewise.report.words_replication import apart
from sitewise.report.words_spread import uneven_sentence
from sitewise.report.words_states import singular_primary, singular_states, stopped_states
from sitewise.terms import UNWRITTEN, Severity, unwritten
from sitewise.trial.account import FindingCount

MOST_MESSAGES = 3  # messages of one rule on the first page
MOST_RULES = 3  # rules that have a sentence of their own there
MOST_LINES = 5  # of an unfinished plan, by number
BAD_SITE = "bad site"


def cautions(evidence: Evidence) -> tuple[str, ...]:
    """What a reader must know before trusting the answer, the gravest first."""
    found = (
        _unfinished_plan(evidence),
        unsettled(evidence),
        _other_visits(evidence),
        *_departures(evidence),
        *_sites_set_aside(evidence),
        *_earlier_files(evidence),
        _not_locked(evidence),
        lost_patients(evidence),
        *singular_primary(evidence),
        *_primary_cautions(evidence),
        *(uneven_sentence(evidence, name) for name in evidence.endpoints),
        *stopped_states(evidence),
        *_lines(evidence),
        *(differs(evidence, name) for name in evidence.endpoints),
        *_missing(evidence),
        other_verdict(evidence),
        *fragile(evidence),
        *by_handling(evidence),
        *_errors(evidence),
        *_disagreements(evidence),
        *singular_states(evidence),
    )
    return tuple(typeset(text) for text in found if text)


def _unfinished_plan(evidence: Evidence) -> str:
    """That the plan is a first draft, in which nobody has written what was asked."""
    plan = evidence.plan
    estimand = [key.replace("_", " ") for key, text in plan.estimand if unwritten(text)]
    whole = len(estimand) == len(type(plan.estimand).model_fields)
    missing = [
        *(["the question"] if unwritten(plan.question) else []),
        *(["the estimand"] if whole else [f"the estimand's {key}" for key in estimand]),
        *(f"the unit of {name}" for name, one in plan.endpoints.items() if unwritten(one.unit)),
        *(["why its primary model is primary"] if unwritten(plan.primary.why or "") else []),
    ]
    if not missing:
        return ""
    return (
        f"The plan is not finished: {listed(missing)} {'is' if len(missing) == 1 else 'are'}"
        f" {UNWRITTEN}. What its other lines guess may not be settled either"
    )


def _other_visits(evidence: Evidence) -> str:
    """That the words of the plan name another visit than the contrast that was estimated."""
    found = other_visits_named(evidence.plan)
    if found is None:
        return ""
    fields = listed(["the " + field.replace("estimand.", "estimand's ") for field in found.fields])
    return (
        f"The plan contradicts itself: {fields} {'names' if len(found.fields) == 1 else 'name'}"
        f" {listed(found.visits)}, and the primary contrast, which is the answer above, is at"
        f" {evidence.plan.primary.visit}. One of the two is not what the protocol asks"
    )


def _missing(evidence: Evidence) -> list[str]:
    """Who lacks a reading; that the answer rests on why, and what of them would undo a claim."""
    said = missing_sentence(evidence)
    rests = (
        "The answer rests on readings being missing at random, given the model and the readings"
        f" that there are.{tipping_sentence(evidence)}"
    )
    return [said, rests] if said else []


def unsettled(evidence: Evidence) -> str:
    """That the plan still carries marks of a first draft."""
    lines = evidence.marks
    if not lines:
        return ""
    first = ", ".join(map(str, lines[:MOST_LINES])) + (", ..." if len(lines) > MOST_LINES else "")
    marked = "1 line of the plan is" if len(lines) == 1 else f"{len(lines)} lines of the plan are"
    return (
        f"{marked} still marked GUESS or WRITE ({first}), as sitewise init drafted them from the"
        " files: nobody has confirmed that they say what the protocol asks"
    )


def _departures(evidence: Evidence) -> list[str]:
    """That plan or data are not what was locked."""
    found = evidence.deviations
    if not found.changed:
        return []
    return [
        f"Plan or data are not those that were locked ({plural(len(found.changed), 'change')}):"
        " the reasons are in section 2"
    ]


def _not_locked(evidence: Evidence) -> str:
    if evidence.deviations.locked:
        return ""
    return (
        "Plan and data were not locked before this run: nothing shows that the primary model was"
        " named before the outcomes were seen"
    )


def _sites_set_aside(evidence: Evidence) -> list[str]:
    return [
        f"Site {file.site} was set aside, {_with_readings(evidence, file.readings)}: {file.reason}"
        for file in evidence.files
        if file.status == "set aside"
    ]


def _earlier_files(evidence: Evidence) -> list[str]:
    return [f"Of site {file.site} {file.kept}" for file in evidence.files if file.kept]


def lost_patients(evidence: Evidence) -> str:
    """Patients of the files none of whose readings is analysed, with the reasons by arm."""
    every = sum(count.patients for count in evidence.account.patients)
    lost = [count for count in evidence.account.patients if count.reason]
    if not lost:
        return ""
    reasons: dict[str, int] = {}
    arms: dict[str, int] = {}
    for count in lost:
        reasons[count.reason] = reasons.get(count.reason, 0) + count.patients
        arms[count.arm] = arms.get(count.arm, 0) + count.patients
    ordered = sorted(reasons, key=lambda reason: (-reasons[reason], reason))
    told = [f"{reason} ({reasons[reason]})" for reason in ordered[:MOST_MESSAGES]]
    if len(ordered) > MOST_MESSAGES:
        told.append(f"other reasons ({sum(reasons[r] for r in ordered[MOST_MESSAGES:])})")
    by_arm = listed([f"{arm or 'no arm of the plan'} {n}" for arm, n in arms.items()])
    return (
        f"Of {every} patients in the files {sum(reasons.values())} have no reading left and are in"
        f" no analysis ({by_arm}): {listed(told)}"
    )


def _with_readings(evidence: Evidence, count: int) -> str:
    """Of a file that is not there or can't be read, nobody knows how many it holds."""
    raw = raw_reading(evidence.plan)
    return f"with its {plural(count, raw)}" if count else f"its {raw}s could not be counted"


def _errors(evidence: Evidence) -> list[str]:
    """Findings of severity error: a sentence a rule, or all in one where there are many rules.

    Sites that were set aside have their own sentence.
    """
    by_rule: dict[str, list[FindingCount]] = {}
    for found in evidence.account.findings:
        if found.severity == Severity.ERROR and found.rule != BAD_SITE:
            by_rule.setdefault(found.rule, []).append(found)
    if len(by_rule) > MOST_RULES:
        return [_all_errors(evidence, by_rule)]
    texts = []
    for rule, own in by_rule.items():
        sites = {site for found in own for site in found.sites}
        more = f"; {len(own) - MOST_MESSAGES} more kinds in section 2"
        texts.append(
            f"{plural(sum(found.findings for found in own), 'finding')} of severity error by the"
            f" rule {rule} at {plural(len(sites), 'site')}:"
            f" {'; '.join(found.message for found in own[:MOST_MESSAGES])}"
            f"{more if len(own) > MOST_MESSAGES else ''}"
        )
    return texts


def _all_errors(evidence: Evidence, by_rule: Mapping[str, list[FindingCount]]) -> str:
    """`131 findings of severity error at 8 sites: ...`, the commonest rules first: as many as
    section 2 lists, those of sites set aside too."""
    counts = {rule: sum(found.findings for found in own) for rule, own in by_rule.items()}
    sites = {site for own in by_rule.values() for found in own for site in found.sites}
    for found in evidence.account.findings:
        if found.severity == Severity.ERROR and found.rule == BAD_SITE:
            counts[found.rule] = counts.get(found.rule, 0) + found.findings
            sites.update(found.sites)
    ordered = sorted(counts, key=lambda rule: (-counts[rule], rule))
    told = listed([f"{rule} ({counts[rule]})" for rule in ordered])
    included = ", sites set aside included" if BAD_SITE in counts else ""
    return (
        f"{plural(sum(counts.values()), 'finding')} of severity error at"
        f" {plural(len(sites), 'site')}{included}: {told}."
        " Section 2 tells each, and what became of the readings."
    )


def _primary_cautions(evidence: Evidence) -> list[str]:
    """Cautions of the primary fits; the same words of several endpoints once."""
    told: dict[str, list[str]] = {}
    for name in evidence.endpoints:
        for text in _of_primary(evidence, evidence.primary_fit(name)):
            told.setdefault(text, []).append(name)
    return [f"{listed(names)}: {text}" for text, names in told.items()]


def _of_primary(e: Evidence, fit: PlannedFit) -> tuple[str, ...]:
    """Of the primary fit: convergence first, then departures, then its own cautions.

    That a variance of it is 0 is told with the singular fits, once.
    """
    changed = [
        f"deviation from the plan, the primary model {fit.model}: {text}."
        for text in model_departures(e, fit)
    ]
    rest = [text for text in fit.cautions if text not in fit.departures]
    if fit.fit.converged:
        told = set(singular_terms(fit.fit)) if fit.fit.singularity.singular else set()
        return (*changed, *(text for text in rest if text not in told))
    stopped = (
        "the primary model did not converge: the search found no maximum of its likelihood, so"
        " there is no answer"
    )
    return (stopped, *changed, *rest)


def _lines(evidence: Evidence) -> list[str]:
    """Means off the straight line that the primary model assumes."""
    plan = evidence.plan
    if not is_linear(plan.models[plan.primary.model].formula):
        return []
    return straight_cautions(evidence)


def other_verdict(evidence: Evidence) -> str:
    """That other models of the plan lie on the other side of alpha for the primary contrast."""
    name, plan = next(iter(evidence.endpoints)), evidence.plan
    first, *others = evidence.ordered_fits(name)
    if not first.fit.converged or first.primary is None:
        return ""
    significant = first.primary.result.p < plan.alpha
    apart_from_it = [
        f"{fit.model} ({evidence.p_phrase(fit.primary.result.p)})"
        for fit in others
        if fit.fit.converged
        and fit.primary is not None
        and (fit.primary.result.p < plan.alpha) != significant
    ]
    if not apart_from_it:
        return ""
    is_, are_ = ("is", "is not") if significant else ("is not", "is")
    warned = " and says what each leaves out" if any(fit.cautions for fit in others) else ""
    return (
        f"{name}: the verdict hangs on the model. Among the plan's own models, the contrast {is_}"
        f" significant under the primary one and {are_} under {listed(apart_from_it)}. Section 5"
        f" puts them side by side{warned}; section 6 has the analyses that are usual, whether the"
        " plan names them or not."
    )


def _disagreements(evidence: Evidence) -> list[str]:
    found = []
    for name, own in evidence.endpoints.items():
        for r in own.replications.rows:
            if r.status == "disagrees":
                found.append(f"{name}, model {r.model}: {apart(r)}.")
            elif r.status == "failed":
                found.append(f"{name}, model {r.model}: the replication failed: {r.reason}")
    return found
