"""A trial's plan and data checked, without a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import Problem
from sitewise.plan.named_visits import other_visits_named
from sitewise.run.context import carried_out_as
from sitewise.run.readiness import data_folder, read_plan

if TYPE_CHECKING:
    from sitewise.plan.model import Plan
    from sitewise.trial.pipeline import CheckedTrial


def check_trial(plan_file: Path, data: Path | None) -> "tuple[CheckedTrial, tuple[Problem, ...]]":
    """Read plan, site sheet and hospital files, check them all; nothing is fitted or written.

    data: None for data/<trial>. Gives the checked data, and notes on the plan: what is allowed but
    should be seen. Raises PlanError, or DataError with what would stop the run: a
    StoppedError, with the findings, where the data could be checked.
    """
    from sitewise.inference.plan_models import model_notes

    plan, sheet = read_plan(plan_file)
    folder = data_folder(plan, sheet, data)
    from sitewise.trial.pipeline import check_data

    carried_out, written = carried_out_as(plan, Path("records", plan.trial))
    notes = (*_visit_notes(plan), *model_notes(carried_out))
    return check_data(carried_out, sheet, folder, written=written), notes


def _visit_notes(plan: "Plan") -> Iterator[Problem]:
    """That the words of the plan name another visit than its contrast."""
    found = other_visits_named(plan)
    if found is not None:
        names = " and ".join(found.visits)
        yield Problem(
            f"{' and '.join(found.fields)} {'names' if len(found.fields) == 1 else 'name'} {names},"
            f" and the primary contrast is at {plan.primary.visit}",
            where="primary.visit",
            allowed="words that name the visit of the primary contrast",
            fix="mend the visit or the words, whichever is wrong: the report prints both",
        )
