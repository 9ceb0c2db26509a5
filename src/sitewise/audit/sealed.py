"""JSON records that carry their own digest, so that a changed digit in one shows.

This is no signature: it finds accidents and careless edits, not forgers.
"""

import json
from pathlib import Path
from typing import Any

from sitewise.audit.hashing import canonical_json, text_sha256

SEAL = "seal"


class BrokenSealError(ValueError):
    """The record is not JSON, or is not what was written."""


def write_sealed(path: Path, record: dict[str, Any]) -> None:
    """Write `record` with its digest under the key `seal`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sealed = {**record, SEAL: text_sha256(canonical_json(record))}
    text = json.dumps(sealed, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a record without its seal; BrokenSealError when they do not fit."""
    try:
        text = path.read_text(encoding="utf-8")
        record = json.loads(text)
    except ValueError as error:  # also an invalid UTF-8 byte
        raise BrokenSealError(f"not readable as JSON: {error}") from error
    if not isinstance(record, dict) or SEAL not in record:
        raise BrokenSealError("the record has no seal")
    seal = record.pop(SEAL)
    if seal != text_sha256(canonical_json(record)):
        raise BrokenSealError("its content does not fit its seal")
    return record
