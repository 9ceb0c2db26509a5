"""Cells that several sections share: estimates, p-values with their place, capped lists."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from sitewise.inference.planned_fit import PlannedFit
from sitewise.lmm.result import Estimate, Fit
from sitewise.plan.order import Hypothesis
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, interval, listed, natural, number
from sitewise.report.layout import Cell
from sitewise.report.standing import standing


class _OfSite(Protocol):
    @property
    def site(self) -> str: ...


Item = TypeVar("Item", bound=_OfSite)
MOST_LISTED = 25  # rows of a listing of single findings; the rest is in the file
MOST_SITES = 100  # sites that a table lists all
FEW_SITES = 25  # rows of a table by site where there are more
DESCRIPTIVE = "These p-values are descriptive."
_SAME = 1e-4  # of a number that is fitted twice
MOST_NAMES = 6  # sites named in one cell


def p_cell(
    evidence: Evidence,
    endpoint: str,
    p: float,
    step: Hypothesis | None = None,
    *,
    tested: bool = False,
) -> Cell:
    """A p-value of a treatment contrast. That of a hypothesis carries the sign of its place, as a
    step of the order of testing, else as the endpoint's primary contrast.

    tested: it is that of the step, or of the primary contrast in the primary model. The sign says
    what became of this one hypothesis and stands at no other p-value: `p_notes` says what they are.
    """
    text, place = evidence.p(p), standing(evidence, endpoint, step)
    return Cell(text, place.marker if tested and text != NONE else "")


def is_answer(evidence: Evidence, endpoint: str, estimate: float, p: float) -> bool:
    """Whether these are the numbers of the primary contrast under the primary model."""
    own = evidence.primary_fit(endpoint).primary
    return (
        own is not None
        and math.isclose(estimate, own.result.estimate, rel_tol=_SAME)
        and math.isclose(p, own.result.p, rel_tol=_SAME)
    )


def place_note(evidence: Evidence, endpoint: str, step: Hypothesis | None = None) -> str:
    """The note behind the sign, or nothing."""
    place = standing(evidence, endpoint, step)
    return f"{place.marker} {place.note}." if place.marker else ""


def p_notes(evidence: Evidence, endpoint: str, *, tested: bool) -> list[str]:
    """Which p-values of a table are confirmatory, and the note behind the sign.

    One rule for all tables: confirmatory is that of the primary contrast (of a step) under the
    primary model, if its turn came; every other is descriptive. tested: the table has it.
    """
    if not tested or not evidence.primary_fit(endpoint).fit.converged:
        return [DESCRIPTIVE]
    note = place_note(evidence, endpoint)
    if standing(evidence, endpoint).claim:
        return [
            "Confirmatory: the p-value of the primary contrast under the primary model; the others"
            " are descriptive.",
            note,
        ]
    return [note, "The other p-values are descriptive."]


def p_rule(evidence: Evidence) -> str:
    """The same rule for the whole report, below the table of the answer."""
    names = [name for name in evidence.plan.endpoints if standing(evidence, name).claim]
    if not names:
        return "Every p-value of this report is descriptive."
    own = f"the {'p-value' if len(names) == 1 else 'p-values'} of {listed(names)} here"
    if evidence.plan.hierarchy:
        own = "the p-values of the order of testing, as far as it came"
    return f"Confirmatory: {own}; every other p-value of this report is descriptive."


def fit_state(fit: Fit) -> str:
    """`not converged`, `singular` or `regular`."""
    if not fit.converged:
        return "not converged"
    return "singular" if fit.singularity.singular else "regular"


def withheld_note(fit: PlannedFit, file: str) -> str:
    """Why a table shows no estimate of a fit, or nothing."""
    if fit.fit.converged:
        return ""
    return (
        f"The fit of {fit.model} did not converge: its estimates are not final and are not shown;"
        f" they are in {file}, marked."
    )


def estimate_cells(
    evidence: Evidence,
    fit: PlannedFit,
    result: Estimate,
    decimals: tuple[int, int] | None = None,
    step: Hypothesis | None = None,
    *,
    tested: bool = False,
) -> tuple[Cell, ...]:
    """Estimate, SE, interval, df, p: the five columns of `estimate_columns`.

    decimals: of the estimate and of its SE, where they are not those of the endpoint.
    step, tested: as for `p_cell`.
    Of a fit that did not converge nothing is shown: where the search stopped, neither the
    estimate nor what is reckoned from the curvature there is a result.
    """
    if not fit.fit.converged:
        return (Cell(NONE),) * 5
    endpoint = fit.endpoint
    d, d_se = decimals or (evidence.decimals(endpoint), evidence.decimals(endpoint) + 1)
    return (
        Cell(number(result.estimate, d)),
        Cell(number(result.se, d_se)),
        Cell(interval(result.lower, result.upper, d)),
        Cell(degrees(result.df)),
        p_cell(evidence, endpoint, result.p, step, tested=tested),
    )


def estimate_columns(evidence: Evidence, unit: str) -> list[tuple[str, str]]:
    """Titles of `estimate_cells`."""
    return [
        (f"Estimate ({unit})" if unit else "Estimate", "number"),
        ("SE", "number"),
        (f"{evidence.coverage} CI", "mixed"),
        ("df", "number"),
        ("p", "number"),
    ]


def names_cell(sites: Iterable[str]) -> str:
    """Names of sites in their order, the first few of them where there are many."""
    names = sorted(sites, key=natural)
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMES])} and {len(names) - MOST_NAMES} more"


def capped(shown: int, total: int, file: str) -> str:
    """The note of a listing that was cut."""
    return "" if total <= shown else f"The first {shown} of {total}; all are in {file}."


def of_sites(items: Sequence[Item], grave: Callable[[Item], float] | None = None) -> list[Item]:
    """Items of a table by site in the order of the names: all, or the first where there are many.

    grave: what stands first then, the largest of it.
    """
    ordered = sorted(items, key=lambda item: natural(item.site))
    if len(items) <= MOST_SITES:
        return ordered
    first = ordered if grave is None else sorted(ordered, key=lambda item: -grave(item))
    return first[:FEW_SITES]
