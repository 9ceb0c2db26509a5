"""Words on sites: intraclass correlation, design effect, least squares beside the mixed model."""

import math
from collections.abc import Sequence

from sitewise.errors import plural
from sitewise.inference.icc_result import DesignEffect, IccLevel, IccModel, OlsBeside
from sitewise.report.cells import MOST_NAMES, names_cell
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, number, share
from sitewise.report.words_models import group_name
from sitewise.sites.result import SiteResults
from sitewise.terms import SITEID, USUBJID

FIXED = {
    "empty": "no fixed effects",
    "visit": "visits only",
    "primary": "fixed effects of the primary model",
}
# A ratio within 1 % of 1 is called equal: less than any rounding that a report shows.
_EQUAL = 0.01
_NEAR = (0.9, 1.1)
SMALLEST = 5e-5  # of an ICC that a sentence gives as a number: four decimals


def headline_model(evidence: Evidence, endpoint: str) -> IccModel | None:
    """The ICC model that the plan names as the headline."""
    models = evidence.endpoints[endpoint].iccs.models
    return next((model for model in models if model.headline), None)


def limits(item: IccLevel, evidence: Evidence) -> str:
    """The interval of a share, two-sided, or the upper limit of an estimate of 0."""
    if item.one_sided:
        return f"at most {share(item.upper)} (one-sided)"
    if item.upper == 0:
        return "0 alone: the sites differ less than chance would make them"
    return f"({share(item.lower)} to {share(item.upper)})"


def headline_source(evidence: Evidence, endpoint: str, model: IccModel) -> str:
    """Which model the headline is from, and that it is another than the primary one, or is it."""
    fit = evidence.primary_fit(endpoint)
    if "".join(model.formula.split()) == "".join(fit.fit.formula.split()):
        return "from the primary model"
    return (
        f"from a model of its own with {FIXED[model.fixed]} and intercepts of sites and patients,"
        f" not from the primary model {fit.model}"
    )


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
        f"The headline intraclass correlation of sites in {endpoint},"
        f" {headline_source(evidence, endpoint, model)}, is {value}; it is {side}"
        f" {number(convention, 2)}. That value is a convention and no threshold of statistics: what"
        " a correlation does to the trial depends on how many patients a site has and how arms are"
        " spread over sites, as the design effect shows."
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
    at_visit = ""
    if effect.visit and not math.isnan(effect.visit_effect):
        at_visit = (
            f" With the ICC at {effect.visit} alone ({share(effect.visit_icc)}, adjusted for"
            f" nothing) and the patients seen there it is {number(effect.visit_effect, 3)}."
        )
    return (
        f"{effect.arm} against {effect.reference}: S = {number(effect.S, 2)} over"
        f" {plural(effect.sites, 'site')} and {plural(effect.patients, 'patient')},"
        f" ICC {share(effect.icc)}, design effect"
        f" 1 + (S \u2212 1) ICC = {number(effect.effect, 3)}: {tail}.{at_visit}"
    )


def change_effects_sentence(effects: Sequence[DesignEffect]) -> str:
    """The same of the change that the primary contrast compares; nothing where it is none."""
    own = [effect for effect in effects if not math.isnan(effect.change_effect)]
    if not own:
        return ""
    icc = own[0].change_icc
    text = (
        f"The primary contrast compares changes to {own[0].visit}, in which the levels of sites"
        " cancel: these are not its design effects."
    )
    if icc < SMALLEST:
        nothing = "Under the primary model sites share nothing of a change"
        return f"{text} {nothing}: its design effect is 1."
    told = [f"{number(one.change_effect, 3)} ({one.arm} against {one.reference})" for one in own]
    return (
        f"{text} Under the primary model sites share {share(icc)} of the variance of a change:"
        f" its design effect is {listed(told)}, with the patients seen at both visits."
    )


def claimed(ratio: float) -> str:
    """What ignoring the hierarchy would claim, from the ratio of SEs (least squares / mixed)."""
    if ratio < 1 - _EQUAL:
        return "too much precision"
    return "too little precision" if ratio > 1 + _EQUAL else "about the same"


def primary_contrasts(evidence: Evidence, endpoint: str) -> tuple[OlsBeside, ...]:
    """Least squares beside the primary model, for the primary contrast only."""
    plan = evidence.plan
    kind, visit = plan.primary.contrast, plan.primary.visit
    return tuple(
        r
        for r in evidence.endpoints[endpoint].iccs.ols
        if r.model == plan.primary.model
        and evidence.primary_fit(endpoint).fit.converged
        and r.contrast.startswith(f"{plan.primary.arm} minus {plan.arms.reference}, {kind}")
        and (kind == "change" or r.contrast.endswith(f" at {visit}"))
    )


def ols_sentence(evidence: Evidence, row: OlsBeside, endpoint: str) -> str:
    """What ignoring the hierarchy would do to the SE, from the ratio of SEs, and why.

    The reason is given only where the design and the contrast leave one: a change within patients
    whose baseline is an outcome, or arms that are balanced within sites.
    """
    text = (
        f"{endpoint}, {row.contrast}: the standard error of least squares is"
        f" {number(row.ratio, 2)} times that of the model {row.model}."
    )
    claim = claimed(row.ratio)
    if claim == "about the same":
        text += " Here ignoring the hierarchy would hardly change the precision claimed."
    else:
        text += f" Ignoring the hierarchy would claim {claim}{_reason(evidence, row, endpoint)}."
    groups = {t.group for t in evidence.endpoints[endpoint].fits[row.model].fit.random}
    between = any(SITEID in group.split(":") for group in groups)
    if _NEAR[0] <= row.ratio <= _NEAR[1] and between and USUBJID in groups:
        text += (
            " A ratio near 1 is not proof that the hierarchy does not matter: two opposite errors"
            " may cancel, since least squares uses neither what patients of a site share nor that"
            " the readings of one patient are alike."
        )
    return text


def _reason(evidence: Evidence, row: OlsBeside, endpoint: str) -> str:
    """Why least squares claims too little, where it is known; nothing elsewhere."""
    if row.ratio < 1:
        return ""
    change = ", change" in row.contrast
    if change and evidence.plan.baseline.handling != "covariate":
        return ": least squares does not use that patients are their own controls"
    balanced = not evidence.endpoints[endpoint].sites.arm_constant_in_sites
    if evidence.plan.design == "individual" and balanced:
        return ": least squares does not use that arms are balanced within sites"
    return ""


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
        else "The observed contrast within each site is shown; none is tested by itself."
    )
    if not refused:
        return what
    reasons: dict[str, list[str]] = {}
    for effect in refused:
        reasons.setdefault(effect.refused, []).append(effect.site)
    own = {why: tuple(dict.fromkeys(found)) for why, found in sorted(reasons.items())}
    told = "; ".join(
        f"{'site' if len(found) == 1 else 'sites'} {names_cell(found)} ({why})"
        for why, found in own.items()
    )
    cut = any(len(found) > MOST_NAMES for found in own.values())
    return f"{what} Without a value: {told}.{' All are in tables/sites.csv.' if cut else ''}"


def predictions_note(sites: SiteResults) -> str:
    """What the predictions of sites are, or why there are none."""
    if sites.predictions:
        return sites.note
    none = f"The model {sites.model} has no random intercept of sites: no site has a prediction."
    return none if sites.effects else f"{none} No site has an effect of its own either."


def level_name(level: str) -> str:
    """A level of the hierarchy as the tables print it."""
    return group_name(level)
