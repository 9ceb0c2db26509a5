"""Captions and alternative texts of the figures, from the results that they show."""

from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import interval, listed, number
from sitewise.report.pictured import ENDS, MOST_POINTS, between_ends
from sitewise.report.words import contrast_name, lowered
from sitewise.report.words_methods import residual_models


def profiles_caption(evidence: Evidence, endpoint: str) -> str:
    """Caption of the mean profiles."""
    section = evidence.endpoint(endpoint)
    kind = "change from baseline" if evidence.plan.primary.contrast == "change" else "level"
    steps = sum(step.endpoint == endpoint for step in evidence.plan.hierarchy)
    others = (
        "what may be claimed of the others is in the order of testing"
        if steps > 1
        else "the others are descriptive"
    )
    shown = (
        f", with {evidence.coverage} intervals; the primary contrast is the filled symbol,"
        f" {others}."
        if evidence.primary_fit(endpoint).fit.converged
        else ": left empty, because its fit did not converge."
    )
    return (
        f"{section.label}. a: observed means by arm and visit with {evidence.coverage} intervals of"
        f" the means. b: arm minus {evidence.plan.arms.reference} in {kind} by visit under"
        f" the primary model{shown}"
    )


def profiles_alt(evidence: Evidence, endpoint: str) -> str:
    """The profiles in words."""
    d, unit = evidence.decimals(endpoint), evidence.endpoint(endpoint).unit
    parts = []
    for arm in evidence.plan.arms.order:
        means = [
            f"{number(r.mean, d)} at {r.visit}"
            for r in evidence.description.outcomes
            if r.endpoint == endpoint and r.arm == arm.name and r.n > 0
        ]
        parts.append(f"{arm.name} {listed(means)}")
    fit = evidence.primary_fit(endpoint)
    contrast, r = fit.answer, fit.answer.result
    value = f"{number(r.estimate, d)} {interval(r.lower, r.upper, d)}"
    return (
        f"Line chart of mean {lowered(evidence.endpoint(endpoint).label)} ({unit}):"
        f" {'; '.join(parts)}. Beside it, {contrast_name(evidence, contrast)}:"
        f" {value if fit.fit.converged else 'no result, the fit did not converge'}."
    )


def caterpillar_caption(evidence: Evidence, endpoint: str) -> str:
    """Caption of the caterpillar plot."""
    sites = evidence.endpoints[endpoint].sites
    model = sites.model
    certain = (
        " All predictions are 0 and have no interval, because the variance between sites is"
        " estimated as 0: that is not certainty."
        if sites.predictions and not any(p.blup or p.se for p in sites.predictions)
        else ""
    )
    return (
        f"{endpoint}: predicted departure of each site from the average site (filled: BLUP of the"
        f" random intercept, model {model}) with {evidence.coverage} intervals, sorted. Open: the"
        " site's readings as observed, mean departure from the mean of their arm and visit,"
        " adjusted for nothing else; the dotted line is the shrinkage towards 0, the larger a part"
        " of the way the fewer readings a site has. A rank is not a judgement of a site."
        f"{certain}{_between([len(sites.predictions)])} In full: tables/sites.csv."
    )


def _between(panels: list[int]) -> str:
    """What is drawn of sites that have no row of their own."""
    if not between_ends(panels):
        return ""
    return (
        f" The {ENDS} lowest and highest have a row of their own; those between are drawn close"
        " together, point and interval alone."
    )


def caterpillar_alt(evidence: Evidence, endpoint: str) -> str:
    """The caterpillar in words."""
    predictions = evidence.endpoints[endpoint].sites.predictions
    if not predictions:
        return "The primary model has no random intercept of sites, so that nothing is shown."
    d, unit = evidence.decimals(endpoint), evidence.endpoint(endpoint).unit
    ordered = sorted(predictions, key=lambda p: p.blup)
    low, high = ordered[0], ordered[-1]
    apart = sum(1 for p in predictions if p.lower > 0 or p.upper < 0)
    return (
        f"Predicted departures of {plural(len(predictions), 'site')} from {number(low.blup, d)}"
        f" {unit} (site {low.site}) to {number(high.blup, d)} {unit} (site {high.site});"
        f" the intervals of {apart} leave out 0."
    )


