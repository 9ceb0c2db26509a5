"""Reading one file: lines, ragged rows, and every way in which a file can be unusable."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from sitewise.plan.sheet import ENCODINGS, Site
from sitewise.trial.decoding import likely_utf_16
from sitewise.trial.source import Source, read_source

HEADER = "patient,visit,sbp\n"


def read(folder: Path, content: bytes | str, **site: str) -> Source:
    name = site.pop("file", "a.csv")
    raw = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(raw)
    return read_source(folder, Site("A", name, **site), ("patient", "visit", "sbp"))


def test_lines_are_physical_also_with_quoted_newlines_and_blank_lines(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + 'a,"two\nlines",1\n\nb,x,2\r\n"c",y,3')
    assert source.faults == ()
    assert source.table is not None
    assert source.table.lines == [2, 5, 6]
    assert source.table.cells[0] == ["a", "two\nlines", "1"]
    assert source.table.blank == 1


def test_ragged_rows_are_named_and_kept_out_of_the_cells(tmp_path: Path) -> None:
    source = read(tmp_path, HEADER + "a,x,1\nb,x\nc,x,1,5\nd,x,2\n")
    assert source.table is not None
    assert source.table.ragged == [(3, 2), (4, 4)]
    assert source.table.trailing == 0
    assert source.table.lines == [2, 5]
    assert source.faults == ()


@pytest.mark.parametrize(
    ("content", "rule", "said"),
    [
        (b"", "file empty", "empty"),
        (b" \n\n", "file empty", "empty"),
        (HEADER.encode(), "no rows", "header and no rows"),
        (b"patient,visit,SBP\na,x,1\n", "column missing", "'sbp' is missing"),
        (b"patient,visit,sbp,sbp\na,x,1,2\n", "column twice", "2 times"),
        (b"patient,visit,sbp\na,caf\xe9,1\n", "encoding", "line 2"),
        (b'patient,visit,sbp\na,x,1\nb,"open,2\nc,x,3\n', "quotes", "line 3"),
    ],
)
def test_unusable_files_say_why(tmp_path: Path, content: bytes, rule: str, said: str) -> None:
    fault = read(tmp_path, content, encoding="utf-8").faults[0]
    assert fault.rule == rule
    assert said in fault.message
    assert fault.advice


def test_a_missing_file_names_the_near_miss(tmp_path: Path) -> None:
    (tmp_path / "site_01.csv").write_text(HEADER)
    fault = read_source(tmp_path, Site("A", "Site_01.csv"), ()).faults[0]
    assert fault.rule == "file missing"
    assert "'site_01.csv' is there" in fault.message


@pytest.mark.parametrize("listed", [None, ["site_01.csv", "site_02.csv"]])
def test_a_file_of_another_site_is_never_suggested(
    tmp_path: Path, listed: list[str] | None
) -> None:
    (tmp_path / "site_02.csv").write_text(HEADER)
    fault = read_source(tmp_path, Site("A", "site_01.csv"), (), listed).faults[0]
    assert fault.message == "there is no file 'site_01.csv' in the data folder"
    (tmp_path / "site_001.csv").write_text(HEADER)
    fault = read_source(tmp_path, Site("A", "site_01.csv"), (), ["site_02.csv"]).faults[0]
    assert fault.message.endswith("; a file 'site_001.csv' is there")


@pytest.mark.parametrize(
    ("content", "declared", "likely"),
    [
        ((HEADER + "caf\xe9,x,1\n").encode("cp1252"), "utf-8", "`cp1252`"),
        ((HEADER + "a,x,1\n").encode("utf-16"), "utf-8", "`utf-16`"),
        ((HEADER + "a\x81,x,1\n").encode("latin-1"), "cp1252", "`latin-1`"),
        ((HEADER + "a,x,12\n").encode("utf-8"), "utf-16", "`utf-8`"),
        ((HEADER + "a,x,1\n").encode("utf-16-le"), "utf-8", "`utf-16-le`"),
        ((HEADER + "a,x,1\n").encode("utf-16-be"), "utf-16", "`utf-16-be`"),
        ((HEADER + "a,x,1\n").encode("utf-16-be"), "utf-16-le", "`utf-16-be`"),
        ((HEADER + "a,x,1\n").encode("utf-16"), "utf-16-be", "`utf-16`"),
        ((HEADER + "a,x,12\n").encode("utf-8"), "utf-16-le", "`utf-8`"),
        ((HEADER + "a,x,1\n").encode("utf-16-le"), "cp1252", "`utf-16-le`"),
    ],
)
def test_a_wrong_encoding_says_what_to_set(
    tmp_path: Path, content: bytes, declared: str, likely: str
) -> None:
    fault = read(tmp_path, content, encoding=declared).faults[0]
    assert fault.rule == "encoding"
    assert f"set the site's `encoding` in the site sheet to {likely}" in fault.advice
    assert fault.allowed == "utf-8, utf-8-sig, utf-16, utf-16-le, utf-16-be, latin-1, cp1252"


def test_a_folder_in_the_place_of_a_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    assert read_source(tmp_path, Site("A", "a.csv"), ()).faults[0].rule == "file unreadable"


def test_another_delimiter_is_recognised(tmp_path: Path) -> None:
    fault = read(tmp_path, "patient;visit;sbp\na;x;1\n").faults[0]
    assert "`delimiter` to `semicolon`" in fault.advice
    assert read(tmp_path, "patient;visit;sbp\na;x;1\n", delimiter=";").faults == ()


def test_the_expected_digest_is_held_against_the_file(tmp_path: Path) -> None:
    content = HEADER + "a,x,1\n"
    right = hashlib.sha256(content.encode()).hexdigest()
    assert read(tmp_path, content, sha256=right).faults == ()
    source = read(tmp_path, content, sha256="0" * 64)
    assert source.faults[0].rule == "file digest"
    assert source.sha256 == right
    assert source.table is not None  # the rows can still be counted


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name != "utf-8"])
def test_declared_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    source = read(tmp_path, (HEADER + "é,x,1\n").encode(encoding), encoding=encoding)
    assert source.table is not None
    assert source.table.cells == [["é", "x", "1"]]


def test_pairs_of_another_script_are_read_as_declared(tmp_path: Path) -> None:
    """NUL stands in the delimiters alone: too little to recognise, enough not to contradict."""
    row = "\u60a3" * 60 + ",\u8bbf,1\n"
    data = (HEADER + row).encode("utf-16-le")
    assert likely_utf_16(row.encode("utf-16-le")) == ""
    marked = b"\xff\xfe" + data
    for content in (data, marked):
        source = read(tmp_path, content, encoding="utf-16-le")
        assert source.table is not None
        assert source.table.cells == [["\u60a3" * 60, "\u8bbf", "1"]]
    assert "with byte-order mark" in read(tmp_path, marked, encoding="utf-16-le").written


def test_parquet_reads_as_a_csv_would(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"patient": [7.0, 8.0, None], "visit": ["x", "x", None], "sbp": [120.5, None, None]}
    )
    frame.to_parquet(tmp_path / "a.parquet")
    source = read_source(tmp_path, Site("A", "a.parquet", decimal=","), ("patient", "sbp"))
    assert source.faults == ()
    assert source.table is not None
    assert source.table.cells == [["7", "x", "120,5"], ["8", "x", ""]]
    assert source.table.lines == [2, 3]
    assert source.table.blank == 1


def test_a_damaged_parquet_file_is_a_fault(tmp_path: Path) -> None:
    source = read(tmp_path, b"PAR1 not really PAR1", file="a.parquet")
    assert source.faults[0].rule == "file unreadable"
    assert read(tmp_path, b"", file="a.parquet").faults[0].rule == "file empty"
