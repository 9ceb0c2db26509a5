"""What happens to a run that can't go on; tests/workflow/test_hard_runs.py makes it happen."""

from dataclasses import dataclass

KEPT = "then run again: what was finished is kept"


@dataclass(frozen=True)
class Run:
    """A trouble and its answer. PLACE stands for a path, NAME for a job or a file, N for a number.

    shown: the trouble in words. answer: what the run ends with, as it stands on the terminal.
    """

    name: str
    shown: str
    answer: str


DISK_FULL = Run(
    "The disk is full",
    "a real run in a place too small for it; the next run, with room, completes with the same"
    " bytes",
    f"""The run can't write what it makes.
  1. PLACE: the disk is full
         allowed: room for results, records, logs and the workflow engine's notes
         to do:   free some room there, or choose another place with --directory, {KEPT}""",
)
NO_ROOM_FOR_A_RECORD = Run(
    "The disk is full before a run begins",
    "a real run in a place too small for its first record; the next run, with room, completes with"
    " the same bytes",
    f"""The run can't be recorded; nothing was done.
  1. PLACE: No space left on device
         to do:   make room on the disk, or give yourself write permission there; {KEPT}""",
)
TOO_LARGE = Run(
    "A file may not grow so large",
    "a real run under a limit of file sizes (`ulimit -f`); the next run without it completes with"
    " the same bytes",
    f"""NAME: The run can't write what it makes.
  1. PLACE: the file would be larger than files may be here
         allowed: files as large as the report (`ulimit -f` shows the limit)
         to do:   raise the limit (`ulimit -f unlimited`), or choose another place with"""
    f" --directory, {KEPT}",
)
READ_ONLY = Run(
    "Read-only results",
    "`results/<trial>` may not be written by the one who runs",
    """The run has no place for what it makes.
  1. PLACE: the folder can't be written: Permission denied
         allowed: folders for results/, records/ and logs/ that you may write
         to do:   give yourself write permission there, or choose another place with --directory""",
)
CTRL_C = Run(
    "Ctrl-C in the middle of a fit",
    "SIGINT to a real run, twice; the next run completes with the same bytes",
    "Stopped. What was finished is kept; run again to go on.",
)
CTRL_C_CHECK = Run(
    "Ctrl-C during `sitewise check`",
    "SIGINT while the hospital files are checked",
    "Stopped. Nothing was written.",
)
CHANGED = Run(
    "A hospital file that changes while a run is in progress",
    "another program adds rows to `hospital_1.csv` from the start of the run to its end",
    """ingest NAME: Hospital files changed while they were read.
  1. hospital_1.csv: the file of site H1 changed after the run began: its sha256 was NAME,"""
    """ when it was read it was NAME
         allowed: files that stay as they are while a run is in progress
         to do:   wait until the file is complete, then run again: what was finished is kept""",
)
CHANGED_AT_START = Run(
    "A hospital file that changes just after a run has begun",
    "another program adds a row to `hospital_1.csv` between the first look at it and its reading",
    """The run ended, but its results are not what they should be.
  1. results/three: NAME: hospital_1.csv changed
         allowed: files, plan and code that stay as they are while a run is in progress
         to do:   run again when nothing changes any more: what is current is kept""",
)
MANY = Run(
    "10 000 findings, on the terminal",
    "`sitewise check` of the trial with 10 000 findings of one kind",
    "9997 more findings of the kinds shown: --all shows them, --csv FILE writes all.",
)
RUNS = (
    *(DISK_FULL, NO_ROOM_FOR_A_RECORD, TOO_LARGE, READ_ONLY, CHANGED, CHANGED_AT_START),
    *(CTRL_C, CTRL_C_CHECK, MANY),
)
