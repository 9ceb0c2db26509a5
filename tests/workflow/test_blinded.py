"""A blinded trial: no arm in anything that a run leaves, and after the unlock the same results."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from sitewise.audit.objects import object_path
from tests.workflow.conftest import Trial, jobs

ARMS = (b"Active", b"Placebo", b"active treatment against", b"ACTIVE")
REASON = "data base lock of 2026-06-02, minutes 14"
# What says who lifted the blind, when and why; what binds it; what prints the digest of the plan.
DIFFERENT = {"findings/deviations.json", "manifest.json", "report.html", "report.pdf"}


def set_blinded(trial: Trial, value: str) -> None:
    text = trial.plan.read_text(encoding="utf-8")
    for line in ("blinded: true\n", "blinded: false\n"):
        text = text.replace(line, "")
    trial.plan.write_text(f"{text}blinded: {value}\n", encoding="utf-8")


@pytest.fixture(scope="module")
def blinded(finished: Trial, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A finished run of the same trial, blinded from the start."""
    trial = finished.copy(tmp_path_factory.mktemp("blinded"))
    for name in ("results", "records", "logs", ".snakemake"):
        shutil.rmtree(trial.folder / name)
    set_blinded(trial, "true")
    text = trial.plan.read_text(encoding="utf-8")
    # Sentences of people may name arms; here they don't, so that a search is a search.
    trial.plan.write_text(text.replace("active treatment against placebo", "two treatments"))
    done = trial.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "three is blinded: nothing is computed by arm." in done.stdout
    return trial


def files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def true_arms(trial: Trial) -> "pd.Series[str]":
    """The arm of every patient, from the hospital files."""
    paths = sorted((trial.folder / "data" / "three").glob("*.csv"))
    frames = [pd.read_csv(path, dtype="str", sep=None, engine="python") for path in paths]
    rows = pd.concat(frames)
    return rows.drop_duplicates("subject").set_index("subject")["treatment"]


def test_no_file_names_an_arm(blinded: Trial) -> None:
    found = files(blinded.results, blinded.logs)
    assert len(found) > 100
    for path in found:
        content = path.read_bytes()
        if path.suffix == ".parquet":  # its pages are compressed
            content = pd.read_parquet(path).to_csv().encode()
        assert not [arm for arm in ARMS if arm in content], path
    objects = files(blinded.folder / "records" / "three")
    told = [p for p in objects if any(arm in p.read_bytes() for arm in ARMS)]
    plan = json.loads((blinded.results / "manifest.json").read_text())["digests"]["plan"]
    assert told == [object_path(blinded.folder / "records" / "three", plan)], "the plan alone"


def test_no_column_and_no_order_separates_the_arms(blinded: Trial) -> None:
    arms = true_arms(blinded)
    held = 0
    for path in files(blinded.results):
        if path.suffix != ".parquet":
            continue
        rows = pd.read_parquet(path)
        if "USUBJID" not in rows:
            continue
        own = rows["USUBJID"].map(arms)
        first = own[~rows["USUBJID"].duplicated()].dropna()
        changes = int((first != first.shift()).sum())
        assert changes > len(first) / 6, f"{path}: its order is by arm"
        for name in rows.columns.drop("USUBJID"):
            groups = rows.groupby(name, dropna=False)["USUBJID"].nunique()
            if not 1 < len(groups) <= len(first) / 3:
                continue  # a constant, or a value of a patient's own
            held += 1
            arms_a_group = own.groupby(rows[name], dropna=False).nunique()
            large = groups[groups >= 6].index
            assert (arms_a_group[large] > 1).all(), f"{path}: {name}"
    assert held > 20


def test_outcomes_by_hospital_and_predictions_are_withheld(blinded: Trial) -> None:
    sites = json.loads((blinded.results / "models/SYSBP/sites.json").read_text())
    assert (sites["predictions"], sites["effects"]) == ([], [])
    assert "Withheld" in sites["note"]
    for path in blinded.results.glob("models/SYSBP/*/use.parquet"):
        assert pd.read_parquet(path)[["FITTED", "RESIDUAL"]].isna().all(axis=None)
    for path in blinded.results.glob("models/SYSBP/*/ranef.parquet"):
        assert len(pd.read_parquet(path)) == 0
    for path in blinded.results.glob("models/SYSBP/*/fit.json"):
        fit = json.loads(path.read_text())
        assert (fit["contrasts"], fit["primary"]) == ([], None)
        assert "TRT01P" not in fit["fit"]["formula"]
        assert {mean["arm"] for mean in fit["means"]} == {"All arms"}
    crosscheck = json.loads((blinded.results / "models/SYSBP/crosscheck.json").read_text())
    assert "blinded" in crosscheck["refused"]
    assert crosscheck["anova"] == []
    drawn = sorted(path.name for path in (blinded.results / "figures").iterdir())
    assert drawn == ["SYSBP-profiles.svg", "trial-enrolment.svg", "trial-flow.svg"]


