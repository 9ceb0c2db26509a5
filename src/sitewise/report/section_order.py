"""The order of testing step by step, where the plan lists it over visits or arms."""

from sitewise.report.cells import estimate_cells, estimate_columns, place_note
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, level, listed
from sitewise.report.layout import Cell, Table, row, table
from sitewise.report.standing import contrast_of, sequence, step_name, why_not


def order_sentence(e: Evidence) -> str:
    """How far the order of testing came; empty where the plan lists no steps."""
    if not _shown(e):
        return ""
    found = sequence(e)
    done = [step_name(e.plan, step) for step, own in found.items() if own.succeeded]
    left = [step_name(e.plan, step) for step, own in found.items() if not own.tested]
    said = (
        f"Order of testing, {len(found)} steps, each at the two-sided {level(e.plan.alpha)} level"
    )
    said += " and only after all before it were significant in favour of the arm: "
    if len(done) == len(found):
        return f"{said}all are significant ({listed(done)})."
    stop = next(step for step, own in found.items() if own.tested and not own.succeeded)
    if done:
        said += f"{listed(done)} {'is' if len(done) == 1 else 'are'} significant; "
    said += f"{step_name(e.plan, stop)} {why_not(e, stop)}"
    if left:
        said += f", so that {listed(left)} {'is' if len(left) == 1 else 'are'} not tested"
    return f"{said}."


def order_table(e: Evidence) -> Table | None:
    """A row a step: its contrast, the adjusted p, what became of it."""
    if not _shown(e):
        return None
    rows = []
    units = {e.endpoint(step.endpoint).unit for step in e.plan.order_of_testing}
    columns = estimate_columns(e, units.pop() if len(units) == 1 else "")
    for i, (step, own) in enumerate(sequence(e).items()):
        found, fit = contrast_of(e, step), e.primary_fit(step.endpoint)
        cells: tuple[Cell, ...] = (Cell(NONE),) * len(columns)
        if found is not None:
            cells = estimate_cells(e, fit, found.result, step=step, tested=True)
        state = "significant" if own.succeeded else "fails" if own.tested else "not tested"
        name = step_name(e.plan, step)
        rows.append(row(f"{i + 1}", name, *cells, e.p(own.p), state))
    kind = {"change": "difference in change from baseline", "level": "difference in level"}
    return table(
        "tbl-order",
        f"The order of testing: {kind[e.plan.primary.contrast]} against {e.plan.arms.reference},"
        f" model {e.plan.primary.model}",
        [("Step", "text"), ("Hypothesis", "text"), *columns, ("p, adjusted", "number"),
         ("Result", "text")],
        rows,
        notes=[
            "Adjusted p: the largest p of the steps so far (fixed sequence); none where a step is"
            " not tested. Significant: in favour of the arm.",
            *(place_note(e, step.endpoint, step) for step in e.plan.order_of_testing),
        ],
        file="hierarchy.csv",
    )  # fmt: skip


def _shown(e: Evidence) -> bool:
    return bool(e.plan.hierarchy) and not e.plan.blinded
