"""Checks within a batch of hospitals (rule check_batch)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem
from sitewise.trial.covariate_checks import settle_covariates
from sitewise.trial.findings import Found, apply_found, findings_frame, stop_problem
from sitewise.trial.record_checks import check_duplicates, check_pairs, check_visit_days
from sitewise.trial.row_checks import (
    UNKNOWN_ARM,
    UNKNOWN_VISIT,
    check_rows_known,
    settle_unasked,
)
from sitewise.trial.rows import INTERNAL, arrange
from sitewise.trial.value_checks import (
    check_days,
    check_limits,
    check_numbers,
    check_suspected_units,
    check_units,
    convert_units,
)

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


@dataclass(frozen=True)
class Checked:
    """One batch as checked.

    rows: canonical readings, AVAL in the endpoint's unit, covariates typed; FATE is null for
        readings that nothing in the batch speaks against. findings: see docs/architecture.md.
    """

    rows: "pd.DataFrame"
    findings: "pd.DataFrame"


def check_batch(plan: "Plan", rows: "pd.DataFrame") -> Checked:
    """Check the readings of `ingest_batch`.

    Raises DataError where the plan's rules say that unknown arms or visits stop the run.
    """
    checked, problems = check_readings(plan, rows)
    if problems:
        raise DataError("The hospital files hold codes that the plan does not know.", problems)
    return checked


def check_readings(plan: "Plan", rows: "pd.DataFrame") -> tuple[Checked, list[Problem]]:
    """As `check_batch`; the problems that would stop the run are handed back, not raised."""
    rows = arrange(plan, rows, INTERNAL)
    every: list[Found] = []
    settle_unasked(plan, rows)
    every += settle_covariates(plan, rows)
    known = check_rows_known(plan, rows)
    apply_found(rows, known)
    every += known
    # the order is the order of blame: the first check that speaks against a reading has it
    _run(check_numbers(plan, rows), rows, every)
    _run(check_units(plan, rows), rows, every)
    every += convert_units(plan, rows)
    every += check_suspected_units(plan, rows)
    _run(check_limits(plan, rows), rows, every)
    _run(check_days(plan, rows), rows, every)
    _run(check_pairs(plan, rows), rows, every)
    _run(check_duplicates(plan, rows), rows, every)
    every += check_visit_days(plan, rows)
    return Checked(arrange(plan, rows), findings_frame(every)), _stops(plan, every)


def _run(check: Iterable[Found], rows: "pd.DataFrame", every: list[Found]) -> None:
    found = list(check)  # all verdicts of one check before any fate: they see the same rows
    apply_found(rows, found)
    every += found


def _stops(plan: "Plan", found: list[Found]) -> list[Problem]:
    keys = {UNKNOWN_ARM: "unknown_arm", UNKNOWN_VISIT: "unknown_visit"}
    return [
        stop_problem(item, keys[item.rule])
        for item in found
        if item.rule in keys and getattr(plan.rules, keys[item.rule]) == "stop"
    ]
