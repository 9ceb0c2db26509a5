"""`sitewise nightly`: what its page says, its exit codes, and a hospital's bad delivery."""

import contextlib
import csv
import fcntl
import json
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import web_server
from tests.workflow.conftest import ENDLESS, Trial


def night(trial: Trial, code: int, *options: str) -> tuple[dict[str, Any], str]:
    """One night that should end with `code`: its summary as data and as text."""
    done = trial.sitewise("nightly", str(trial.plan), *options)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
    folder = trial.folder / "records" / "three" / "nightly"
    text = (folder / "latest.txt").read_text()
    assert text in done.stdout
    return json.loads((folder / "latest.json").read_text()), text


def change_plan(trial: Trial, **keys: Any) -> None:
    plan = yaml.safe_load(trial.plan.read_text())
    for section, values in keys.items():
        plan[section] = {**plan.get(section, {}), **values}
    trial.plan.write_text(yaml.safe_dump(plan, sort_keys=False, width=1000))


def hospital_file(trial: Trial) -> Path:
    return sorted((trial.folder / "data" / "three").rglob("*.csv"))[0]


def spoil(trial: Trial) -> Path:
    """Cut the header of a hospital's file off."""
    path = hospital_file(trial)
    path.write_text("nothing,of,use\n1,2,3\n")
    return path


def shift(trial: Trial, by: float) -> None:
    """Add to systolic readings of a hospital that no check has anything to say of."""
    path = hospital_file(trial)
    column = yaml.safe_load(trial.plan.read_text())["endpoints"]["SYSBP"]["column"]
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    keys = Counter((row["subject"], row["visit"]) for row in rows)
    for row in rows[::2]:
        with contextlib.suppress(ValueError):
            value = float(row[column])
            if keys[row["subject"], row["visit"]] == 1 and 100 < value < 160:
                row[column] = f"{value + by:g}"
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_nothing_new_then_new_results_then_a_moved_estimate(trial: Trial) -> None:
    data, text = night(trial, 0)
    assert data["state"] == "NOTHING NEW"
    assert data["results"] == "as before"
    assert "the last sealed run before: run" in text
    assert "3 the same as before" in text
    assert not list(trial.results.rglob("*nightly*")), "nothing of it in results/"
    shift(trial, 0.1)
    data, text = night(trial, 10)
    assert [len(data["files"][kind]) for kind in ("changed", "same")] == [1, 2]
    assert data["why"] == [f"NEW RESULTS: other than those of {data['previous']}"]
    assert data["headline"] in (trial.results / "tables" / "headline.txt").read_text()
    assert data["primary"][0]["beyond"] is False
    assert data["primary"][0]["old"] != data["primary"][0]["new"]
    assert "within the threshold of 0.5" in text
    change_plan(trial, nightly={"moved": 0.0001})
    shift(trial, 0.1)
    data, text = night(trial, 10)
    assert data["primary"][0]["beyond"] is True
    assert "BEYOND the threshold of 0.0001" in text
    assert any("THE PRIMARY ESTIMATE MOVED" in line for line in data["why"])
    assert data["causes"] == ["data", "plan"]


def test_the_first_night_has_no_previous(trial: Trial) -> None:
    shutil.rmtree(trial.folder / "records")
    data, text = night(trial, 11)  # all findings are new, and some are errors
    assert data["previous"] == ""
    assert "first sealed run of the trial: there is no previous" in text
    assert len(data["files"]["new"]) == 3
    assert data["primary"] == []


