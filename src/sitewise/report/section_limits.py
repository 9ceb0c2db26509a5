"""Appendix of a simulated trial: how far its estimates are from their large-sample limits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.inference.icc_result import IccLevel
from sitewise.inference.limits import Distance, distances
from sitewise.plan.limits import CONTRAST, SHARE, Limits
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, level, number
from sitewise.report.layout import Row, Table, group, row, table
from sitewise.report.words_sites import limits as icc_limits
from sitewise.terms import SITEID

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
            _icc_note(e, name, found),
            "Variances have no standard error here. Those of hospitals rest on as many values as"
            " there are hospitals and may lie far from their limits.",
        ],
        size="small",
    )


def _icc_note(e: Evidence, name: str, found: Sequence[Distance]) -> str:
    """Whether the limit of the site ICC lies in the interval of the ICC of the same formula."""
    for model in e.endpoints[name].iccs.models:
        item = next((i for i in model.levels if i.level == SITEID), None)
        own = next((d for d in found if d.quantity == SHARE and _same(item, d)), None)
        if item is None or own is None:
            continue
        lower = -math.inf if item.one_sided else item.lower
        inside = lower <= own.limit <= item.upper
        told = f"Site ICC: the limit lies {'in' if inside else 'outside'} the {e.coverage} interval"
        told += f" of the estimate, {icc_limits(item, e)}."
        rare = level(e.plan.alpha)
        return told if inside else f"{told} Chance alone puts it outside in {rare} of such trials."
    return ""


def _same(item: IccLevel | None, found: Distance) -> bool:
    """Whether an ICC of section 4 is the estimate that stands beside a limit."""
    return item is not None and math.isclose(item.share, found.estimate, rel_tol=1e-6, abs_tol=1e-9)


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
