"""Files: what is written is what is read, and the bytes depend on the content alone."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from sitewise.store.frames import (
    FrameWriter,
    read_endpoint,
    read_frame,
    read_groups,
    write_csv,
    write_frame,
)
from sitewise.store.results import dumps, read_result, write_result
from sitewise.terms import Fate


@dataclass(frozen=True)
class Inner:
    value: float
    fate: Fate


@dataclass(frozen=True)
class Outer:
    name: str
    items: tuple[Inner, ...]
    pair: tuple[float, int]
    table: dict[str, tuple[str, ...]]
    maybe: float | None


def test_results_come_back_bit_for_bit(tmp_path: Path) -> None:
    result = Outer("é", (Inner(0.1 + 0.2, Fate.ANALYSED),), (1e-310, 2), {"a": ("b", "c")}, None)
    write_result(tmp_path / "r.json", result)
    assert read_result(tmp_path / "r.json", Outer) == result


def test_special_floats_come_back(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", Inner(math.inf, Fate.ANALYSED))
    assert read_result(tmp_path / "r.json", Inner).value == math.inf
    write_result(tmp_path / "r.json", Inner(math.nan, Fate.ANALYSED))
    assert math.isnan(read_result(tmp_path / "r.json", Inner).value)


def test_an_unknown_or_missing_field_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"value": 1.0, "fat": "analysed"}')
    with pytest.raises(ValueError, match=r"unknown fields \['fat'\], missing \['fate'\]"):
        read_result(path, Inner)


def test_nothing_strange_is_written() -> None:
    with pytest.raises(TypeError, match="no place in a result file"):
        dumps({"x": object()})


def test_frames_come_back_and_repeat_their_bytes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ID": ["007", None], "X": [0.1, math.nan], "N": [1, 2]})
    write_frame(tmp_path / "a.parquet", frame)
    write_frame(tmp_path / "b.parquet", frame.copy())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = read_frame(tmp_path / "a.parquet")
    assert back["ID"].tolist()[0] == "007"
    assert back["ID"].isna().tolist() == [False, True]
    assert back["X"].tolist()[0] == 0.1


def test_one_endpoint_comes_narrow_from_every_row_group(tmp_path: Path) -> None:
    first = pd.DataFrame({
        "SITEID": ["2", "2", None], "PARAMCD": ["SYS", "DIA", "SYS"], "AVAL": [1.5, 2.0, math.nan],
        "SEX": ["m", "", None], "AGE": [1, 2, 3],
    })  # fmt: skip
    second = first.assign(SITEID=["1", "3", "2"], AVAL=[4.0, 5.0, 6.0])
    with FrameWriter(tmp_path / "a.parquet") as writer:
        for frame in (first, second[second["PARAMCD"] == "DIA"], second):
            writer.write(frame)
    whole = read_frame(tmp_path / "a.parquet")
    columns = ["PARAMCD", "SITEID", "AVAL", "SEX", "nowhere"]
    found = read_endpoint(tmp_path / "a.parquet", "SYS", columns)
    assert list(found["SITEID"].cat.categories) == ["1", "2"]
    own = whole[whole["PARAMCD"] == "SYS"].reset_index(drop=True)[columns[:-1]]
    pd.testing.assert_frame_equal(found.astype({"PARAMCD": "str", "SITEID": "str"}), own)
    nothing = read_endpoint(tmp_path / "a.parquet", "PULSE", columns)
    assert list(nothing.columns) == columns[:-1]
    assert nothing.empty


def test_csv_has_exact_floats(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", pd.DataFrame({"X": [0.1 + 0.2]}))
    assert (tmp_path / "a.csv").read_bytes() == b"X\n0.30000000000000004\n"


def test_frames_written_one_by_one_come_back_one_by_one(tmp_path: Path) -> None:
    parts = [pd.DataFrame({"ID": ["a", None], "X": [1.0, math.nan]}),
             pd.DataFrame({"ID": pd.Series([], dtype="str"), "X": pd.Series([], dtype="float64")}),
             pd.DataFrame({"ID": [None, None], "X": [2.0, 3.0]})]  # fmt: skip
    with FrameWriter(tmp_path / "a.parquet") as writer:
        for part in parts:
            writer.write(part)
    back = list(read_groups(tmp_path / "a.parquet"))
    assert [len(part) for part in back] == [2, 2]
    assert read_frame(tmp_path / "a.parquet")["X"].tolist()[2:] == [2.0, 3.0]
    assert back[1]["ID"].isna().all()
    assert back[1]["ID"].dtype == back[0]["ID"].dtype


def test_a_file_without_rows_has_its_columns(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "a.parquet") as writer:
        writer.write(pd.DataFrame({"ID": pd.Series([], dtype="str")}))
    assert [part.columns.tolist() for part in read_groups(tmp_path / "a.parquet")] == [["ID"]]


def test_one_row_group_a_batch_however_large(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "a.parquet") as writer:
        writer.write(pd.DataFrame({"X": range(1_200_000)}))
        writer.write(pd.DataFrame({"X": [1]}))
    assert [len(part) for part in read_groups(tmp_path / "a.parquet")] == [1_200_000, 1]