@pytest.mark.long
def test_a_bad_delivery_is_set_aside_or_the_last_good_file_is_kept(trial: Trial) -> None:
    before = trial.contents()
    good = hospital_file(trial).read_bytes()
    path = spoil(trial)
    data, text = night(trial, 11)
    assert path.name in text
    assert "HOSPITALS SET ASIDE" in text
    assert trial.contents() != before
    assert any(f["severity"] == "error" for f in data["findings"])
    change_plan(trial, nightly={"bad_delivery": "keep last good"})
    data, text = night(trial, 11)
    assert "LAST GOOD FILE KEPT" in text
    assert "0 days old" in text
    assert data["set_aside"] == []
    assert data["results"] == "new"
    kept = data["kept"][0]["told"]
    ledger = (trial.folder / "records" / "three" / "ledger.jsonl").read_text()
    assert kept in json.loads(ledger.splitlines()[-1])["warnings"]
    readings = trial.contents()["data/readings.parquet"]
    assert readings == before["data/readings.parquet"], "as with the good file"
    page = (trial.results / "report.html").read_text()
    assert "an earlier file is used" in page
    assert "the data cut of" in page
    assert "earlier file kept" in (trial.results / "findings" / "findings.csv").read_text()
    assert path.read_bytes() != good, "what the hospital delivered is left alone"
    data, _ = night(trial, 11)
    assert data["results"] == "as before"
    path.unlink()  # nor does a file that is not there
    data, text = night(trial, 11)
    assert "LAST GOOD FILE KEPT" in text


