"""Section: from the repeated-measures ANOVA to the primary analysis, one change at a time."""

from dataclasses import dataclass

from sitewise.classical.reconciliation_result import Reconciliation, Step
from sitewise.errors import plural
from sitewise.report.cells import p_cell, p_notes
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, number, percent, typeset
from sitewise.report.layout import Cell, Row, Table, row, table
from sitewise.report.words_models import group_name, is_linear

_ROUNDING = 1e-6  # of a standard error: two fits of one model agree to this


@dataclass(frozen=True)
class ReconciliationOf:
    """The reconciliation of one endpoint; effects is None where there is no ANOVA."""

    name: str
    title: str
    text: tuple[str, ...]
    effects: Table | None
    said: tuple[str, ...]
    steps: Table
    notes: tuple[str, ...]


def reconciliations(e: Evidence) -> tuple[ReconciliationOf, ...]:
    """Build the section."""
    return tuple(_one(e, name, own.reconciliation) for name, own in e.endpoints.items())


def _one(e: Evidence, name: str, found: Reconciliation) -> ReconciliationOf:
    refused = f"There is no analysis of variance: {found.refused}." if found.refused else ""
    return ReconciliationOf(
        name=name,
        title=e.endpoint(name).label,
        text=tuple(
            text for text in (refused, _which(e, name, found), _way(e, name, found)) if text
        ),
        effects=_effects(e, name, found) if found.effects else None,
        said=tuple(
            f"{group_name(x.effect)[0].upper()}{group_name(x.effect)[1:]}: {x.said}."
            for x in found.effects
        ),
        steps=_steps(e, name, found),
        notes=tuple(map(typeset, found.notes)),
    )


def _which(e: Evidence, name: str, found: Reconciliation) -> str:
    """Which contrast the steps ask for, where the section before takes another of the same name.

    The step that is the ANOVA's mixed model and the row of cell means there are one fit: where
    their numbers differ, the contrast does.
    """
    own = next((s.answer for s in found.steps if s.key == "same"), None)
    shown = e.endpoints[name].crosscheck.contrasts
    cells = next((c for c in shown if c.analysis.endswith("complete cases")), None)
    if own is None or cells is None or abs(cells.se - own.se) < _ROUNDING * own.se:
        return ""
    d, primary = e.decimals(name), e.plan.primary
    ends = primary.visit
    if primary.contrast == "change":
        ends = f"{e.plan.baseline_visit.name} and {primary.visit}"
    lines = is_linear(e.plan.models[primary.model].formula)
    along = "along straight lines in time" if lines else "along the primary model's fixed part"
    text = (
        "The contrast of every step is that of the primary analysis: the difference between arms"
        f" {along}, laid by least squares through the cell means of all visits;"
        f" {number(own.estimate, d)} (SE {number(own.se, d + 1)}) on complete cases. Section 7"
        f" takes the cell means at {ends} alone, by the same model of the same patients:"
        f" {number(cells.estimate, d)} (SE {number(cells.se, d + 1)}). The two are one quantity"
        f" only if the means lie {'on such lines' if lines else 'as that fixed part says'}"
    )
    if cells.se > own.se:
        text += "; the first is the more precise, because every visit tells of it"
    return f"{text}."


def _way(e: Evidence, name: str, found: Reconciliation) -> str:
    """Where estimate and SE move most."""
    own = [s for s in found.steps if s.answer is not None]
    moved = [s for s in own[1:] if not s.unchanged]
    if not own or not moved:
        return ""
    first, last = own[0].answer, own[-1].answer
    assert first is not None and last is not None, "chosen so"
    d = e.decimals(name)
    most = max(moved, key=lambda s: abs(s.estimate_change))
    wide = max(moved, key=lambda s: abs(s.se_ratio - 1))
    text = (
        f"From {own[0].label[0].lower()}{own[0].label[1:]}, to the primary analysis the estimate"
        f" goes from {number(first.estimate, d + 1)} to {number(last.estimate, d + 1)}"
        f" {e.endpoint(name).unit}, its SE from {number(first.se, d + 2)} to"
        f" {number(last.se, d + 2)}, the degrees of freedom from {degrees(first.df)} to"
        f" {degrees(last.df)}."
    )
    text += (
        f" The estimate moves most at \u201c{_lower(most)}\u201d"
        f" ({number(most.estimate_change, d + 1)});"
        f" the SE at \u201c{_lower(wide)}\u201d (\u00d7{number(wide.se_ratio, 2)})."
    )
    return text


