"""A disk that refuses is told in words, anything else is not hidden."""

import errno

import pytest

from sitewise.store.trouble import storage_error


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "larger than files may be"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.EIO, "reports an error"),
    ],
)
def test_the_system_s_refusals_are_told_with_their_place(number: int, said: str) -> None:
    told = storage_error(OSError(number, "x", "results/a.json"))
    assert told is not None
    (problem,) = told.problems
    assert said in problem.what
    assert problem.where == "results/a.json"
    assert problem.allowed
    assert "run again: what was finished is kept" in problem.fix
    nameless = storage_error(OSError(number, "x"), "results")
    assert nameless is not None
    assert nameless.problems[0].where == "results"


def test_another_error_is_no_trouble_of_the_disk() -> None:
    assert storage_error(FileNotFoundError(errno.ENOENT, "x")) is None
