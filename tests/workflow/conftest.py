"""Real runs of the small generated trial, each test in a copy of one finished run."""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

COPIED = ("src", "config", "workflow", "profiles", "reports")
FILES = ("Snakefile", "requirements.lock", "pyproject.toml", "environment.yml")
# Seconds after which a run hangs, however busy the machine is.
ENDLESS = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here is a whole run."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class Trial:
    """A copy of the project and a folder with data and results of the trial `three`."""

    project: Path
    folder: Path

    @property
    def plan(self) -> Path:
        return self.project / "config" / "three.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results" / "three"

    @property
    def logs(self) -> Path:
        return self.folder / "logs" / "three"

    @property
    def environment(self) -> dict[str, str]:
        """The package of the copy comes before the installed one."""
        paths = [str(self.project / "src"), os.environ.get("PYTHONPATH", "")]
        path = os.pathsep.join(each for each in paths if each)
        return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sitewise.cli.main", *arguments]

    def run(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """`sitewise run` of the trial."""
        return self.sitewise("run", str(self.plan), *options)

    def sitewise(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=ENDLESS,
            check=False,
        )

    def contents(self) -> dict[str, bytes]:
        """Every file of results/three by its path."""
        files = (path for path in self.results.rglob("*") if path.is_file())
        return {path.relative_to(self.results).as_posix(): path.read_bytes() for path in files}

    def copy(self, target: Path) -> "Trial":
        """The same with the same time stamps elsewhere."""
        shutil.copytree(self.project, target / "project")
        shutil.copytree(self.folder, target / "work")
        return Trial(target / "project", target / "work")


def jobs(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """Messages of the jobs that ran, from lines like `[ 3/28] Fitting nested to SYSBP`."""
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    return sorted(line.partition("] ")[2] for line in lines)


def make_small(plan: Path) -> None:
    """Leave one endpoint and two models: what is tested here is who runs when, not what."""
    data = yaml.safe_load(plan.read_text(encoding="utf-8"))
    del data["endpoints"]["DIABP"]
    data["pairs"] = []
    data["models"] = {name: data["models"][name] for name in ("patient", "nested")}
    data["comparisons"] = [c for c in data["comparisons"] if c["larger"] == "nested"]
    plan.write_text(yaml.safe_dump(data, sort_keys=False, width=1000), encoding="utf-8")


@pytest.fixture(scope="session")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """One finished run; tests work on copies of it.

    Parts of the tests that run side by side share it, in the folder $SITEWISE_FINISHED.
    """
    shared = os.environ.get("SITEWISE_FINISHED")
    target = Path(shared) if shared else tmp_path_factory.mktemp("finished")
    trial = Trial(target / "project", target / "work")
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "done").exists():
            shutil.rmtree(trial.project, ignore_errors=True)
            shutil.rmtree(trial.folder, ignore_errors=True)
            _finish(root, trial)
            (target / "done").touch()
    return trial


def _finish(root: Path, trial: Trial) -> None:
    from sitewise.simulate.three import write_trial

    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(root / name, trial.project / name, ignore=ignored)
    for name in FILES:
        shutil.copy2(root / name, trial.project / name)
    make_small(trial.plan)
    trial.folder.mkdir()
    write_trial(trial.folder / "data" / "three")
    done = trial.run()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def trial(finished: Trial, tmp_path: Path) -> Trial:
    """A finished run of one's own."""
    return finished.copy(tmp_path)
