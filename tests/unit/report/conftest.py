"""Synthetic results for the pages, built once."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The builder of results beside this file."""
    spec = importlib.util.spec_from_file_location("report_synthetic", HERE / "synthetic.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["report_synthetic"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def evidence_of(synthetic, root, tmp_path_factory) -> Callable[..., Any]:
    """Evidence of a synthetic trial by its options."""

    def make(**options: Any) -> Any:
        from sitewise.plan.parts import read_part
        from sitewise.report.evidence import read_evidence

        folder = tmp_path_factory.mktemp("evidence")
        inputs = synthetic.write_trial(
            synthetic.Trial(**options), folder, root / "reports" / "templates"
        )
        files = {k: v for k, v in inputs["results"].items() if k not in synthetic.DRAWN_ONLY}
        keys = ("sheet", "digests", "packages")
        return read_evidence(
            read_part(inputs["plan"]), **files, **{key: inputs[key] for key in keys}
        )

    return make


@pytest.fixture(scope="session")
def build_in_process(synthetic, root, tmp_path_factory) -> Callable[[Path, str], Path]:
    """Build the report of the default trial in a process of its own, below `folder`."""

    def build(folder: Path, seed: str) -> Path:
        inputs = synthetic.write_trial(
            synthetic.Trial(), folder / "inputs", root / "reports" / "templates"
        )
        (folder / "inputs.json").write_text(json.dumps(inputs))
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, "-W", "error::UserWarning", str(HERE / "synthetic.py"),
             str(folder / "inputs.json"), str(folder / "out")],
            check=True, env=environment, cwd=folder,
        )  # fmt: skip
        return folder / "out"

    return build


@pytest.fixture(scope="session")
def built(build_in_process, tmp_path_factory) -> Path:
    """The folder with report.html, report.pdf, tables and figures of the default trial."""
    return build_in_process(tmp_path_factory.mktemp("first"), "1")
