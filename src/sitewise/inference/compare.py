"""Likelihood-ratio tests along the plan's order, and information criteria (rule compare).

The models are rebuilt from their moments at the parameters of their records, without a search; the
rules of the tests are those of `sitewise.inference.lrt`.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sitewise.errors import ComparisonError, Problem
from sitewise.inference.batch import add_moments
from sitewise.inference.comparison import (
    Comparisons,
    CriterionGroup,
    CriterionRow,
    ModelComparison,
)
from sitewise.inference.fixed_beside import f_beside
from sitewise.inference.lrt import CHI2, FEW_UNITS, LrtResult, test_of
from sitewise.inference.placed import AddedEffect, Pair, place
from sitewise.inference.planned_fit import PlannedFit
from sitewise.lmm.lmmfit import LmmFit
from sitewise.lmm.moments import Moments
from sitewise.lmm.record import refit_at
from sitewise.lmm.result import Fit
from sitewise.plan.model import Plan
from sitewise.terms import WEEK

GROUP_WORDS = {"SITEID": "sites", "USUBJID": "patients"}


def compare_batches(
    plan: Plan, fits: Mapping[str, PlannedFit], moments: Mapping[str, Sequence[Moments]]
) -> Comparisons:
    """`compare_models`, the models rebuilt.

    fits: of one endpoint, by name of the model. moments: of all batches, by name of the model.
    """
    named = {name for one in plan.comparisons for name in (one.smaller, one.larger)}
    models = {
        name: refit_at(planned.fit.formula, add_moments(moments[name]), planned.fit)
        for name, planned in fits.items()
        if name in named
    }
    return compare_models(plan, fits, models)


def compare_models(
    plan: Plan, fits: Mapping[str, PlannedFit], models: Mapping[str, LmmFit]
) -> Comparisons:
    """Make or refuse every comparison of the plan on one endpoint; table AIC and BIC.

    fits: the planned fits by name, in the order of the plan. models: as fitted models, those that
    a comparison names.
    """
    tests = tuple(
        compare_pair(
            one.question,
            one.smaller,
            models[one.smaller],
            one.larger,
            models[one.larger],
            missed=_missed_by_both(fits[one.smaller], fits[one.larger]),
            draws=plan.bootstrap.draws,
            seed=plan.seeds.comparisons,
            df=fits[one.larger].fit.df_method,
        )
        for one in plan.comparisons
    )
    endpoint = next(iter(fits.values())).endpoint
    return Comparisons(endpoint, tests, group_criteria(fits))


def compare_pair(
    question: str,
    null_name: str,
    null: LmmFit,
    full_name: str,
    full: LmmFit,
    *,
    missed: Sequence[str] = (),
    draws: int = 0,
    seed: int = 1,
    df: str = "satterthwaite",
) -> ModelComparison:
    """One likelihood-ratio test of `null` within `full`, or the reason why there is none.

    missed: visits whose mean both models, linear in WEEK, miss. draws: of the parametric bootstrap,
    made where a tested grouping has fewer than 20 levels. seed: of all that is drawn. df: of the F
    test that stands beside where fixed effects are tested.
    """
    method = "REML" if null.reml and full.reml else "ML" if not (null.reml or full.reml) else ""
    names = {null.formula: null_name, full.formula: full_name}
    try:
        pair = place(null, full)
        beside = f_beside(null, full, df)
    except ComparisonError as error:
        nan = math.nan
        refused = "; ".join(_refusal(problem, names) for problem in error.problems)
        return ModelComparison(
            question, null_name, full_name, refused, method, null.loglik, full.loglik, nan,
            full.npar - null.npar, nan, None, "no test", (),
        )  # fmt: skip
    few = pair.units is not None and pair.units < FEW_UNITS
    tested = test_of(pair, bootstrap=draws if few else 0, seed=seed)
    own = tested.bootstrap
    return ModelComparison(
        question=question,
        null=null_name,
        full=full_name,
        refused="",
        method=method,
        loglik_null=null.loglik,
        loglik_full=full.loglik,
        statistic=tested.statistic,
        df=tested.df,
        p_naive=tested.p_naive,
        p_mixture=tested.p_mixture,
        mixture=_rule(tested, pair),
        cautions=(
            *_singular(null_name, null, full_name, full),
            *_changing_variance(pair.random, missed),
            *_cautions(pair, tested),
        ),
        p_error=tested.error,
        p_bootstrap=tested.p_bootstrap,
        bootstrap_error=None if own is None else own.error,
        bootstrap_draws=None if own is None else own.draws,
        bootstrap_seed=None if own is None else own.seed,
        df_fixed=len(pair.fixed),
        f=None if beside is None else beside.F,
        f_df1=None if beside is None else beside.df1,
        f_df2=None if beside is None else beside.df2,
        f_p=None if beside is None else beside.p,
    )


def _refusal(problem: Problem, names: Mapping[str, str]) -> str:
    """A problem in the names of the plan."""
    where = names.get(problem.where)
    said = f"{where} {problem.what}" if where else problem.what
    return f"{said}: {problem.fix}" if problem.fix else said


def _rule(tested: LrtResult, pair: Pair) -> str:
    if tested.kind == CHI2 and not pair.random:
        return "no variance is tested, so nothing lies on a boundary: the naive p stands"
    return tested.rule


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
                and (not other.reml or _same_fixed(other, planned.fit))
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


def _same_fixed(a: Fit, b: Fit) -> bool:
    """Whether both have the same columns of fixed effects."""
    return Counter([*(e.name for e in a.fixef), *a.aliased]) == Counter(
        [*(e.name for e in b.fixef), *b.aliased]
    )


def _singular(null_name: str, null: LmmFit, full_name: str, full: LmmFit) -> Iterator[str]:
    if null.singular:
        yield (
            f"The smaller model {null_name} is itself singular ({null.singularity.where}): the"
            " naive p has no usual meaning here, and the other takes that variance for 0 exactly."
        )
    if full.singular:
        yield (
            f"The larger model {full_name} is singular ({full.singularity.where}): the data support"
            " fewer random effects than it has, so a small p-value does not show that all that it"
            " adds is there."
        )


def _changing_variance(added: Sequence[AddedEffect], missed: Sequence[str]) -> Iterator[str]:
    """A random slope is tested, and the line that it swings about misses the means."""
    groups = [GROUP_WORDS.get(a.group, a.group) for a in added if a.term == WEEK]
    if groups and missed:
        yield (
            f"Both models are straight lines in {WEEK} and miss the mean outcome at"
            f" {', '.join(missed)}: this test then finds that variance changes with time, not that"
            f" {' and '.join(groups)} have trends of their own."
        )


def _cautions(pair: Pair, tested: LrtResult) -> Iterator[str]:
    for one in pair.random:
        words, units = _words(one.group), pair.larger.units(one.label)
        text = "Chi-squared is" if tested.kind == CHI2 else "The mixture is"
        few = " That is few: read this p-value with care." if units < FEW_UNITS else ""
        yield f"{text} an approximation for many {words}; here there are {units}.{few}"
    if tested.bootstrap is not None:
        own = tested.bootstrap
        # as the report prints its others
        p = "<0.001" if own.p < 0.001 else ">0.999" if own.p > 0.999 else f"{own.p:.3f}"
        yield (
            f"By the parametric bootstrap ({own.drawn}, seed {own.seed}) p is {p},"
            f" Monte Carlo SE {'<0.001' if own.error < 0.001 else f'{own.error:.3f}'}."
        )
        if own.failed:
            yield f"In {own.failed} of the draws a search did not converge; they count as they are."
    if tested.without_bootstrap:
        yield tested.without_bootstrap
    if pair.fixed:
        terms = pair.larger.basis.terms
        units, group = min(((pair.larger.units(t.label), t.group) for t in terms), default=(0, ""))
        if group:
            yield (
                "A likelihood-ratio test of fixed effects rejects too often where groups are few;"
                f" here there are {units} {_words(group)}."
            )


def _words(group: str) -> str:
    return GROUP_WORDS.get(group, f"levels of {group}")
