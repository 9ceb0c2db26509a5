"""The context of the small generated trial, without a run."""

from pathlib import Path

import pytest

from sitewise.plan.load import load_plan
from sitewise.plan.sheet import load_sheet
from sitewise.run.context import Context, load_context


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two of the three hospital files."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "hospital_1.csv").write_text("one")
    (folder / "hospital_2.csv").write_text("two")
    return folder


@pytest.fixture
def context(root: Path, data: Path) -> Context:
    plan = load_plan(root / "config" / "three.yaml")
    return load_context(plan, load_sheet(root / "config" / plan.sites.sheet), data, root)


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of scripts that import something."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "one.py").write_text("import wave\n")
    return folder
