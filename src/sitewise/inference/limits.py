"""How far the fits of a simulated trial are from their large-sample limits."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.limits import CONTRAST, RESIDUAL, SHARE, Limits
from sitewise.plan.model import Plan
from sitewise.terms import SITEID


@dataclass(frozen=True)
class Distance:
    """One quantity of one fit beside its limit; quantities and units as in `plan.limits.Limit`.

    se: of the estimate, NaN where the fit gives none (variances). error: Monte-Carlo standard
    error of the limit. difference: estimate minus limit. ses: the difference in standard errors,
    sqrt(se^2 + error^2); NaN without se.
    """

    model: str
    quantity: str
    estimate: float
    se: float
    limit: float
    error: float
    difference: float
    ses: float


def quantities(planned: PlannedFit) -> dict[str, tuple[float, float]]:
    """Estimate and standard error (NaN: none) of what a limit is kept of, by name.

    `site ICC` is there for models whose random effects are intercepts of sites and of others:
    the variance of sites over the sum of all variances.
    """
    found = {}
    if planned.primary is not None:
        found[CONTRAST] = (planned.primary.result.estimate, planned.primary.result.se)
    fit = planned.fit
    for term in fit.random:
        for name, variance in zip(term.terms, term.variances, strict=True):
            found[f"variance of {name} | {term.group}"] = (variance, math.nan)
    found[RESIDUAL] = (fit.sigma**2, math.nan)
    site = [term.variances[0] for term in fit.random if term.group == SITEID]
    if site and all(len(term.terms) == 1 for term in fit.random):
        total = sum(term.variances[0] for term in fit.random) + fit.sigma**2
        found[SHARE] = (site[0] / total, math.nan)
    return found


def distances(
    plan: Plan, limits: Limits, endpoint: str, fits: Mapping[str, PlannedFit]
) -> tuple[Distance, ...]:
    """Every limit of the endpoint that one of the fits answers, in the order of the fits.

    A model whose formula in the plan is not the one that the limit was made of has none.
    """
    found = []
    for name, planned in fits.items():
        have = quantities(planned)
        wanted = (endpoint, name, plan.models[name].formula)
        for limit in limits.limits:
            if (limit.endpoint, limit.model, limit.formula) != wanted or limit.quantity not in have:
                continue
            estimate, se = have[limit.quantity]
            difference = estimate - limit.value
            ses = difference / math.hypot(se, limit.error)
            found.append(
                Distance(
                    name, limit.quantity, estimate, se, limit.value, limit.error, difference, ses
                )
            )
    return tuple(found)
