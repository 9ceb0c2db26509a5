"""What modules were found to mean, kept beside Python's own compiled files.

Reading the syntax of the whole package takes a second or two, and each engine and each job of a
cluster does it. What was read is found again by the sha256 of the file that it was read from and of
the reader itself, so that no edit is missed; it lies in `__pycache__`, where whoever can write
could as well put other code. Without that folder, or with Python's own files switched off,
everything is read anew.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

Meaning = tuple[str, frozenset[str]]

MOST = 5000  # meanings that are kept


class ReadBefore:
    """Meanings by key; `keep` writes them down where new ones were added."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found = _read(path)
        self._new: dict[str, Meaning] = {}

    def get(self, key: str) -> Meaning | None:
        """The meaning kept under a key."""
        return self._found.get(key)

    def add(self, key: str, meaning: Meaning) -> None:
        """One more."""
        self._found[key] = self._new[key] = meaning

    def keep(self) -> None:
        """Write down what was added, beside what was there."""
        if self._path is None or not self._new or sys.dont_write_bytecode:
            return
        # After many edits what was read long ago goes.
        kept = self._found if len(self._found) <= MOST else self._new
        plain = {key: [digest, sorted(names)] for key, (digest, names) in kept.items()}
        with contextlib.suppress(OSError):  # a place where nothing can be kept
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, suffix=".tmp", delete=False, encoding="utf-8"
            ) as out:
                json.dump(plain, out)
            Path(out.name).replace(self._path)
        self._new = {}


def beside(module: str) -> Path | None:
    """Where the meanings that a module reads are kept, None where Python keeps nothing there."""
    folder = Path(module).parent / "__pycache__"
    tag = sys.implementation.cache_tag
    if sys.pycache_prefix or not tag or not folder.is_dir():
        return None
    return folder / f"meanings.{tag}.json"


def _read(path: Path | None) -> dict[str, Meaning]:
    if path is None:
        return {}
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return {key: (str(digest), frozenset(names)) for key, (digest, names) in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # none yet, or not whole: read anew
