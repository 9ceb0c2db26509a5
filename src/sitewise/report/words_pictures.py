"""Captions and alternative texts of flow, enrolment, courses, missing visits, variance, models."""

import math

from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import (
    NONE,
    count_percent,
    interval,
    listed,
    number,
    percent,
    share,
)
from sitewise.report.leaving import absent
from sitewise.report.pictured import (
    MOST_BARS,
    MOST_COURSES,
    allocated,
    by_model,
    came_in,
    enrolment,
    left_out_lines,
    named_every,
    patterns,
    raw_reading,
    site_share,
    told,
)
from sitewise.report.words import contrast_name, lowered


def flow_caption(e: Evidence) -> str:
    """Caption of the flow from files to analysis."""
    first = next(iter(e.plan.endpoints))
    wanted = e.plan.models[e.plan.primary.model].set
    return (
        f"From the hospital files to the analysis. A {raw_reading(e.plan)} is a row of a file for"
        " one endpoint."
        " Allocated are the patients with a row of the arm in the files; one whose identifier"
        " stands at two hospitals is one patient. Percentages are of those with an analysed"
        f" reading; seen are those with a reading of {first}; the primary analysis is that of the"
        f" set {wanted}.{_in_several_arms(e)}{_reasons(e)}"
    )


def _in_several_arms(e: Evidence) -> str:
    """Why the hospitals of the arms are more than there are, where whole hospitals were randomised:
    a patient of one arm stands in the file of a hospital of another."""
    counted = sum(arm.sites for arm in e.account.arms)
    if e.plan.design != "cluster" or counted <= len(e.account.files):
        return ""
    return " A hospital whose file has rows of several arms is counted in each."


def _reasons(e: Evidence) -> str:
    """Whose words the reasons are, where there are any."""
    if e.plan.leaving.column is None:
        return ""
    return " Why patients were not seen: the reason for leaving early in the hospital files."


def flow_alt(e: Evidence) -> str:
    """The flow in words."""
    arms, of_files = [], allocated(e.account)
    for arm in e.plan.arms.order:
        whole = next(r for r in e.description.flow if r.arm == arm.name and not r.site)
        visits = [
            f"{visit} {n}" for visit, n in zip(e.description.visits, whole.by_visit, strict=True)
        ]
        own = of_files.get(arm.name)
        told = "" if own is None else f"{own.patients} allocated, "
        arms.append(
            f"{arm.name}: {told}{plural(whole.patients, 'patient')} with a reading, seen at"
            f" {listed(visits)}{_not_seen(e, arm.name)}"
        )
    return (
        f"Flow chart. Came in: {', '.join(came_in(e.plan, e.account)[1:])}. Left out:"
        f" {'; '.join(left_out_lines(e.plan, e.account))}. {'. '.join(arms)}."
    )


def _not_seen(e: Evidence, arm: str) -> str:
    """Why patients of an arm were not seen at the primary visit."""
    first = next(iter(e.plan.endpoints))
    told = ""
    for own in absent(e.description, first, e.plan.primary.visit):
        at = own.arms.index(arm)
        reasons = [f"{reason} {numbers[at]}" for reason, numbers in own.reasons]
        told += f", not seen at {own.visit} {own.by_arm[at]} ({listed(reasons)})"
    return told


def enrolment_caption(e: Evidence) -> str:
    """Caption of the bars by site."""
    first = next(iter(e.plan.endpoints))
    many, sites = "", len(enrolment(e.plan, e.description))
    if sites <= MOST_BARS and named_every(sites) > 1:
        many = " Every second site is named below its bar."
    elif sites > MOST_BARS:
        many = " The largest sites stand first, without their names: tables/flow.csv."
    return (
        "Patients of each site with an analysed reading, and those of them with a reading of"
        f" {first} at {e.plan.primary.visit}. Sites whose file was set aside have no bar.{many}"
    )


def enrolment_alt(e: Evidence) -> str:
    """The bars in words."""
    sites = enrolment(e.plan, e.description)
    large, small = max(sites, key=lambda s: s[1]), min(sites, key=lambda s: s[1])
    all_, seen = sum(s[1] for s in sites), sum(s[2] for s in sites)
    return (
        f"Bars of {plural(len(sites), 'site')}, from {plural(small[1], 'patient')} (site"
        f" {small[0]}) to {large[1]} (site {large[0]}); {seen} of {all_} patients"
        f" ({percent(seen, all_)}) were seen at {e.plan.primary.visit}."
    )


def individuals_caption(e: Evidence, endpoint: str) -> str:
    """Caption of the courses of single patients."""
    return (
        f"{e.endpoint(endpoint).label}: thin lines are single patients with two readings or more,"
        f" at most {MOST_COURSES} an arm, drawn by the plan's seed ({e.plan.seeds.figures}); the"
        " thick line is the observed mean of the arm."
    )


