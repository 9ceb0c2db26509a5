"""pyproject.toml, environment.yml and requirements.lock agree."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(.*)$")
# numpy and scipy have two versions in the lock; conda's Python takes the first.
CONDA_PYTHON = "3.11"


def project(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return found


def ranges(entries: list[str]) -> dict[str, str]:
    """Version ranges by package name."""
    pairs = [REQUIREMENT.match(entry.split("#")[0].strip()) for entry in entries]
    return {match.group(1).lower(): match.group(2) for match in pairs if match}


@pytest.fixture
def locked(root: Path) -> dict[str, list[str]]:
    """Versions by package name, in the order of the lock."""
    found: dict[str, list[str]] = {}
    pattern = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
    for name, version in pattern.findall((root / "requirements.lock").read_text()):
        found.setdefault(name.lower(), []).append(version)
    return found


@pytest.fixture
def conda(root: Path) -> list[Any]:
    found: list[Any] = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    return found


def test_every_dependency_is_locked_within_its_range(
    root: Path, locked: dict[str, list[str]]
) -> None:
    wanted = project(root)
    entries = [*wanted["dependencies"], *wanted["optional-dependencies"]["dev"]]
    for name, allowed in ranges(entries).items():
        assert name in locked, f"{name} is not in the lock: make lock"
        for version in locked[name]:
            assert within(version, allowed), f"{name} {version} is not {allowed}"


def test_conda_has_every_dependency_as_locked(
    root: Path, locked: dict[str, list[str]], conda: list[Any]
) -> None:
    pip = next(entry["pip"] for entry in conda if isinstance(entry, dict))
    pinned = {name: text.removeprefix("==") for name, text in ranges(pip).items()}
    assert set(pinned) == set(ranges(project(root)["dependencies"]))
    for name, version in pinned.items():
        assert version == locked[name][0], f"{name} is {version} here, {locked[name][0]} locked"


def test_conda_has_a_python_in_range_and_pango(root: Path, conda: list[Any]) -> None:
    names = [entry for entry in conda if isinstance(entry, str)]
    assert f"python={CONDA_PYTHON}" in names
    assert within(CONDA_PYTHON, project(root)["requires-python"])
    assert "pango" in names


def test_the_lock_has_a_hash_for_everything_and_no_address(root: Path) -> None:
    text = (root / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    packages = [entry for entry in entries if "==" in entry.split("\n")[0]]
    assert len(packages) > 50
    for entry in packages:
        assert "--hash=sha256:" in entry, entry.split("\n")[0]


def test_the_readme_names_the_python_versions(root: Path) -> None:
    text = (root / "README.md").read_text()
    for version in ("3.11", "3.12", "3.13"):
        assert version in text
        assert within(version, project(root)["requires-python"])


def within(version: str, allowed: str) -> bool:
    """Whether a version is in a range like `>=3.0,<4`."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(allowed).contains(version)


def test_the_check_of_ranges_can_fail() -> None:
    assert within("3.1.0", ">=3.0,<4")
    assert not within("4.0", ">=3.0,<4")
