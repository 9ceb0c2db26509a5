"""A job of a run that is over must not write any more, wherever it runs.

On one machine children die with their parent. A job on a cluster does not: it may sit in the queue,
or on a node, when its run was killed and the next one has begun. It knows its run's id from its
environment, and `records/<trial>/open-run.json` says which run is open.
"""

import json
import os
from pathlib import Path

from sitewise.errors import Problem, RunError

VARIABLE = "SITEWISE_RUN_ID"
OPEN_RUN = "open-run.json"


def require_open(records: Path) -> None:
    """Raise RunError where this process belongs to a run of the trial that is no longer open.

    records: records/<trial>. A workflow that nobody started by the door belongs to no run.
    """
    mine = os.environ.get(VARIABLE)
    if mine is None:
        return
    try:
        found = str(json.loads((records / OPEN_RUN).read_text(encoding="utf-8"))["run_id"])
    except FileNotFoundError:
        found = ""
    except (ValueError, KeyError, TypeError) as error:
        found = f"unreadable: {error}"
    if found != mine:
        now = f"run {found[:8]} is open now" if found else "no run is open"
        raise RunError(
            "The run that this job belongs to is over; the job wrote nothing.",
            [Problem(f"it belongs to run {mine[:8]}; {now}", where=str(records / OPEN_RUN))],
        )
