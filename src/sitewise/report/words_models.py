"""Words on models: names of coefficients and components, boundary, shape, comparisons."""

import re
from collections.abc import Mapping

from sitewise.inference.comparison import ModelComparison
from sitewise.inference.planned_fit import PlannedFit
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import degrees, listed, number, plural, week
from sitewise.terms import SITEID, USUBJID, WEEK

GROUPS = {SITEID: "site", USUBJID: "patient", "Residual": "reading (residual)"}


def coefficient(name: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    """`AVISITMonth 6:TRT01PTASSH+HIC` as `Month 6 × TASSH+HIC`; what is not a factor as it is.

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
    """`SITEID:AVISIT` as `site × visit`."""
    names = {**GROUPS, "AVISIT": "visit", "TRT01P": "arm"}
    return " \u00d7 ".join(names.get(part, part) for part in group.split(":"))


def term_name(term: str, levels: Mapping[str, tuple[str, ...]]) -> str:
    """A random term: `intercept`, `week`, or the coefficient."""
    name = coefficient(term, levels)
    return "intercept" if name == "Intercept" else name


def singular_sentence(fit: PlannedFit) -> str:
    """What a singular fit means, for a clinician."""
    s = fit.fit.singularity
    where = f" ({s.where})" if s.where else ""
    head = f"model {fit.model} is singular{where}:"
    if s.kind == "variance 0":
        return (
            f"{head} a variance is estimated as 0. That is an estimate and the term stays in the"
            " model; the data show no more variation at this level than chance within the levels"
            " below it would give, which is not proof that there is none. Its degrees of freedom"
            " deserve caution."
        )
    return (
        f"{head} two of its random effects move in step (a correlation of +1 or \u22121), so that"
        " one of them carries no information of its own. Fixed effects and their standard errors"
        " are firm; the correlation is not an observation about patients."
    )


def growing_variance(evidence: Evidence, fit: PlannedFit) -> str:
    """The reading of a random slope whose correlation with the intercept is at the boundary."""
    slopes = [t for t in fit.fit.random if WEEK in t.terms and len(t.terms) > 1]
    if fit.fit.singularity.kind != "correlation" or not slopes:
        return ""
    spread = "; ".join(_spread(evidence, fit.endpoint))
    groups = listed([group_name(t.group) for t in slopes])
    return (
        f"In the model {fit.model} the random slope of the {groups} has correlation"
        f" {_correlations(fit)} with the random intercept. Read it as growing variance, not as a"
        " law that those who start higher change faster: the observed standard deviations are"
        f" {spread}, and a random slope is this model's only means to let the scatter between"
        " patients differ from visit to visit."
    )


def _correlations(fit: PlannedFit) -> str:
    values = []
    for term in fit.fit.random:
        if WEEK in term.terms and len(term.terms) > 1:
            values.append(number(term.correlations[1][0], 2))
    return listed(values)


def _spread(evidence: Evidence, endpoint: str) -> list[str]:
    d = evidence.decimals(endpoint)
    lines = []
    for arm in evidence.plan.arms.column_order:
        rows = [
            f"{number(r.sd, d)} at {r.visit}"
            for r in evidence.description.outcomes
            if r.endpoint == endpoint and r.arm == arm.name and r.n > 1
        ]
        lines.append(f"{arm.name} {listed(rows)}")
    return lines


def linear_misfit(evidence: Evidence, endpoint: str) -> str:
    """Whether the observed means bend where a model is a straight line in week.

    Said where, in some arm, the chord from the first to the last visit passes outside the interval
    of the mean at a visit between: a choice of words, not a test.
    """
    linear = [name for name, m in evidence.plan.models.items() if _is_linear(m.formula)]
    bent = []
    d = evidence.decimals(endpoint)
    for arm in evidence.plan.arms.column_order:
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
            bent.append(f"{arm.name} {listed([f'{number(r.mean, d)} at {r.visit}' for r in rows])}")
    if not linear or not bent:
        return ""
    return (
        f"The observed means do not lie on a straight line in week ({'; '.join(bent)})."
        f" {_models(linear)} linear in WEEK and so {'misfits' if len(linear) == 1 else 'misfit'}"
        " these means; they stand here to describe patients' courses and for comparison, not for"
        " the primary answer."
    )


def _is_linear(formula: str) -> bool:
    fixed = re.sub(r"\([^)]*\|[^)]*\)", "", formula)
    return WEEK in fixed and "AVISIT" not in fixed


def _models(names: list[str]) -> str:
    return f"The model {names[0]} is" if len(names) == 1 else f"The models {listed(names)} are"


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
        and fit.primary.result.se < primary.primary.result.se
        and {t.group for t in fit.fit.random} < groups
    ]
    if not ({"SITEID:AVISIT", "AVISIT:SITEID"} & groups) or not smaller:
        return ""
    d = evidence.decimals(endpoint) + 1
    others = listed(
        [
            f"{fit.model} (SE {number(fit.primary.result.se, d)},"
            f" {evidence.p_phrase(fit.primary.result.p)})"
            for fit in smaller
        ]
    )
    r = primary.primary.result
    return (
        f"Whole sites were randomised, so that chance differences between sites in how outcomes"
        f" change over time fall wholly on the arm that a site belongs to. The primary model"
        f" {primary.model} has a term for them (SE {number(r.se, d)}, {degrees(r.df)} degrees of"
        f" freedom, {evidence.p_phrase(r.p)}). Without it the standard error is smaller: {others}."
        " Such a model counts patients as if each had been allocated alone, claims more precision"
        " than the design gives, and is therefore not primary, whatever its p-value."
    )


def comparison_sentence(evidence: Evidence, test: ModelComparison) -> str:
    """One likelihood-ratio test, or why it was refused."""
    if test.refused:
        return f"{test.question} {test.null} against {test.full}: refused. {test.refused}"
    return " ".join((f"{test.null} against {test.full}:", *test.cautions)) if test.cautions else ""


def use_sentence(fit: PlannedFit) -> str:
    """What was left out of one fit, if anything."""
    dropped = [u for u in fit.uses if u.use == "dropped"]
    if not dropped:
        return ""
    reasons = listed([f"{plural(u.rows, 'row')} ({u.reason})" for u in dropped])
    return f"{fit.endpoint}, {fit.model}: dropped {reasons}."


def week_phrase(value: float) -> str:
    """`week 26`."""
    return f"week {week(value)}"
