"""The methods of this run in words, from the plan and the results: no method that was not used.

Each method is a title, sentences, its formula where it has one, and the keys of its references.
"""

from collections.abc import Iterator

from sitewise.lmm.formula import parse_formula
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import level, listed
from sitewise.report.literature import REFERENCES, Method
from sitewise.report.pictured import raw_reading
from sitewise.report.standing import step_name
from sitewise.report.words_methods_beside import beside
from sitewise.report.words_methods_sites import of_sites
from sitewise.terms import SITEID

_DF = "\u03bd = 2 Var(L\u03b2)\u00b2 / Var(Var(L\u03b2))"
# What is said of each method of degrees of freedom, its formula, its references.
DEGREES = {
    "kenward-roger": (
        "with standard errors and degrees of freedom by Kenward and Roger's method (expected"
        " information, linear form, as pbkrtest: a variance estimated as 0 counts among the"
        " uncertain ones)",
        _DF,
        ("Kenward 1997", "Halekoh 2014"),
    ),
    "satterthwaite": (
        "on degrees of freedom by Satterthwaite's approximation as lmerTest defines it (observed"
        " information)",
        _DF,
        ("Satterthwaite 1946", "Kuznetsova 2017"),
    ),
    "between-within": (
        "on degrees of freedom counted where each effect varies, between sites, between patients"
        " or within patients; a contrast has the least of its effects",
        "",
        ("Pinheiro 2000",),
    ),
    "asymptotic": (
        "from the normal distribution, as if the variances were known: with few sites such"
        " intervals are too short",
        "",
        (),
    ),
}


def methods(evidence: Evidence) -> tuple[Method, ...]:
    """Every method of this run, in the order of the report."""
    return tuple(method for part in (_data, _models, of_sites, beside) for method in part(evidence))


ESTIMAND = "ICH E9(R1)"


def references(found: tuple[Method, ...]) -> dict[str, int]:
    """The number of each reference that these methods cite, in the order of first citation.

    The first is that of the estimand, which stands before them.
    """
    keys = [ESTIMAND, *(key for method in found for key in method.references)]
    return {key: i for i, key in enumerate(dict.fromkeys(keys), start=1)}


def literature(numbers: dict[str, int]) -> tuple[str, ...]:
    """The references in the order of their numbers."""
    return tuple(REFERENCES[key] for key in numbers)


BASELINES = {
    "outcome": "The baseline reading is an outcome like the others, so that patients without it or"
    " with it alone still contribute.",
    "covariate": "The baseline reading is a covariate; the outcomes are the visits after it.",
    "constrained": "The baseline reading is an outcome like the others, and the arms have one mean"
    " there, since nothing was given before it (constrained longitudinal data analysis); a"
    " difference between arms at a visit is so the difference in change from baseline too. Patients"
    " without a baseline reading, or with it alone, still contribute.",
}


def _data(e: Evidence) -> Iterator[Method]:
    plan = e.plan
    unit = "whole sites" if plan.design == "cluster" else "patients"
    yield Method(
        "Design",
        f"The plan declares that {unit} were randomised; the declaration was held against the data"
        " before anything was fitted. Every contrast is arm minus reference"
        f" ({plan.arms.reference}); {plan.arms.favours} values favour an arm.",
    )
    time = (
        "the planned week of the visit"
        if plan.time == "nominal"
        else "the week of the actual reading, computed from its study day"
    )
    replicates = (
        "Several readings of one patient at one visit count as duplicates."
        if plan.replicates == "refuse"
        else "A reading is the mean of the raw readings of one patient at one visit, or the only"
        " one."
    )
    baseline = BASELINES[plan.baseline.handling]
    if plan.baseline.handling == "constrained" and plan.design == "cluster":
        baseline += (
            " Since sites were randomised, it is the expectation over sites that is equal: the"
            " random effects of sites and of sites by visit let these sites differ."
        )
    missing = {"keep": "kept", "drop": "dropped"}[plan.baseline.missing]
    yield Method(
        "Readings and time",
        f"A {raw_reading(plan)} is a row of a file for one endpoint, and each has exactly one fate."
        f" {replicates} Time"
        f" in the models is {time}. {baseline} Patients without a baseline are {missing}.",
        references=("Liang 2000",) if plan.baseline.handling == "constrained" else (),
    )
    labels = {SITEID: "site"} | {name: own.label for name, own in plan.covariates.items()}
    factors = listed([labels.get(name, name) for name in plan.stratification])
    yield Method(
        "Stratification",
        f"Randomisation was stratified by {factors}."
        if factors
        else "The plan names no stratification factor.",
    )


