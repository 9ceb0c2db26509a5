"""Departures from the plan's models in words without numbers of a search, for the first page.

The same with what each search ended with stands in section 5 (models) and section 6 (MMRM).
"""

from collections.abc import Iterable, Iterator

from sitewise.inference.planned_fit import PlannedFit
from sitewise.lmm.formula import Formula, parse_formula
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import listed

COVARIANCES = {
    "us": "a variance for each visit, a correlation for each pair of visits",
    "csh": "a variance for each visit, one correlation",
    "ar1h": "a variance for each visit, correlations that fade with the distance",
    "cs": "one variance, one correlation",
    "ar1": "one variance, correlations that fade with the distance",
}


def covariance_note(structures: Iterable[str]) -> str:
    """What the short names of residual covariances stand for, for the note of a table."""
    own = [f"{one}: {COVARIANCES[one]}" for one in dict.fromkeys(structures) if one in COVARIANCES]
    return f"Over the visits of a patient, {'; '.join(own)}." if own else ""


def _named(structure: str) -> str:
    return f"{structure} ({COVARIANCES[structure]})"


def model_departures(e: Evidence, fit: PlannedFit) -> Iterator[str]:
    """What the plan's rules changed of one model of the plan, without its name."""
    if not fit.departures:
        return
    planned, fitted = (
        parse_formula(e.plan.models[fit.model].formula),
        parse_formula(fit.fit.formula),
    )
    yield from _covariance(planned, fitted, usable=fit.fit.converged)
    for spec in planned.random:
        if spec not in fitted.random:
            yield (
                f"({spec}) was dropped, by the plan's leave, since these data show no variance of"
                " it; section 5"
            )


def _covariance(planned: Formula, fitted: Formula, *, usable: bool) -> Iterator[str]:
    if planned.residual is None or fitted.residual is None:
        return
    first, taken = planned.residual.structure, fitted.residual.structure
    if first != taken:
        yield gave_way([first], taken)
    elif not usable:
        yield (
            f"neither its residual covariance {_named(first)} nor one after it in the plan's"
            " order could be estimated from these data; section 5"
        )


def gave_way(passed: list[str], taken: str, section: int = 5) -> str:
    """A residual covariance that could not be estimated, and what was taken."""
    return (
        f"the residual covariance {listed([_named(one) for one in passed])} could not be"
        f" estimated from these data; by the plan's order {_named(taken)} was taken;"
        f" section {section}"
    )


def mmrm_departure(e: Evidence, name: str) -> str:
    """Of the MMRM of section 6; nothing where a model of the plan gave way to the same."""
    choice = e.endpoints[name].ladder.covariance
    if not choice.deviations:
        return ""
    if not choice.taken:
        return (
            "MMRM beside the primary analysis: no residual covariance of the plan's order could be"
            " estimated from these data; section 6"
        )
    for fit in e.endpoints[name].fits.values():
        own = parse_formula(fit.fit.formula).residual
        if fit.departures and own is not None and own.structure == choice.taken:
            return ""
    passed = list(choice.order[: choice.order.index(choice.taken)])
    return f"MMRM beside the primary analysis: {gave_way(passed, choice.taken, 6)}"