def individuals_alt(e: Evidence, endpoint: str) -> str:
    """The courses in words: how much patients differ."""
    d, unit = e.decimals(endpoint), e.endpoint(endpoint).unit
    spread = [
        f"{arm.name} at {r.visit} SD {number(r.sd, d)}"
        for arm in e.plan.arms.order
        for r in e.description.outcomes
        if r.endpoint == endpoint and r.arm == arm.name and r.n > 1
        and r.visit in (e.plan.baseline_visit.name, e.plan.primary.visit)
    ]  # fmt: skip
    return (
        f"Line charts by arm of single patients' {lowered(e.endpoint(endpoint).label)} ({unit})."
        f" Between patients: {'; '.join(spread)}."
    )


def missing_caption(e: Evidence, endpoint: str) -> str:
    """Caption of the patterns."""
    found = patterns(e.plan, e.description, endpoint)
    rest = f" The {found.others} rarest patterns are one bar." if found.others else ""
    return (
        f"{endpoint}: patterns of visits with a reading (dark) and without (light), the commonest"
        f" first, and the patients of each arm that have them.{rest}"
        " In full: tables/patterns.csv."
    )


def missing_alt(e: Evidence, endpoint: str) -> str:
    """The patterns in words."""
    found = patterns(e.plan, e.description, endpoint)
    if not found.shown:
        return "No patient has a reading, so that nothing is shown."
    parts = []
    for arm, counts in found.counts.items():
        complete = [n for n, p in zip(counts, found.shown, strict=False) if "." not in p]
        parts.append(f"{arm} {count_percent(sum(complete), found.totals[arm])}")
    return (
        f"{plural(len(found.shown) + found.others, 'pattern')} of visits seen. Seen at every"
        f" visit: {'; '.join(parts)}."
    )


def shares_caption(e: Evidence, endpoint: str) -> str:
    """Caption of the shares of variance."""
    slopes = any(len(t.terms) > 1 for f in e.ordered_fits(endpoint) for t in f.fit.random)
    week = (
        " Under random slopes shares depend on the week; these are of that visit." if slopes else ""
    )
    gone = [f.model for f in e.ordered_fits(endpoint) if not f.fit.converged]
    none = f" Not shown, not converged: {listed(gone)}." if gone else ""
    return (
        f"{endpoint}: the variance of one reading at {e.plan.primary.visit} by level, under each"
        " model. ICC of sites: all groups of sites together, the correlation of two patients of a"
        f" site seen at that visit; the sum of its parts where there are several.{week}{none}"
    )


def shares_alt(e: Evidence, endpoint: str) -> str:
    """The bars in words."""
    parts = []
    for model, own in by_model(e.plan, e.endpoints[endpoint].iccs).items():
        icc = site_share(own)
        text = share(icc) if math.isfinite(icc) else "no site term"
        rest = next(r.share for r in own if r.group == "Residual")
        parts.append(f"{model}: sites {text}, residual {share(rest)}")
    return f"Stacked bars of variance shares. {'; '.join(parts)}."


def models_caption(e: Evidence, endpoint: str) -> str:
    """Caption of the contrast under each model."""
    what = contrast_name(e, e.primary_fit(endpoint).answer)
    return (
        f"{endpoint}: {what}, with {e.coverage} intervals. Only the primary model (filled, bold)"
        " answers the question; the others show how far the answer hangs on the model."
    )


def models_alt(e: Evidence, endpoint: str) -> str:
    """The contrasts in words."""
    d, unit = e.decimals(endpoint), e.endpoint(endpoint).unit
    parts = []
    for fit in e.ordered_fits(endpoint):
        value = NONE
        if fit.primary is not None and fit.fit.converged:
            r = fit.primary.result
            value = f"{number(r.estimate, d)} {interval(r.lower, r.upper, d)}"
        parts.append(f"{fit.model} {value}")
    return f"Estimate and interval under each model, {unit}: {'; '.join(parts)}."


def ladder_caption(e: Evidence, endpoint: str) -> str:
    """Caption of the ladder of tests."""
    return (
        f"{endpoint}: likelihood-ratio tests of the plan. A rung is a model, larger ones higher;"
        " an arrow is the test of what the larger adds. \u03c7\u00b2: twice the difference in"
        " log-likelihood. p: by the bootstrap where there is one, else against the boundary"
        " mixture, else naive."
    )


def ladder_alt(e: Evidence, endpoint: str) -> str:
    """The tests in words."""
    tests = e.endpoints[endpoint].comparisons.tests
    parts = [f"{t.null} to {t.full}: {told(e.plan, t).replace(chr(10), ', ')}" for t in tests]
    return f"Ladder of models. {'; '.join(parts) or 'No test'}."
