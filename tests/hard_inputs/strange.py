"""What is hardly a file, or hardly a table: pipes, folders, web pages, giants, headers again."""

import os
from collections.abc import Callable

from tests.hard_inputs.case import Case, content
from tests.small_trial import Trial

ALL = {"analysed": 72}
THREE_SITES = {"analysed": 54}


def _pipe(trial: Trial) -> None:
    os.mkfifo(trial.folder / "A.csv")
    del trial.files["A.csv"]
    trial.sites["A"] = {}


def _folder(trial: Trial) -> None:
    (trial.folder / "A.csv").mkdir()
    del trial.files["A.csv"]
    trial.sites["A"] = {}


def _link_to(name: str) -> Callable[[Trial], None]:
    def spoil(trial: Trial) -> None:
        (trial.folder / "A.csv").symlink_to(name)
        del trial.files["A.csv"]
        trial.sites["A"] = {}

    return spoil


def _middle(data: bytes) -> bytes:
    lines = data.split(b"\n")
    return b"\n".join([*lines[:4], lines[0], *lines[4:]])


def _one_more(header: bytes, cell: bytes, times: int = 1) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        first, *rest = data.rstrip(b"\n").split(b"\n")
        lines = [first + header * times, *(line + cell * times for line in rest)]
        return b"\n".join(lines) + b"\n"

    return change


CASES = (
    Case(
        "A pipe instead of a file",
        "`A.csv` is a named pipe, for which a reader would wait for ever",
        _pipe,
        ("the file can't be opened: it is a pipe or a device, not a file",),
        THREE_SITES,
    ),
    Case(
        "A folder named .csv",
        "`A.csv` is a folder",
        _folder,
        ("the file can't be opened: it is a folder, not a file",),
        THREE_SITES,
    ),
    Case(
        "A link to itself",
        "`A.csv` is a symbolic link to `A.csv`",
        _link_to("A.csv"),
        ("the file can't be opened: Too many levels of symbolic links",),
        THREE_SITES,
    ),
    Case(
        "A link to a file that is not there",
        "`A.csv` is a symbolic link to `old.csv`, which the folder does not have",
        _link_to("old.csv"),
        ("'A.csv' is a link to a file that is not there", "put the file itself into"),
        THREE_SITES,
    ),
    Case(
        "A web page named .csv",
        "`A.csv` is the log-in page of the server it was fetched from",
        content("A.csv", lambda _data: b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n"),
        ("it is a web page, often that of a log-in",),
        THREE_SITES,
    ),
    Case(
        "A packed file named .csv",
        "`A.csv` is a gzip archive",
        content("A.csv", lambda _data: b"\x1f\x8b\x08\x00abc"),
        ("it is a gzip archive",),
        THREE_SITES,
    ),
    Case(
        "NUL bytes at the end",
        "`A.csv` ends with 4096 NUL bytes, as a copy that was not finished",
        content("A.csv", lambda data: data + b"\0" * 4096),
        ("the file has a NUL character at line 11", "a copy that was not finished has such"),
        THREE_SITES,
    ),
    Case(
        "UTF-16 without its mark, declared",
        "`A.csv` is in UTF-16 without the two bytes at its start; the site sheet says `utf-16`",
        content("A.csv", lambda data: data.decode().encode("utf-16-be"), encoding="utf-16"),
        (
            "it is not known which of two bytes comes first",
            "set the site's `encoding` in the site sheet to `utf-16-be`: the first of each two",
        ),
        THREE_SITES,
    ),
    Case(
        "A giant cell",
        "a cell of line 3 of `A.csv` has 10 million characters",
        content("A.csv", lambda data: data.replace(b"A,A0,HIC,m", b"A,A0,HIC," + b"m" * 10**7, 1)),
        ("the record that starts at line 3 has a cell of more than 131072 characters",),
        THREE_SITES,
    ),
    Case(
        "100 000 columns",
        "`A.csv` has 100 000 empty columns more",
        content("A.csv", _one_more(b",", b",", 100_000)),
        ("nothing: it is read as it stands",),
        ALL,
    ),
    Case(
        "A column once more in another case",
        "the header of `A.csv` has `sbp` and `SBP`",
        content("A.csv", _one_more(b",SBP", b",120")),
        (
            "the header has 'sbp' and 'SBP', which differ only in upper and lower case",
            "ask the hospital which one is meant",
        ),
        ALL,
    ),
    Case(
        "The header once more among the rows",
        "line 5 of `A.csv` is its header again, as where two exports were joined",
        content("A.csv", _middle),
        (
            "A.csv line 5, column 'patient', found 'patient': the row has 'patient' in the column"
            " 'patient': it is the header once more",
        ),
        {"set aside": 2, "analysed": 72},
    ),
)
