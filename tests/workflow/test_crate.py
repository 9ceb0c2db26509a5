"""The export as a Workflow Run RO-Crate."""

import json
import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from tests.workflow.conftest import Trial

VALIDATOR = ".venv-validator/bin/python"  # made by tools/beside.sh validator


@pytest.fixture
def crate(trial: Trial, tmp_path: Path) -> Path:
    target = tmp_path / "crate"
    done = trial.sitewise("export", "results/three", str(target))
    assert done.returncode == 0, done.stderr
    return target


def test_the_crate_holds_and_names_everything(trial: Trial, crate: Path) -> None:
    for name, content in trial.contents().items():
        assert (crate / "results" / name).read_bytes() == content
    assert (crate / "data" / "hospital_1.csv").is_file()
    assert (crate / "records" / "ledger.jsonl").is_file()
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    by_id = {entity["@id"]: entity for entity in graph}
    on_disk = {p.relative_to(crate).as_posix() for p in crate.rglob("*") if p.is_file()}
    assert on_disk - set(by_id) <= {"ro-crate-preview.html"}
    fit = by_id["#job-fit-SYSBP"]
    assert fit["instrument"] == {"@id": "workflow/scripts/fit.py"}
    assert {"@id": "results/models/SYSBP/nested/fit.json"} in fit["result"]
    assert {"@id": "results/models/SYSBP/nested/moments/02.npz"} in fit["object"]
    ingest = by_id["#job-ingest-02"] if "#job-ingest-02" in by_id else by_id["#job-ingest-01"]
    assert any(item["@id"].startswith("data/hospital_") for item in ingest["object"])
    run = next(e for i, e in by_id.items() if i.startswith("#run-"))
    assert run["instrument"] == {"@id": "Snakefile"}
    assert run["startTime"] < run["endTime"]


def test_the_crate_keeps_the_profile(root: Path, crate: Path) -> None:
    python = root / VALIDATOR
    if not python.exists():
        pytest.skip(f"{VALIDATOR} is not there: tools/beside.sh validator makes it")
    context = files("rocrate") / "data" / "ro-crate.jsonld"
    script = Path(__file__).with_name("validate_crate.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def validate() -> "subprocess.CompletedProcess[str]":
        command = [str(python), str(script), str(crate), str(context)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    done = validate()
    assert done.returncode == 0, done.stdout + done.stderr
    # The check can fail: a job without its tool.
    metadata = crate / "ro-crate-metadata.json"
    text = metadata.read_text()
    metadata.write_text(text.replace('"HowTo"', '"Thing"'))
    assert validate().returncode == 1


def test_a_folder_that_is_not_empty_is_refused(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = trial.sitewise("export", "results/three", str(tmp_path))
    assert done.returncode == 5
    assert "not empty" in done.stderr
