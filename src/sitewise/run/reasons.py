"""Why a job runs, in plain words."""

from collections.abc import Iterable, Sequence

from sitewise.audit.job import name_of
from sitewise.audit.state import Cause, Change, State, Verdict
from sitewise.run.context import ABSENT

_SHORT = 4
_FOLLOWS = "follows from "
_MANY = 4


def job_reasons(states: Iterable[State]) -> dict[str, str]:
    """One reason a job, by the job's name (`fit SYSBP/nested`), in the order of the jobs."""
    jobs: dict[str, list[State]] = {}
    for state in states:
        if state.rule and state.verdict not in (Verdict.CURRENT, Verdict.LEFT_OVER):
            jobs.setdefault(name_of(state.rule, state.wildcards), []).append(state)
    return {job: _reason(of_job) for job, of_job in jobs.items()}


def summary(reasons: dict[str, str]) -> list[str]:
    """Lines for the terminal: jobs grouped by reason, long groups cut short."""
    grouped: dict[str, list[str]] = {}
    followers = []
    for job, reason in reasons.items():
        if reason.startswith(_FOLLOWS):
            followers.append(job)
        else:
            grouped.setdefault(reason, []).append(job)
    lines = [f"{_listed(jobs)}: {_cut(reason)}" for reason, jobs in grouped.items()]
    if followers:
        lines.append(f"{_listed(followers)}: what they read is made again")
    return lines


def change_in_words(change: Change) -> str:
    """One change, as `code of lmm changed (ab12 -> cd34)`."""
    if change.cause is Cause.INPUT:
        gone = "" if change.now else " is no longer part of the run"
        return f"{change.name}{gone or ' changed'}"
    if change.cause is Cause.MAKER:
        return f"it was made by rule {change.before}"
    return f"{_param_in_words(change.name)} {_difference(change)}"


def _reason(states: Sequence[State]) -> str:
    """The reasons of one job; that it follows from another only where it has none of its own."""
    of_kind = {verdict: [s for s in states if s.verdict is verdict] for verdict in Verdict}
    reasons = []
    if of_kind[Verdict.NEW]:
        reasons.append("not computed yet")
    if of_kind[Verdict.UNFINISHED]:
        reasons.append("an earlier run was stopped before it was done")
    for verdict in (Verdict.DELETED, Verdict.ALTERED):
        files = [state.file for state in of_kind[verdict]]
        if files:
            several = f"{len(files)} of its results were {verdict}"
            reasons.append(several if len(files) > 1 else f"{files[0]} was {verdict}")
    reasons.extend(_stale(of_kind[Verdict.STALE]))
    followed = [f"{_FOLLOWS}{state.detail}" for state in of_kind[Verdict.FOLLOWS]]
    return "; ".join(reasons) or followed[0]


def _stale(states: Sequence[State]) -> list[str]:
    changes = list(dict.fromkeys(change for state in states for change in state.changes))
    # The digests that the report prints change with everything: they are a reason of their own
    # only where there is no other.
    own = [change for change in changes if not change.name.startswith("digests.")]
    told = [change_in_words(change) for change in own or changes]
    return list(dict.fromkeys(told)) or [state.detail for state in states]


def _param_in_words(name: str) -> str:
    kind, _, rest = name.partition(".")
    words = {
        "plan": f"plan key `{rest}`",
        "raw": rest,
        "left_out": f"the list of stratification factors left out of the model {rest}",
        "code": "its script" if rest == "script" else f"code of {rest}",
        "lock": "the locked environment",
        "sites": "the site sheet",
        "sheet": "the site sheet",
        "unlisted": "the list of files that the site sheet does not name",
        "templates": f"template {rest}",
        "digests": f"the digest of the {rest}",
        "packages": f"package {rest}",
        "standing": "the standing towards the lock",
    }
    return words.get(kind, name)


def _difference(change: Change) -> str:
    before, now = change.before, change.now
    if before in ("", ABSENT):
        return "is new"
    if now in ("", ABSENT):
        return "is gone"
    if change.name.startswith(("code.", "digests.")):
        return f"changed ({before[:_SHORT]} -> {now[:_SHORT]})"
    if change.name.startswith("packages."):
        return f"changed ({before} -> {now})"
    return "changed"


def _cut(reason: str) -> str:
    parts = reason.split("; ")
    more = len(parts) - _MANY
    return "; ".join(
        [*parts[:_MANY], f"{more} more reasons, see run.log in logs/"] if more > 1 else parts
    )


def _listed(jobs: Sequence[str]) -> str:
    shown = ", ".join(jobs[:_MANY])
    more = len(jobs) - _MANY
    return f"{shown} and {more} more" if more > 0 else shown
