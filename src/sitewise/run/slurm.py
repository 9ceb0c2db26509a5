"""The jobs of a run in Slurm's queue: found by the run's id in their names, watched, cancelled."""

import getpass
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from sitewise.errors import Problem, RunError
from sitewise.run.submissions import COMPLETED, ENDS, Trouble, job_in_words

_PATIENCE = 90.0  # a job that is cancelled has KillWait, 30 s as a rule, to end
_REMIND = 600.0
# The engine looks at its jobs every 180 s at the least. Where Slurm was away at such a moment it
# forgets them (plugin 2.8.0), and then waits for nobody.
_STALLED, _STALLED_AFTER_AWAY = 200.0, 60.0
_PENDING = "PENDING"
# Why a job waits that no waiting helps, in Slurm's words (squeue's manual, job reason codes).
NEVER = (
    "BadConstraints",
    "PartitionNodeLimit",
    "PartitionTimeLimit",
    "AccountNotAllowed",
    "QOSNotAllowed",
    "InvalidAccount",
    "InvalidQOS",
    "JobHeldUser",
    "JobHeldAdmin",
    "DependencyNeverSatisfied",
    "launch failed requeued held",
)
# Why a job waits that only an administrator can end.
NO_NODE = (
    "ReqNodeNotAvail",
    "Nodes required for job are DOWN",
    "NodeDown",
    "PartitionDown",
    "PartitionInactive",
)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Queued:
    """A job in the queue. number: Slurm's. comment: what the engine calls it."""

    number: str
    state: str
    reason: str
    comment: str


def prefix_of(run_id: str) -> str:
    """What the names of a run's jobs begin with."""
    return f"sitewise_{run_id}"


