"""A small trial of four hospitals for each test."""

from pathlib import Path

import pytest

from tests.small_trial import Trial, small_trial


@pytest.fixture
def trial(root: Path, tmp_path: Path) -> Trial:
    return small_trial(root, tmp_path)
