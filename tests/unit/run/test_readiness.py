"""What is said before a run starts."""

import os
from pathlib import Path

import pytest
import yaml

from sitewise.audit.ledger import OPENED, append
from sitewise.errors import DataError, PlanError, RunError
from sitewise.run.context import Context
from sitewise.run.readiness import data_folder, make_folders, read_plan, trial_of


def plan_with(root: Path, tmp_path: Path, old: str, new: str) -> Path:
    text = (root / "config" / "three.yaml").read_text()
    assert old in text
    path = tmp_path / "three.yaml"
    path.write_text(text.replace(old, new))
    return path


def test_problems_of_sheet_and_formulas_come_together(root: Path, tmp_path: Path) -> None:
    plan = plan_with(root, tmp_path, "AVAL ~ BASE", "AVAL ~ WEIGHT + BASE")
    (tmp_path / "three_sites.csv").write_text("SITEID,file\nH1,a.txt\n")
    with pytest.raises(PlanError) as stopped:
        read_plan(plan)
    text = str(stopped.value)
    assert "WEIGHT" in text
    assert "a.txt" in text


def test_everything_wrong_is_said_at_once(root: Path, tmp_path: Path) -> None:
    plan = plan_with(root, tmp_path, "AVAL ~ BASE", "AVAL ~ WEIGHT + BASE")
    data = yaml.safe_load(plan.read_text())
    data["titel"] = "x"
    data["alpha"] = "0.05"
    del data["icc"]
    data["rules"]["bad_site"] = "ignore"
    data["seeds"]["figures"] = -1
    data["stratification"] = ["REGION"]
    plan.write_text(yaml.safe_dump(data, sort_keys=False))
    (tmp_path / "three_sites.csv").write_text("SITEID,file\nH1,a.txt\n")
    with pytest.raises(PlanError) as stopped:
        read_plan(plan)
    problems = stopped.value.problems
    fields = {"titel", "alpha", "icc", "rules.bad_site", "seeds.figures"}
    places = {problem.where for problem in problems}
    assert places >= fields | {"stratification.0", "three_sites.csv, line 2"}
    formulas = [p.where for p in problems if "unknown column 'WEIGHT'" in p.what]
    assert formulas
    assert len(set(problems)) == len(problems) == len(fields) + 2 + len(formulas)
    title = f"The plan three.yaml has {len(problems) - 1} problems. The site sheet three_sites.csv"
    assert stopped.value.title == f"{title} has 1 problem."
    assert problems[-1].where == "three_sites.csv, line 2"


def test_a_problem_of_the_sheet_alone_is_not_called_one_of_the_plan(
    root: Path, tmp_path: Path
) -> None:
    plan = plan_with(root, tmp_path, "AVAL ~ BASE", "AVAL ~ BASE")
    (tmp_path / "three_sites.csv").write_text("SITEID,file\nH1,a.txt\n")
    with pytest.raises(PlanError) as stopped:
        read_plan(plan)
    assert stopped.value.title == "The site sheet three_sites.csv has 1 problem."
    (tmp_path / "three_sites.csv").unlink()
    with pytest.raises(PlanError) as stopped:
        read_plan(plan)
    assert stopped.value.title == "The site sheet can't be read."
    with pytest.raises(PlanError) as stopped:
        read_plan(plan_with(root, tmp_path, "alpha: 0.05", "alpha: 5"))
    assert stopped.value.title == "The plan three.yaml has 1 problem. The site sheet can't be read."


def test_what_needs_a_wrong_section_is_not_guessed(root: Path, tmp_path: Path) -> None:
    plan = plan_with(root, tmp_path, "covariates:", "covariates: 3\nx_covariates:")
    (tmp_path / "three_sites.csv").write_text("SITEID,file\nH1,a.csv\n")
    with pytest.raises(PlanError) as stopped:
        read_plan(plan)
    assert {p.where for p in stopped.value.problems} == {"covariates", "x_covariates"}


def test_the_plan_of_the_project_is_ready(root: Path) -> None:
    plan, sheet = read_plan(root / "config" / "three.yaml")
    assert plan.trial == "three"
    assert len(sheet.sites) == 3


def test_no_data_folder(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"data/three: no such folder") as stopped:
        data_folder(context.plan, context.sheet, None)
    assert "--data FOLDER" in str(stopped.value)


def test_a_folder_without_any_hospital_file(context: Context, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "notes.txt").write_text("")
    with pytest.raises(DataError, match=r"hospital_1\.csv") as stopped:
        data_folder(context.plan, context.sheet, folder)
    assert "notes.txt" in str(stopped.value)


def test_one_hospital_file_is_enough_to_start(context: Context) -> None:
    assert data_folder(context.plan, context.sheet, context.data) == context.data.resolve()


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(RunError, match="can't be written") as stopped:
        make_folders(tmp_path, "three")
    assert str(tmp_path / "results") in str(stopped.value)
    assert "--directory" in str(stopped.value)


def test_a_place_that_is_read_only_is_named_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the file that was tried: nobody would find it."""

    def refuse(**where: Path) -> None:
        raise OSError(30, "Read-only file system", f"{where['dir']}/tmpx")

    monkeypatch.setattr("sitewise.run.readiness.tempfile.TemporaryFile", refuse)
    with pytest.raises(RunError) as stopped:
        make_folders(tmp_path, "three")
    wheres = [problem.where for problem in stopped.value.problems]
    assert wheres == [str(tmp_path / name / "three") for name in ("results", "records", "logs")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    make_folders(tmp_path, "three")
    results = tmp_path / "results" / "three"
    results.chmod(0o555)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            make_folders(tmp_path, "three")
    finally:
        results.chmod(0o755)


def test_a_folder_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("sitewise.run.readiness._try_to_write", refuse)
    with pytest.raises(RunError) as stopped:
        make_folders(tmp_path, "three")
    assert len(stopped.value.problems) == 3
    assert "Permission denied" in str(stopped.value)


@pytest.mark.parametrize(
    ("file", "text", "trial"),
    [
        ("any.yaml", "trial: known\ntitle: [\n", "known"),
        ("any.yaml", 'trial: "known"\n', "known"),
        ("known.yaml", "trial: [\n", "known"),
        ("known.yaml", None, "known"),
        ("known.yaml", "trial: ../known\n", "known"),
        ("any.yaml", "trial: unknown\n", None),
        ("any.yaml", None, None),
    ],
)
def test_the_trial_of_a_plan_that_can_not_be_read(
    tmp_path: Path, file: str, text: str | None, trial: str | None
) -> None:
    """It is a trial that has a ledger, or the plan's problems are said."""
    (tmp_path / "records" / "known").mkdir(parents=True)
    (tmp_path / "records" / "unknown").mkdir()
    append(tmp_path / "records" / "known", OPENED, {"run": "r1"})
    plan = tmp_path / file
    if text is not None:
        plan.write_text(text)
    if trial is None:
        with pytest.raises(PlanError):
            trial_of(plan, tmp_path / "records")
    else:
        assert trial_of(plan, tmp_path / "records") == trial
