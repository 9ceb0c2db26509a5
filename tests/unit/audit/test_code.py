"""The digest of code: what counts as a change, and what is reached."""

import sys
from pathlib import Path

import pytest

from sitewise.audit import code
from sitewise.audit.code import CodeBase

MODULES = {
    "__init__.py": '"""The package."""\n',
    "errors.py": "CODE = 1\n",
    "lmm/__init__.py": "",
    "lmm/fit.py": '"""Fit."""\nfrom sitewise import errors\n\n\ndef fit(x):\n    return x + 1\n',
    "lmm/lazy.py": "def later():\n    from sitewise.store.frames import read\n\n    return read\n",
    "lmm/types.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n"
    "    import sitewise.plan.model\n\nX = 1\n",
    "store/__init__.py": "",
    "store/frames.py": "def read():\n    return 1\n",
    "plan/__init__.py": "",
    "plan/model.py": "P = 1\n",
    "report/__init__.py": "",
    "report/page.py": "from . import words\n",
    "report/words.py": "W = 'a'\n",
    "report/font.css": "a {}\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / "sitewise" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "scripts").mkdir()
    return tmp_path


def digests(tree: Path, script: str) -> dict[str, str]:
    (tree / "scripts" / "job.py").write_text(script)
    named = CodeBase(tree / "sitewise", tree / "scripts").named("job")
    return dict(entry.split(":") for entry in named)


def edit(tree: Path, name: str, old: str, new: str) -> None:
    path = tree / "sitewise" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


FIT = "from sitewise.lmm.fit import fit\n"


def test_rooms_reached_through_imports(tree: Path) -> None:
    # `from sitewise import errors` means the module errors; lmm's own __init__ is run too.
    assert set(digests(tree, FIT)) == {"script", "sitewise", "lmm", "errors"}


def test_an_import_inside_a_function_counts(tree: Path) -> None:
    assert "store" in digests(tree, "from sitewise.lmm.lazy import later\n")


def test_an_import_for_type_checking_does_not(tree: Path) -> None:
    assert "plan" not in digests(tree, "from sitewise.lmm.types import X\n")


def test_a_relative_import_counts(tree: Path) -> None:
    before = digests(tree, "import sitewise.report.page\n")
    edit(tree, "report/words.py", "'a'", "'b'")
    assert digests(tree, "import sitewise.report.page\n")["report"] != before["report"]


def test_data_files_of_a_room_count(tree: Path) -> None:
    before = digests(tree, "import sitewise.report.page\n")
    edit(tree, "report/font.css", "a {}", "b {}")
    assert digests(tree, "import sitewise.report.page\n")["report"] != before["report"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Fit."""', '"""Fit, said otherwise."""'),
        ("return x + 1", "return x + 1  # one more"),
        ("return x + 1", "\n    return (x + 1)"),
        ("def fit(x):", 'def fit(x):\n    """Add one."""'),
    ],
)
def test_what_changes_nothing(tree: Path, old: str, new: str) -> None:
    before = digests(tree, FIT)
    edit(tree, "lmm/fit.py", old, new)
    assert digests(tree, FIT) == before


@pytest.mark.parametrize("new", ["x + 2", "x - 1", "1 + x"])
def test_what_changes_the_room_and_no_other(tree: Path, new: str) -> None:
    before = digests(tree, FIT)
    edit(tree, "lmm/fit.py", "x + 1", new)
    after = digests(tree, FIT)
    assert {room for room in after if after[room] != before[room]} == {"lmm"}


def test_a_change_of_a_module_that_is_not_reached(tree: Path) -> None:
    before = digests(tree, FIT)
    edit(tree, "store/frames.py", "return 1", "return 2")
    assert digests(tree, FIT) == before


def test_comment_in_the_script_and_number_in_the_script(tree: Path) -> None:
    before = digests(tree, FIT)
    assert digests(tree, f'"""Job."""\n{FIT}# a comment\n') == before
    assert digests(tree, f"{FIT}N = 1\n")["script"] != before["script"]


def test_the_digest_of_everything_covers_every_script(tree: Path) -> None:
    digests(tree, FIT)
    (tree / "scripts" / "other.py").write_text("from sitewise.store.frames import read\n")
    before = CodeBase(tree / "sitewise", tree / "scripts").digest()
    edit(tree, "store/frames.py", "return 1", "return 2")
    assert CodeBase(tree / "sitewise", tree / "scripts").digest() != before


def test_what_is_kept_of_an_earlier_reading_is_no_data_of_its_room(tree: Path) -> None:
    before = digests(tree, FIT)
    kept = tree / "sitewise" / "lmm" / "__pycache__"
    kept.mkdir()
    (kept / "meanings.cpython-311.json").write_text("{}")
    assert digests(tree, FIT) == before


def test_what_was_read_before_is_taken_by_the_files_digest(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same digests from what is kept; an edit is seen; a broken file is no harm."""
    kept = tmp_path / "meanings.json"
    monkeypatch.setattr(code, "beside", lambda module: kept)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tree / "scripts" / "job.py").write_text(FIT)

    def digest() -> str:
        return CodeBase(tree / "sitewise", tree / "scripts").digest()

    first = digest()
    assert kept.exists()
    with monkeypatch.context() as patch:
        patch.setattr(code, "_Meaning", None)  # nothing is read again
        assert digest() == first
    edit(tree, "lmm/fit.py", "x + 1", "x + 2")
    assert digest() != first
    edit(tree, "lmm/fit.py", "x + 2", "x + 1")
    for broken in ("", "{", "[]", '{"a": 1}'):
        kept.write_text(broken)
        assert digest() == first
    kept.unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert digest() == first
    assert not kept.exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(code, "beside", lambda module: tmp_path / "absent" / "meanings.json")
    assert digest() == first
    assert list(tmp_path.glob("*.tmp")) == []