@pytest.mark.long
def test_a_hospital_whose_server_does_not_answer(
    trial: Trial, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = root / ".venv-storage"
    if not plugins.is_dir():
        pytest.skip("storage plugins are not there: tools/beside.sh storage")
    monkeypatch.setenv("PYTHONPATH", str(plugins))
    offered = tmp_path / "offered"
    offered.mkdir()
    path = hospital_file(trial)
    shutil.move(path, offered / path.name)
    sheet = trial.project / "config" / "three_sites.csv"
    with sheet.open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    with web_server(offered) as port:
        for line in lines:
            mine = line["file"] == path.name
            line["source"] = f"http://127.0.0.1:{port}/{path.name}" if mine else ""
        with sheet.open("w", newline="") as handle:
            writer = csv.DictWriter(handle, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
        data, _ = night(trial, 10)  # the plan's digest has the address
        assert data["not_fetched"] == []
        assert path.is_file()
    data, text = night(trial, 13)
    assert "NOT FETCHED" in text
    assert path.name in data["not_fetched"][0]
    assert data["results"] == "untouched"
    change_plan(trial, nightly={"bad_delivery": "keep last good"})
    path.write_text("what lies there is not read\n")
    data, text = night(trial, 11)
    assert "LAST GOOD FILE KEPT" in text
    assert "it could not be fetched" in data["kept"][0]["told"]
    assert "it could not be fetched" in (trial.results / "findings" / "findings.csv").read_text()


@pytest.mark.long
def test_locked_data_that_changed_go_before_bad_data(trial: Trial) -> None:
    locked = trial.sitewise("lock", str(trial.plan), "--reason", "data base lock")
    assert locked.returncode == 0, locked.stderr
    night(trial, 10)  # the report tells the lock
    night(trial, 0)
    spoil(trial)
    data, text = night(trial, 12)
    assert data["state"] == "LOCKED DATA OR PLAN CHANGED"
    assert "it changed" in text
    assert data["results"] == "untouched"
    assert "files are as sealed and recorded" in data["verified"], "also where nothing was computed"
    (trial.results / "report.pdf").write_bytes(b"another")
    data, text = night(trial, 13)
    told = [line.partition(":")[0] for line in data["why"]]
    assert told == ["FAILED", "LOCKED DATA OR PLAN CHANGED"]
    assert "report.pdf" in data["verified"]


def test_a_failed_job_goes_before_everything(trial: Trial) -> None:
    """Altered results stop the run; a bad delivery of the same night is still told."""
    change_plan(trial, nightly={"bad_delivery": "keep last good"})
    spoil(trial)
    (trial.results / "report.pdf").write_bytes(b"another")
    data, text = night(trial, 13)
    assert data["state"] == "FAILED"
    assert [line.partition(":")[0] for line in data["why"]] == ["FAILED", "DATA PROBLEMS"]
    assert "What went wrong" in text
    assert "report.pdf" in text
    assert "LAST GOOD FILE KEPT" in text


@pytest.mark.long
def test_data_that_stop_the_run(trial: Trial) -> None:
    change_plan(trial, rules={"bad_site": "stop"})
    path = spoil(trial)
    for _ in range(2):
        data, text = night(trial, 11)
        assert path.name in text
        assert "What went wrong" in text
        assert data["results"] == "unfinished"


def test_nights_do_not_overlap(trial: Trial) -> None:
    folder = trial.folder / "records" / "three" / "nightly"
    folder.mkdir()
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = trial.sitewise("nightly", str(trial.plan))
    assert done.returncode == 14, done.stderr
    assert "Another night of this trial is in progress" in done.stderr
    assert not (folder / "latest.txt").exists()


def test_a_night_beside_a_run_of_somebody_does_nothing(trial: Trial) -> None:
    with (trial.folder / "records" / "three" / "writer.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        data, text = night(trial, 14)
    assert data["state"] == "NOTHING DONE"
    assert "Another run of this trial is in progress" in text
    assert "as it was before this night" in text


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_night_that_is_ended_by_somebody(trial: Trial, how: signal.Signals) -> None:
    """The page is of this night, whatever ended it; the next one goes on."""
    before = trial.contents()
    readings = sorted(trial.results.rglob("*.parquet"))
    for path in readings:
        path.unlink()  # work enough: the night is stopped long before its end
    begun = subprocess.Popen(
        trial.command("nightly", str(trial.plan)),
        cwd=trial.folder, env=trial.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert begun.stdout is not None
    next(line for line in begun.stdout if line.startswith("["))
    begun.send_signal(how)
    begun.communicate(timeout=ENDLESS)
    page = trial.folder / "records" / "three" / "nightly" / "latest.txt"
    if how is signal.SIGTERM:
        assert begun.returncode == 130
        assert "STOPPED (exit code 130)" in page.read_text()
        assert "unfinished and not sealed" in page.read_text()
    else:
        assert "IN PROGRESS" in page.read_text()
    night(trial, 0)  # the same results as those of the last sealed run
    assert trial.contents() == before


def test_a_plan_that_can_not_be_read(trial: Trial) -> None:
    """The page is of this night where the plan still says which trial it is of."""
    sheet = trial.plan.with_name("three_sites.csv")
    text = sheet.read_text()
    sheet.unlink()
    data, page = night(trial, 13)
    assert data["why"] == ["FAILED: the plan can't be read; see below"]
    assert "three_sites.csv" in page
    assert "the last sealed run before: run" in page
    assert "as it was before this night" in page
    sheet.write_text(text)
    trial.plan.write_text("trial: three\ntitle: [\n")
    _, page = night(trial, 13)
    assert "not valid YAML" in page
    other = trial.plan.rename(trial.plan.with_name("other.yaml"))
    other.write_text("trial: [\n")
    done = trial.sitewise("nightly", str(other))
    assert done.returncode == 13
    assert "not valid YAML" in done.stderr
    assert "No page" in done.stderr


def test_a_lock_is_on_the_files_that_are_analysed(trial: Trial) -> None:
    """A bad file in whose place nights analyse an earlier one is not locked."""
    change_plan(trial, nightly={"bad_delivery": "keep last good"})
    path = hospital_file(trial)
    good = path.read_bytes()
    spoil(trial)
    lock = ("lock", str(trial.plan), "--reason", "data base lock")
    refused = trial.sitewise(*lock)
    assert refused.returncode == 5
    assert "nothing was locked" in refused.stderr
    assert str(path) in refused.stderr
    copies = trial.folder / "records" / "three" / "objects"
    offered = Path(refused.stderr.partition(f": {copies}")[2].split()[0].lstrip("/"))
    assert (copies / offered).read_bytes() == good
    path.unlink()
    assert trial.sitewise(*lock).returncode == 5, "nor is its absence"
    shutil.copyfile(copies / offered, path)
    locked = trial.sitewise(*lock)
    assert locked.returncode == 0, locked.stderr
    change_plan(trial, nightly={"bad_delivery": "as the rules say"})
    spoil(trial)
    locked = trial.sitewise(*lock)
    assert locked.returncode == 0, "the rules say what becomes of it"
