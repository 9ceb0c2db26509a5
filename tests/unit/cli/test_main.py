"""The command line."""

import csv
import io
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from sitewise.cli.findings import show_findings
from sitewise.cli.main import app
from sitewise.trial.findings import COLUMNS

runner = CliRunner()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hospital files of the small generated trial."""
    from sitewise.simulate.three import write_trial

    folder = tmp_path_factory.mktemp("three")
    write_trial(folder)
    return folder


@pytest.mark.parametrize("command", ["run", "check", "verify", "init", "simulate"])
def test_every_command_explains_itself(command: str) -> None:
    assert command in runner.invoke(app, ["--help"]).output
    shown = runner.invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_the_version_is_that_of_the_package(root: Path) -> None:
    shown = runner.invoke(app, ["--version"])
    assert shown.exit_code == 0
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert shown.output == f"sitewise {declared}\n"


def test_the_help_says_what_it_is_for() -> None:
    said = runner.invoke(app, ["--help"]).output
    assert "multi-site clinical trials" in said
    assert "--version" in said
    assert "Exit codes:" in said
    assert runner.invoke(app, []).output == said


def test_check_shows_findings_and_account(root: Path, three: Path, tmp_path: Path) -> None:
    listing = tmp_path / "findings.csv"
    plan = str(root / "config" / "three.yaml")
    arguments = ["check", plan, "--data", str(three), "--csv", str(listing)]
    found = runner.invoke(app, arguments, env={"COLUMNS": "200"})
    assert found.exit_code == 0, found.output
    assert "hospital_2.csv:11" in found.output
    assert "1500" in found.output
    assert "462 readings" in found.output
    assert "set aside" in found.output
    assert listing.read_text().startswith("RULE,SEVERITY,SITEID")


def spoiled(three: Path, folder: Path, **cells: str) -> Path:
    """The small trial with these cells in every row."""
    for source in three.glob("*.csv"):
        with source.open(newline="", encoding="utf-8") as handle:
            mark = ";" if ";" in handle.readline() else ","
            handle.seek(0)
            rows = list(csv.DictReader(handle, delimiter=mark))
        with (folder / source.name).open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), delimiter=mark, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row | cells for row in rows)
    return folder


def test_a_finding_says_what_is_allowed_and_what_to_do(root: Path, three: Path) -> None:
    plan = str(root / "config" / "three.yaml")
    found = runner.invoke(app, ["check", plan, "--data", str(three)], env={"COLUMNS": "80"})
    assert found.exit_code == 0, found.output
    text = " ".join(found.output.replace("\u2502", " ").split())
    assert "SYSBP of 1500 mmHg is not possible" in text
    assert "allowed: 50 to 300 mmHg" in text
    assert "to do: compare the cell with the source document" in text
    assert "done: reading set aside" in text
    assert max(map(len, found.output.splitlines()[1:40])) <= 80


def test_check_tells_that_the_words_name_another_visit(
    root: Path, three: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "three.yaml"
    text = (root / "config" / "three.yaml").read_text()
    plan.write_text(text.replace("  visit: Week 12", "  visit: Week 8"))
    (tmp_path / "three_sites.csv").write_bytes((root / "config" / "three_sites.csv").read_bytes())
    found = runner.invoke(app, ["check", str(plan), "--data", str(three)])
    assert found.exit_code == 0, found.output
    said = " ".join(found.output.split())
    assert "Note on the plan: primary.visit: " in said
    assert "estimand.variable name Week 12, and the primary contrast is at Week 8" in said
    assert "to do: mend the visit or the words, whichever is wrong" in said


def test_check_names_the_stratification_factor_of_a_model(
    root: Path, three: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "three.yaml"
    text = (root / "config" / "three.yaml").read_text()
    plan.write_text(text.replace("stratification: []", "stratification: [SITEID]"))
    (tmp_path / "three_sites.csv").write_bytes((root / "config" / "three_sites.csv").read_bytes())
    arguments = ["check", str(plan), "--data", str(three)]
    found = runner.invoke(app, arguments, env={"COLUMNS": "120"})
    assert found.exit_code == 0, found.output
    text = " ".join(found.output.replace("\u2502", " ").split())
    assert "the model patient does not contain SITEID" in text
    assert "to do: add + (1 | SITEID) to the formula" in text
    assert text.count("randomisation was stratified by SITEID") == 1, "nested has it"
    assert "Note on the plan" not in text


def test_check_shows_the_findings_that_stop_it(root: Path, three: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = spoiled(three, tmp_path / "data", sbp="3")
    listing = tmp_path / "findings.csv"
    arguments = ["check", str(root / "config" / "three.yaml"), "--data", str(data)]
    found = runner.invoke(app, [*arguments, "--csv", str(listing)], env={"COLUMNS": "120"})
    assert found.exit_code == 3, found.output
    assert "SYSBP of 3 mmHg is not possible" in found.output
    assert "no reading of SYSBP is left to analyse" in found.output
    assert found.output.index("not possible") < found.output.index("is left to analyse")
    assert "SYSBP of 3 mmHg is not possible" in listing.read_text()


def test_a_listing_without_a_folder_is_refused(root: Path, three: Path, tmp_path: Path) -> None:
    arguments = ["check", str(root / "config" / "three.yaml"), "--data", str(three), "--csv"]
    found = runner.invoke(app, [*arguments, str(tmp_path / "no" / "x.csv")])
    assert found.exit_code == 5
    assert "there is no folder" in found.output
    assert "name another file with --csv" in found.output
    assert "is a folder, not a file" in runner.invoke(app, [*arguments, str(tmp_path)]).output


@pytest.mark.parametrize(("number", "said"), [(4, "1 more finding of"), (5, "2 more findings of")])
def test_hidden_findings_are_counted(number: int, said: str) -> None:
    line = dict.fromkeys(COLUMNS, "x") | {"SRCROW": 2}
    frame = pd.DataFrame([line] * number)
    console = Console(record=True, width=120, file=io.StringIO())
    show_findings(frame, console, show_all=False, csv=None)
    assert said in console.export_text()


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    found = runner.invoke(app, ["check", str(tmp_path)])
    assert found.exit_code == 2
    assert "it is a folder, not a file" in found.output
    assert "Errno" not in found.output


def test_check_refuses_an_unknown_key_by_its_path(root: Path, tmp_path: Path) -> None:
    plan = tmp_path / "three.yaml"
    text = (root / "config" / "three.yaml").read_text()
    plan.write_text(text.replace("alpha: 0.05", "alfa: 0.05"))
    found = runner.invoke(app, ["check", str(plan)])
    assert found.exit_code == 2
    assert "alfa" in found.output
    assert "alpha" in found.output


def test_run_says_what_is_missing(root: Path, tmp_path: Path) -> None:
    plan = str(root / "config" / "three.yaml")
    found = runner.invoke(app, ["run", plan, "--data", str(tmp_path / "nowhere")])
    assert found.exit_code == 5
    assert "no such folder" in found.output
    found = runner.invoke(app, ["run", str(tmp_path / "no.yaml")])
    assert found.exit_code == 2
    assert "no such file" in found.output


def test_verify_of_what_was_never_sealed(tmp_path: Path) -> None:
    found = runner.invoke(app, ["verify", str(tmp_path)])
    assert found.exit_code == 6
    assert "not sealed" in found.output


def test_a_file_where_a_folder_belongs_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("trial: a\n")
    for command in (["verify"], ["init", "--trial", "x"], ["simulate"]):
        found = runner.invoke(app, [*command, str(tmp_path / "plan.yaml")])
        assert isinstance(found.exception, SystemExit), command
        assert found.exit_code in {3, 5, 6}, command
        assert "file" in found.stderr.lower(), command


def test_simulate_then_init_then_check(tmp_path: Path) -> None:
    """The first minutes of somebody new: files, a first plan of them, what is in them."""
    data, config = tmp_path / "mine", tmp_path / "config"
    made = runner.invoke(app, ["simulate", str(data), "--seed", "3"])
    assert made.exit_code == 0, made.output
    assert "20 hospital files" in made.output
    assert "sitewise run config/demo.yaml --data" in made.output
    again = runner.invoke(app, ["simulate", str(tmp_path)])
    assert again.exit_code == 5
    assert "never mix" in again.output
    drafted = runner.invoke(app, ["init", str(data), "--config", str(config)])
    assert drafted.exit_code == 0, drafted.output
    assert "looks like kPa" in drafted.output
    assert "marked lines of the plan" in drafted.output
    plan = config / "mine.yaml"
    checked = runner.invoke(app, ["check", str(plan), "--data", str(data)])
    assert checked.exit_code == 0, checked.output
    assert "lines are still marked GUESS or WRITE (mine.yaml, lines " in checked.output
    refused = runner.invoke(app, ["init", str(data), "--config", str(config)])
    assert refused.exit_code == 5
    assert "is there already" in refused.output
