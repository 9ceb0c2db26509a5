"""Likelihood-ratio tests along the plan's order, and information criteria (rule compare).

From the records of fits alone the one boundary mixture that names tell; with the fitted models
themselves (`sitewise.lmm.record.refit_at`) the rules of `sitewise.inference.lrt`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from sitewise.errors import ComparisonError
from sitewise.inference.comparison import (
    Comparisons,
    CriterionGroup,
    CriterionRow,
    ModelComparison,
)
from sitewise.inference.lrt import CHI2, LrtResult, lrt
from sitewise.inference.mixture import (
    ROUNDING,
    likelihood_ratio,
    mixture_p,
    mixture_words,
    naive_p,
)
from sitewise.inference.nesting import Added, Difference, difference, same_fixed
from sitewise.inference.planned_fit import PlannedFit
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.result import Fit
from sitewise.plan.sections import Comparison
from sitewise.terms import WEEK

FEW_LEVELS = 20
GROUP_WORDS = {"SITEID": "sites", "USUBJID": "patients"}


def compare_models(
    comparisons: Sequence[Comparison],
    fits: Mapping[str, PlannedFit],
    models: Mapping[str, LmmFit] | None = None,
) -> Comparisons:
    """Make or refuse every comparison of the plan on one endpoint; table AIC and BIC.

    fits: the planned fits by name, in the order of the plan. models: the same as fitted models,
    for what records can't tell: tests at several variances, at a singular null, the bootstrap.
    """
    tests = tuple(
        compare_pair(
            comparison.question,
            comparison.smaller,
            fits[comparison.smaller].fit,
            comparison.larger,
            fits[comparison.larger].fit,
            missed=_missed_by_both(fits[comparison.smaller], fits[comparison.larger]),
            models=(models[comparison.smaller], models[comparison.larger]) if models else None,
        )
        for comparison in comparisons
    )
    endpoint = next(iter(fits.values())).endpoint
    return Comparisons(endpoint, tests, group_criteria(fits))


def compare_pair(
    question: str,
    null_name: str,
    null: Fit,
    full_name: str,
    full: Fit,
    *,
    missed: Sequence[str] = (),
    models: tuple[LmmFit, LmmFit] | None = None,
) -> ModelComparison:
    """One likelihood-ratio test of `null` within `full`, or the reason why there is none.

    missed: visits whose mean both models, linear in WEEK, miss. models: both as fitted models.
    """
    method = "REML" if null.reml and full.reml else "ML" if not (null.reml or full.reml) else ""
    df = full.npar - null.npar
    added = difference(null, full)
    refused = _refusal(null_name, null, full_name, full, added)
    tested, more = _tested(models) if not refused else (None, "")
    refused = refused or more
    if refused or added is None:
        nan = math.nan
        return ModelComparison(
            question, null_name, full_name, refused, method, null.loglik, full.loglik,
            nan, df, nan, None, "no test", (),
        )  # fmt: skip
    statistic = likelihood_ratio(null.loglik, full.loglik)
    p_mixture, mixture = _mixture(null_name, null, added, statistic)
    if tested is not None and tested.kind != CHI2:
        p_mixture, mixture = tested.p, tested.rule
    return ModelComparison(
        question=question,
        null=null_name,
        full=full_name,
        refused="",
        method=method,
        loglik_null=null.loglik,
        loglik_full=full.loglik,
        statistic=statistic,
        df=df,
        p_naive=naive_p(statistic, df),
        p_mixture=p_mixture,
        mixture=mixture,
        cautions=(
            *_singular(null_name, null, full_name, full),
            *_changing_variance(added, missed),
            *_cautions(null, full, added, p_mixture is not None),
            *_bootstrapped(tested),
        ),
        p_bootstrap=None if tested is None else tested.p_bootstrap,
    )


def _tested(models: tuple[LmmFit, LmmFit] | None) -> tuple[LrtResult | None, str]:
    """The test of two fitted models, or why there is none."""
    if models is None:
        return None, ""
    try:
        return lrt(*models), ""
    except ComparisonError as error:
        return None, "; ".join(problem.what for problem in error.problems)


def _missed_by_both(smaller: PlannedFit, larger: PlannedFit) -> tuple[str, ...]:
    others = {one.visit for one in larger.missed}
    return tuple(one.visit for one in smaller.missed if one.visit in others)


def group_criteria(fits: Mapping[str, PlannedFit]) -> tuple[CriterionGroup, ...]:
    """AIC and BIC in groups of the same rows and method (REML: and the same fixed part)."""
    groups: list[list[str]] = []
    for name, planned in fits.items():
        for group in groups:
            other = fits[group[0]].fit
            if (
                other.rows == planned.fit.rows
                and other.reml == planned.fit.reml
                and (not other.reml or same_fixed(other, planned.fit))
            ):
                group.append(name)
                break
        else:
            groups.append([name])
    return tuple(_criterion_group([fits[name] for name in group]) for group in groups)


def _criterion_group(members: list[PlannedFit]) -> CriterionGroup:
    first = members[0].fit
    basis = f"{'REML' if first.reml else 'ML'}, {first.nobs} rows"
    if first.reml:
        basis += f", fixed part {_fixed_text(first)}"
    if len(members) == 1:
        basis += "; no other model is comparable"
    rows = tuple(
        CriterionRow(
            m.model, m.label, m.fit.formula, m.fit.nobs, m.fit.npar, m.fit.loglik, m.fit.aic,
            m.fit.bic, m.fit.singularity.singular, m.fit.converged,
        )
        for m in members
    )  # fmt: skip
    return CriterionGroup(basis, rows)


def _fixed_text(fit: Fit) -> str:
    from sitewise.lmm.formula import parse_formula

    return parse_formula(fit.formula).fixed


def _refusal(null_name: str, null: Fit, full_name: str, full: Fit, added: Difference | None) -> str:
    """Every reason why the test would be invalid, in one text; empty if it is valid."""
    reasons = []
    if null.rows != full.rows:
        reasons.append(
            f"the models use other rows ({null_name} {null.nobs}, {full_name} {full.nobs}):"
            " likelihoods of different data can't be compared"
        )
    if null.reml != full.reml:
        reasons.append(
            f"{null_name} is fitted by {_method(null)} and {full_name} by {_method(full)}:"
            " the two likelihoods are not on one scale"
        )
    elif null.reml and not same_fixed(null, full):
        reasons.append(
            "the fixed parts differ, and REML likelihoods of different fixed parts can't be"
            " compared: fit both by ML (`reml: false`)"
        )
    for name, fit in ((null_name, null), (full_name, full)):
        if not fit.converged:
            reasons.append(f"{name} did not converge, so its log-likelihood is not its maximum")
    if added is None:
        if not reasons or null.reml == full.reml:
            reasons.append(
                f"{null_name} is not nested in {full_name}: it has a term that the larger model"
                " lacks, as far as the terms' names tell"
            )
    elif full.npar <= null.npar:
        reasons.append(f"{full_name} has no parameter beyond those of {null_name}")
    elif not reasons and full.loglik < null.loglik - ROUNDING * (1 + 1e-4 * abs(null.loglik)):
        reasons.append(
            f"the larger model {full_name} has the lower log-likelihood ({full.loglik:.6f} against"
            f" {null.loglik:.6f}), which is impossible at its maximum: its search stopped at a"
            " failed optimum"
        )
    return "; ".join(reasons)


def _method(fit: Fit) -> str:
    return "REML" if fit.reml else "ML"


def _mixture(
    null_name: str, null: Fit, added: Difference, statistic: float
) -> tuple[float | None, str]:
    """The p of the boundary mixture and its name, or None and why there is none."""
    if not added.random:
        return None, "no variance is tested, so nothing lies on a boundary: the naive p stands"
    if added.fixed:
        return None, "none: fixed effects and variances are added at once"
    if len(added.random) > 1:
        names = ", ".join(_effect(one) for one in added.random)
        return None, f"none: {len(added.random)} variances are added at once ({names})"
    if added.covariances:
        return None, "none: covariances among the other random effects are added too"
    if null.singularity.singular:
        return None, (
            f"none: {null_name} is itself singular ({null.singularity.where}), so more than the"
            " tested variance lies on the boundary"
        )
    q = len(added.random[0].partners)
    return mixture_p(statistic, q), mixture_words(q)


def _effect(one: Added) -> str:
    return f"{one.term} by {one.group}"


def _singular(null_name: str, null: Fit, full_name: str, full: Fit) -> Iterator[str]:
    if null.singularity.singular:
        yield (
            f"The smaller model {null_name} is itself singular ({null.singularity.where}):"
            " neither the naive p nor a mixture has its usual meaning here."
        )
    if full.singularity.singular:
        yield (
            f"The larger model {full_name} is singular ({full.singularity.where}): the data support"
            " fewer random effects than it has, so a small p-value does not show that all that it"
            " adds is there."
        )


def _bootstrapped(tested: LrtResult | None) -> Iterator[str]:
    if tested is not None and tested.bootstrap is not None:
        own = tested.bootstrap
        yield (
            f"By the parametric bootstrap ({own.draws} draws, seed {own.seed}) p is {own.p:.3g},"
            f" Monte Carlo SE {own.error:.1g}."
        )


def _changing_variance(added: Difference, missed: Sequence[str]) -> Iterator[str]:
    """A random slope is tested, and the line that it swings about misses the means."""
    groups = [GROUP_WORDS.get(a.group, a.group) for a in added.random if a.term == WEEK]
    if groups and missed:
        yield (
            f"Both models are straight lines in {WEEK} and miss the mean outcome at"
            f" {', '.join(missed)}: this test then finds that variance changes with time, not that"
            f" {' and '.join(groups)} have trends of their own."
        )


def _cautions(null: Fit, full: Fit, added: Difference, has_mixture: bool) -> list[str]:
    found = []
    for one in added.random:
        words = GROUP_WORDS.get(one.group, f"levels of {one.group}")
        text = "The mixture is" if has_mixture else "Chi-squared distributions are"
        found.append(
            f"{text} an approximation for many {words}; here there are {one.levels}."
            + (" That is few: read this p-value with care." if one.levels < FEW_LEVELS else "")
        )
    if added.random and not has_mixture and not null.singularity.singular:
        found.append(
            "Variances can't be negative, so the naive p is too large; how much is not known here."
        )
    if added.fixed:
        smallest = min(full.random, key=lambda term: term.levels)
        words = GROUP_WORDS.get(smallest.group, f"levels of {smallest.group}")
        found.append(
            "A likelihood-ratio test of fixed effects rejects too often where groups are few; here"
            f" there are {smallest.levels} {words}."
        )
    return found
