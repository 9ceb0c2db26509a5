"""Runs through a real Slurm of one node, which is started for them; skipped where it can't be.

`make test-cluster` runs all of them, `make test-cluster-short` the one marked `cluster_short`.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.one_node import CanNotStartError, OneNode
from tests.workflow.conftest import Trial, finished, trial

__all__ = ["finished", "trial"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Not part of `make test`: minutes each, and a machine to oneself."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNode]:
    running = OneNode(tmp_path_factory.mktemp("slurm"))
    try:
        running.start()
    except CanNotStartError as error:
        running.stop()
        pytest.skip(f"no Slurm here: {error}")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def changed_profile(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A copy of profiles/slurm that looks more often, with time for a busy machine, and other
    resources by rule.
    """

    def make(resources: dict[str, Any] | None = None, **settings: Any) -> Path:
        text = (root / "profiles" / "slurm" / "config.yaml").read_text()
        profile = yaml.safe_load(text)
        profile |= {"slurm-init-seconds-before-status-checks": 4, "latency-wait": 10, **settings}
        profile["default-resources"] |= {"mem_mb": "1000 * attempt", "runtime": "60 * attempt"}
        profile["set-resources"] = {**profile["set-resources"], **(resources or {})}
        folder = tmp_path_factory.mktemp("profile")
        (folder / "config.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
        return folder

    return make


Start = Callable[[Trial, Path, Path], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(node: OneNode) -> Iterator[Start]:
    """Begins runs that go on beside the test; none outlives it."""
    begun = []

    def begin(of: Trial, profile: Path, log: Path) -> "subprocess.Popen[bytes]":
        with log.open("wb") as out:
            run = subprocess.Popen(
                of.command("run", str(of.plan), "--profile", str(profile)),
                cwd=of.folder,
                env={**of.environment, "SLURM_CONF": str(node.conf)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        begun.append(run)
        return run

    yield begin
    for run in begun:
        if run.poll() is None:
            run.terminate()
            run.wait()