def test_the_report_says_that_it_is_blinded(blinded: Trial) -> None:
    page = (blinded.results / "report.html").read_text(encoding="utf-8")
    front = page.partition('class="contents"')[0]
    assert "This report is blinded: it holds no answer." in front
    assert "What is withheld" in front
    assert "intraclass correlation of sites" in front
    for shown in ("Account of readings", "Patients by site", "Patterns of observed visits"):
        assert shown in page
    for withheld in ("Primary contrast", "Design effect", "fig-forest", "fig-caterpillar"):
        assert withheld not in page


def test_the_arms_lie_apart_for_their_owner_alone(blinded: Trial) -> None:
    apart = blinded.folder / "blind" / "three"
    assert apart.stat().st_mode & 0o077 == 0
    split = pd.concat([pd.read_parquet(p) for p in sorted(apart.glob("*.arms.parquet"))])
    arms = split.drop_duplicates("USUBJID").set_index("USUBJID")["TRT01P"]
    pd.testing.assert_series_equal(
        arms.sort_index(), true_arms(blinded).sort_index(), check_names=False
    )
    raw = json.loads((blinded.results / "data/batches/02.files.json").read_text())
    for file in raw:
        assert not object_path(blinded.folder / "records" / "three", file["sha256"]).exists()
        assert object_path(apart, file["sha256"]).exists()
    assert blinded.sitewise("verify", "results/three").returncode == 0
    crate = blinded.folder / "crate"
    assert blinded.sitewise("export", "results/three", str(crate)).returncode == 0
    assert not (crate / "data").exists()


def test_a_plan_that_forgets_the_blind_is_refused(blinded: Trial, tmp_path: Path) -> None:
    trial = blinded.copy(tmp_path)
    set_blinded(trial, "false")
    done = trial.run()
    assert done.returncode == 5
    assert "The trial is blinded; nothing was computed." in done.stderr
    assert "sitewise unlock" in done.stderr


def test_arms_that_were_deleted_are_split_off_again(blinded: Trial, tmp_path: Path) -> None:
    trial = blinded.copy(tmp_path)
    gone = next((trial.folder / "blind" / "three").glob("*.arms.parquet"))
    gone.unlink()
    ran = jobs(trial.run())
    assert len([job for job in ran if job.startswith("Reading the hospital files")]) == 1
    assert gone.is_file()


def test_after_the_unlock_all_is_as_if_it_had_never_been_blinded(
    blinded: Trial, finished: Trial, tmp_path: Path
) -> None:
    trial = blinded.copy(tmp_path)
    text = trial.plan.read_text().replace("two treatments", "active treatment against placebo")
    trial.plan.write_text(text)
    done = trial.sitewise("unlock", str(trial.plan), "--reason", REASON)
    assert done.returncode == 0, done.stderr
    assert "the next run is by arm" in done.stdout
    assert "plan and data were not locked" in done.stdout
    assert not (trial.folder / "blind" / "three").exists()
    again = trial.sitewise("unlock", str(trial.plan), "--reason", REASON)
    assert again.returncode == 5
    assert "There is no blind to lift." in again.stderr
    assert jobs(trial.run())
    before, after = finished.contents(), trial.contents()
    assert before.keys() == after.keys()
    odd_files = {name for name in before if before[name] != after[name]}
    assert {name for name in odd_files if not name.startswith("receipts/")} == DIFFERENT
    rules = {json.loads(after[n])["rule"] for n in odd_files if n.startswith("receipts/")}
    assert rules == {"deviations", "page", "report"}, "the receipts of what reads them"
    old, new = (set(c["report.html"].decode().splitlines()) for c in (before, after))
    odd = sorted(new - old)
    assert len(odd) == 2, odd
    assert any(REASON in line and "The trial was blinded until" in line for line in odd)
    assert trial.sitewise("verify", "results/three").returncode == 0
    told = trial.sitewise("diff", "results/three").stdout
    assert "the blind was lifted" in told
    assert "Readings: none differ" in told, told
    assert "blind lifted by" in trial.sitewise("history", "results/three").stdout


@pytest.mark.long
def test_a_night_keeps_the_last_good_file_and_no_arm_leaves_its_place(
    blinded: Trial, tmp_path: Path
) -> None:
    """The earlier file is taken from where the arms lie, also for one that can't be fetched."""
    trial = blinded.copy(tmp_path)
    text = trial.plan.read_text(encoding="utf-8")
    trial.plan.write_text(f"{text}nightly: {{bad_delivery: keep last good}}\n", encoding="utf-8")
    readings = (trial.results / "data" / "readings.parquet").read_bytes()
    path = sorted((trial.folder / "data" / "three").rglob("*.csv"))[0]
    path.write_text("nothing,of,use\n1,2,3\n")
    done = trial.sitewise("nightly", str(trial.plan))
    assert done.returncode == 11, done.stdout + done.stderr
    assert "LAST GOOD FILE KEPT" in done.stdout
    assert "HOSPITALS SET ASIDE" not in done.stdout
    assert (trial.results / "data" / "readings.parquet").read_bytes() == readings
    assert not (trial.folder / "blind" / "three" / "delivery").exists()
    plans = 0
    for found in files(trial.folder / "records", trial.results, trial.logs):
        if any(arm in found.read_bytes() for arm in ARMS):
            plans += 1
            assert found.parent.parent.name == "objects", found
            assert "title" in json.loads(found.read_text())["plan"], "the plan alone"
    assert plans == 2, "of the run and of the night"
