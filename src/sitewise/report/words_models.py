"""Words on models: names of coefficients and components, boundary, shape, comparisons."""

import re
from collections.abc import Mapping, Sequence

from sitewise.inference.comparison import ModelComparison
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.model import Plan
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import degrees, listed, number, typeset
from sitewise.report.words import no_answer
from sitewise.terms import SITEID, UNWRITTEN, USUBJID, WEEK, unwritten
from sitewise.trial.description import OutcomeRow

_PERFECT = 0.999  # printed as 1.00
GROUPS = {SITEID: "site", USUBJID: "patient", "Residual": "reading (residual)"}


def coefficient(name: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    """`AVISITMonth 6:TRT01PTASSH+HIC` in words: the levels, with a times sign;
    what is not a factor as it is.

    levels: of the factors of the model, as the fit gives them.
    """
    return " \u00d7 ".join(_part(part, levels) for part in name.split(":"))


def _part(part: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    for factor in sorted(levels, key=len, reverse=True):
        if part.startswith(factor) and part.removeprefix(factor) in levels[factor]:
            return part.removeprefix(factor)
    if part in ("Intercept", "(Intercept)", "1"):
        return "Intercept"
    return "week" if part == WEEK else part


def group_name(group: str) -> str:
    """`SITEID:AVISIT` in words, with a times sign."""
    names = {**GROUPS, "AVISIT": "visit", "TRT01P": "arm"}
    return " \u00d7 ".join(names.get(part, part) for part in group.split(":"))


def term_name(term: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    """A random term: `intercept`, `week`, or the coefficient."""
    name = coefficient(term, levels)
    return "intercept" if name == "Intercept" else name


def singular_sentence(kind: str, where: str, models: list[str]) -> str:
    """What singular fits of one kind mean, for a clinician. where: the random term concerned."""
    verb = "the model {} is" if len(models) == 1 else "the models {} are"
    head = f"{verb.format(listed(models))} singular ({where}):"
    if kind == "variance 0":
        return (
            f"{head} a variance between {_who(where)} is estimated as 0. That is an estimate and"
            " the term stays in the model; the data show no more variation there than chance in the"
            " levels below it would give, which is not proof that there is none. Degrees of freedom"
            " deserve caution."
        )
    who = _who(where)
    return (
        f"{head} a perfect correlation is estimated between two random effects, as between where"
        f" {who} start and how they change. The model asks more than the data can tell; it is"
        f" not a finding about {who}. Estimates of arms are usable, the correlation is not."
    )


def _who(where: str) -> str:
    """Whose random term: `1 + WEEK | USUBJID` is that of patients."""
    group = where.rsplit("|", 1)[-1].strip(" ()")
    own = {SITEID: "sites", USUBJID: "patients"}
    if group in own:
        return own[group]
    return f"levels of {group_name(group)}" if group else "levels of a group"


def growing_variance(evidence: Evidence, endpoint: str) -> str:
    """The reading of random slopes whose correlation with the intercept is at the boundary."""
    found: dict[str, list[str]] = {}
    signs: set[bool] = set()
    of_patients = False
    for fit in evidence.ordered_fits(endpoint):
        if fit.fit.singularity.kind != "correlation":
            continue
        for term in fit.fit.random:
            if term.terms[-1] != WEEK or len(term.terms) < 2:
                continue
            r = term.correlations[-1][0]
            if abs(r) > _PERFECT:
                key = f"{group_name(term.group)}s has correlation {number(r, 2)}"
                found.setdefault(key, []).append(fit.model)
                of_patients |= term.group == USUBJID
                signs.add(r > 0)
    if not found:
        return ""
    where = "; ".join(
        f"in {'the model' if len(models) == 1 else 'the models'} {listed(models)} the random slope"
        f" of {key} with the random intercept"
        for key, models in found.items()
    )
    # The observed spread is that between patients: of a slope of hospitals alone it says nothing.
    spread = (
        f": the observed standard deviations are {'; '.join(_spread(evidence, endpoint))}, and a"
        " random slope is such a model's only means to let the scatter between patients differ from"
        " visit to visit"
        if of_patients
        else ""
    )
    # At 1 lines fan out; at -1 they cross, at the first visit or later.
    crossing = "least where the lines cross, at the first visit or later"
    if signs == {True}:
        how = "that grows over time"
    elif signs == {False}:
        how = f"that changes over time, {crossing}"
    else:
        how = f"that changes over time: growing where it is 1, {crossing} where it is \u22121"
    return (
        f"{where[0].upper()}{where[1:]}. Read it as variance {how}, and not as a law that those"
        f" who start higher change otherwise{spread}."
    )


def _spread(evidence: Evidence, endpoint: str) -> list[str]:
    d = evidence.decimals(endpoint)
    lines = []
    for arm in evidence.plan.arms.order:
        rows = [
            r
            for r in evidence.description.outcomes
            if r.endpoint == endpoint and r.arm == arm.name and r.n > 1
        ]
        told = [f"{number(r.sd, d)} at {r.visit}" for r in _few(rows)]
        lines.append(f"{arm.name} {listed(told)}")
    return lines


def _few(rows: Sequence[OutcomeRow]) -> list[OutcomeRow]:
    """Up to four visits as they are; of more, the first two, the middle one and the last."""
    if len(rows) <= 4:
        return list(rows)
    return [rows[0], rows[1], rows[len(rows) // 2], rows[-1]]


def linear_misfit(evidence: Evidence, endpoint: str) -> str:
    """Whether the observed means bend where a model is a straight line in week.

    Said where, in some arm, the chord from the first to the last visit passes outside the interval
    of the mean at a visit between: a choice of words, not a test.
    """
    linear = [name for name, m in evidence.plan.models.items() if is_linear(m.formula)]
    bent = []
    d = evidence.decimals(endpoint)
    for arm in evidence.plan.arms.order:
        rows = [
            r
            for r in evidence.description.outcomes
            if r.endpoint == endpoint and r.arm == arm.name and r.n > 0
        ]
        if len(rows) < 3:
            continue
        first, last = rows[0], rows[-1]
        pace = (last.mean - first.mean) / (last.week - first.week)
        chords = [(r, first.mean + pace * (r.week - first.week)) for r in rows[1:-1]]
        if any(not r.lower <= chord <= r.upper for r, chord in chords):
            told = [f"{number(r.mean, d)} at {r.visit}" for r in _few(rows)]
            bent.append(f"{arm.name} {listed(told)}")
    if not linear or not bent:
        return ""
    primary = evidence.plan.primary.model
    tested = evidence.endpoints[endpoint].ladder.straight if primary in linear else None
    if tested is not None and not tested.refused and tested.p >= evidence.plan.alpha:
        return (
            "Beside the intervals of single means the observed means look bent in week"
            f" ({'; '.join(bent)}); the test of section 6, of all visits together, does not see it"
            f" ({evidence.p_phrase(tested.p)}). {_models(linear)} linear in WEEK, the primary model"
            f" {primary} too: if the bend is real, the answer is the difference between two lines"
            f" at {evidence.plan.primary.visit}, not between the means there."
        )
    if primary in linear:
        place = (
            f"the primary model {primary} is such a model, so the answer is the difference between"
            f" two lines at {evidence.plan.primary.visit}, not between the means there."
        )
    else:
        place = (
            "they stand here to describe patients' courses and for comparison, not for the primary"
            " answer."
        )
    return (
        f"The observed means do not lie on a straight line in week ({'; '.join(bent)})."
        f" {_models(linear)} linear in WEEK and so {'misfits' if len(linear) == 1 else 'misfit'}"
        f" these means; {place}"
    )


def _fixed_part(formula: str) -> str:
    """The fixed part of a formula as the plan writes it, without blanks and random terms."""
    return re.sub(r"[\s+]*\([^)|]*\|[^)]*\)|\s", "", formula)


def is_linear(formula: str) -> bool:
    """Whether the fixed part has WEEK and no factor of visits."""
    fixed = _fixed_part(formula)
    return WEEK in fixed and "AVISIT" not in fixed


def _models(names: list[str]) -> str:
    return f"The model {names[0]} is" if len(names) == 1 else f"The models {listed(names)} are"


def why_primary(plan: Plan) -> str:
    """Why the plan's primary model, visit and contrast are primary, in its words, if it has any."""
    kind = "change from baseline" if plan.primary.contrast == "change" else "level"
    what = f"the model {plan.primary.model} and the {kind} at {plan.primary.visit} are primary"
    reason = (plan.primary.why or UNWRITTEN).strip()
    if unwritten(reason):
        return f"The plan does not say why {what}."
    end = "" if reason[-1:] in {".", "!", "?"} else "."
    return typeset(f"Why {what}, in the plan's words: {reason}{end}")


def site_by_visit(evidence: Evidence) -> str:
    """Why, with whole sites randomised, the model with site by visit is primary."""
    plan = evidence.plan
    if plan.design != "cluster":
        return ""
    endpoint = next(iter(plan.endpoints))
    primary = evidence.primary_fit(endpoint)
    groups = {t.group for t in primary.fit.random}
    smaller = [
        fit
        for fit in evidence.endpoints[endpoint].fits.values()
        if fit.model != primary.model
        and fit.primary is not None
        and fit.primary.result.se < primary.answer.result.se
        and {t.group for t in fit.fit.random} < groups
        and _fixed_part(fit.fit.formula) == _fixed_part(primary.fit.formula)
    ]
    if not ({"SITEID:AVISIT", "AVISIT:SITEID"} & groups) or not smaller:
        return ""
    d = evidence.decimals(endpoint) + 1
    others = listed(
        [
            f"{fit.model} (SE {number(fit.answer.result.se, d)},"
            f" {evidence.p_phrase(fit.answer.result.p)})"
            for fit in smaller
        ]
    )
    r = primary.answer.result
    return (
        f"Whole sites were randomised, so that chance differences between sites in how outcomes"
        f" change over time fall wholly on the arm that a site belongs to. The primary model"
        f" {primary.model} has a term for them (SE {number(r.se, d)}, {degrees(r.df)} degrees of"
        f" freedom, {evidence.p_phrase(r.p)}). Without it the standard error is smaller: {others}."
        " Such a model takes what the patients of a site share in their change for patients' own"
        " chance, claims more precision than the design gives, and is therefore not primary,"
        " whatever its p-value."
    )


def comparison_sentence(evidence: Evidence, test: ModelComparison) -> str:
    """One likelihood-ratio test, or why it was refused."""
    if test.refused:
        return f"{test.question} {test.null} against {test.full}: refused. {test.refused}"
    return " ".join((f"{test.null} against {test.full}:", *test.cautions)) if test.cautions else ""


def joint_sentences(e: Evidence, fit: PlannedFit) -> list[str]:
    """The contrasts of an arm at all visits together, in a sentence each."""
    if no_answer(e, fit.endpoint):
        return []
    change = {"change": ", change from baseline", "level": ""}
    return [
        f"{t.arm} minus {t.reference}{change[t.kind]}, at {listed(t.visits)} together:"
        f" F {number(t.f, 2)} on {t.df1} and {degrees(t.df2)} degrees of freedom,"
        f" {e.p_phrase(t.p)}, descriptive."
        for t in fit.joint
    ]