def _models(e: Evidence) -> Iterator[Method]:
    plan, alpha = e.plan, e.plan.alpha
    engine = e.primary_fit(next(iter(plan.endpoints))).fit.optimum
    yield Method(
        "Linear mixed models",
        "The outcome of a patient is the sum of fixed effects, of random effects of the levels that"
        " the formula names, and of a residual; all random parts are assumed normal, random effects"
        f" of different levels independent; {residuals_words(e)}. Models were fitted by"
        f" {_likelihoods(e)}, by sitewise.lmm {engine.engine_version}: its own likelihood, computed"
        " from sufficient statistics, climbed by Newton's method in a trust region with exact"
        " second derivatives, and a certificate of the optimum (gradient and curvature there)."
        " Missing readings are assumed missing at random given the fixed part and the observed"
        " readings. A variance estimated as 0 is an estimate: its term stays.",
        f"y = X\u03b2 + Zb + \u03b5,  b ~ N(0, G),  \u03b5 ~ N(0, {_residual_formula(e)})",
        ("Patterson 1971", "Bates 2015", "Rubin 1976"),
    )
    said, formula, references = DEGREES[plan.df]
    if plan.df == "kenward-roger" and not all(model.reml for model in plan.models.values()):
        said += "; models by ML, for which there is none, have Satterthwaite's"
    yield Method(
        "Tests and intervals of fixed effects",
        f"{'z' if plan.df == 'asymptotic' else 't'} tests, two-sided at the {level(alpha)} level,"
        f" and {e.coverage} intervals, {said}; computed by sitewise.lmm. Intervals and p-values are"
        " not adjusted for multiplicity, apart from the order of testing of the endpoints below.",
        formula,
        references,
    )
    side = "below" if plan.arms.favours == "lower" else "above"
    steps = [step_name(plan, step) for step in plan.order_of_testing]
    orders = {
        "hierarchical": f"hierarchical: {', '.join(steps)}. Each is tested only if all"
        " before it were significant in favour of the arm (two-sided p below"
        f" {plan.alpha:g} and an estimate {side} 0). The"
        " adjusted p-value of a step is the largest so far",
        "co-primary": "co-primary: a claim needs every co-primary endpoint to be significant in"
        f" favour of the arm (two-sided p below {plan.alpha:g} and an estimate {side} 0)",
        "exploratory": "exploratory: no claim is made from any p-value",
    }
    yield Method(
        "Order of testing",
        f"The order of the endpoints is {orders[plan.endpoint_order]}. Confirmatory is the p-value"
        " of a hypothesis of this order under the primary model, if its turn came; every other"
        " p-value of the report is descriptive, whatever its size."
        if plan.endpoint_order != "exploratory"
        else f"The order of the endpoints is {orders[plan.endpoint_order]}.",
        references=("Maurer 1995",) if plan.endpoint_order == "hierarchical" else (),
    )
    yield from _as_planned(e)
    threshold = e.primary_fit(next(iter(plan.endpoints))).fit.singularity.threshold
    yield Method(
        "Singular fits",
        "A fit is called singular if the smallest singular value of its relative covariance"
        " factors, columns scaled by the root mean square of the term's values, is below"
        f" {threshold:g}: a verdict that does not depend on units.",
    )
    yield Method(
        "Residuals",
        "Conditional residuals: readings less fixed effects and predicted random effects; they are"
        " shrunk, so that even under a right model they are not independent. Marginal residuals:"
        " readings less fixed effects. By Pearson: over the square root of the diagonal of the"
        " residual covariance (conditional) or of V (marginal). Scaled: by the inverse Cholesky"
        " factor of it, in a patient or in a site; marginal ones are then independent with"
        " variance 1 if fixed effects, variances and correlations are right.",
        "C\u207b\u00b9 (y \u2212 X\u03b2),  CC\u2032 = V of a site",
        ("Pinheiro 2000",),
    )


def _as_planned(e: Evidence) -> Iterator[Method]:
    """The plan's rules for a model that can't be fitted as it stands, where it has any."""
    texts = []
    own = residual_models(e)
    if own and len(e.plan.covariance) > 1:
        texts.append(
            f"A model whose residual covariance ({listed(own)}) did not converge or was not"
            " positive definite was to take the next after it in the plan's order of covariances,"
            f" {listed(list(e.plan.covariance))}; convergence and the smallest eigenvalue of the"
            " correlations decide, never the answer or a criterion."
        )
    leave = {name: model.may_drop for name, model in e.plan.models.items() if model.may_drop}
    if leave:
        told = "; ".join(f"{name}: {listed(list(terms))}" for name, terms in leave.items())
        texts.append(
            f"By the plan's leave a random term was to be dropped where all its variances were"
            f" estimated at 0 ({told}), in this order; without the leave such a term stays. The"
            " likelihood is the same without it, the degrees of freedom are those of the smaller"
            " model."
        )
    if not texts:
        return
    done = {
        f"{name}, {fit.model}"
        for name in e.endpoints
        for fit in e.ordered_fits(name)
        if fit.departures
    }
    texts.append(
        f"This run made use of it in: {'; '.join(sorted(done))}; each is a deviation, told on the"
        " first page, and all that stands beside is beside the model as fitted."
        if done
        else "No model of this run needed it."
    )
    yield Method("Models that can't be fitted as planned", " ".join(texts))


def residual_models(e: Evidence) -> list[str]:
    """The models with a covariance over the visits in place of independent residuals."""
    return [
        name
        for name, model in e.plan.models.items()
        if parse_formula(model.formula).residual is not None
    ]


def residuals_words(e: Evidence) -> str:
    """What the models assume of residuals."""
    own = residual_models(e)
    if not own:
        return "residuals independent with one variance"
    text = f"the residuals of a patient have one covariance over the visits in {listed(own)}"
    if len(own) < len(e.plan.models):
        text += ", and are independent with one variance in the others"
    return text


def _residual_formula(e: Evidence) -> str:
    own = residual_models(e)
    if not own:
        return "\u03c3\u00b2I"
    return "R" if len(own) == len(e.plan.models) else "\u03c3\u00b2I or R"


def _likelihoods(e: Evidence) -> str:
    """REML, ML, or which of them where both were used."""
    kinds = {model.reml for model in e.plan.models.values()}
    if len(kinds) > 1:
        return (
            "restricted maximum likelihood (REML) or maximum likelihood (ML) as the table of models"
            " says"
        )
    return "restricted maximum likelihood (REML)" if kinds == {True} else "maximum likelihood (ML)"
