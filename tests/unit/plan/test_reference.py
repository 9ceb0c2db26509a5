"""config/README.md explains every key."""

from pathlib import Path

from sitewise.plan.reference import key_rows, markdown


def test_readme_has_the_reference(root: Path) -> None:
    text = (root / "config" / "README.md").read_text(encoding="utf-8")
    assert markdown() in text, (
        "renew the table at the end of config/README.md: python -m sitewise.plan.reference"
    )


def test_every_key_is_explained() -> None:
    bare = [path for path, _, _, meaning in key_rows() if not meaning]
    assert bare == []
