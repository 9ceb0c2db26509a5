"""Checks within a batch of hospitals (rule check_batch)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.trial.covariate_checks import settle_covariates
from sitewise.trial.findings import Found, apply_found, findings_frame
from sitewise.trial.leaving_checks import settle_leaving
from sitewise.trial.record_checks import (
    check_duplicates,
    check_pairs,
    check_visit_days,
    check_visit_order,
)
from sitewise.trial.row_checks import check_rows_known, check_totals, settle_unasked
from sitewise.trial.rows import INTERNAL, arrange
from sitewise.trial.site_checks import check_constant_sites, check_suspected_units
from sitewise.trial.value_checks import (
    check_days,
    check_limits,
    check_numbers,
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
    """Check the readings of `ingest_batch`; what stops the run is said by `check_trial`."""
    rows = arrange(plan, rows, INTERNAL)
    every: list[Found] = []
    _run(check_totals(plan, rows), rows, every)
    settle_unasked(plan, rows)
    every += settle_covariates(plan, rows)
    every += settle_leaving(plan, rows)
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
    every += check_visit_order(plan, rows)
    every += check_constant_sites(plan, rows)
    return Checked(arrange(plan, rows), findings_frame(every))


def _run(check: Iterable[Found], rows: "pd.DataFrame", every: list[Found]) -> None:
    found = list(check)  # all verdicts of one check before any fate: they see the same rows
    apply_found(rows, found)
    every += found
