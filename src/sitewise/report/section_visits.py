"""Differences between arms at every visit, each with its place in the order of testing."""

from sitewise.inference.planned_fit import PlannedFit
from sitewise.report import words_models as words
from sitewise.report.cells import (
    estimate_cells,
    estimate_columns,
    p_notes,
    place_note,
    withheld_note,
)
from sitewise.report.evidence import Evidence
from sitewise.report.layout import Row, Table, group, row, table
from sitewise.report.standing import step_of


def by_visit(e: Evidence, fit: PlannedFit) -> Table:
    """Arm minus reference under the primary model, every arm, kind and visit."""
    rows: list[Row] = []
    last = ""
    kinds = ("level", "change")
    arms, wanted = [arm.name for arm in e.plan.arms.order], e.plan.primary
    for c in sorted(fit.contrasts, key=lambda c: (arms.index(c.arm), kinds.index(c.kind), c.week)):
        head = f"{c.arm} minus {c.reference}, {c.kind}"
        if head != last:
            rows.append(group(head, 6))
            last = head
        main = (c.arm, c.visit, c.kind) == (wanted.arm, wanted.visit, wanted.contrast)
        step = step_of(e, fit, c)
        label = f"{c.visit} (primary contrast)" if main else c.visit
        tested = main or step is not None
        cells = estimate_cells(e, fit, c.result, step=step, tested=tested)
        rows.append(row(label, *cells, kind="strong" if main else ""))
    return table(
        f"tbl-visits-{fit.endpoint}",
        f"Differences between arms by visit under the primary model, {fit.endpoint}",
        [("Visit", "text"), *estimate_columns(e, e.endpoint(fit.endpoint).unit)],
        rows,
        notes=[
            *_places(e, fit),
            *words.joint_sentences(e, fit),
            withheld_note(fit, "tables/contrasts.csv"),
        ],
        file="contrasts.csv",
    )


def _places(e: Evidence, fit: PlannedFit) -> list[str]:
    """The notes behind the signs of one endpoint's contrasts, and what the rest is."""
    steps = [own for c in fit.contrasts if (own := step_of(e, fit, c)) is not None]
    if len(steps) < 2:
        return p_notes(e, fit.endpoint, tested=True)
    order = e.plan.order_of_testing
    return [
        *(place_note(e, fit.endpoint, step) for step in sorted(steps, key=order.index)),
        "Confirmatory: the p-values of the steps of the order of testing, as far as it came; the"
        " others are descriptive.",
    ]
