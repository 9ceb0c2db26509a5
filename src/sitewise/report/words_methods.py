"""The methods of this run in words, from the plan and the results: no method that was not used.

Each method is a title, sentences, its formula where it has one, and the keys of its references.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sitewise.report.evidence import Evidence
from sitewise.report.formatting import level, listed, plural
from sitewise.report.standing import step_name
from sitewise.report.words_replication import package


@dataclass(frozen=True)
class Method:
    """One method as it was used. references: keys of `REFERENCES`."""

    title: str
    text: str
    formula: str = ""
    references: tuple[str, ...] = ()


_SOFTWARE = {"statsmodels": "Seabold 2010", "lme4": "Bates 2015"}
REFERENCES = {
    "Bates 2015": "Bates D, M\u00e4chler M, Bolker B, Walker S. Fitting linear mixed-effects models"
    " using lme4. Journal of Statistical Software 2015; 67(1).",
    "Greenhouse 1959": "Greenhouse SW, Geisser S. On methods in the analysis of profile data."
    " Psychometrika 1959; 24: 95\u2013112.",
    "Halekoh 2014": "Halekoh U, H\u00f8jsgaard S. A Kenward\u2013Roger approximation and parametric"
    " bootstrap methods for tests in linear mixed models: the R package pbkrtest. Journal of"
    " Statistical Software 2014; 59(9).",
    "ICH E9(R1)": "ICH E9(R1). Addendum on estimands and sensitivity analysis in clinical trials to"
    " the guideline on statistical principles for clinical trials. 2019.",
    "Kenward 1997": "Kenward MG, Roger JH. Small sample inference for fixed effects from restricted"
    " maximum likelihood. Biometrics 1997; 53: 983\u2013997.",
    "Kuznetsova 2017": "Kuznetsova A, Brockhoff PB, Christensen RHB. lmerTest package: tests in"
    " linear mixed effects models. Journal of Statistical Software 2017; 82(13).",
    "Maurer 1995": "Maurer W, Hothorn LA, Lehmacher W. Multiple comparisons in drug clinical trials"
    " and preclinical assays: a-priori ordered hypotheses. In: Vollmar J, ed. Biometrie in der"
    " chemisch-pharmazeutischen Industrie 6. Fischer 1995: 3\u201318.",
    "Patterson 1971": "Patterson HD, Thompson R. Recovery of inter-block information when block"
    " sizes are unequal. Biometrika 1971; 58: 545\u2013554.",
    "Pinheiro 2000": "Pinheiro JC, Bates DM. Mixed-effects models in S and S-PLUS. Springer 2000.",
    "Robinson 1991": "Robinson GK. That BLUP is a good thing: the estimation of random effects."
    " Statistical Science 1991; 6: 15\u201332.",
    "Satterthwaite 1946": "Satterthwaite FE. An approximate distribution of estimates of variance"
    " components. Biometrics Bulletin 1946; 2: 110\u2013114.",
    "Seabold 2010": "Seabold S, Perktold J. statsmodels: econometric and statistical modeling with"
    " Python. Proceedings of the 9th Python in Science Conference 2010.",
    "Self 1987": "Self SG, Liang KY. Asymptotic properties of maximum likelihood estimators and"
    " likelihood ratio tests under nonstandard conditions. Journal of the American Statistical"
    " Association 1987; 82: 605\u2013610.",
    "Stram 1994": "Stram DO, Lee JW. Variance components testing in the longitudinal mixed effects"
    " model. Biometrics 1994; 50: 1171\u20131177.",
    "Vallat 2018": "Vallat R. Pingouin: statistics in Python. Journal of Open Source Software 2018;"
    " 3(31): 1026.",
    "Vierron 2009": "Vierron E, Giraudeau B. Design effect in multicenter studies: gain or loss of"
    " power? BMC Medical Research Methodology 2009; 9: 39.",
    "Wald 1947": "Wald A. A note on regression analysis. Annals of Mathematical Statistics 1947;"
    " 18: 586\u2013589.",
}


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
    return tuple(
        method
        for part in (_data, _models, _sites, _comparisons, _checks)
        for method in part(evidence)
    )


def references(found: tuple[Method, ...]) -> tuple[str, ...]:
    """The references that these methods cite, in alphabetical order."""
    keys = {key for method in found for key in method.references} | {"ICH E9(R1)"}
    return tuple(REFERENCES[key] for key in sorted(keys))


BASELINES = {
    "outcome": "The baseline reading is an outcome like the others, so that patients without it or"
    " with it alone still contribute.",
    "covariate": "The baseline reading is a covariate; the outcomes are the visits after it.",
    "constrained": "The baseline reading is an outcome like the others, and the arms have one mean"
    " there, since nothing was given before it (constrained longitudinal data analysis, Liang and"
    " Zeger 2000); a difference between arms at a visit is so the difference in change from"
    " baseline too. Patients without a baseline reading, or with it alone, still contribute.",
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
        else "Several readings of one patient at one visit were averaged into one record."
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
        f"A reading is a raw row for one endpoint, and each has exactly one fate. {replicates} Time"
        f" in the models is {time}. {baseline} Patients without a baseline are {missing}.",
    )
    factors = listed(list(plan.stratification))
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
        " of different levels independent, residuals independent with one variance. Models were"
        " fitted by restricted maximum likelihood (REML) or maximum likelihood (ML) as the table of"
        f" models says, by sitewise.lmm {engine.engine_version}: its own likelihood, computed from"
        " sufficient statistics, climbed by Newton's method in a trust region with exact second"
        " derivatives, and a certificate of the optimum (gradient and curvature there). Missing"
        " readings"
        " are assumed missing at random given the fixed part and the observed readings. A variance"
        " estimated as 0 is an estimate: its term stays.",
        "y = X\u03b2 + Zb + \u03b5,  b ~ N(0, G),  \u03b5 ~ N(0, \u03c3\u00b2I)",
        ("Patterson 1971", "Bates 2015"),
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
        f" {plan.alpha:g} and an estimate {side} 0); the p-value of one that is not tested is"
        " descriptive. The adjusted p-value of a step is the largest so far",
        "co-primary": "co-primary: a claim needs every co-primary endpoint to be significant in"
        f" favour of the arm (two-sided p below {plan.alpha:g} and an estimate {side} 0)",
        "exploratory": "exploratory: no claim is made from any p-value",
    }
    yield Method(
        "Order of testing",
        f"The order of the endpoints is {orders[plan.endpoint_order]}.",
        references=("Maurer 1995",) if plan.endpoint_order == "hierarchical" else (),
    )
    threshold = e.primary_fit(next(iter(plan.endpoints))).fit.singularity.threshold
    yield Method(
        "Singular fits",
        "A fit is called singular if the smallest singular value of its relative covariance"
        " factors, columns scaled by the root mean square of the term's values, is below"
        f" {threshold:g}: a verdict that does not depend on units.",
    )


def _sites(e: Evidence) -> Iterator[Method]:
    methods = sorted(
        {
            item.method
            for own in e.endpoints.values()
            for model in own.iccs.models
            for item in model.levels
            if item.method
        }
    )
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
    )
    if any(own.iccs.by_visit for own in e.endpoints.values()):
        yield Method(
            "Site ICC by visit",
            "From one reading a patient by one-way analysis of variance with unequal clusters, with"
            " an interval from the F distribution, exact for sites of any size; sites are assumed"
            " to have equal variances within.",
            "ICC = (MSB \u2212 MSW) / (MSB + (n\u2080 \u2212 1) MSW)",
            ("Wald 1947",),
        )
    if any(own.iccs.design_effects for own in e.endpoints.values()):
        yield Method(
            "Design effect",
            "Of the treatment contrast in level at one visit as patients were allocated, counted in"
            " patients; n1j and n2j are the patients of site j in either arm. A common ICC is"
            " assumed.",
            "1 + (S \u2212 1) ICC,  S = \u03a3 (n1j/n1 \u2212 n2j/n2)\u00b2 / (1/n1 + 1/n2)",
            ("Vierron 2009",),
        )
    if any(own.sites.predictions for own in e.endpoints.values()):
        yield Method(
            "Predictions of sites",
            "Best linear unbiased predictions of the random intercepts of sites under the primary"
            " model, with conditional standard errors at the estimated variances.",
            references=("Robinson 1991",),
        )


def _comparisons(e: Evidence) -> Iterator[Method]:
    if e.plan.comparisons:
        yield Method(
            "Comparison of models",
            "Likelihood-ratio tests along the plan's order, between nested models on the same rows"
            " with the same fixed part where the likelihood is restricted; anything else is"
            " refused. Beside the naive p stands the p of the mixture of chi-squared distributions"
            " that a variance at its boundary calls for: one half each of q and q + 1 degrees of"
            " freedom where one random effect with its q covariances is added to a model that is"
            " not singular, else by projections on the tangent cones of the two models. Both hold"
            " for many levels of the tested group; where there are fewer than 20, the p of a"
            " parametric bootstrap stands beside. AIC and BIC are compared only within groups of"
            " the same rows and, under REML, the same fixed part; BIC counts readings.",
            "\u039b = 2 (log L(larger) \u2212 log L(smaller))",
            ("Self 1987", "Stram 1994"),
        )


def _checks(e: Evidence) -> Iterator[Method]:
    yield Method(
        "Cross-check by analysis of variance",
        "Mixed analysis of variance (arm between, visit within patients) on patients with every"
        " visit, with Greenhouse and Geisser's correction. It needs missingness unrelated to the"
        " outcomes given arm; the mixed model needs it at random given its fixed part and the"
        " observed readings, and a right covariance.",
        references=("Greenhouse 1959", "Vallat 2018"),
    )
    yield from _replication(e)


def _replication(e: Evidence) -> Iterator[Method]:
    """The second engines that gave numbers; none where none did."""
    rows = [r for own in e.endpoints.values() for r in own.replications.rows if r.numbers]
    engines = list(dict.fromkeys(f"{package(r.engine)} {r.engine_version}" for r in rows))
    if not engines:
        return
    used = {package(r.engine) for r in rows}
    own = e.plan.replication
    columns = ", and with statsmodels the columns of the design too" * ("statsmodels" in used)
    yield Method(
        "Replication",
        f"Models were fitted again by independent software ({listed(engines)}), up to"
        f" {plural(own.max_rows, 'row')}. Engines disagree where log-likelihoods differ by more"
        f" than {own.tolerance:g} (the lower one stopped short), an estimate by more than"
        f" {own.tolerance_numbers:g} standard errors, or a standard error or variance by more than"
        f" that share of itself. The rows are shared{columns}; the likelihood, its optimum, the"
        " estimates and the standard errors are each engine's own.",
        references=tuple(_SOFTWARE[name] for name in _SOFTWARE if name in used),
    )
