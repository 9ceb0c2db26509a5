"""The scripts of the data rules hand files from one to the next."""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

from sitewise.plan.parts import part_data
from sitewise.store.frames import read_frame
from sitewise.store.results import read_result
from sitewise.trial.account import Account
from sitewise.trial.description import Description


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
