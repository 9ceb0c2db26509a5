"""Digests of files and of plain values: sha256, written in hexadecimal."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHORT = 12
_CHUNK = 1 << 20
_READABLE = 64  # a whole sha256 stands for itself


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def text_sha256(text: str) -> str:
    """Return the sha256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """One text for one value: keys sorted, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def ordered_json(value: Any) -> str:
    """As `canonical_json`, keys as they stand: the order of endpoints or codes has a meaning."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def value_digest(value: Any) -> str:
    """Return the short digest of a plain value (dicts, lists, text, numbers, None).

    The order of a dict's keys counts: the first code of a covariate is its reference level.
    """
    return text_sha256(ordered_json(value))[:SHORT]


def params_digests(params: Mapping[str, Any]) -> dict[str, str]:
    """Digests of a job's params by name in words, so that a change of one can be named.

    A mapping gives one digest a key (`plan.visits`); a list of `name:digest` texts gives one an
    entry (`code.lmm`); short text stands for itself; anything else has one digest.
    """
    found: dict[str, str] = {}
    for name in sorted(params):
        value = params[name]
        if isinstance(value, Mapping):
            found.update({f"{name}.{key}": _shown(value[key]) for key in sorted(value)})
        elif _is_named_digests(value):
            pairs = [entry.rpartition(":") for entry in value]
            found.update({f"{name}.{key}": digest for key, _, digest in sorted(pairs)})
        else:
            found[name] = _shown(value)
    return found


def _is_named_digests(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(entry, str) and ":" in entry for entry in value)
    )


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) <= _READABLE:
        return value
    return value_digest(value)
