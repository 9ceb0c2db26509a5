"""Appendix of a simulated trial: how far its estimates are from their large-sample limits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sitewise.inference.limits import Distance, distances
from sitewise.plan.limits import CONTRAST, SHARE, Limits
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, number, plural
from sitewise.report.layout import Row, Table, group, row, table

_COLUMNS = [
    ("Quantity", "text"), ("Estimate", "number"), ("SE", "number"), ("Limit", "number"),
    ("Error of the limit", "number"), ("Difference", "number"), ("in SEs", "number"),
]  # fmt: skip


@dataclass(frozen=True)
class LimitsSection:
    """The section; nothing of it in the report of a real trial."""

    texts: tuple[str, ...]
    tables: tuple[Table, ...]


def limits_section(e: Evidence) -> LimitsSection | None:
    """Build the section; None where the plan names no limits."""
    if e.limits is None:
        return None
    tables = tuple(_table(e, e.limits, name) for name in e.endpoints)
    return LimitsSection(tuple(_texts(e.limits)), tables)


def _texts(limits: Limits) -> Iterator[str]:
    yield (
        "The patients of this trial were simulated. Beside each estimate stands its limit: what the"
        " same model estimates on very large trials of the same generator, the mean over"
        f" {plural(limits.trials, 'trial')} of {limits.hospitals} hospitals and {limits.patients}"
        f" patients each (seeds {limits.seed} to {limits.seed + limits.trials - 1})."
    )
    yield (
        "The constants of the generator, which stand in truth.json beside the hospital files, would"
        " be the wrong yardstick: only patients within limits at baseline are enrolled, and those"
        " who drop out are not a random part of them. Both change the variances that a model sees,"
        " of this trial as of the large ones. The large trials have none of the mistakes that the"
        " hospital files of this one have."
    )


def _table(e: Evidence, limits: Limits, name: str) -> Table:
    fits = {fit.model: fit for fit in e.ordered_fits(name)}
    found = distances(e.plan, limits, name, fits)
    rows: list[Row] = []
    for model, fit in fits.items():
        own = [d for d in found if d.model == model]
        mark = ", primary" if model == e.plan.primary.model else ""
        rows.append(group(f"{fit.label} ({model}{mark})", len(_COLUMNS)))
        rows += [_row(d) for d in own]
        if not own:
            rows.append(row("no limit is kept of this formula", *[NONE] * (len(_COLUMNS) - 1)))
    unit = e.endpoint(name).unit
    return table(
        f"tbl-limits-{name}",
        f"Estimates and their large-sample limits, {name}",
        _COLUMNS,
        rows,
        notes=[
            f"Contrast in {unit}; variances in its square, of WEEK in that per week squared."
            " Limit: mean over the large trials; its error is the Monte-Carlo standard error."
            " In SEs: the difference over the root of the two squared standard errors; where the"
            " model is right for the contrast, 95 of 100 trials lie between \u22122 and 2.",
            "Variances have no standard error here. Those of hospitals rest on as many values as"
            " there are hospitals and may lie far from their limits.",
        ],
        size="small",
    )


def _row(d: Distance) -> Row:
    # two significant digits of what is small: a variance of slopes is some hundredths
    decimals = 3 if d.quantity == CONTRAST else 4 if d.quantity == SHARE or d.limit < 1 else 2
    return row(
        d.quantity[0].upper() + d.quantity[1:] if d.quantity != SHARE else "Site ICC",
        number(d.estimate, decimals),
        number(d.se, decimals),
        number(d.limit, decimals),
        number(d.error, decimals),
        number(d.difference, decimals),
        NONE if math.isnan(d.ses) else number(d.ses, 2),
    )
