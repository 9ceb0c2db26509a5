"""The methods of the section on sites, each only where this run used it."""

from collections.abc import Iterator

from sitewise.report.evidence import Evidence
from sitewise.report.literature import Method


def of_sites(e: Evidence) -> Iterator[Method]:
    """Intraclass correlations, precision, predictions, effects within sites, heterogeneity."""
    for part in (_icc, _precision, _each_site, _heterogeneity):
        yield from part(e)


def _icc(e: Evidence) -> Iterator[Method]:
    items = [
        item
        for own in e.endpoints.values()
        for model in own.iccs.models
        for item in model.levels
    ]  # fmt: skip
    methods = sorted({item.method for item in items if item.method})
    profile = any("profile" in method for method in methods)
    yield Method(
        "Intraclass correlation",
        "By level, the share of the level's variance in the total, and the correlation of two"
        " readings that share the level and those above it. Given under three fixed parts; the plan"
        f" names the headline one ({e.plan.icc.headline}). Intervals:"
        f" {'; '.join(methods) or 'none'}. Lower ends are not below 0; of patients an estimate of 0"
        " has a one-sided upper limit. The interval of sites is of an F pivot, exact with one"
        " reading a patient or balanced data; an interval of the profile likelihood, which takes a"
        " sample of many sites for granted, covers too little with few.",
        "share = \u03c3\u00b2(site) / \u03c3\u00b2(total);  same patient:"
        " (\u03c3\u00b2(site) + \u03c3\u00b2(patient)) / \u03c3\u00b2(total)",
        ("Donner 1980", "Harville 1985", *(("Venzon 1988",) if profile else ())),
    )
    if any(own.iccs.by_visit for own in e.endpoints.values()):
        yield Method(
            "Site ICC by visit",
            "From one reading a patient by one-way analysis of variance with unequal clusters, with"
            " an interval from the F distribution, exact for sites of any size; sites are assumed"
            " to have equal variances within.",
            "ICC = (MSB \u2212 MSW) / (MSB + (n\u2080 \u2212 1) MSW)",
            ("Donner 1980", "Wald 1947"),
        )


def _precision(e: Evidence) -> Iterator[Method]:
    if any(own.iccs.design_effects for own in e.endpoints.values()):
        yield Method(
            "Design effect",
            "Of the treatment contrast in level at one visit as patients were allocated, counted in"
            " patients; n1j and n2j are the patients of site j in either arm. A common ICC is"
            f" assumed.{_of_change(e)}",
            "1 + (S \u2212 1) ICC,  S = \u03a3 (n1j/n1 \u2212 n2j/n2)\u00b2 / (1/n1 + 1/n2)",
            ("Vierron 2009",),
        )
    if any(own.iccs.ols for own in e.endpoints.values()):
        yield Method(
            "Least squares beside",
            "The fixed part of a mixed model without its random effects, on the same rows. The"
            " ratio of the two standard errors says in which direction ignoring the hierarchy"
            " would err, if that mixed model is right.",
        )


def _of_change(e: Evidence) -> str:
    if e.plan.primary.contrast != "change":
        return ""
    return (
        " Of a change, with the patients seen at both visits, the ICC is the correlation of the"
        " changes of two patients of one site by the covariances of the primary model: levels"
        " cancel, effects by visit count at both ends, slopes over the weeks between."
    )


def _each_site(e: Evidence) -> Iterator[Method]:
    found = [own.sites for own in e.endpoints.values()]
    if any(own.predictions for own in found):
        yield Method(
            "Predictions of sites",
            "Best linear unbiased predictions of the random intercepts of sites under the primary"
            " model, with conditional standard errors at the estimated variances.",
            references=("Robinson 1991",),
        )
    if any(not effect.refused for own in found for effect in own.effects):
        what = (
            "Means of the patients of each site"
            if any(own.arm_constant_in_sites for own in found)
            else "Differences between the arms within each site"
        )
        yield Method(
            "Site by site",
            f"{what}, as observed at {e.plan.primary.visit}, with intervals by t on the variance"
            " within the site, taken as equal in its arms; adjusted for nothing and shrunk by"
            " nothing, so that small sites scatter widely.",
        )


def _heterogeneity(e: Evidence) -> Iterator[Method]:
    asked = [own.by_site for own in e.endpoints.values() if own.by_site.asked]
    random = [f for x in asked if (f := x.random) is not None and not f.refused]
    if random:
        yield Method(
            "Treatment by site, sites as random",
            "The primary model with random effects of sites in the terms of the contrast. The"
            " heterogeneity is their standard deviation, with the interval of the profile"
            " likelihood; the likelihood-ratio test takes all effects by site together, against"
            " the mixture for variances at their boundary.",
            references=("Senn 1998", "Self 1987", "Venzon 1988"),
        )
    if any(x.fixed is not None and not x.fixed.refused for x in asked):
        yield Method(
            "Treatment by site, sites as fixed",
            "Sites (their course over time too, where the contrast is a change) and sites by"
            " treatment as fixed effects in place of the random effects of sites; the F test that"
            " all sites have one contrast is by the plan's degrees of freedom.",
            references=("Senn 1998", "Fai 1996")
            if e.plan.df == "satterthwaite"
            else ("Senn 1998",),
        )
