"""The operating system's lock on a file: it ends with its process, and two can't hold it."""

import contextlib
import errno
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

# What file systems without such locks answer, some clusters' among them.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextlib.contextmanager
def alone(file: Path, taken: Callable[[], Exception]) -> Iterator[None]:
    """Hold the lock on `file`, where its file system has locks; raise `taken()` where it is held.

    The file is made where it is absent, and stays.
    """
    with file.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise taken() from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
