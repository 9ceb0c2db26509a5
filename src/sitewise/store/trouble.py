"""What a disk or a folder refuses, in words."""

import errno

from sitewise.errors import Problem, RunError

_AGAIN = "then run again: what was finished is kept"
# errno: what is wrong, what is allowed, what to do
_TROUBLES = {
    errno.ENOSPC: (
        "the disk is full",
        "room for results, records, logs and the workflow engine's notes",
        f"free some room there, or choose another place with --directory, {_AGAIN}",
    ),
    errno.EDQUOT: (
        "your share of the disk (quota) is used up",
        "room for results, records, logs and the workflow engine's notes",
        f"delete what you no longer need there, or ask for more, {_AGAIN}",
    ),
    errno.EFBIG: (
        "the file would be larger than files may be here",
        "files as large as the report (`ulimit -f` shows the limit)",
        f"raise the limit (`ulimit -f unlimited`), or choose another place with --directory,"
        f" {_AGAIN}",
    ),
    errno.EROFS: (
        "the place is read-only",
        "a place that can be written",
        f"make it writable, or choose another place with --directory, {_AGAIN}",
    ),
    errno.EACCES: (
        "you have no permission there",
        "a place that you may read and write",
        f"give yourself the permission, or choose another place with --directory, {_AGAIN}",
    ),
    errno.EIO: (
        "the disk can't be read or written: the device reports an error",
        "a disk that works",
        f"have the disk looked at, or choose another place with --directory, {_AGAIN}",
    ),
}
_TROUBLES[errno.EPERM] = _TROUBLES[errno.EACCES]
FULL = "No space left on device"


def storage_error(error: OSError, place: str = "") -> RunError | None:
    """Return the error in words where the disk or a folder refused; None for any other.

    place: what is named where the system names no file.
    """
    if error.errno not in _TROUBLES:
        return None
    what, allowed, fix = _TROUBLES[error.errno]
    where = str(error.filename or place)
    return RunError(
        "The run can't write what it makes.", [Problem(what, where=where, allowed=allowed, fix=fix)]
    )


def full_disk(where: str) -> Problem:
    """Return the problem of a full disk, where another program reported it."""
    what, allowed, fix = _TROUBLES[errno.ENOSPC]
    return Problem(what, where=where, allowed=allowed, fix=fix)
