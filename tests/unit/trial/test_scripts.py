"""The scripts of the data rules hand files from one to the next."""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from sitewise.audit.hashing import file_sha256
from sitewise.errors import DataError
from sitewise.plan.factors import factors_left_out
from sitewise.plan.parts import part_data
from sitewise.store.frames import read_frame, write_csv, write_frame
from sitewise.store.results import read_result, write_result
from sitewise.trial.account import Account
from sitewise.trial.checks import check_batch
from sitewise.trial.description import Description
from sitewise.trial.findings import read_findings
from sitewise.trial.ingest import ingest_batch


def script(root: Path, rule: str) -> ModuleType:
    path = root / "workflow" / "scripts" / f"{rule}.py"
    spec = importlib.util.spec_from_file_location(f"script_{rule}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_checks(trial, root: Path, out: Path) -> dict[str, Path]:
    """The workflow's scripts up to check_trial, in two batches; what the last one writes."""
    trial.write()
    out.mkdir(exist_ok=True)
    plan = {rule: part_data(trial.plan, rule) for rule in ("ingest", "check_batch", "check_trial")}
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
    written = {
        "readings": out / "readings.parquet", "findings": out / "findings.csv",
        "account": out / "account.json", "stopped": out / "check_trial.findings.csv",
    }  # fmt: skip
    script(root, "check_trial").main(
        plan=plan["check_trial"],
        known={"left_out": factors_left_out(trial.plan)},
        **names,
        **written,
    )
    return written


def test_from_hospital_files_to_description(trial, root: Path, tmp_path: Path) -> None:
    trial.row("A", "A1", "month 6")["sbp"] = "abc"
    trial.data["stratification"] = ["AREA"]
    out = tmp_path / "out"
    written = run_checks(trial, root, out)
    plan = {rule: part_data(trial.plan, rule) for rule in ("derive", "describe")}
    script(root, "derive").main(
        plan=plan["derive"], readings=written["readings"], rows=out / "adbp.parquet"
    )
    script(root, "describe").main(
        plan=plan["describe"], rows=out / "adbp.parquet", description=out / "description.json"
    )
    account = read_result(written["account"], Account)
    assert (account.readings, len(read_frame(out / "adbp.parquet"))) == (72, 71)
    told = written["findings"].read_text()
    assert "'abc' is not a number" in told
    assert told.count("randomisation was stratified by AREA") == len(trial.plan.models)
    assert not written["stopped"].exists()
    assert len(read_result(out / "description.json", Description).flow) == 2 + 4


def test_a_batch_without_any_row_is_handed_on(trial, root: Path, tmp_path: Path) -> None:
    """Also through Parquet, where a column without values has no type of its own."""
    alone = next(sites for sites in trial.sheet.batches(2).values() if len(sites) < 3)
    for site in alone:
        trial.bytes_changed.append((site.file, lambda data: data[: data.index(b"\n") + 1]))
    trial.data |= {"design": "individual", "randomised_unit": "USUBJID"}
    for rows in trial.files.values():
        for row in rows:
            row["arm"] = "TASSH+HIC" if row["patient"].endswith("1") else "HIC"
    written = run_checks(trial, root, tmp_path / "out")
    account = read_result(written["account"], Account)
    assert account.readings == 72 - 18 * len(alone)
    aside = {file.site for file in account.files if file.status != "used"}
    assert aside == {site.siteid for site in alone}


def test_a_file_that_changed_since_the_run_began_is_not_used(
    trial, root: Path, tmp_path: Path
) -> None:
    trial.write()
    paths = {name: tmp_path / name for name in ("rows", "files", "findings")}
    began = {site.file: file_sha256(trial.folder / site.file) for site in trial.sheet.sites}
    arguments = {
        "plan": part_data(trial.plan, "ingest"), "data": trial.folder, **paths,
        "sites": [dataclasses.asdict(site) for site in trial.sheet.sites],
    }  # fmt: skip
    raw = [f"{file}:{digest}" for file, digest in began.items()]
    script(root, "ingest").main(**arguments, raw=raw)
    for path in paths.values():
        path.unlink()
    with (trial.folder / "B.csv").open("ab") as handle:
        handle.write(b"B,B3,HIC,baseline,150,90,50,F,22.5,rural\n")
    with pytest.raises(DataError) as caught:
        script(root, "ingest").main(**arguments, raw=raw)
    (problem,) = caught.value.problems
    assert problem.where == "B.csv"
    assert f"its sha256 was {began['B.csv'][:12]}..." in problem.what
    assert not paths["rows"].exists()
    absent = [
        f"{file}:absent" if file == "B.csv" else text for file, text in zip(began, raw, strict=True)
    ]
    with pytest.raises(DataError, match="none: it could not be read"):
        script(root, "ingest").main(**arguments, raw=absent)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("bad_site", "site A, A.csv: "),
        ("unknown_arm", "B.csv line 6, the plan knows no arm 'HCI'"),
        ("unknown_visit", "C.csv line 2, the plan knows no visit 'later'"),
        ("patient_at_two_sites", "D.csv"),
        ("arm_changes", "C.csv line 7"),
    ],
)
def test_a_rule_set_to_stop_leaves_every_finding(
    trial, root: Path, tmp_path: Path, rule: str, said: str
) -> None:
    """Whichever stage finds it, in whichever batch: one message, one file with all findings."""
    trial.data["rules"][rule] = "stop"
    trial.row("B", "B1", "month 6")["arm"] = "HCI"
    trial.row("C", "C0", "baseline")["visit"] = "later"
    trial.row("C", "C1", "month 12")["arm"] = "HIC"
    trial.row("D", "D2", "month 12")["patient"] = "C2"
    trial.row("D", "D1", "month 6")["dbp"] = "9"
    trial.sites["A"] = {"sha256": "0" * 64}
    trial.data["rules"]["bad_site_share"] = 1.0
    with pytest.raises(DataError) as caught:
        run_checks(trial, root, tmp_path / "out")
    stop, kept = caught.value.problems
    assert said in f"{stop.where}: {stop.what}"
    assert f"rules.{rule} is `stop`" in stop.fix
    listing = tmp_path / "out" / "check_trial.findings.csv"
    assert kept.where == listing.as_posix()
    rules = set(read_findings(listing)["RULE"])
    assert rules >= {
        "file digest", "unknown arm", "unknown visit", "outside the hard limits", "arm changes",
        "patient at two sites",
    }  # fmt: skip
    with pytest.raises(DataError) as checked:
        trial.check()
    assert checked.value.problems == (stop,), "`sitewise check` says the same"


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
            plan=part_data(trial.plan, "check_trial"), known={"left_out": {}},
            rows=[tmp_path / "rows.parquet"],
            files=[tmp_path / "files.json"], found=[tmp_path / "found.csv"],
            **outputs, stopped=stopped,
        )  # fmt: skip
    last = caught.value.problems[-1]
    assert last.where == stopped.as_posix()
    assert "findings of the checks are kept" in last.what
    assert "DIABP of 9 mmHg is not possible" in stopped.read_text()
    assert not outputs["findings"].exists()
