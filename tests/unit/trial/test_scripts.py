"""The scripts of the data rules hand files from one to the next."""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from sitewise.errors import DataError
from sitewise.plan.parts import part_data
from sitewise.store.frames import read_frame, write_csv, write_frame
from sitewise.store.results import read_result, write_result
from sitewise.trial.account import Account
from sitewise.trial.checks import check_batch
from sitewise.trial.description import Description
from sitewise.trial.ingest import ingest_batch


def script(root: Path, rule: str) -> ModuleType:
    path = root / "workflow" / "scripts" / f"{rule}.py"
    spec = importlib.util.spec_from_file_location(f"script_{rule}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_from_hospital_files_to_description(trial, root: Path, tmp_path: Path) -> None:
    trial.row("A", "A1", "month 6")["sbp"] = "abc"
    trial.write()
    out = tmp_path / "out"
    out.mkdir()
    plan = {rule: part_data(trial.plan, rule) for rule in
            ("ingest", "check_batch", "check_trial", "derive", "describe")}  # fmt: skip
    names: dict[str, list[Path]] = {"rows": [], "files": [], "found": []}
    for batch, sites in trial.sheet.batches(2).items():
        rows, checked = out / f"{batch}.rows.parquet", out / f"{batch}.checked.parquet"
        files = out / f"{batch}.files.json"
        found = [out / f"{batch}.ingest.csv", out / f"{batch}.check.csv"]
        script(root, "ingest").main(
            plan=plan["ingest"], sites=[dataclasses.asdict(site) for site in sites],
            data=trial.folder, rows=rows, files=files, findings=found[0],
        )  # fmt: skip
        script(root, "check_batch").main(
            plan=plan["check_batch"], rows=rows, checked=checked, findings=found[1]
        )
        names["rows"].append(checked)
        names["files"].append(files)
        names["found"] += found
    script(root, "check_trial").main(
        plan=plan["check_trial"], **names, readings=out / "readings.parquet",
        findings=out / "findings.csv", account=out / "account.json",
        stopped=out / "stopped.csv",
    )  # fmt: skip
    script(root, "derive").main(
        plan=plan["derive"], readings=out / "readings.parquet", rows=out / "adbp.parquet"
    )
    script(root, "describe").main(
        plan=plan["describe"], rows=out / "adbp.parquet", description=out / "description.json"
    )
    account = read_result(out / "account.json", Account)
    assert (account.readings, len(read_frame(out / "adbp.parquet"))) == (72, 71)
    assert "'abc' is not a number" in (out / "findings.csv").read_text()
    assert len(read_result(out / "description.json", Description).flow) == 2 + 4


def test_what_stops_the_trial_leaves_its_findings(trial, root: Path, tmp_path: Path) -> None:
    for rows in trial.files.values():
        for row in rows:
            row["dbp"] = "9"
    trial.write()
    read = ingest_batch(trial.plan, trial.sheet.sites, trial.folder)
    checked = check_batch(trial.plan, read.rows)
    write_frame(tmp_path / "rows.parquet", checked.rows)
    write_result(tmp_path / "files.json", read.files)
    write_csv(tmp_path / "found.csv", checked.findings)
    stopped = tmp_path / "check_trial.findings.csv"
    outputs = {name: tmp_path / name for name in ("readings", "findings", "account")}
    with pytest.raises(DataError) as caught:
        script(root, "check_trial").main(
            plan=part_data(trial.plan, "check_trial"), rows=[tmp_path / "rows.parquet"],
            files=[tmp_path / "files.json"], found=[tmp_path / "found.csv"],
            **outputs, stopped=stopped,
        )  # fmt: skip
    last = caught.value.problems[-1]
    assert last.where == stopped.as_posix()
    assert "findings of the checks are kept" in last.what
    assert "DIABP of 9 mmHg is not possible" in stopped.read_text()
    assert not outputs["findings"].exists()
