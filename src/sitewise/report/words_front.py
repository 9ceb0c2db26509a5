"""Sentences of the first page beside the answer: arms, model, hospitals."""

from sitewise.errors import plural
from sitewise.inference.comparison import ModelComparison
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import number, share
from sitewise.report.words_sites import headline_model, headline_source, limits
from sitewise.terms import SITEID

SITE_BY_VISIT = {"SITEID:AVISIT", "AVISIT:SITEID"}


def arms_text(evidence: Evidence) -> str:
    """What each arm's name stands for."""
    told = [
        f"{arm.name}: {arm.label}"
        for arm in evidence.plan.arms.order
        if arm.label.strip().lower() != arm.name.strip().lower()
    ]
    return f"{'; '.join(told)}." if told else ""


def model_sentence(evidence: Evidence) -> str:
    """Which model the answer is from, and why that one."""
    plan = evidence.plan
    fit = evidence.primary_fit(next(iter(plan.endpoints)))
    method = "restricted maximum likelihood" if fit.fit.reml else "maximum likelihood"
    head = (
        f"Model: {fit.model} ({plan.models[fit.model].label}), named as primary by the plan, by"
        f" {method} on {plural(fit.patients, 'patient')} of {plural(fit.sites, 'hospital')}."
    )
    if fit.departures:
        head += f" By the plan's rules it was fitted as {fit.fit.formula}, a deviation told above."
    groups = {term.group for term in fit.fit.random}
    if plan.design == "cluster":
        if SITE_BY_VISIT & groups:
            return (
                f"{head} Whole hospitals were randomised, and patients of one hospital may change"
                " together for reasons that are not the treatment: its term of site by visit"
                " counts that as chance between hospitals."
            )
        if SITEID not in groups:
            return f"{head} Whole hospitals were randomised, and it has no term for hospitals."
        return (
            f"{head} Whole hospitals were randomised; it lets hospitals differ in level, and not"
            " in how they change from visit to visit."
        )
    if SITEID in groups:
        return (
            f"{head} Patients were randomised; its terms for hospitals keep differences between"
            " hospitals out of the comparison of arms."
        )
    return f"{head} Patients were randomised; it has no random term for hospitals."


def site_test(evidence: Evidence, endpoint: str) -> ModelComparison | None:
    """The plan's likelihood-ratio test of the site intercept alone, if it was made."""
    own = evidence.endpoints[endpoint]
    groups = {name: [t.group for t in fit.fit.random] for name, fit in own.fits.items()}
    for test in own.comparisons.tests:
        small, large = groups.get(test.null, []), groups.get(test.full, [])
        if not test.refused and SITEID not in small and sorted([*small, SITEID]) == sorted(large):
            return test
    return None


def hospitals_verdict(p: float, simulated: float | None, alpha: float) -> str:
    """What the test says of hospitals; two p-values either side of alpha say neither."""
    if simulated is not None and (p < alpha) != (simulated < alpha):
        return (
            "Whether hospitals differ in level is on the border: the two p-values lie on either"
            f" side of {alpha:g}, and neither shows that hospitals are alike"
        )
    if p < alpha:
        return "Hospitals differ in level more than chance between patients would make them differ"
    return (
        "The data do not show that hospitals differ in level, and do not show that they are alike"
    )


def hospitals_sentence(evidence: Evidence, endpoint: str) -> str:
    """Whether hospitals differ: the headline ICC with its interval, and the test of the plan."""
    model = headline_model(evidence, endpoint)
    item = next((i for i in model.levels if i.level == SITEID), None) if model else None
    if model is None or item is None:
        return f"Hospitals: the plan's headline model of {endpoint} has no level of hospitals."
    test = site_test(evidence, endpoint)
    value = (
        f"hospitals hold {number(100 * item.share, 1)}% of the variance of {endpoint}"
        f" (intraclass correlation {share(item.share)}, {evidence.coverage} interval"
        f" {limits(item, evidence).strip('()')},"
        f" {headline_source(evidence, endpoint, model)})"
    )
    if test is None:
        return f"Do hospitals differ in level? By this estimate {value}; the plan tests none of it."
    p = test.p_naive if test.p_mixture is None else test.p_mixture
    said = hospitals_verdict(p, test.p_bootstrap, evidence.plan.alpha)
    kind = "" if test.p_mixture is None else ", boundary mixture"
    phrase = evidence.p_phrase(p)
    beside = ""
    if test.p_bootstrap is not None:
        beside = f", by parametric bootstrap {evidence.p_phrase(test.p_bootstrap)}"
    return f"{said}: {value}; likelihood-ratio test of the site term {phrase}{kind}{beside}."
