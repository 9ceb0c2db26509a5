"""The fit that the plan's rules take: another residual covariance, or a term less, and why."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sitewise.errors import ModelError
from sitewise.inference.leave import term_named
from sitewise.lmm.formula import Formula, parse_formula
from sitewise.plan.model import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sitewise.lmm.lmmfit import LmmFit
    from sitewise.lmm.moments import Moments
    from sitewise.plan.modelling import Model


@dataclass(frozen=True)
class Taken:
    """A fit, and a sentence for each departure from the plan's formula, in their order."""

    fit: "LmmFit" = field(repr=False)
    departures: tuple[str, ...]


def take(plan: Plan, spec: "Model", moments: "Moments") -> Taken:
    """Fit a model of the plan by its rules.

    A residual covariance whose fit does not converge, or is not positive definite, gives way to the
    next of the plan's order (`covariance`). A random term whose variances are all estimated at 0 is
    dropped only by the plan's leave (`models.<name>.may_drop`). Raises ModelError where nothing
    can be fitted; where no covariance is usable the first fit stands, not converged.
    """
    formula = parse_formula(spec.formula)
    found = _covariance(plan, formula, spec.reml, moments)
    for text in spec.may_drop:
        found = _without(found, text, spec.reml, moments)
    return found


def _covariance(plan: Plan, formula: Formula, reml: bool, moments: "Moments") -> Taken:
    from sitewise.lmm.api import fit_moments
    from sitewise.lmm.usable import why_unusable

    if formula.residual is None:
        return Taken(fit_moments(formula.text, moments, reml), ())
    first: LmmFit | None = None
    refusals: list[ModelError] = []
    passed: list[str] = []
    for structure in structure_order(formula.residual.structure, plan.covariance):
        own = with_structure(formula, structure)
        try:
            fit = fit_moments(own, moments, reml)
        except ModelError as error:
            refusals.append(error)
            passed.append(f"{structure}: {' '.join(str(error).split())}")
            continue
        why = why_unusable(fit)
        if not why:
            return Taken(fit, _departure(formula, structure, passed))
        first = first or fit
        passed.append(f"{structure}: {why}")
    if first is None:
        raise refusals[0]
    return Taken(first, (f"No residual covariance of the plan's order is usable. {_said(passed)}",))


def structure_order(first: str, order: "Sequence[str]") -> tuple[str, ...]:
    """A model's structure, then those after it in the plan's order: all where that lacks it."""
    after = order[order.index(first) + 1 :] if first in order else order
    return (first, *after)


def _departure(formula: Formula, taken: str, passed: "Sequence[str]") -> tuple[str, ...]:
    if not passed:
        return ()
    assert formula.residual is not None, "the caller has asked"
    return (
        f"Deviation from the plan's formula: the residual covariance is {taken}, by the plan's"
        f" order, in place of {formula.residual.structure}. {_said(passed)}",
    )


def _said(passed: "Sequence[str]") -> str:
    return " ".join(f"Passed over: {text.rstrip('.')}." for text in passed)


def _without(found: Taken, text: str, reml: bool, moments: "Moments") -> Taken:
    """The fit without a term, where its variances are all 0; the log-likelihood is the same."""
    from sitewise.lmm.api import fit_moments

    fit = found.fit
    formula = fit.basis.formula
    spec = term_named(formula, text)
    if spec is None or not fit.converged or not _is_zero(fit, str(spec)):
        return found
    rest = replace(formula, random=tuple(one for one in formula.random if one != spec))
    if not rest.random and rest.residual is None:
        return found
    try:
        smaller = fit_moments(written(rest), moments, reml)
    except ModelError as error:
        said = f"({spec}) stays although its variance is 0: {' '.join(str(error).split())}"
        return Taken(fit, (*found.departures, said))
    return Taken(
        smaller,
        (
            *found.departures,
            f"Deviation from the plan's formula: ({spec}) was dropped, by the plan's leave"
            f" (may_drop), since its variance was estimated at 0. The log-likelihood moved by"
            f" {abs(smaller.loglik - fit.loglik):.1g}.",
        ),
    )


def _is_zero(fit: "LmmFit", label: str) -> bool:
    """Whether all variances of a term are 0 by the scale-free verdict."""
    threshold = fit.singularity.threshold**2
    terms = [t for t in fit.estimates.terms if t.basis.label == label]
    return bool(terms) and all((t.relative.diagonal() < threshold).all() for t in terms)


def with_structure(formula: Formula, structure: str) -> str:
    """The text of a formula with another residual structure."""
    assert formula.residual is not None, "only of a formula that has one"
    return written(replace(formula, residual=replace(formula.residual, structure=structure)))


def written(formula: Formula) -> str:
    """The text of a formula from its parts."""
    parts = [formula.fixed, *(f"({spec.terms} | {spec.group_name})" for spec in formula.random)]
    if formula.residual is not None:
        parts.append(str(formula.residual))
    return f"{formula.response} ~ {' + '.join(parts)}"
