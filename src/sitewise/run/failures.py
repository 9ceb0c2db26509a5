"""What the jobs of a failed run said, gathered for the terminal."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sitewise.errors import Problem, RunError, SitewiseError, plural
from sitewise.run.submissions import FAILED, Trouble, lost_problems, refusal
from sitewise.store.trouble import FULL, full_disk

_FOLDER = "errors"
_TAIL = 30


def clear_failures(logs: Path) -> None:
    """Forget what the jobs of an earlier run said."""
    for path in (logs / _FOLDER).glob("*.json"):
        path.unlink()


def engine_failure(
    code: int, logs: Path, directory: Path, lost_jobs: Sequence[list[Trouble]] = ()
) -> SitewiseError:
    """Build the error of a run whose engine ended with `code`; exit code of the first failed job.

    logs: logs/<trial>. directory: what the paths of logs are relative to. lost_jobs: the attempts
    of each job that came to nothing on a cluster.
    """
    records = [
        record
        for path in sorted((logs / _FOLDER).glob("*.json"))
        if (record := _record(path)) is not None
    ]
    lost = _lost_on_cluster(lost_jobs, logs, told=bool(records))
    if not records:
        return lost or _unexplained(code, logs)
    blocks = [_block(record, directory) for record in records]
    if lost:
        blocks.append(str(lost))
    blocks.append(
        f"The run stopped: {plural(len(records), 'job')} failed. What was finished is kept;"
        " when the cause is mended, run again to go on."
    )
    error = RunError("\n\n".join(blocks))
    error.exit_code = records[0]["exit_code"]
    return error


def _record(path: Path) -> dict[str, Any] | None:
    """What a job said; None where the disk was too full to keep it whole."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return record


def _block(record: dict[str, Any], directory: Path) -> str:
    problems = [Problem(**problem) for problem in record["problems"]]
    text = str(SitewiseError(f"{record['job']}: {record['title']}", problems))
    return f"{text}\n  log: {directory / record['log']}"


def _lost_on_cluster(
    attempts: Sequence[list[Trouble]], logs: Path, *, told: bool
) -> RunError | None:
    """Jobs that the cluster ended, or did not take, and that could not say so themselves.

    told: whether jobs have said why they failed; then FAILED is only what Slurm makes of that.
    """
    log = logs / "snakemake.log"
    lost = [found for found in attempts if not (told and found[-1].status == FAILED)]
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    refused = dict.fromkeys(found for line in lines if (found := refusal(line)))
    if refused and not lost:
        lost = [list(refused)]
    if not lost or all(found[-1].status == FAILED for found in lost):
        return None
    return RunError(
        f"{plural(len(lost), 'piece')} of work came to nothing on the cluster;"
        " what was finished is kept.",
        lost_problems(lost, str(logs.parent / "slurm")),
    )


def _unexplained(code: int, logs: Path) -> RunError:
    """The engine failed before or beside the jobs: show its last words."""
    log = logs / "snakemake.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    last = "\n".join(f"  | {line}" for line in lines[-_TAIL:])
    if any(FULL in line for line in lines):
        return RunError("The run can't write what it makes.", [full_disk(str(log))])
    if code < 0:
        what, fix = f"it was killed (signal {-code})", "run again: what was finished is kept"
    elif any("SIGKILL" in line for line in lines):
        what = "a job was killed: by somebody, or because memory ran out"
        fix = "run again: what was finished is kept; if memory is short, with --cores 1"
    elif any("has older modification time" in line for line in lines):
        what = "a file that it reads seems to come from the future: the clock was set back"
        fix = "find reports/templates -exec touch {} + ; then run again"
    else:
        what = f"it ended with code {code}"
        fix = "read the last lines above; if they don't help, report them with the log"
    return RunError(
        f"The last lines of the workflow engine:\n{last}\n\nThe workflow engine failed.",
        [Problem(what, where=str(log), fix=fix)],
    )
