"""Words on readings that scatter more at some visits than at others, and on scaled residuals."""

import math
from statistics import NormalDist

from sitewise.classical.answer import Answer
from sitewise.inference.planned_fit import ScoredFit, VisitSpread
from sitewise.inference.spread import BY_VISIT
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed, number

MOST_SHOWN = 4  # visits whose standard deviations a sentence gives


def uneven_sentence(e: Evidence, name: str) -> str:
    """In full, for the first page: of the primary model, where it is one of these."""
    fit = e.primary_fit(name)
    return f"{name}: {_full(e, fit)}" if fit.uneven else ""


def uneven_reference(e: Evidence, name: str) -> str:
    """For the cautions of fits: the models that have it, in full only if page 1 says nothing."""
    fits = [fit for fit in e.ordered_fits(name) if fit.uneven]
    if not fits:
        return ""
    names = listed([fit.model for fit in fits])
    if e.primary_fit(name).uneven:
        return (
            f"{names}: one variance at all visits, where readings scatter more at some than at"
            " others; page 1 has the figures and what to read beside."
        )
    return f"{names}: {_full(e, fits[0])}"


def _full(e: Evidence, fit: ScoredFit) -> str:
    held = (
        "one for all visits"
        if math.isnan(fit.held)
        else f"{number(fit.held, e.decimals(fit.endpoint))} at all visits"
    )
    return (
        "the readings scatter more at some visits than at others. The standard deviation of a"
        f" reading about its fitted mean is {_shown(e, fit)}; the model {fit.model} has {held}."
        " Standard errors at single visits, and of changes between them, may be too small or too"
        f" large. {_beside(e, fit.endpoint)}"
    )


def _shown(e: Evidence, fit: ScoredFit) -> str:
    """Of all visits, or of the least, the largest and the ends where there are many."""
    own = [one for one in fit.spread if not math.isnan(one.sd)]
    if len(own) > MOST_SHOWN:
        ends = (own[0], min(own, key=_sd), max(own, key=_sd), own[-1])
        own = [one for one in own if one in ends]
    d = e.decimals(fit.endpoint)
    return listed([f"{number(one.sd, d)} at {one.visit}" for one in own])


def _sd(one: VisitSpread) -> float:
    return one.sd


def _beside(e: Evidence, name: str) -> str:
    """The row of the report whose model has a variance for each visit, with its numbers."""
    found = _row(e, name)
    if found is None:
        return "A residual covariance us or csh over the visits would have one for each."
    label, a, by_visit = found
    d = e.decimals(name)
    text = (
        f"Section 6 has a model with a variance for each visit, the row {label}:"
        f" {number(a.estimate, d)} (SE {number(a.se, d + 1)}, {e.p_phrase(a.p)})."
    )
    if e.plan.design == "cluster" and not by_visit:
        text += (
            " It has no term for how sites change, and sites were randomised: its standard error"
            " is likely too small and its p-value is not to be trusted."
        )
    return text


def _row(e: Evidence, name: str) -> tuple[str, Answer, bool] | None:
    """Where sites were randomised the one with sites by visit, else the MMRM; whether it has it."""
    found = e.endpoints[name].ladder
    if found.baseline is not None and e.plan.baseline.handling == "outcome":
        for line in found.baseline.rows:
            if line.key == "free" and line.answer is not None and line.state != "not converged":
                where = f"\u201c{line.label}\u201d of the handlings of the baseline"
                return where, line.answer, found.baseline.sites_in
    if found.covariance.taken not in BY_VISIT:
        return None
    rungs = {r.key: r for r in found.rungs if r.answer is not None and r.state != "not converged"}
    own = rungs.get("mmrm_site") or rungs.get("mmrm")
    if own is None or own.answer is None:
        return None
    return f"\u201c{own.label}\u201d", own.answer, False


def scaled_sentence(e: Evidence, name: str) -> str:
    """What the figure of scaled residuals shows by visit; nothing where there are none."""
    own = [one for one in e.primary_fit(name).spread if one.rows > 1 and not math.isnan(one.rms)]
    if not own:
        return ""
    z = NormalDist().inv_cdf(0.975)
    low: list[str] = []
    high: list[str] = []
    for one in own:
        half = z / math.sqrt(2 * one.rows)
        if abs(one.rms - 1) > half:
            (low if one.rms < 1 else high).append(f"{number(one.rms, 2)} at {one.visit}")
    if not low and not high:
        return (
            f"At none of {len(own)} visits is the root mean square outside its grey bar: the"
            " variances by visit are not seen to depart from the model's."
        )
    parts = []
    if low:
        parts.append(f"below it ({listed(low)}) readings scatter less than the model has it")
    if high:
        parts.append(f"above it ({listed(high)}) they scatter more")
    text = (
        f"At {len(low) + len(high)} of {len(own)} visits the root mean square is outside its grey"
        f" bar, where chance puts one in twenty: {'; '.join(parts)}."
    )
    if low and high:
        text += " The covariance of the primary model is not right over the visits"
        text += (
            "; page 1 says what to read beside."
            if e.primary_fit(name).uneven
            else "; section 6 has others."
        )
    return text
