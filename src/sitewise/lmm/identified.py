"""What a design can't tell apart: refused where no estimate exists, said where it is arbitrary."""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.formula import RandomSpec


class _Block(Protocol):
    """What is needed of `sitewise.lmm.design.Block`."""

    @property
    def spec(self) -> RandomSpec: ...
    @property
    def values(self) -> np.ndarray: ...
    @property
    def codes(self) -> np.ndarray: ...
    @property
    def levels(self) -> tuple[str, ...]: ...


def check_outcome(name: str, y: np.ndarray) -> None:
    """Raise ModelError where every outcome is the same: no variance to model."""
    if np.all(y == y[0]):
        raise ModelError(
            "The outcome does not vary.",
            [Problem(f"all {len(y)} values of {name} are {float(y[0])!r}", where=name,
                     allowed="an outcome with some variance",
                     fix="see whether the right column was read")],
        )  # fmt: skip


def check_blocks(blocks: Sequence[_Block], n: int, p: int) -> None:
    """Raise ModelError, naming each term, where a variance can't be estimated at all."""
    problems = []
    if n <= p:
        problems.append(
            Problem(f"{n} rows for {p} fixed effects", allowed="more rows than fixed effects",
                    fix="use fewer terms")
        )  # fmt: skip
    for block in blocks:
        where, levels, q = f"({block.spec})", len(block.levels), block.values.shape[1]
        if levels < 2:
            problems.append(
                Problem(f"{block.spec.group_name} has one level: {', '.join(block.levels)}",
                        where=where, allowed="two levels or more of a grouping",
                        fix="take the term out, or see why the data hold one level only")
            )  # fmt: skip
        elif levels * q >= n:
            problems.append(
                Problem(
                    f"{levels} levels x {q} effect(s) = {levels * q} random effects for {n} rows:"
                    " they can't be told from the residual",
                    where=where, allowed="fewer random effects than rows",
                    fix="use fewer terms left of the bar, or drop this term",
                )
            )  # fmt: skip
    if problems:
        raise ModelError("A variance of the model is not identified.", problems)


def confounded(blocks: Sequence[_Block]) -> list[str]:
    """Sentences on random terms whose split is arbitrary."""
    notes = []
    for a, b in combinations(blocks, 2):
        if len(a.levels) != len(b.levels) or _pairs(a.codes, b.codes) != len(a.levels):
            continue
        if a.values.shape == b.values.shape and np.array_equal(a.values, b.values):
            notes.append(
                f"({a.spec}) and ({b.spec}) group the rows alike: only the sum of their variances"
                " is identified, how it is split between them is arbitrary."
            )
    for block in blocks:
        if block.values.shape[1] > 1 and _constant_within(block):
            notes.append(
                f"({block.spec}): the terms do not vary within any level of"
                f" {block.spec.group_name}, so their correlation is not identified."
            )
    return notes


def _pairs(a: np.ndarray, b: np.ndarray) -> int:
    return len(np.unique(a * (int(b.max()) + 1) + b))


def _constant_within(block: _Block) -> bool:
    """Whether each level has one and the same row of values throughout."""
    first = np.zeros((len(block.levels), block.values.shape[1]))
    first[block.codes] = block.values
    return bool(np.array_equal(first[block.codes], block.values))
