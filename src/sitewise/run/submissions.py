"""Attempts of jobs that came to nothing on a cluster, in words."""

import re
from dataclasses import dataclass

from sitewise.errors import Problem

_TARGETS = re.compile(r"--target-jobs\s+(.+?)\s+--")
_REFUSED = re.compile(
    r"SLURM sbatch failed\. The error message was '(?:sbatch: error: )?(.+?)'?\.?$"
)
COMPLETED = "COMPLETED"
FAILED = "FAILED"
_WORDS = {
    "OUT_OF_MEMORY": "needed more memory than it had asked for",
    "TIMEOUT": "took longer than it had asked for",
    "NODE_FAIL": "was on a node that failed",
    "CANCELLED": "was cancelled by somebody",
    "PREEMPTED": "had to make room for somebody else's job",
    FAILED: "failed",
}
ENDS = (*_WORDS, COMPLETED, "BOOT_FAIL", "DEADLINE", "REVOKED")
_AGAIN = "run again: what was finished is kept"
_FIXES = {
    "OUT_OF_MEMORY": "raise mem_mb in a profile of your own, or sites.batches in the plan, which"
    " makes jobs smaller; then run again",
    "TIMEOUT": "raise `runtime` (minutes) in a profile of your own; then run again",
}
_MEND = (
    "mend it in a profile of your own (docs/cluster.md); then run again: what was finished is kept"
)


@dataclass(frozen=True)
class Trouble:
    """One attempt of a job that came to nothing.

    job: `fit SYSBP`, or a chain of them. number: Slurm's job, "" where it took none. status: in
    Slurm's words. reason: why it could never start, "" where that is not so.
    """

    job: str
    number: str
    status: str
    reason: str = ""

    def __str__(self) -> str:
        """What happened, in a line."""
        if not self.number:
            return f"Slurm took no job: {self.status}"
        if self.reason:
            return (
                f"Slurm can't start {self.job} (its job {self.number}), now or later:"
                f" {self.reason}. It is cancelled"
            )
        words = _WORDS.get(self.status, "ended")
        return f"{self.job} {words} (Slurm's job {self.number}, {self.status})"

    @property
    def fix(self) -> str:
        """What to do where it happened to the last attempt."""
        return _MEND if self.reason or not self.number else _FIXES.get(self.status, _AGAIN)


def lost_problems(attempts: list[list[Trouble]], log: str) -> list[Problem]:
    """A problem for each job that is lost, with all that happened to its attempts."""
    return [
        Problem("; then ".join(map(str, found)), where=log, fix=found[-1].fix) for found in attempts
    ]


def refusal(line: str) -> Trouble | None:
    """What Slurm said when it did not take a job, from a line of the engine's."""
    match = _REFUSED.search(line.rstrip())
    return Trouble("", "", match.group(1)) if match else None


def job_in_words(comment: str, script: str) -> str:
    """A job of Slurm's as `fit SYSBP`; a chain of jobs as `ingest 02, check_batch 02`.

    comment: as the engine comments it, `rule_fit_wildcards_SYSBP`. script: what Slurm was given;
    it names the jobs as `--target-jobs 'fit:endpoint=SYSBP'`. "" where it is not to be had.
    """
    if match := _TARGETS.search(script):
        jobs = []
        for target in match.group(1).replace("'", "").replace('"', "").split():
            rule, _, wildcards = target.partition(":")
            values = [item.partition("=")[2] for item in wildcards.split(",") if item]
            jobs.append(" ".join([rule, "/".join(values)]).strip())
        return ", ".join(jobs)
    rule, _, wildcards = comment.removeprefix("rule_").partition("_wildcards_")
    return f"{rule} {wildcards}".strip()