def forest_caption(evidence: Evidence, endpoint: str) -> str:
    """Caption of the effects or means by site."""
    sites, visit = evidence.endpoints[endpoint].sites, evidence.plan.primary.visit
    terms = "change from baseline" if evidence.plan.primary.contrast == "change" else "level"
    if sites.arm_constant_in_sites:
        what = f"observed mean {terms} at {visit} of each site, by arm"
    else:
        what = f"observed difference between arms in {terms} at {visit} within each site"
    arms = [e.arm for e in sites.effects if not e.refused]
    own = evidence.endpoints[endpoint].by_site
    modelled = (
        " Of patients seen at both visits, from no model: the table of effects by site under models"
        " has other numbers, which use all readings."
        if terms == "change from baseline" and (own.random is not None or own.fixed is not None)
        else ""
    )
    return (
        f"{endpoint}: {what}, with {evidence.coverage} intervals, sorted within arms.{modelled}"
        " Where a triangle ends the axis, the interval of a small site goes on beyond it."
        f"{_between([arms.count(arm) for arm in dict.fromkeys(arms)])} In full: tables/sites.csv,"
        " tables/site_arms.csv."
    )


def forest_alt(evidence: Evidence, endpoint: str) -> str:
    """The forest plot in words."""
    d, unit = evidence.decimals(endpoint), evidence.endpoint(endpoint).unit
    parts = []
    for arm in evidence.plan.arms.order:
        values = [
            e.estimate
            for e in evidence.endpoints[endpoint].sites.effects
            if e.arm == arm.name and not e.refused
        ]
        if values:
            span = f"{number(min(values), d)} to {number(max(values), d)} {unit}"
            parts.append(f"{arm.name}: {plural(len(values), 'site')}, {span}")
    return f"Point and interval of each site. {'; '.join(parts) or 'No site has a value'}."


def residuals_caption(evidence: Evidence, endpoint: str) -> str:
    """Caption of the plots of conditional residuals."""
    both = (
        " Filled: over the square root of the diagonal of that covariance; open: scaled by the"
        " inverse Cholesky factor of it in a patient."
        if evidence.plan.primary.model in residual_models(evidence)
        else ""
    )
    return (
        f"{endpoint}: conditional residuals of the primary model"
        f" {evidence.plan.primary.model}, from its predictions of sites and patients. a: raw,"
        " against fitted values. b: in standard deviations of the model's residual covariance,"
        f" against normal quantiles, with the line of a normal distribution.{both} c: raw, by"
        " visit; boxes show median and quartiles, whiskers reach 1.5 interquartile ranges. d:"
        " predicted intercepts of sites against normal quantiles."
        f"{_selection(evidence, endpoint, 'a and b')}{_none(evidence, endpoint, 'In b there')}"
    )


def residuals_alt(evidence: Evidence, endpoint: str) -> str:
    """The residual plots in words: what was drawn, not a verdict."""
    fit = evidence.primary_fit(endpoint)
    return (
        f"Four panels: residuals of {fit.fit.nobs} readings; the residual standard deviation is"
        f" {number(fit.fit.sigma, evidence.decimals(endpoint))} {evidence.endpoint(endpoint).unit}."
    )


def marginal_caption(evidence: Evidence, endpoint: str) -> str:
    """Caption of the plots of marginal residuals."""
    return (
        f"{endpoint}: marginal residuals of the primary model {evidence.plan.primary.model}: each"
        " reading less the mean that the fixed effects give, nothing predicted, so that nothing is"
        " shrunk. a: raw, against that mean. b: in standard deviations of a reading under the"
        " model, by visit. c, d: scaled, each less what the readings before it in the same site let"
        " expect, in units of its own standard deviation; if fixed effects, variances and"
        " correlations are right they are independent with variance 1. c: the line is the standard"
        " normal distribution. d: root mean square; the line is 1, the grey bar holds 95 of 100"
        f" where the model is right.{_selection(evidence, endpoint, 'a and c')}"
        f"{_none(evidence, endpoint, 'There')}"
    )


def marginal_alt(evidence: Evidence, endpoint: str) -> str:
    """What is drawn, not a verdict."""
    fit = evidence.primary_fit(endpoint)
    return (
        f"Four panels: marginal residuals of {fit.fit.nobs} readings, raw against the mean, by"
        " Pearson by visit, scaled against normal quantiles, and the root mean square of the scaled"
        " ones by visit beside 1."
    )


def _selection(evidence: Evidence, endpoint: str, panels: str) -> str:
    if evidence.primary_fit(endpoint).fit.nobs <= MOST_POINTS:
        return ""
    return f" {panels} show {MOST_POINTS} readings, drawn by the plan's seed."


def _none(evidence: Evidence, endpoint: str, where: str) -> str:
    if evidence.primary_fit(endpoint).fit.converged:
        return ""
    return f" {where} are none, as the fit did not converge."
