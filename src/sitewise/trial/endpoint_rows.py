"""The analysis rows of one endpoint, no wider than the models of a plan need them."""

from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.plan.model import Plan
from sitewise.store.frames import read_endpoint
from sitewise.terms import ABLFL, ANL01FL, FORMULA_COLUMNS, PARAMCD

if TYPE_CHECKING:
    import pandas as pd


def read_endpoint_rows(path: str | Path, plan: Plan, endpoint: str, *more: str) -> "pd.DataFrame":
    """What `selection` and every formula of the plan read of `adbp`, and the columns `more`.

    Rows in the file's order; identifiers, visit and arm as categories (`store.frames.REPEATED`).
    """
    flags = (f"{model.set}FL" for model in plan.models.values())
    columns = (PARAMCD, *FORMULA_COLUMNS, ABLFL, ANL01FL, *flags, *plan.covariates, *more)
    return read_endpoint(path, endpoint, columns)
