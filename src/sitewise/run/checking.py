"""A trial's plan and data checked, without a run."""

from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import Problem
from sitewise.run.context import carried_out_as
from sitewise.run.readiness import data_folder, read_plan

if TYPE_CHECKING:
    from sitewise.trial.pipeline import CheckedTrial


def check_trial(plan_file: Path, data: Path | None) -> "tuple[CheckedTrial, tuple[Problem, ...]]":
    """Read plan, site sheet and hospital files, check them all; nothing is fitted or written.

    data: None for data/<trial>. Gives the checked data, and notes on the models: what is allowed
    but should be seen. Raises PlanError, or DataError with what would stop the run: a
    StoppedError, with the findings, where the data could be checked.
    """
    from sitewise.inference.plan_models import model_notes

    plan, sheet = read_plan(plan_file)
    folder = data_folder(plan, sheet, data)
    from sitewise.trial.pipeline import check_data

    carried_out, written = carried_out_as(plan, Path("records", plan.trial))
    notes = tuple(model_notes(carried_out))
    return check_data(carried_out, sheet, folder, written=written), notes
