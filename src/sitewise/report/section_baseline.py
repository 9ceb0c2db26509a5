"""Part of the ladder's section: the baseline handled in several ways."""

from sitewise.classical.baseline_result import BaselineHandling, HandlingRow
from sitewise.report.cells import p_cell, p_notes
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, interval, number, typeset
from sitewise.report.layout import Cell, Row, Table, row, table


def baseline_table(e: Evidence, name: str, found: BaselineHandling) -> Table:
    """One row a handling."""
    unit = e.endpoint(name).unit
    titles = [
        ("Baseline as", "text"),
        ("Readings", "number"),
        ("Patients", "number"),
        (f"Estimate ({unit})", "number"),
        ("SE", "number"),
        (f"{e.coverage} CI", "mixed"),
        ("df", "number"),
        ("p", "number"),
        ("Against free", "number"),
    ]
    sites = (
        "Random effects of sites and of sites by visit, since sites were randomised: arms are then"
        " equal at baseline in the expectation over sites, not in these sites."
        if found.sites_in
        else "No random effect of sites."
    )
    return table(
        f"tbl-baseline-{name}",
        f"The baseline handled in several ways: {found.contrast}, {name}",
        titles,
        [_row(e, name, line) for line in found.rows],
        notes=[
            f"Cell means by visit, an unstructured covariance over the visits. {sites} Against"
            " free: estimate less that of the first row.",
            *(typeset(f"{line.label}: {line.refused}.") for line in found.rows if line.refused),
            *(f"{line.label}: the fit is {line.state}." for line in found.rows
              if line.state == "singular"),
            "The plan's own handling is that of its primary model.",
            *p_notes(e, name, tested=False),
        ],
        file="baseline_handling.csv",
        size="small",
    )  # fmt: skip


def _row(e: Evidence, name: str, line: HandlingRow) -> Row:
    d = e.decimals(name)
    cells: list[str | Cell] = [line.label, str(line.rows), str(line.patients)]
    a = line.answer
    if a is None or line.state == "not converged":
        cells += ["refused" if a is None else "not converged", *[NONE] * 5]
    else:
        cells += [
            number(a.estimate, d + 1),
            number(a.se, d + 2),
            interval(a.lower, a.upper, d),
            degrees(a.df),
            p_cell(e, name, a.p),
            number(line.effect, d + 1),
        ]
    return row(*cells)


def _of_primary(e: Evidence, name: str) -> str:
    """The same difference in the primary model, which section 5 shows and which is another."""
    fit, base = e.primary_fit(name), e.plan.baseline_visit.name
    wanted = (e.plan.primary.arm, base, "level")
    own = next((c for c in fit.contrasts if (c.arm, c.visit, c.kind) == wanted), None)
    if own is None or not fit.fit.converged:
        return ""
    d = e.decimals(name)
    return (
        f"; in the primary model {fit.model}, of section 5, by"
        f" {number(own.result.estimate, d + 1)} (SE {number(own.result.se, d + 1)})"
    )


def baseline_words(e: Evidence, name: str, found: BaselineHandling) -> tuple[str, ...]:
    """What the constraint moves, and whether variances allow a patient intercept."""
    if found.refused:
        return (f"The handlings of the baseline can't be compared: {found.refused}.",)
    d = e.decimals(name)
    texts = []
    by_key = {line.key: line for line in found.rows}
    own = by_key["constrained"]
    if found.at_base is not None and own.answer is not None:
        base = found.at_base
        texts.append(
            "Left free, in the first row of the table below, the arms differ at baseline by"
            f" {number(base.estimate, d + 1)} (SE {number(base.se, d + 2)},"
            f" {e.p_phrase(base.p)}){_of_primary(e, name)}."
            f" Holding them equal there moves the estimate by {number(own.effect, d + 1)}:"
            " part of a difference at baseline is taken for chance that regresses, as ANCOVA does,"
            " where a change score takes all of it for lasting."
        )
    if found.sds:
        told = ", ".join(
            f"{number(sd, d)} at {visit}" for visit, sd in zip(found.visits, found.sds, strict=True)
        )
        text = f"Standard deviations between patients: {told}."
        if min(found.sds) < 0.8 * max(found.sds):
            text += (
                " A patient intercept would hold them equal, which they are not; the row with one"
                " stands to show what that does."
            )
        texts.append(text)
    return tuple(texts)
