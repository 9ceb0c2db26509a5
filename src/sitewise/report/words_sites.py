"""Words on sites: intraclass correlation, design effect, least squares beside the mixed model."""

from sitewise.inference.icc_result import DesignEffect, IccLevel, IccModel, OlsBeside
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, number, plural, share
from sitewise.report.words_models import group_name
from sitewise.terms import SITEID

FIXED = {
    "empty": "no fixed effects",
    "visit": "visits only",
    "primary": "fixed effects of the primary model",
}
# A ratio within 1 % of 1 is called equal: less than any rounding that a report shows.
_EQUAL = 0.01


def headline_model(evidence: Evidence, endpoint: str) -> IccModel | None:
    """The ICC model that the plan names as the headline."""
    models = evidence.endpoints[endpoint].iccs.models
    return next((model for model in models if model.headline), None)


def limits(item: IccLevel, evidence: Evidence) -> str:
    """The interval of a share, two-sided, or the upper limit of an estimate of 0."""
    if item.one_sided:
        return f"at most {share(item.upper)} (one-sided)"
    return f"({share(item.lower)} to {share(item.upper)})"


def icc_sentence(evidence: Evidence, endpoint: str) -> str:
    """The headline ICC of sites beside the convention, which is named as one."""
    model = headline_model(evidence, endpoint)
    item = next((i for i in model.levels if i.level == SITEID), None) if model else None
    if model is None or item is None:
        return f"{endpoint}: the plan's headline ICC has no level of sites."
    convention = evidence.endpoints[endpoint].iccs.convention
    side = "above" if item.share > convention else "not above"
    value = f"{share(item.share)}, {evidence.coverage} interval {limits(item, evidence)}"
    return (
        f"The headline intraclass correlation of sites in {endpoint} ({FIXED[model.fixed]}) is"
        f" {value}; it is {side} {number(convention, 2)}. That value is a convention and no"
        " threshold of statistics: what a correlation does to the trial depends on how many"
        " patients a site has and how arms are spread over sites, as the design effect shows."
    )


def design_effect_sentence(effect: DesignEffect) -> str:
    """What clustering does to the variance of the contrast as allocated."""
    tail = (
        "clustering inflates the variance of the contrast"
        if effect.effect > 1 + _EQUAL
        else "arms are balanced within sites, which removes site differences from the contrast"
        if effect.effect < 1 - _EQUAL
        else "clustering hardly changes the variance of the contrast"
    )
    return (
        f"{effect.arm} against {effect.reference}: S = {number(effect.S, 2)} over"
        f" {plural(effect.sites, 'site')} and {plural(effect.patients, 'patient')},"
        f" ICC {share(effect.icc)}, design effect"
        f" 1 + (S \u2212 1) ICC = {number(effect.effect, 3)}: {tail}."
    )


def claimed(ratio: float) -> str:
    """What ignoring the hierarchy would claim, from the ratio of SEs (least squares / mixed)."""
    if ratio < 1 - _EQUAL:
        return "too much precision"
    return "too little precision" if ratio > 1 + _EQUAL else "about the same"


def ols_sentence(row: OlsBeside, endpoint: str) -> str:
    """What ignoring the hierarchy would do to the SE, worded from the ratio of SEs."""
    head = (
        f"{endpoint}, {row.contrast}: the standard error of least squares is"
        f" {number(row.ratio, 2)} times that of the model {row.model}."
    )
    if row.ratio < 1 - _EQUAL:
        return f"{head} Ignoring the hierarchy would claim too much precision."
    if row.ratio > 1 + _EQUAL:
        return (
            f"{head} Ignoring the hierarchy would claim too little precision: least squares does"
            " not use that patients are their own controls."
        )
    return f"{head} Here ignoring the hierarchy would hardly change the precision claimed."


def slope_icc_sentence(evidence: Evidence, endpoint: str) -> str:
    """Why a model with random slopes has no single ICC."""
    models = list(dict.fromkeys(r.model for r in evidence.endpoints[endpoint].iccs.at_week))
    if not models:
        return ""
    which = (
        f"The model {models[0]} has" if len(models) == 1 else f"The models {listed(models)} have"
    )
    return (
        f"{which} random slopes: the variance, and with it every share, depends on"
        " the week. It is given by week, never as one number."
    )


def effects_sentence(evidence: Evidence, endpoint: str) -> str:
    """What the second figure by site shows."""
    sites = evidence.endpoints[endpoint].sites
    refused = [e for e in sites.effects if e.refused]
    what = (
        "A treatment-by-site interaction can't be estimated: each site has one arm."
        if sites.arm_constant_in_sites
        else "The observed contrast within each site is shown; no site is tested."
    )
    reasons = sorted({e.refused for e in refused})
    count = plural(len({e.site for e in refused}), "site")
    tail = f" Without a value: {count} ({'; '.join(reasons)})." if refused else ""
    return what + tail


def level_name(level: str) -> str:
    """A level of the hierarchy as the tables print it."""
    return group_name(level)
