"""What runs again after which change, and what doesn't; why is said in plain words."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.workflow.conftest import Trial, jobs

LAST = [
    "Sealing the results",
    "Writing the page for the screen, and the tables",
    "Writing the report",
]


def edit(path: Path, old: str, new: str) -> None:
    """Edit a file and give it a new time stamp, as an editor does."""
    text = path.read_text(encoding="utf-8")
    assert old in text, path
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_nothing_changed(trial: Trial) -> None:
    start = time.monotonic()
    done = trial.run()
    took = time.monotonic() - start
    assert jobs(done) == []
    assert "Nothing to do" in done.stdout
    assert str(trial.results / "report.pdf") in done.stdout
    headline = (trial.results / "tables" / "headline.txt").read_text()
    assert len(headline.splitlines()) == 2
    assert headline in done.stdout
    assert took < 10, "generous for a busy machine; 1 s on a quiet one"


def test_one_file_changed_under_its_old_time_stamp(trial: Trial) -> None:
    file = trial.folder / "data" / "three" / "hospital_1.csv"
    before = file.stat()
    text = file.read_text()
    row = text.splitlines()[1]
    cells = row.split(",")
    cells[4] = str(float(cells[4]) + 1)
    file.write_text(text.replace(row, ",".join(cells), 1))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = trial.run()
    ran = jobs(done)
    reading = [job for job in ran if job.startswith(("Reading", "Checking batch"))]
    assert len(reading) == 2, "one batch is read and checked, no other"
    assert "Fitting the models to SYSBP" in ran
    assert "hospital_1.csv changed" in done.stdout
    assert "hospital_1.csv changed" in (trial.logs / "run.log").read_text()
    assert trial.sitewise("verify", "results/three").returncode == 0


def test_new_time_stamps_and_another_place_change_nothing(trial: Trial) -> None:
    moved = trial.folder / "elsewhere"
    shutil.move(trial.folder / "data" / "three", moved)
    for file in moved.iterdir():
        file.touch()
    assert jobs(trial.run("--data", str(moved))) == []


def test_arithmetic_changed_and_the_engine_has_forgotten(trial: Trial) -> None:
    shutil.rmtree(trial.folder / ".snakemake")
    edit(trial.project / "workflow" / "scripts" / "fit.py", "def main", "ROUNDS = 3\n\n\ndef main")
    done = trial.run()
    ran = jobs(done)
    assert sum(job.startswith("Fitting") and "again" not in job for job in ran) == 1, "one endpoint"
    assert not [job for job in ran if job.startswith(("Reading", "Checking"))]
    assert "its script changed" in done.stdout


@pytest.mark.parametrize("place", ["title", "template"])
def test_title_or_template_changed(trial: Trial, place: str) -> None:
    if place == "title":
        edit(trial.plan, "title: A small generated trial", "title: A tiny generated trial")
    else:
        edit(trial.project / "reports" / "templates" / "report.css", "", "/* looks */\n")
    done = trial.run()
    assert jobs(done) == LAST
    assert ("plan key `title` changed" if place == "title" else "report.css") in done.stdout


def test_a_key_that_is_only_worded_and_drawn(trial: Trial) -> None:
    edit(trial.plan, "favours: lower", "favours: higher")
    done = trial.run()
    assert sorted(jobs(done)) == sorted([*LAST, "Drawing the figures of SYSBP"])
    assert "plan key `arms` changed" in done.stdout


def test_comments_change_nothing(trial: Trial) -> None:
    for path in (
        trial.project / "workflow" / "scripts" / "fit.py",
        trial.project / "src" / "sitewise" / "inference" / "fitting.py",
        trial.project / "src" / "sitewise" / "lmm" / "__init__.py",
    ):
        path.write_text(path.read_text() + "\n# a comment\n")
    edit(trial.project / "config" / "three.yaml", "trial: three", "# a comment\ntrial: three")
    assert jobs(trial.run()) == []


def test_a_deleted_result_is_made_again(trial: Trial) -> None:
    before = trial.contents()
    (trial.results / "models" / "SYSBP" / "icc.json").unlink()
    done = trial.run()
    assert "Intraclass correlations of SYSBP" in jobs(done)
    assert not [job for job in jobs(done) if job.startswith("Fitting")]
    assert "models/SYSBP/icc.json was deleted" in done.stdout
    assert trial.contents() == before


def test_dry_run_says_what_would_run_and_changes_nothing(trial: Trial) -> None:
    edit(trial.plan, "title: A small generated trial", "title: A tiny generated trial")
    before = trial.contents()
    done = trial.run("--dry-run")
    assert jobs(done) == []
    assert "report: plan key `title` changed" in done.stdout
    assert trial.contents() == before


def test_a_model_that_the_plan_no_longer_has(trial: Trial) -> None:
    nested = Path("models", "SYSBP", "nested", "fit.json")
    before = (trial.results / nested).read_bytes()
    text = trial.plan.read_text()
    text = text.replace("  patient:\n    label", "  simple:\n    label")
    trial.plan.write_text(text.replace("smaller: patient", "smaller: simple"))
    shutil.rmtree(trial.folder / ".snakemake")
    done = trial.run()
    assert "models/SYSBP/patient/fit.json is no longer part of the run" in done.stdout
    assert not (trial.results / "models" / "SYSBP" / "patient").exists()
    assert (trial.results / "models" / "SYSBP" / "simple" / "fit.json").exists()
    assert [job for job in jobs(done) if job.startswith("Moments")]
    # One job makes the moments of all models, so the others are fitted again, to the same bytes.
    assert (trial.results / nested).read_bytes() == before
    assert trial.sitewise("verify", "results/three").returncode == 0
