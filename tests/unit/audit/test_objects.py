"""Copies by digest."""

from pathlib import Path

import pytest

from sitewise.audit.hashing import file_sha256, text_sha256
from sitewise.audit.objects import (
    clear_partial,
    keep_file,
    keep_text,
    object_flaws,
    object_path,
    read_json,
)
from sitewise.errors import IntegrityError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "fit.json"
    path.write_text('{"a": 1}')
    return path


def test_kept_once_and_read_only(tmp_path: Path, source: Path) -> None:
    sha256 = file_sha256(source)
    assert keep_file(tmp_path, source, sha256)
    assert not keep_file(tmp_path, source, sha256)
    kept = object_path(tmp_path, sha256)
    assert kept.read_bytes() == source.read_bytes()
    assert kept.stat().st_mode & 0o222 == 0
    assert read_json(tmp_path, sha256) == {"a": 1}
    assert list(object_flaws(tmp_path, {sha256: "fit.json"})) == []


def test_a_file_that_is_another_one_by_now_is_not_kept(tmp_path: Path, source: Path) -> None:
    with pytest.raises(IntegrityError, match="changed while the run"):
        keep_file(tmp_path, source, text_sha256("what it was"))
    assert not list((tmp_path / "objects").rglob("*.partial"))


def test_flaws_are_named(tmp_path: Path, source: Path) -> None:
    sha256 = file_sha256(source)
    keep_file(tmp_path, source, sha256)
    text = keep_text(tmp_path, "plan")
    wanted = {sha256: "fit.json of record 2", text: "the plan", "f" * 64: "gone.json"}
    kept = object_path(tmp_path, sha256)
    kept.chmod(0o644)
    kept.write_text('{"a": 2}')
    object_path(tmp_path, "e" * 64).parent.mkdir()
    object_path(tmp_path, "e" * 64).write_text("stranger")
    told = [str(flaw) for flaw in object_flaws(tmp_path, wanted)]
    assert len(told) == 3
    assert any("changed" in line and "fit.json of record 2" in line for line in told)
    assert any("no record names it" in line for line in told)
    assert any(line.startswith("missing") and "gone.json" in line for line in told)
    with pytest.raises(ValueError, match="damaged"):
        read_json(tmp_path, sha256)


def test_a_torn_copy_is_made_again_and_what_kills_leave_goes(tmp_path: Path, source: Path) -> None:
    sha256 = file_sha256(source)
    kept = object_path(tmp_path, sha256)
    kept.parent.mkdir(parents=True)
    kept.write_text("{")
    (kept.parent / ".0123.partial").write_text("half")
    assert [flaw.what for flaw in object_flaws(tmp_path, {})] == ["extra", "changed"]
    clear_partial(tmp_path)
    keep_file(tmp_path, source, sha256)
    assert list(object_flaws(tmp_path, {sha256: "fit.json"})) == []