def require_slurm() -> None:
    """Raise RunError where there is no Slurm to give jobs to."""
    for program in ("sbatch", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise RunError(
                "There is no Slurm on this machine.",
                [
                    Problem(
                        f"the program {program} was not found",
                        where="PATH",
                        fix="run on a login node of the cluster (perhaps after `module load"
                        " slurm`), or without --profile",
                    )
                ],
            )
    queued("")


def queued(run_id: str, *, ended: bool = False) -> list[Queued]:
    """The jobs of a run that wait or run; raises RunError where Slurm does not answer.

    ended: also those that have ended, as long as the controller remembers them.
    """
    states = ("--states", "all") if ended else ()
    form = ("--format", "%i|%T|%j|%k|%r")
    told = _said("squeue", "--noheader", "--user", getpass.getuser(), *states, *form)
    lines = [line.split("|", 4) for line in told.splitlines()]
    mine = prefix_of(run_id)
    return [
        Queued(number, state, reason.strip("() "), comment)
        for number, state, name, comment, reason in (line for line in lines if len(line) == 5)
        if name.startswith(mine)
    ]


def cancel(run_id: str) -> list[Queued]:
    """Cancel the jobs of a run and wait until they have ended; gives what was cancelled.

    Raises RunError where Slurm does not answer, or they don't end.
    """
    found = left = queued(run_id)
    end = time.monotonic() + _PATIENCE
    while left:
        if time.monotonic() > end:
            raise RunError(
                "Jobs of an earlier run don't end.",
                [
                    Problem(
                        f"{named(job)} is {job.state} in Slurm as job {job.number}",
                        where="squeue",
                        fix="wait until it is gone, or ask the cluster's administrators; then run"
                        " again",
                    )
                    for job in left
                ],
            )
        _said("scancel", *(job.number for job in left))
        time.sleep(0.5)
        left = queued(run_id)
    return found


def named(job: Queued) -> str:
    """A job in the words of the workflow."""
    try:
        script = _said("scontrol", "write", "batch_script", job.number, "-")
    except RunError:
        script = ""  # forgotten, or kept from us
    return job_in_words(job.comment, script)


@dataclass
class Watch:
    """Looks at the jobs of a run, so that none waits for ever or dies without a word.

    A job that can never start is cancelled: its attempt has then failed, and the run ends with its
    name. `lost` has the attempts that came to nothing of each job that was not done by a later one.
    `on_stall` is called when all jobs have ended and the engine does not go on.
    """

    run_id: str
    look: float
    tell: Tell
    _seen: set[str] = field(default_factory=set)
    _names: dict[str, str] = field(default_factory=dict)
    _hopeless: dict[str, str] = field(default_factory=dict)
    _attempts: dict[str, list[Trouble]] = field(default_factory=dict)
    _told: dict[str, tuple[str, float]] = field(default_factory=dict)
    on_stall: Callable[[], None] | None = None
    _away: bool = False
    _was_away: bool = False
    _last: float = field(default_factory=time.monotonic)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> "Watch":
        """Begin to look."""
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Look a last time."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self.look_round()

    @property
    def of_queue(self) -> "Watch":
        """Itself: there is a queue to watch."""
        return self

    @property
    def lost(self) -> list[list[Trouble]]:
        """The attempts of each job that is not done, in order."""
        return list(self._attempts.values())

    def _go(self) -> None:
        while not self._over.wait(self.look):
            self.look_round()

    def look_round(self) -> None:
        """Look at every job once."""
        try:
            jobs = queued(self.run_id, ended=True)
            for job in jobs:
                self.see(job)
            self._heed_stall(jobs)
        except RunError as error:
            if not self._away:
                what = "; ".join(problem.what for problem in error.problems)
                self.tell(f"Slurm does not answer ({what}). The run goes on when it does.")
            self._away = self._was_away = True
            return
        if self._away:
            self.tell("Slurm answers again.")
        self._away = False

    def _heed_stall(self, jobs: list[Queued]) -> None:
        now = time.monotonic()
        if not jobs or any(job.state not in ENDS for job in jobs):
            self._last = now
            return
        patience = _STALLED_AFTER_AWAY if self._was_away else _STALLED
        if self.on_stall is not None and now - self._last > patience:
            self._last, self._was_away = now, False
            self.on_stall()

    def see(self, job: Queued) -> None:
        """Judge one job."""
        if job.number in self._seen:
            return
        if job.state in ENDS:
            self._seen.add(job.number)
            self._ended(job)
        elif job.state == _PENDING and job.number not in self._hopeless:
            if job.reason.startswith(NEVER):
                self._hopeless[job.number] = job.reason
                _said("scancel", job.number)
            elif job.reason.startswith(NO_NODE):
                self._waits(job)

    def _ended(self, job: Queued) -> None:
        name = self._name(job)
        if job.state == COMPLETED:
            done = set(name.split(", "))
            left = {key: v for key, v in self._attempts.items() if done.isdisjoint(key.split(", "))}
            self._attempts = left
            return
        trouble = Trouble(name, job.number, job.state, self._hopeless.get(job.number, ""))
        self._attempts.setdefault(name, []).append(trouble)
        self.tell(f"{trouble}.")

    def _waits(self, job: Queued) -> None:
        reason, when = self._told.get(job.number, ("", 0.0))
        if reason != job.reason or time.monotonic() - when > _REMIND:
            self._told[job.number] = (job.reason, time.monotonic())
            self.tell(
                f"{self._name(job)} (Slurm's job {job.number}) waits, and no node can take it:"
                f" {job.reason}. It starts when a node comes back; Ctrl-C ends the run."
            )

    def _name(self, job: Queued) -> str:
        if job.number not in self._names:
            self._names[job.number] = named(job)
        return self._names[job.number]


def _said(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _silent(command[0], str(error)) from error
    # scancel says so of jobs that have ended just now.
    gone = "Invalid job id" in done.stderr
    if done.returncode != 0 and not gone:
        raise _silent(command[0], done.stderr.strip() or f"it ended with {done.returncode}")
    return done.stdout


def _silent(program: str, what: str) -> RunError:
    return RunError(
        "Slurm does not answer.",
        [
            Problem(
                f"{program}: {what.splitlines()[0]}",
                where="Slurm's controller",
                fix="wait until `squeue` answers; then run again: what was finished is kept",
            )
        ],
    )
