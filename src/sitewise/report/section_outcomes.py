"""Section 3: outcomes by visit and arm, profiles, missing patterns."""

from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.report.cells import capped
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, count_percent, first_of, interval, listed, number
from sitewise.report.layout import Figure, Table, row, table
from sitewise.report.pictures import picture
from sitewise.report.words_leaving import why_absent_by_arm
from sitewise.report.words_models import linear_misfit
from sitewise.trial.description import PatternRow

_MOST_PATTERNS = 16
_SIGNS = str.maketrans("x.", "\u25cf\u25cb")


@dataclass(frozen=True)
class Outcome:
    """One endpoint. figure: None for the first endpoint, whose profiles are on the first page.

    absent: who has no reading at the visits that matter, by arm and reason.
    """

    name: str
    title: str
    shape: str
    absent: str
    table: Table
    patterns: Table
    figure: Figure | None
    individuals: Figure
    missing: Figure


def outcomes(e: Evidence, figures: Mapping[str, str]) -> tuple[Outcome, ...]:
    """Build section 3."""
    first = next(iter(e.plan.endpoints))
    return tuple(
        Outcome(
            name=name,
            title=section.label,
            shape=linear_misfit(e, name),
            absent=why_absent_by_arm(e, name),
            table=outcome_table(e, name),
            patterns=patterns_table(e, name),
            figure=None if name == first else picture(e, figures, "profiles", name),
            individuals=picture(e, figures, "individuals", name),
            missing=picture(e, figures, "missing", name),
        )
        for name, section in e.plan.endpoints.items()
    )


def outcome_table(e: Evidence, name: str) -> Table:
    """Observed values by visit and arm."""
    d, unit = e.decimals(name), e.endpoint(name).unit
    order = {visit: i for i, visit in enumerate(e.description.visits)}
    arms = [arm.name for arm in e.plan.arms.order]
    own = [r for r in e.description.outcomes if r.endpoint == name and r.arm in arms]
    own.sort(key=lambda r: (order[r.visit], arms.index(r.arm)))
    rows = []
    last = ""
    for r in own:
        change = f"{number(r.change_mean, d)} ({number(r.change_sd, d)})" if r.change_n else NONE
        rows.append(
            row(
                r.visit if r.visit != last else "",
                r.arm,
                str(r.n),
                f"{number(r.mean, d)} ({number(r.sd, d)})",
                interval(r.lower, r.upper, d),
                f"{number(r.minimum, d)} to {number(r.maximum, d)}" if r.n else NONE,
                str(r.change_n) if r.change_n else NONE,
                change,
            )
        )
        last = r.visit
    columns = [
        ("Visit", "text"),
        ("Arm", "text"),
        ("n", "number"),
        ("Mean (SD)", "mixed"),
        (f"{e.coverage} CI of the mean", "mixed"),
        ("Range", "mixed"),
        ("n with change", "number"),
        ("Mean change (SD)", "mixed"),
    ]
    return table(
        f"tbl-outcomes-{name}",
        f"{e.endpoint(name).label} by visit and arm, {unit}",
        columns,
        rows,
        notes=["Observed values. Change from baseline in patients with both readings."],
        file="outcomes.csv",
    )


def patterns_table(e: Evidence, name: str) -> Table:
    """Patterns of observed visits by arm."""
    d = e.decimals(name)
    arms = [arm.name for arm in e.plan.arms.order]
    by_pattern: dict[str, dict[str, PatternRow]] = {}
    for r in e.description.patterns:
        if r.endpoint == name:
            by_pattern.setdefault(r.pattern, {})[r.arm] = r
    totals = {arm: sum(by[arm].patients for by in by_pattern.values() if arm in by) for arm in arms}

    def frequency(pattern: str) -> tuple[int, str]:
        return -sum(by_pattern[pattern][a].patients for a in by_pattern[pattern] if a), pattern

    shown = first_of(sorted(by_pattern, key=frequency), _MOST_PATTERNS)
    rows = []
    for pattern in shown:
        cells = []
        for arm in arms:
            own = by_pattern[pattern].get(arm)
            cells.append(count_percent(own.patients, totals[arm]) if own else "0")
            cells.append(_last(own, d) if own else NONE)
        rows.append(row(pattern.translate(_SIGNS), *cells))
    columns = [("Pattern", "text")]
    for arm in arms:
        columns += [(f"{arm}: patients", "mixed"), (f"{arm}: last value", "mixed")]
    return table(
        f"tbl-patterns-{name}",
        f"Patterns of observed visits by arm, {e.endpoint(name).label}",
        columns,
        rows,
        notes=[
            f"One sign a visit ({listed(e.description.visits)}): \u25cf observed, \u25cb missing."
            f" Last value: mean (SD) of the last observed reading, {e.endpoint(name).unit}.",
            capped(len(shown), len(by_pattern), "tables/patterns.csv"),
        ],
        file="patterns.csv",
        size="small" if len(arms) > 2 else "normal",
    )


def _last(r: PatternRow, decimals: int) -> str:
    if r.patients < 2:
        return number(r.last_mean, decimals)
    return f"{number(r.last_mean, decimals)} ({number(r.last_sd, decimals)})"
