"""Units by hash instead of by name: what leaves a hospital says nothing of who its patients are."""

from collections.abc import Mapping, Sequence

import numpy as np

from sitewise.lmm.digest import text_hashes

MARK = "#"  # before the 16 hexadecimal digits that stand for a label


def marked(hashes: np.ndarray) -> tuple[str, ...]:
    """Hashes that stand for labels."""
    return tuple(f"{MARK}{int(value):016x}" for value in hashes)


def label_hashes(labels: Sequence[str]) -> np.ndarray:
    """Hash of each label, uint64; of one that stands as its hash, that."""
    found = text_hashes(labels)
    for i, label in enumerate(labels):
        if label.startswith(MARK):
            found[i] = int(label[len(MARK) :], 16)
    return found


def hidden(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels as hashes."""
    return marked(label_hashes(labels))


def is_hidden(labels: Sequence[str]) -> bool:
    """Whether any of them stands as a hash."""
    return any(label.startswith(MARK) for label in labels)


def names_of(lists: Sequence[Sequence[str]]) -> dict[str, str]:
    """Labels that stand in clear in any list, by what they are as hashes."""
    shown = [label for labels in lists for label in labels if not label.startswith(MARK)]
    return dict(zip(hidden(shown), shown, strict=True))


def clear(labels: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    """Labels with those that stand as hashes replaced where `known` has them."""
    return tuple(known.get(label, label) for label in labels)
