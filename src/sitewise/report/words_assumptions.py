"""What this run's answer stands on, and where the report lets a reader look at it."""

from sitewise.report.evidence import Evidence
from sitewise.report.layout import Table, row, table
from sitewise.report.words_methods import residual_models
from sitewise.report.words_models import is_linear
from sitewise.report.words_states import fit_states
from sitewise.terms import SITEID


def assumptions(e: Evidence) -> Table:
    """The assumptions of the primary model and of its tests, one a line."""
    return table(
        "tbl-assumptions",
        f"What the answer of this run assumes, model {e.plan.primary.model}",
        [("Assumption", "text"), ("If it does not hold", "text"), ("Looked at", "text")],
        [row(said, f"{else_[0].upper()}{else_[1:]}", at) for said, else_, at in _lines(e)],
        notes=["No look at data can prove these; each says where a departure would show."],
    )


def _lines(e: Evidence) -> list[tuple[str, str, str]]:
    return [*_people(e), *_mean(e), *_random(e), *_inference(e)]


def _people(e: Evidence) -> list[tuple[str, str, str]]:
    unit = "Sites" if e.plan.design == "cluster" else "Patients"
    within = "" if e.plan.design == "cluster" or not e.plan.stratification else ", within strata"
    return [
        (
            f"{unit} were randomised{within}",
            "arms differ for other reasons than the treatment",
            "Section 1, baseline; the design that the plan declares was held against the data",
        ),
        (
            "Readings are missing at random, given the fixed part and the readings observed",
            "the answer is biased, in a direction that the data can't tell",
            "Section 3, patterns of missing visits with the last value seen; section 6, what the"
            " answer is if they are not",
        ),
    ]


def _mean(e: Evidence) -> list[tuple[str, str, str]]:
    formula = e.plan.models[e.plan.primary.model].formula
    if is_linear(formula):
        return [
            (
                "The mean of each arm is a straight line in time",
                "the contrast at one visit is that of the lines, not of the arms",
                "Sections 3 and 6, means by visit against the lines; page 1 where they are missed",
            )
        ]
    found = []
    if e.plan.baseline.handling == "covariate":
        found.append(
            (
                "Outcomes depend on the baseline reading by straight lines"
                + (
                    ", one slope for all visits"
                    if "BASE:AVISIT" not in (flat := formula.replace(" ", ""))
                    and "BASE*AVISIT" not in flat
                    and "AVISIT*BASE" not in flat
                    and "AVISIT:BASE" not in flat
                    else ""
                ),
                "less precision; randomised arms are compared fairly all the same",
                "Section 5, residuals against fitted values",
            )
        )
    return found


def _random(e: Evidence) -> list[tuple[str, str, str]]:
    primary = e.plan.primary.model
    fit = e.primary_fit(next(iter(e.plan.endpoints))).fit
    groups = [term.group for term in fit.random]
    found = [
        (
            "Random effects and residuals are normal",
            "little for the contrast where patients are many, unless outliers are far;"
            " predictions of sites suffer more",
            "Section 5, residuals and sites against normal quantiles",
        )
    ]
    if primary in residual_models(e):
        said = "Readings of a patient have one covariance over the visits, the same in all arms"
    elif any(len(term.terms) > 1 for term in fit.random):
        said = "Variances and correlations over time are those that the random slopes imply"
    else:
        said = (
            "Readings of one patient have one correlation whatever the time between them, and one"
            " variance at all visits"
        )
    found.append(
        (
            said,
            "standard errors are too small or too large, the estimate where readings are missing"
            " shifts",
            "Section 5, marginal residuals by visit; section 6, other covariances",
        )
    )
    if SITEID in groups and e.plan.design == "cluster":
        found.append(
            (
                "Sites are like a sample from sites, of one variance in all arms",
                "the standard error between arms, which rests on them, is too small or too large",
                "Section 4, site by site; section 6, one site left out",
            )
        )
    elif SITEID in groups:
        found.append(
            (
                "Sites are like a sample from sites, and shift their patients alike in"
                f" {'both' if len(e.plan.arms.order) == 2 else 'all'} arms",
                "the standard error leaves out how the effect differs between sites",
                "Section 4, site by site"
                + (
                    " and treatment by site"
                    if any(own.by_site.asked for own in e.endpoints.values())
                    else ""
                ),
            )
        )
    return found


def _inference(e: Evidence) -> list[tuple[str, str, str]]:
    found = []
    if e.plan.df == "asymptotic":
        found.append(
            (
                "Variances are as good as known",
                "intervals are too short with few sites",
                "Section 6, other degrees of freedom",
            )
        )
    states = fit_states(e)
    found.append(
        (
            "The search found the top of the likelihood",
            "the numbers are not those of the model",
            "Section 9, a second engine" + ("; the fits named at the front" if states else ""),
        )
    )
    return found
