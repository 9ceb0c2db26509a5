"""The methods of what stands beside the primary analysis, each only where this run used it."""

from collections.abc import Iterator

from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed
from sitewise.report.literature import Method
from sitewise.report.section_not_at_random import has_missing
from sitewise.report.words_replication import package

_SOFTWARE = {"statsmodels": "Seabold 2010", "lme4": "Bates 2015"}


def beside(e: Evidence) -> Iterator[Method]:
    """Comparisons, criteria, ladder, covariances, sites left out, cross-check, replication."""
    for part in (
        _comparisons,
        _ladder,
        _handlings,
        _left_out,
        _not_at_random,
        _checks,
        _replication,
    ):
        yield from part(e)


def _comparisons(e: Evidence) -> Iterator[Method]:
    tests = [test for own in e.endpoints.values() for test in own.comparisons.tests]
    if not tests:
        return
    text = (
        "Likelihood-ratio tests along the plan's order, between nested models on the same rows"
        " with the same fixed part where the likelihood is restricted; anything else is refused."
    )
    cited: tuple[str, ...] = ()
    if any(test.p_mixture is not None for test in tests):
        text += (
            " Beside the naive p stands the p of the mixture of chi-squared distributions that a"
            " variance at its boundary calls for: one half each of q and q + 1 degrees of freedom"
            " where one random effect with its q covariances is added to a model that is not"
            " singular, else by projections on the tangent cones of the two models. Both hold for"
            " many levels of the tested group."
        )
        cited = ("Self 1987", "Stram 1994")
    if any(test.bootstrap_draws for test in tests):
        text += (
            " Where there are fewer than 20 levels, the p of a parametric bootstrap stands beside:"
            " outcomes are drawn from the smaller model (seed"
            f" {e.plan.seeds.comparisons}) until 20 have a statistic as large, p = 20 / draws, or"
            f" until {e.plan.bootstrap.draws} are drawn, p = (1 + draws as large) / (1 + draws)."
        )
        cited = (*cited, "Davison 1997", "Besag 1991")
    if any(test.f is not None for test in tests):
        text += (
            " Where fixed effects are tested, the F test by the larger model's degrees of freedom"
            " stands beside the chi-squared one, which takes the variances for known."
        )
    yield Method(
        "Comparison of models", text, "\u039b = 2 (log L(larger) \u2212 log L(smaller))", cited
    )
    yield Method(
        "Information criteria",
        "Compared only within groups of the same rows, the same method and, under REML, the same"
        " fixed part; they count fixed effects and covariance parameters, BIC takes the logarithm"
        " of the number of readings.",
        "AIC = \u22122 log L + 2 k,  BIC = \u22122 log L + k log n",
        ("Bates 2015",),
    )


def _ladder(e: Evidence) -> Iterator[Method]:
    ladders = [own.ladder for own in e.endpoints.values()]
    keys = {rung.key for found in ladders for rung in found.rungs if rung.answer is not None}
    if not keys:
        return
    unit = "site" if e.plan.design == "cluster" else "patient"
    yield Method(
        "The contrast under every usual model",
        "One contrast of one fixed part on one set of rows. Least squares takes readings as"
        " independent, on n \u2212 p degrees of freedom; with sites as fixed effects the sites'"
        " columns are in the fixed part. Mixed models are those of the primary analysis with other"
        " random effects. Effective readings: independent readings that would give the same"
        " standard error under least squares.",
        "effective readings = n (SE of least squares / SE)\u00b2",
    )
    if "ols_robust" in keys:
        yield Method(
            "Cluster-robust standard error",
            f"Of least squares, with the {unit} as cluster: the bias-reduced CR2 estimator, t on"
            " degrees of freedom of Satterthwaite type under working independence.",
            references=("Bell 2002", "Pustejovsky 2018"),
        )
    if any(key.startswith("gee") for key in keys):
        yield Method(
            "Generalised estimating equations",
            f"Normal outcomes, identity link, exchangeable working correlation within the {unit},"
            " standard errors with two corrections for few clusters, t on clusters less fixed"
            " effects. Unweighted equations need readings that are missing completely at random"
            " given arm and visit.",
            references=("Liang 1986", "Kauermann 2001", "Mancl 2001"),
        )
    order = next((own.covariance.order for own in ladders if own.covariance.rows), ())
    if order:
        yield Method(
            "Mixed model for repeated measures",
            "Fixed effects with a residual covariance over the visits of a patient in place of"
            f" random effects of patients. The plan's order is {listed(list(order))}: the first"
            " that converges and is positive definite is taken. us: unstructured; cs: one"
            " variance, one correlation; ar1: correlation falling with the distance in visits; h:"
            " a variance for each visit. Criteria count covariance parameters; AICc is corrected"
            " for small samples.",
            references=("Mallinckrodt 2008", "Hurvich 1989"),
        )
    if any(found.straight is not None for found in ladders):
        yield Method(
            "Straight lines",
            "The primary model with a mean of its own for every visit and arm beside its lines:"
            " an F test that these add nothing, with the degrees of freedom of the primary"
            " analysis; beside it the likelihood ratio by maximum likelihood. The primary contrast"
            " is taken between such means too, with the primary model's covariance and by MMRM.",
        )
    if any(found.guard is not None for found in ladders):
        yield Method(
            "Guard of a trial that randomised sites",
            "S sites in a arms give S \u2212 a degrees of freedom to a difference between arms, at"
            " most (S \u2212 a)(v \u2212 1) to a change over v visits and, if the variance of site"
            " by visit is one at all of them, (S \u2212 a) v to a level at one. The analyses of the"
            " primary contrast are held against this, a tenth above left to unbalanced data. The"
            " site-by-visit variance is tested against one half at 0 and one half on 1 degree of"
            " freedom, and stays in the model whatever the test says.",
            references=("Self 1987",),
        )


