"""Verdicts on what an earlier run left."""

from pathlib import Path

import pytest

from sitewise.audit.hashing import file_sha256
from sitewise.audit.manifest import MANIFEST, seal
from sitewise.audit.receipts import Receipt, receipt_path, write_receipt
from sitewise.audit.state import Cause, Expected, State, Verdict, examine

PARAMS = {"code.lmm": "ab12", "plan.alpha": "0.05"}
EXPECTED = {
    "rows": Expected("derive", {}, PARAMS),
    "fit": Expected("fit", {"model": "nested"}, PARAMS),
    "use": Expected("fit", {"model": "nested"}, PARAMS),
    "report": Expected("report", {}, PARAMS),
    MANIFEST: Expected("seal", {}, PARAMS),
}
READS = {"rows": [], "fit": ["rows"], "use": ["rows"], "report": ["fit"]}


def receipt_of(results: Path, output: str, state: str = "done") -> Receipt:
    wanted = EXPECTED[output]
    path = results / output
    inputs = {name: file_sha256(results / name) for name in READS[output]}
    return Receipt(
        output, wanted.rule, wanted.wildcards, state, file_sha256(path), path.stat().st_size,
        inputs, wanted.params,
    )  # fmt: skip


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A finished run: rows -> fit, use -> report, sealed."""
    for output in READS:
        (tmp_path / output).write_text(f"content of {output}")
        write_receipt(tmp_path, receipt_of(tmp_path, output))
    seal(tmp_path, READS, PARAMS)
    return tmp_path


def verdicts(results: Path, expected: dict[str, Expected] | None = None) -> dict[str, Verdict]:
    states = examine(results, EXPECTED if expected is None else expected)
    return {state.file: state.verdict for state in states}


def state_of(results: Path, file: str, expected: dict[str, Expected] | None = None) -> State:
    states = examine(results, EXPECTED if expected is None else expected)
    return next(state for state in states if state.file == file)


CURRENT = dict.fromkeys(EXPECTED, Verdict.CURRENT)


def test_a_finished_run_is_current(results: Path) -> None:
    assert verdicts(results) == CURRENT


def test_nothing_there(tmp_path: Path) -> None:
    assert verdicts(tmp_path / "absent") == dict.fromkeys(EXPECTED, Verdict.NEW)


def test_an_altered_file_is_named_whatever_its_time(results: Path) -> None:
    (results / "fit").write_text("content of fIt")
    found = verdicts(results)
    assert found["fit"] is Verdict.ALTERED
    assert found["rows"] is Verdict.CURRENT
    assert found["report"] is not Verdict.CURRENT


def test_an_extra_file_and_a_result_without_receipt_are_altered(results: Path) -> None:
    (results / "notes.txt").write_text("")
    receipt_path(results, "report").unlink()
    found = verdicts(results)
    assert found["notes.txt"] is Verdict.ALTERED
    assert found["report"] is Verdict.ALTERED


def test_an_altered_receipt_is_named_and_not_believed(results: Path) -> None:
    path = receipt_path(results, "fit")
    path.write_text(path.read_text().replace("ab12", "cd34"))
    found = verdicts(results)
    assert found["receipts/fit.json"] is Verdict.ALTERED
    assert "fit" not in found
    assert found["report"] is Verdict.FOLLOWS
    assert found["use"] is Verdict.FOLLOWS, "made by the same job"


def test_a_receipt_that_speaks_of_another_file(results: Path) -> None:
    receipt_path(results, "fit").write_text(receipt_path(results, "use").read_text())
    assert verdicts(results)["receipts/fit.json"] is Verdict.ALTERED


def test_an_altered_manifest(results: Path) -> None:
    path = results / MANIFEST
    path.write_text(path.read_text().replace('"size": 1', '"size": 2', 1))
    assert verdicts(results) == {**CURRENT, MANIFEST: Verdict.ALTERED}


def test_a_changed_param_makes_stale_and_others_follow(results: Path) -> None:
    expected = dict(EXPECTED)
    now = {**PARAMS, "code.lmm": "cd34"}
    for file in ("fit", "use"):
        expected[file] = Expected("fit", {"model": "nested"}, now)
    found = verdicts(results, expected)
    assert found == {
        "rows": Verdict.CURRENT,
        "fit": Verdict.STALE,
        "use": Verdict.STALE,
        "report": Verdict.FOLLOWS,
        MANIFEST: Verdict.FOLLOWS,
    }
    (change,) = state_of(results, "fit", expected).changes
    assert (change.cause, change.name) == (Cause.PARAM, "code.lmm")
    assert (change.before, change.now) == ("ab12", "cd34")


def test_a_deleted_file_is_made_again_and_what_reads_it(results: Path) -> None:
    (results / "fit").unlink()
    found = verdicts(results)
    assert found["fit"] is Verdict.DELETED
    assert found["use"] is Verdict.FOLLOWS, "the same job makes both"
    assert found["report"] is Verdict.FOLLOWS
    assert found["rows"] is Verdict.CURRENT


def test_an_input_that_was_made_again_with_other_content(results: Path) -> None:
    (results / "rows").write_text("other")
    write_receipt(results, receipt_of(results, "rows"))
    found = verdicts(results)
    assert found["rows"] is Verdict.CURRENT
    assert found["fit"] is Verdict.STALE
    assert found["report"] is Verdict.FOLLOWS


def test_a_job_that_was_killed_left_unfinished_outputs(results: Path) -> None:
    (results / "fit").write_text("half a fi")
    write_receipt(results, Receipt("fit", "fit", {"model": "nested"}, "started"))
    assert verdicts(results)["fit"] is Verdict.UNFINISHED


def test_what_the_plan_no_longer_asks_for_is_left_over(results: Path) -> None:
    expected = {k: v for k, v in EXPECTED.items() if k not in ("fit", "use")}
    found = verdicts(results, expected)
    assert found["fit"] is Verdict.LEFT_OVER
    assert found["report"] is Verdict.STALE, "it read what is no longer part of the run"


def test_a_manifest_older_than_the_results(results: Path) -> None:
    (results / "report").write_text("a newer report")
    write_receipt(results, receipt_of(results, "report"))
    assert verdicts(results) == {**CURRENT, MANIFEST: Verdict.STALE}
