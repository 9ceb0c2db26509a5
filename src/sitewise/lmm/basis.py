"""What a fit rests on: formula, rows, levels, where each random term stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sitewise.lmm.formula import Formula


@dataclass(frozen=True)
class FittedTerm:
    """Where one random term stands: its level's labels, its own columns, its copies across.

    level: of the recursion, INSIDE for a patient's term within R. place: columns of its level.
    """

    label: str
    group: str
    columns: tuple[str, ...]
    across_labels: tuple[str, ...]
    level: int
    labels: tuple[str, ...] = field(repr=False)
    place: tuple[str, ...] = ()

    @property
    def across(self) -> tuple[str, ...]:
        """Columns of its grouping that go across the units below."""
        if not self.across_labels:
            return ()
        return tuple(name for name in self.group.split(":") if name not in self.place)


@dataclass(frozen=True)
class Basis:
    """What was fitted: n_frame rows seen, those dropped by column, levels of the factors.

    subjects: units of the innermost grouping with data. digest: of the rows used. patient: columns
    that name the patient of a scheduled trial, () without a schedule. slot_variables: whose joint
    values are its slots.
    """

    formula: Formula
    levels: Mapping[str, tuple[str, ...]]
    declared: Mapping[str, tuple[str, ...]]
    n_frame: int
    dropped: Mapping[str, int]
    subjects: int
    digest: str
    notes: tuple[str, ...]
    terms: tuple[FittedTerm, ...]
    patient: tuple[str, ...] = ()
    slot_variables: tuple[str, ...] = ()
