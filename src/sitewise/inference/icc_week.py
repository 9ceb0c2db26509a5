"""The ICC under random slopes: a function of the week, never one number."""

import math
from collections.abc import Sequence

import numpy as np

from sitewise.inference.icc_result import IccAtWeek, VarianceShare
from sitewise.inference.planned_fit import PlannedFit
from sitewise.lmm.result import RandomTerm
from sitewise.plan.model import Plan
from sitewise.terms import AVISIT, SITEID, USUBJID, WEEK

INTERCEPT = "(Intercept)"


def has_slopes(fit: PlannedFit) -> bool:
    """Whether some random effect of the model is not an intercept."""
    return any(name != INTERCEPT for term in fit.fit.random for name in term.terms)


def iccs_at_weeks(plan: Plan, fit: PlannedFit) -> tuple[IccAtWeek, ...]:
    """Shares of site and patient at each planned week, from the fitted covariances.

    With z the values of a term's columns at the week, the term's variance there is z'Gz.
    The site's share counts every group of sites at that week (SITEID, and SITEID:AVISIT where it
    is in the model): it is the correlation of two patients of one site at the same visit. Shares
    are of the total with the residual. All numbers are NaN where a random column is neither the
    intercept, WEEK, nor a visit's indicator: it is no function of the week.
    """
    return tuple(
        _at(fit, visit.name, visit.week, [v.name for v in plan.visits]) for visit in plan.visits
    )


def _at(fit: PlannedFit, visit: str, week: float, visits: Sequence[str]) -> IccAtWeek:
    site = patient = other = 0.0
    for term in fit.fit.random:
        variance = _variance(term, visit, week, visits)
        groups = term.group.split(":")
        if USUBJID in groups:
            patient += variance
        elif SITEID in groups:
            site += variance
        else:
            other += variance
    total = site + patient + other + fit.fit.sigma**2
    return IccAtWeek(
        model=fit.model,
        week=week,
        site_share=site / total,
        patient_share=patient / total,
        total_variance=total,
        patient_correlation=(site + patient) / total,
    )


def variance_shares(plan: Plan, fit: PlannedFit) -> tuple[VarianceShare, ...]:
    """Variance and share of each group of one model at the primary visit's week.

    Nothing of a fit that did not converge: its variances are where the search stopped. Where a
    random column is no function of the week (see `iccs_at_weeks`) the numbers are NaN.
    """
    if not fit.fit.converged:
        return ()
    visits = {visit.name: visit.week for visit in plan.visits}
    visit, week = plan.primary.visit, visits[plan.primary.visit]
    found: dict[str, float] = {}
    for term in fit.fit.random:
        found.setdefault(term.group, 0.0)
        found[term.group] += _variance(term, visit, week, list(visits))
    found["Residual"] = fit.fit.sigma**2
    total = sum(found.values())
    return tuple(
        VarianceShare(fit.model, week, group, variance, variance / total)
        for group, variance in found.items()
    )


def change_icc(plan: Plan, fit: PlannedFit) -> float:
    """Site ICC of the change from baseline to the primary visit, by the fitted covariances.

    The correlation of two patients of one site in their change: a level that sites or patients
    keep cancels, a term by visit counts at both ends, a slope over the weeks between. NaN of a fit
    that did not converge, or where the residuals have a covariance over the visits (`sigma` is NaN)
    or a random column is no function of the week.
    """
    if not fit.fit.converged:
        return math.nan
    names = [visit.name for visit in plan.visits]
    weeks = {visit.name: visit.week for visit in plan.visits}
    ends = [(v, weeks[v]) for v in (plan.primary.visit, plan.baseline_visit.name)]
    site, rest = 0.0, 2 * fit.fit.sigma**2
    for term in fit.fit.random:
        groups = term.group.split(":")
        z = [np.array([_value(t, *end, names) for t in term.terms]) for end in ends]
        parts = z if AVISIT in groups else [z[0] - z[1]]
        variance = sum(_quadratic(term, one) for one in parts)
        if SITEID in groups and USUBJID not in groups:
            site += variance
        else:
            rest += variance
    return site / (site + rest)


def _variance(term: RandomTerm, visit: str, week: float, visits: Sequence[str]) -> float:
    return _quadratic(term, np.array([_value(name, visit, week, visits) for name in term.terms]))


def _quadratic(term: RandomTerm, z: np.ndarray) -> float:
    """z'Gz, the variance of a combination of a term's effects."""
    sds = np.array(term.sds)
    correlations = np.array(term.correlations, dtype=float)
    # Where a variance is 0 its correlations are NaN, and its covariances are 0.
    np.fill_diagonal(correlations, 1.0)
    covariance = np.where(np.isfinite(correlations), correlations, 0.0) * np.outer(sds, sds)
    return float(z @ covariance @ z)


def _value(name: str, visit: str, week: float, visits: Sequence[str]) -> float:
    """The value of a random column at a visit."""
    if name == INTERCEPT:
        return 1.0
    if name == WEEK:
        return week
    known = {f"{AVISIT}{v}": float(v == visit) for v in visits}
    return known.get(name, math.nan)
