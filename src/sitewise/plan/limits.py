"""What the models of a simulated trial estimate on a very large trial: a file beside the plan.

The constants of a generator are the wrong yardstick for a fit: enrolment limits and dropout change
the variances that a model sees. The right one is what the same model estimates, on trials of the
same constants, as hospitals grow many: its large-sample limit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.errors import PlanError, Problem

if TYPE_CHECKING:
    from sitewise.plan.model import Plan

CONTRAST = "primary contrast"
RESIDUAL = "residual variance"
SHARE = "site ICC"


@dataclass(frozen=True)
class Limit:
    """The limit of one quantity of one model.

    quantity: `primary contrast`, `variance of TERM | GROUP`, `residual variance` or `site ICC`
    (random-intercept models), in units of the outcome, its square, or none.
    value: mean over the large trials; error: its Monte-Carlo standard error.
    """

    endpoint: str
    model: str
    formula: str
    quantity: str
    value: float
    error: float


@dataclass(frozen=True)
class Limits:
    """All limits of one generator.

    generator: digest of its constants. seed: of the first large trial, the others follow.
    trials: how many; hospitals, patients: of each.
    """

    design: str
    generator: str
    seed: int
    trials: int
    hospitals: int
    patients: int
    limits: tuple[Limit, ...]


def limits_of(plan: "Plan", folder: Path) -> Limits | None:
    """The limits that the plan in `folder` names; None where it names none.

    Raises PlanError where the file can't be read.
    """
    if plan.limits is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Limits).validate_json((folder / plan.limits).read_bytes())
    except (OSError, ValidationError) as error:
        missing = isinstance(error, FileNotFoundError)
        what = "no such file" if missing else str(error).splitlines()[0]
        raise PlanError(
            "The limits of the simulated trial can't be read.",
            [
                Problem(
                    f"{plan.limits}: {what}",
                    where="limits",
                    allowed="a file made by python -m sitewise.inference.large_sample",
                    fix="make it again, or take the key out; a real trial has none",
                )
            ],
        ) from error