def _handlings(e: Evidence) -> Iterator[Method]:
    if any(own.ladder.baseline is not None for own in e.endpoints.values()):
        yield Method(
            "Handlings of the baseline",
            "Cell means by visit with an unstructured covariance over the visits: baseline as an"
            " outcome with arms free or constrained to be equal there, as a covariate by visit,"
            " and subtracted. The last two drop patients without a baseline reading.",
            references=("Liang 2000",),
        )


def _left_out(e: Evidence) -> Iterator[Method]:
    if any(own.ladder.left_out for own in e.endpoints.values()):
        yield Method(
            "One site left out",
            "The primary model without each site in turn: the site's sums are taken out, and all"
            " variances are estimated anew. The range of the estimates says how much hangs on one"
            " site; it is no interval.",
        )


def _not_at_random(e: Evidence) -> Iterator[Method]:
    found = [own.ladder.not_at_random for own in e.endpoints.values()]
    if not any(has_missing(one) for one in found):
        return
    shares = (
        "Shares vary between sites: S/(S \u2212 1) times the sum of squares of what each site adds"
        if e.plan.design == "cluster"
        else "var p = p (1 \u2212 p) / n"
    )
    unit = "site" if e.plan.design == "cluster" else "patient"
    yield Method(
        "Readings missing not at random",
        f"Of n patients of the analysis set in an arm, a share p has no reading at"
        f" {e.plan.primary.visit}. If these differ there by \u03b4 on average from what the model"
        " predicts for them, the arm's mean shifts by p \u03b4: a pattern mixture whose deltas are"
        " given and not estimated. The variance adds those of the shares and their covariance with"
        f" the contrast, by what each {unit} adds to both. {shares}. Degrees of freedom are"
        " Satterthwaite's of these variances, at most those of the contrast. A tipping"
        " point solves for the \u03b4 nearest to 0 at which an end of the interval, or the"
        " estimate, is 0. Patients without any reading in the analysis set are"
        " not in n.",
        "D(\u03b4) = D + p\u2090 \u03b4\u2090 \u2212 p\u1d63 \u03b4\u1d63,  var D(\u03b4) = var D"
        " + \u03a3 (\u03b4\u00b2 var p \u00b1 2 \u03b4 cov(D, p))",
        ("Mehrotra 2017", "White 2018", "O'Kelly 2014", "ICH E9(R1)", "Satterthwaite 1946"),
    )


def _checks(e: Evidence) -> Iterator[Method]:
    if any(own.crosscheck.anova for own in e.endpoints.values()):
        yield Method(
            "Cross-check by analysis of variance",
            "Mixed analysis of variance (arm between, visit within patients) on patients with"
            " every visit, with Greenhouse and Geisser's correction. It needs missingness unrelated"
            " to the outcomes given arm; the mixed model needs it at random given its fixed part"
            " and the observed readings, and a right covariance. The primary contrast of it is that"
            " of its cell means, on degrees of freedom by Satterthwaite's approximation of the two"
            " mean squares.",
            references=("Greenhouse 1959", "Satterthwaite 1946", "Vallat 2018"),
        )
    if any(own.reconciliation.steps for own in e.endpoints.values()):
        yield Method(
            "From analysis of variance to the primary analysis",
            "On complete cases cell means with (1 | USUBJID) have by REML the two mean squares of"
            " the analysis of variance as variances, where the one between patients is the larger."
            " From there one thing is changed at a time: fixed part, patients, covariance within"
            " patients, sites, sites by visit.",
            "\u03c3\u00b2 = MS(within),  \u03c3\u00b2 + v \u03c4\u00b2 = MS(between)",
            ("Patterson 1971",),
        )


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
