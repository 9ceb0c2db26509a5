"""The machine-readable tables: CSV files with every number in full, and the headline.

Written by the rule report below tables/. Long form, one row a number or a set of numbers that
belong together; floats in their shortest exact form; a missing number is an empty cell.
"""

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitewise.inference.comparison import CriterionRow, ModelComparison
from sitewise.inference.icc_result import DesignEffect, IccAtWeek, OlsBeside, VisitIcc
from sitewise.report import table_by_site, table_flow, table_ladder
from sitewise.report import table_lines as lines
from sitewise.trial.account import FateCount, FileRow
from sitewise.trial.description import (
    BaselineRow,
    LeavingRow,
    OutcomeRow,
    PatternRow,
    SetRow,
    SiteArmRow,
)

if TYPE_CHECKING:
    from sitewise.report.evidence import Evidence

HEADLINE = "headline.txt"


def names(endpoints: Sequence[str]) -> list[str]:
    """File names below tables/; the same whatever the endpoints, which are a column of each."""
    return [*WRITERS, HEADLINE]


def write_tables(evidence: "Evidence", paths: Sequence[str]) -> None:
    """Write every table and the headline to the paths whose file names are `names(...)`."""
    from sitewise.report import section_blinded, words

    headline = section_blinded.headline if evidence.plan.blinded else words.headline
    for path in map(Path, paths):
        if path.name == HEADLINE:
            path.write_text("\n".join(headline(evidence)) + "\n", encoding="utf-8", newline="\n")
        else:
            columns, made = WRITERS[path.name]
            _write(path, columns, made(evidence))


def _write(path: Path, columns: Sequence[str], rows: lines.Lines) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n", extrasaction="raise")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (tuple, list)):
        return " ".join(str(item) for item in value)
    return repr(value) if isinstance(value, float) else value


def _fields(kind: type[Any], first: tuple[str, ...] = ()) -> tuple[str, ...]:
    """`first`, then the fields of a result type."""
    return (*first, *(f.name for f in fields(kind)))


_EM = ("endpoint", "model")
_FIT = (*_EM, "state")  # not converged, singular or regular
Columns = tuple[str, ...]
Writer = tuple[Columns, Callable[["Evidence"], lines.Lines]]
WRITERS: dict[str, Writer] = {
    "account.csv": (_fields(FateCount), lines.account("counts")),
    "files.csv": (_fields(FileRow), lines.account("files")),
    "flow.csv": (table_flow.FLOW, table_flow.flow),
    "leaving.csv": (_fields(LeavingRow), lines.description("leaving")),
    "sets.csv": (_fields(SetRow), lines.description("sets")),
    "baseline.csv": (_fields(BaselineRow), lines.description("baseline")),
    "outcomes.csv": (_fields(OutcomeRow), lines.description("outcomes")),
    "patterns.csv": (_fields(PatternRow), lines.description("patterns")),
    "site_arms.csv": (_fields(SiteArmRow), lines.description("site_arms")),
    "fixed_effects.csv": ((*_FIT, "coefficient", *lines.NUMBERS, "place"), lines.fixed_effects),
    "contrasts.csv": (
        (*_FIT, "arm", "reference", "visit", "week", "kind", "primary", *lines.NUMBERS, "place"),
        lines.contrasts),
    "hierarchy.csv": (
        ("step", "endpoint", "arm", "reference", "visit", "kind", *lines.NUMBERS, "p_adjusted",
         "result", "place"), lines.hierarchy),
    "means.csv": ((*_FIT, "arm", "visit", "week", *lines.NUMBERS), lines.means),
    "variance_components.csv": (
        (*_FIT, "group", "levels", "term", "with", "variance", "sd", "correlation"),
        lines.variances),
    "use.csv": ((*_FIT, "use", "reason", "rows", "patients"), lines.uses),
    "model_criteria.csv": (
        _fields(CriterionRow, ("endpoint", "group", "basis")),
        lines.criteria),
    "comparisons.csv": (
        _fields(ModelComparison, ("endpoint",)), lines.comparisons),
    "icc.csv": (
        ("endpoint", "fixed", "formula", "headline", "residual_variance", "level", "variance",
         "share", "correlation", "lower", "upper", "one_sided", "method"), lines.icc),
    "icc_by_visit.csv": (
        _fields(VisitIcc, ("endpoint",)), lines.icc_part("by_visit")),
    "icc_by_week.csv": (
        _fields(IccAtWeek, ("endpoint",)), lines.icc_part("at_week")),
    "design_effect.csv": (
        _fields(DesignEffect, ("endpoint",)),
        lines.icc_part("design_effects")),
    "least_squares.csv": (
        _fields(OlsBeside, ("endpoint",)), lines.icc_part("ols")),
    "sites.csv": (
        (*_EM, "site", "quantity", "arm", "n", "n_reference", "estimate", "se", "lower", "upper",
         "refused"), lines.sites),
    "by_site.csv": (table_by_site.SITES, table_by_site.sites),
    "by_site_tests.csv": (table_by_site.TESTS, table_by_site.tests),
    "crosscheck.csv": (
        ("endpoint", "analysis", "effect", "patients", "estimate", "se", "ss", "df1", "df2", "f",
         "p", "epsilon", "p_gg", "place"), lines.crosscheck),
    "ladder.csv": (table_ladder.LADDER, table_ladder.ladder),
    "straight_lines.csv": (table_ladder.STRAIGHT, table_ladder.straight),
    "not_at_random.csv": (table_ladder.UNSEEN, table_ladder.not_at_random),
    "ladder_shares.csv": (table_ladder.SHARES, table_ladder.shares),
    "guard.csv": (table_ladder.GUARD, table_ladder.guard),
    "guard_checked.csv": (table_ladder.GUARDED, table_ladder.guarded),
    "covariances.csv": (table_ladder.COVARIANCES, table_ladder.covariances),
    "baseline_handling.csv": (table_ladder.BASELINE, table_ladder.baseline),
    "left_out.csv": (table_ladder.LEFT_OUT, table_ladder.left_out),
    "reconciliation_effects.csv": (table_ladder.EFFECTS, table_ladder.effects),
    "reconciliation.csv": (table_ladder.STEPS, table_ladder.steps),
    "complete_cases.csv": (("endpoint", "by", "level", "patients", "dropped"), lines.dropped),
    "replication.csv": (
        (*_EM, "engine", "engine_version", "status", "reason", "stopped_short", "higher",
         "kind", "name", "first", "second", "difference", "relative", "beyond"), lines.replication),
}  # fmt: skip
