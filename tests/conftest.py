"""Fixtures that every kind of test shares."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real trials and reference values beside the project; a user's clone has none of them."""
    folder = ROOT.parent / "shared"
    if not (folder / "references").is_dir():
        pytest.skip("the folder ../shared with reference values is not beside the project")
    return folder
