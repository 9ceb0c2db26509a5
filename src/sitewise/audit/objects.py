"""Copies of what runs read and wrote, by sha256, each once: `records/<trial>/objects/ab/cd...`.

Without them the ledger could say that a value was another one before, but not which.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import file_sha256, text_sha256
from sitewise.audit.manifest import CHANGED, EXTRA, MISSING, Difference
from sitewise.errors import IntegrityError, Problem

OBJECTS = "objects"
_CHUNK = 1 << 20


def object_path(records: Path, sha256: str) -> Path:
    """Where the copy with this digest stands, or would."""
    return records / OBJECTS / sha256[:2] / sha256[2:]


def keep_file(records: Path, source: Path, sha256: str) -> bool:
    """Keep a copy of `source`; False where there is one already.

    Raises IntegrityError where the file does not have this digest (any more).
    """
    target = object_path(records, sha256)
    if target.is_file() and target.stat().st_size == source.stat().st_size:
        return False
    digest = hashlib.sha256()
    partial = _partial(target)
    try:
        with source.open("rb") as read, partial.open("xb") as write:
            while chunk := read.read(_CHUNK):
                digest.update(chunk)
                write.write(chunk)
            _settle(write.fileno())
        if digest.hexdigest() != sha256:
            raise IntegrityError(
                "A file changed while the run was going on.",
                [
                    Problem(
                        f"its sha256 was {sha256[:12]}... and is {digest.hexdigest()[:12]}...",
                        where=str(source),
                        fix="run again: what depends on it is made again",
                    )
                ],
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return True


def keep_text(records: Path, text: str) -> str:
    """Keep a text; gives its digest."""
    sha256, content = text_sha256(text), text.encode()
    target = object_path(records, sha256)
    if not target.is_file() or target.stat().st_size != len(content):
        partial = _partial(target)
        try:
            with partial.open("xb") as write:
                write.write(content)
                _settle(write.fileno())
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return sha256


def read_json(records: Path, sha256: str) -> Any:
    """Read a kept JSON text; raises OSError where it is not there, ValueError where damaged."""
    content = object_path(records, sha256).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"the copy {sha256[:12]} is damaged")
    return json.loads(content)


def object_flaws(records: Path, wanted: dict[str, str]) -> Iterator[Difference]:
    """Hold the copies against their names. wanted: what each digest is a copy of, in words."""
    folder = records / OBJECTS
    present = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        sha256 = name.replace("/", "")
        present[sha256] = path
        if path.name.startswith("."):
            yield Difference(f"{OBJECTS}/{name}", EXTRA, "left by a run that was killed")
        elif not path.is_file() or file_sha256(path) != sha256:
            of = wanted.get(sha256, "no record names it")
            yield Difference(f"{OBJECTS}/{name}", CHANGED, f"copy of {of}")
    for sha256, of in wanted.items():
        if sha256 not in present:
            yield Difference(f"{OBJECTS}/{sha256[:2]}/{sha256[2:]}", MISSING, f"copy of {of}")


def clear_partial(records: Path) -> None:
    """Remove what killed runs left half written."""
    for path in (records / OBJECTS).glob("*/.*.partial"):
        path.unlink()


def _partial(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{uuid.uuid4().hex}.partial")


def _settle(descriptor: int) -> None:
    """A copy is never written again: take away the right to."""
    os.fchmod(descriptor, 0o444)