def _lower(step: Step) -> str:
    return f"{step.label[0].lower()}{step.label[1:]}"


def _effects(e: Evidence, name: str, found: Reconciliation) -> Table:
    rows = [
        row(
            group_name(x.effect),
            number(x.f, 4),
            f"{degrees(x.df1)}, {degrees(x.df2)}",
            p_cell(e, name, x.p),
            p_cell(e, name, x.p_gg),
            number(x.sequential, 4),
            number(x.type3, 4),
            x.agrees,
        )
        for x in found.effects
    ]
    arms = (
        "the arms have as many complete patients each"
        if found.equal_arms
        else "the arms differ in their number of complete patients"
    )
    return table(
        f"tbl-same-{name}",
        f"The ANOVA and the mixed model that is the same, {name}",
        [
            ("Effect", "text"),
            ("ANOVA F", "number"),
            ("df", "mixed"),
            ("p", "number"),
            ("p, corrected", "number"),
            ("Mixed F, sequential", "number"),
            ("Mixed F, type III", "number"),
            ("The same to 10\u207b\u2078", "text"),
        ],
        rows,
        notes=[
            f"Mixed model: cell means and (1 | USUBJID) on the same complete cases; {arms}. Its"
            f" patient variance is {number(found.patient_variance, 2)}.",
            "p, corrected: Greenhouse and Geisser's. It has no counterpart in this model, which"
            " holds the visits' correlations for equal; a covariance over the visits is the mixed"
            " model's answer to the same doubt.",
            *p_notes(e, name, tested=False),
        ],
        file="reconciliation_effects.csv",
        size="small",
    )


def _steps(e: Evidence, name: str, found: Reconciliation) -> Table:
    singular = [step.label for step in found.steps if step.state == "singular"]
    return table(
        f"tbl-steps-{name}",
        f"Step by step to the primary analysis: {found.contrast}, {name}",
        [
            ("Step", "text"),
            ("Patients", "number"),
            ("Readings", "number"),
            ("Sites", "number"),
            ("Dropped patients", "mixed"),
            (f"Estimate ({e.endpoint(name).unit})", "number"),
            ("SE", "number"),
            ("df", "number"),
            ("p", "number"),
        ],
        [_step(e, name, found, step) for step in found.steps],
        notes=[
            f"The analysis set has {plural(found.patients, 'patient')} with {found.rows} analysis"
            f" rows at {plural(found.sites, 'site')}; dropped: those of it that a step does not"
            " use.",
            *(f"{s.label}: {s.refused}." for s in found.steps if s.refused),
            f"The fit is singular in: {'; '.join(singular)}." if singular else "",
            *p_notes(e, name, tested=True),
        ],
        file="reconciliation.csv",
        size="small",
    )


def _step(e: Evidence, name: str, found: Reconciliation, step: Step) -> Row:
    d = e.decimals(name)
    gone, main = found.patients - step.patients, step.key == "primary"
    cells: list[str | Cell] = [
        step.label,
        str(step.patients),
        str(step.rows),
        str(step.sites),
        f"{gone} ({percent(gone, found.patients)})" if gone else "0",
    ]
    a = step.answer
    if a is None or step.state == "not converged":
        cells += ["refused" if a is None else "not converged", NONE, NONE, NONE]
    else:
        cells += [number(a.estimate, d + 1), number(a.se, d + 2), degrees(a.df),
                  p_cell(e, name, a.p, tested=main)]  # fmt: skip
    return row(*cells, kind="strong" if main else "")
