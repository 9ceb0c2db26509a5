"""A digest of rows that does not depend on their order, and that adds up over batches."""

import hashlib
from collections.abc import Sequence

import numpy as np


def text_hashes(labels: Sequence[str]) -> np.ndarray:
    """A 64-bit hash of each text, uint64: the same on any machine and in any batch."""
    from pandas.util import hash_array

    return hash_array(np.array(labels, dtype=object), categorize=False)


def row_sums(keys: Sequence[np.ndarray], y: np.ndarray) -> tuple[int, int, int]:
    """(rows, sum, sum): sums modulo 2^64 of two hashes of each row's keys and outcome.

    keys: uint64 (n,), the columns that name a row. The sums of batches add up, modulo 2^64, to
    those of all rows.
    """
    first = np.zeros(len(y), dtype=np.uint64)
    for key in (*keys, (y + 0.0).view(np.uint64)):  # adding 0 makes -0.0 and 0.0 one
        first = _mixed(first ^ key)
    return len(y), int(first.sum(dtype=np.uint64)), int(_mixed(~first).sum(dtype=np.uint64))


def digest(sums: tuple[int, int, int]) -> str:
    """The sums as one sha256, in hexadecimal."""
    rows, a, b = sums
    return hashlib.sha256(f"{rows}:{a:016x}:{b:016x}".encode()).hexdigest()


def _mixed(values: np.ndarray) -> np.ndarray:
    """splitmix64 (Steele, Lea & Flood 2014), vectorised: each bit of the input moves each bit."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed
