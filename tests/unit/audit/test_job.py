"""The frame around every script."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sitewise.audit.hashing import file_sha256
from sitewise.audit.job import recorded
from sitewise.audit.receipts import Receipt, read_receipt, receipt_path, write_receipt
from sitewise.errors import DataError, Problem


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the workflow gives a script, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for folder in ("results/three/models", "logs/three", "templates/parts"):
        Path(folder).mkdir(parents=True)
    rows = Path("results/three/rows")
    rows.write_text("rows")
    made = Receipt("rows", "derive", {}, "done", sha256=file_sha256(rows), size=4)
    write_receipt(Path("results/three"), made)
    Path("templates/a.j2").write_text("a")
    Path("templates/parts/b.j2").write_text("b")
    templates = [str(tmp_path / "templates/a.j2"), str(tmp_path / "templates/parts/b.j2")]
    return SimpleNamespace(
        rule="fit",
        wildcards={"endpoint": "SYSBP", "model": "nested"},
        input={"rows": "results/three/rows", "templates": templates},
        output=["results/three/models/fit.json"],
        params={"plan": {"alpha": 0.05}, "code": ["lmm:ab12"], "lock": "lock:1"},
        log=["logs/three/fit.log"],
    )


RECEIPT = receipt_path(Path("results/three"), "models/fit.json")


def test_a_receipt_says_what_was_made_from_what(job: Any) -> None:
    with recorded(job):
        Path(job.output[0]).write_text("result")
    receipt = read_receipt(RECEIPT)
    assert (receipt.output, receipt.rule, receipt.state) == ("models/fit.json", "fit", "done")
    assert dict(receipt.wildcards) == {"endpoint": "SYSBP", "model": "nested"}
    assert (receipt.sha256, receipt.size) == (file_sha256(job.output[0]), 6)
    assert set(receipt.inputs) == {"rows", "templates:a.j2", "templates:parts/b.j2"}
    assert receipt.inputs["rows"] == file_sha256("results/three/rows")
    assert receipt.params["code.lmm"] == "ab12"
    assert str(Path.cwd()) not in RECEIPT.read_text()


def test_the_same_job_writes_the_same_bytes(job: Any) -> None:
    texts = []
    for _ in range(2):
        with recorded(job):
            Path(job.output[0]).write_text("result")
        texts.append(RECEIPT.read_bytes())
    assert texts[0] == texts[1]


def test_while_the_job_works_its_output_counts_as_unfinished(job: Any) -> None:
    with recorded(job):
        assert read_receipt(RECEIPT).state == "started"
        Path(job.output[0]).write_text("result")


def test_output_goes_to_the_log_as_well(job: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded(job):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        Path(job.output[0]).write_text("result")
    assert Path(job.log[0]).read_text() == "to stdout\nto stderr\n"
    assert capsys.readouterr() == ("to stdout\n", "to stderr\n")


def test_a_known_error_is_told_without_a_traceback(
    job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = Problem("SBP 1500", where="a.csv:3", allowed="50 to 300", fix="ask the site")
    with pytest.raises(SystemExit) as stopped, recorded(job):
        raise DataError("Bad files.", [problem])
    assert stopped.value.code == 1
    log = Path(job.log[0]).read_text()
    assert "a.csv:3: SBP 1500" in log
    assert "Traceback" not in log
    assert "allowed: 50 to 300" in capsys.readouterr().err
    told = json.loads(Path("logs/three/errors/fit-SYSBP-nested.json").read_text())
    assert told["title"] == "Bad files."
    assert told["exit_code"] == DataError.exit_code
    assert told["problems"] == [vars(problem)]
    assert not RECEIPT.exists()


def test_a_fault_of_the_program_keeps_its_traceback_in_the_log(
    job: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), recorded(job):
        raise ZeroDivisionError("division by zero")
    assert "Traceback" in Path(job.log[0]).read_text()
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "ZeroDivisionError: division by zero" in told
    assert "logs/three/fit.log" in told
    assert not RECEIPT.exists()


def test_a_job_that_did_not_write_its_output_has_failed(job: Any) -> None:
    with pytest.raises(SystemExit), recorded(job):
        pass
    assert not RECEIPT.exists()


def test_outputs_appear_whole_or_not_at_all(job: Any) -> None:
    final = Path(job.output[0])
    final.write_text("of an earlier run")
    with recorded(job):
        draft = Path(job.output[0])
        assert draft != final
        draft.write_text("half")
        assert final.read_text() == "of an earlier run"
    assert final.read_text() == "half"
    assert job.output == [str(final)]
    assert list(Path("results/three/.drafts").iterdir()) == []


def test_a_failed_job_leaves_no_draft(job: Any) -> None:
    with pytest.raises(SystemExit), recorded(job):
        Path(job.output[0]).write_text("half")
        raise ZeroDivisionError
    assert list(Path("results/three/.drafts").iterdir()) == []
    assert not Path(job.output[0]).exists()


@pytest.mark.parametrize("when", ["before", "during"])
def test_an_input_that_is_not_what_its_job_wrote_is_refused(
    job: Any, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = Path("results/three/rows")
    if when == "before":
        rows.write_text("r0ws")
    with pytest.raises(SystemExit), recorded(job):
        Path(job.output[0]).write_text("result")
        rows.write_text("r0ws")
    told = json.loads(Path("logs/three/errors/fit-SYSBP-nested.json").read_text())
    assert told["exit_code"] == 6
    assert told["problems"][0]["where"] == "rows"
    assert not RECEIPT.exists()
    assert "altered" in capsys.readouterr().err or when == "during"


def test_an_input_whose_job_did_not_finish_is_refused(job: Any) -> None:
    receipt = Receipt("rows", "derive", {}, "started", sha256=file_sha256("results/three/rows"))
    write_receipt(Path("results/three"), receipt)
    with pytest.raises(SystemExit), recorded(job):
        raise AssertionError("the script must not begin")
    assert "AssertionError" not in Path(job.log[0]).read_text()
