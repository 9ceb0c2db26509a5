"""The command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sitewise.cli.main import app

runner = CliRunner()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hospital files of the small generated trial."""
    from sitewise.simulate.three import write_trial

    folder = tmp_path_factory.mktemp("three")
    write_trial(folder)
    return folder


@pytest.mark.parametrize("command", ["run", "check", "verify"])
def test_every_command_explains_itself(command: str) -> None:
    assert command in runner.invoke(app, ["--help"]).output
    shown = runner.invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


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
