"""What differs between two runs, and what it is due to."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sitewise.changes.compare import compare
from sitewise.changes.page import as_html, as_json, summary
from sitewise.changes.readings import reading_changes
from sitewise.changes.result import Changes, Side
from sitewise.store.frames import write_frame


def fit(estimate: float, se: float = 2.0, endpoint: str = "SYSBP") -> dict[str, Any]:
    contrast = {"arm": "A", "reference": "P", "visit": "Week 12", "kind": "level",
                "result": {"estimate": estimate, "se": se}}  # fmt: skip
    return {"endpoint": endpoint, "model": "nested", "contrasts": [contrast], "primary": contrast}


class Runs:
    """Two runs whose parts the tests change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sides: list[Side] = []

    def add(self, *, estimate: float = 1.0, code: str = "ab", python: str = "3.11") -> None:
        number = len(self.sides)
        receipt = {"rule": "fit", "params": {"code.lmm": code, "plan.alpha": "x"}}
        files = {"models/SYSBP/nested/fit.json": fit(estimate), "receipts/fit.json": receipt}
        paths = {}
        for name, content in files.items():
            path = self.folder / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
            paths[name] = path
        roles = {"SYSBP": {"role": "primary"}, "DIABP": {"role": "secondary"}}
        plan = {"plan": {"primary": {"model": "nested"}, "endpoints": roles}}
        packages = {"numpy": f"2.0 {'a' * 64}"}
        environment = {"python": python, "packages": packages}
        name = f"run {number}"
        side = Side(name, str(number), "t", "ann", "", paths, {}, plan, environment, "")
        self.sides.append(side)

    def changes(self, plan: tuple[str, ...] = (), data: tuple[str, ...] = ()) -> Changes:
        digests = [{name: path.read_text() for name, path in s.files.items()} for s in self.sides]
        return compare(self.sides[0], self.sides[1], (digests[0], digests[1]), plan, data)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = Runs(tmp_path)
    made.add()
    return made


def test_nothing(runs: Runs) -> None:
    runs.add()
    changes = runs.changes()
    assert changes.same
    assert changes.causes == changes.moved == ()
    assert "same bytes" in summary(changes)


def test_a_difference_is_told_in_standard_errors_of_the_old_estimate(runs: Runs) -> None:
    runs.add(estimate=1.5)
    [moved] = runs.changes(data=("one.csv: it changed",)).moved
    assert moved.primary
    assert (moved.difference, moved.relative) == (0.5, 0.25)
    assert moved.contrast == "A - P, level, Week 12"


@pytest.mark.parametrize(
    ("what", "cause", "words"),
    [
        ({"code": "cd"}, "code", "lmm (rules fit)"),
        ({"python": "3.12"}, "environment", "python: 3.11 -> 3.12"),
    ],
)
def test_the_cause_is_named(runs: Runs, what: dict[str, Any], cause: str, words: str) -> None:
    runs.add(**what)
    changes = runs.changes()
    assert changes.causes == (cause,)
    assert getattr(changes, cause) == (words,)


def test_only_a_primary_endpoint_has_the_primary_estimate(runs: Runs) -> None:
    """DIABP comes first by name, and has the same contrast in the same model."""
    runs.add(estimate=1.5)
    for side, estimate in zip(runs.sides, (7.0, 8.0), strict=True):
        path = runs.folder / side.run / "models/DIABP/nested/fit.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(fit(estimate, endpoint="DIABP")))
        assert isinstance(side.files, dict)
        side.files["models/DIABP/nested/fit.json"] = path
    found = [(e.endpoint, e.primary, e.new) for e in runs.changes().estimates]
    assert found == [("SYSBP", True, 1.5), ("DIABP", False, 8.0)]


def test_a_contrast_that_only_one_run_has(runs: Runs) -> None:
    runs.add()
    runs.sides[1].files["models/SYSBP/nested/fit.json"].write_text(
        json.dumps({**fit(1), "contrasts": [], "primary": None})
    )
    [gone] = runs.changes().moved
    assert (gone.old, gone.new, gone.difference, gone.relative) == (1.0, None, None, None)


def frame(**rows: tuple[float, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"STUDYID": "t", "SITEID": "H1", "USUBJID": patient, "TRT01P": arm, "PARAMCD": "SYSBP",
             "AVISIT": "Week 0", "VISIT": "week 0", "ATPT": None, "AVAL": value,
             "AVALC": str(value), "SRCFILE": "one.csv", "SRCROW": row, "FATE": "analysed"}
            for row, (patient, (value, arm)) in enumerate(rows.items(), start=2)
        ]
    )  # fmt: skip


def test_readings(tmp_path: Path) -> None:
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    write_frame(before, frame(a=(150.0, "A"), b=(140.0, "P"), c=(130.0, "A")))
    write_frame(after, frame(c=(130.0, "A"), a=(151.0, "A"), d=(120.0, "P")))
    found = {change.patient: change for change in reading_changes(before, after)}
    assert {patient: c.what for patient, c in found.items()} == {
        "a": "changed",
        "b": "removed",
        "d": "added",
    }, "another line in the file is no change of a reading"
    assert found["a"].old == "AVAL 150.0, AVALC 150.0"
    assert found["a"].place == "one.csv:3"
    assert found["d"].new == "120.0, P, analysed"


def test_the_page_escapes_what_it_shows(runs: Runs) -> None:
    runs.add(estimate=2.0)
    changes = runs.changes(plan=("plan.title: <script> -> b",))
    page = as_html(changes)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert json.loads(as_json(changes))["causes"] == ["plan"]
