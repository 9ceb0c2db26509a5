"""Sufficient statistics of a scheduled trial: cross-products of wide rows, summed by cell.

A patient is one wide row f = (1, patient-level features, outcomes by slot): F features. A row of
the model at slot t is linear in f: each column is (a function of the slot) x (a feature).
A cell is an innermost unit above the patient (a site) and a pattern of slots with an outcome.
Types only: `tally.build_wide` makes them, `merge.merge` adds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sitewise.lmm.digest import text_hashes

if TYPE_CHECKING:
    from sitewise.lmm.formula import Formula, RandomSpec, ResidualSpec


@dataclass(frozen=True)
class Feature:
    """An entry of the wide row: a product of atoms, at one slot or of the patient.

    atoms: (variable, None) the number itself, (variable, level) the indicator of a level; () is 1.
    slot: label of the slot for outcomes and for covariates that change within the patient.
    outcome: true for y@slot, whose atoms are ().
    """

    atoms: tuple[tuple[str, str | None], ...] = ()
    slot: str | None = None
    outcome: bool = False

    @property
    def name(self) -> str:
        """`1`, `ARM=High*BASE`, `ARM=High*z@Month 3`, `y@Month 3`."""
        if self.outcome:
            return f"y@{self.slot}"
        product = "*".join(v if level is None else f"{v}={level}" for v, level in self.atoms) or "1"
        return product if self.slot is None else f"{product}@{self.slot}"

    @property
    def indicator(self) -> bool:
        """True where its values are 0 and 1 only."""
        return not self.outcome and all(level is not None for _, level in self.atoms)


@dataclass(frozen=True, eq=False)
class WideColumn:
    """A column of the model on the wide row: at slot t it is sum over parts of a[t] * f[feature].

    name: as R writes it. parts: (a, feature) with a float64 (T,) in the units of the slot-level
    numbers and feature an index into `Wide.features`; a column that is a function of slot and
    patient has one part, a covariate that changes by slot has a part a slot, with a zero elsewhere.
    """

    name: str
    parts: tuple[tuple[np.ndarray, int], ...]


@dataclass(frozen=True, eq=False)
class WideEffect:
    """A random term of a level above the patient.

    spec: the term. names: of the q columns left of the bar, R style. across: columns of the
    grouping that are crossed with patients, () where none. across_levels: their joint levels, k of
    them; then D = I_k (x) D0 with D0 (q, q).
    parts: the columns of S, max(1, k) * q of them: across label by across label, and within one in
    the order of `names`.
    """

    spec: "RandomSpec"
    names: tuple[str, ...]
    across: tuple[str, ...]
    across_levels: tuple[tuple[str, ...], ...]
    parts: tuple[WideColumn, ...]

    @property
    def home(self) -> tuple[str, ...]:
        """Columns of the grouping whose units the term belongs to: without those across."""
        return tuple(name for name in self.spec.group if name not in self.across)

    @property
    def across_labels(self) -> tuple[str, ...]:
        """`a:b` of each joint across level."""
        return tuple(":".join(levels) for levels in self.across_levels)


@dataclass(frozen=True, eq=False)
class WideLevel:
    """A grouping above the patient, with its random terms.

    group: its columns. labels: of the units; a unit's parent never decreases. parent: unit of the
    next level up, int64 (units,), zeros at the outermost. names: the labels by each grouping whose
    units are these, `group` among them: in a batch of one hospital its site and its country are one
    level, which other batches may take apart.
    """

    group: tuple[str, ...]
    labels: tuple[str, ...] = field(repr=False)
    parent: np.ndarray = field(repr=False)
    effects: tuple[WideEffect, ...]
    names: Mapping[tuple[str, ...], tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, eq=False)
class PatientEffect:
    """A random term of the patient: columns that are functions of the slot only.

    values: float64 (T, q), rows of Z at each slot, so that R_P = (Z D Z' + residual) on a pattern.
    """

    spec: "RandomSpec"
    names: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Wide:
    """Moments of one formula over a scheduled trial: T slots, F features, P patterns, C cells.

    formula: parsed. patient: columns that name the patient. roles: of each variable among the
    terms, "slot" (a function of the slot), "patient" (constant within it) or "varying" (neither).
    slots: labels, in order (of the factor; numbers ascending). slot_variables: whose joint values
    tell the slots apart. slot_values: of each variable with role slot, its level or number at each
    slot.

    basis: the features; "1" first, then patient-level products such as `BASE` or `ARM=High*BASE`,
    then covariates by slot, then the T outcomes by slot, always the last T.
    patterns: bool (P, T), the slots with an outcome, no two rows alike. fixed: the columns of X
    before any is dropped as aliased. levels: above the patient, innermost first, may be empty.
    patient_effects: random terms of the patient. residual: covariance over slots; None: sigma^2.

    unit: innermost level's unit of each cell (0 where there is no level), int64 (C,). pattern: row
    of `patterns`, int64 (C,). Cells are sorted by unit, then pattern, each pair once.
    n: patients, float64 (C,). With d = f - shift of each patient of a cell: shift (C, F),
    sums (C, F) = sum d, products (C, F, F) = sum d d' (symmetric), in the units of the features.
    The shift is a double near the data, 0 for "1" (so sums[:, 0] = n), for indicators and for what
    belongs to a slot outside the pattern, which counts as 0.

    nobs, npatients: rows used, patients. patients: who they are (see `Patients`).
    digest: of the outcomes, whatever their order (`digest.row_sums` without keys). nframe: rows
    seen; dropped: of these, for each column, how many lack it. declared: levels given by the
    caller. factors: those that occur in the rows used, in order, the first the reference. numbers:
    the columns among the terms that are numbers. notes: sentences on the data.
    """

    formula: "Formula"
    patient: tuple[str, ...]
    roles: Mapping[str, str]
    slots: tuple[str, ...]
    slot_variables: tuple[str, ...]
    slot_values: Mapping[str, tuple[str | float, ...]]
    basis: tuple[Feature, ...]
    patterns: np.ndarray = field(repr=False)
    fixed: tuple[WideColumn, ...]
    levels: tuple[WideLevel, ...]
    patient_effects: tuple[PatientEffect, ...]
    unit: np.ndarray = field(repr=False)
    pattern: np.ndarray = field(repr=False)
    n: np.ndarray = field(repr=False)
    shift: np.ndarray = field(repr=False)
    sums: np.ndarray = field(repr=False)
    products: np.ndarray = field(repr=False)
    nobs: int
    patients: "Patients" = field(repr=False)
    digest: tuple[int, int, int]
    nframe: int
    dropped: Mapping[str, int]
    declared: Mapping[str, tuple[str, ...]]
    factors: Mapping[str, tuple[str, ...]]
    numbers: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, (F,)."""
        return tuple(feature.name for feature in self.basis)

    @property
    def residual(self) -> "ResidualSpec | None":
        """The residual covariance over slots; None: sigma^2 I."""
        return self.formula.residual

    @property
    def npatients(self) -> int:
        """Patients with a row used."""
        return len(self.patients)

    @property
    def outcome(self) -> np.ndarray:
        """Feature index of y at each slot, int64 (T,)."""
        return np.arange(len(self.basis) - len(self.slots), len(self.basis))


class Patients:
    """Who is in the moments: labels where the rows were at hand, else only their hashes.

    Moments travel without names: `hashes` are what is saved. Hashes are made when first needed.
    """

    def __init__(
        self, labels: tuple[str, ...] | None = None, hashes: np.ndarray | None = None
    ) -> None:
        """labels or hashes (uint64, of the labels); both where both are known, in one order."""
        if labels is None and hashes is None:
            raise ValueError("labels or hashes")
        self.labels = labels
        self._hashes = hashes

    def __len__(self) -> int:
        """Number of patients."""
        return len(self.labels if self.labels is not None else self.hashes)

    @property
    def hashes(self) -> np.ndarray:
        """64-bit hash of each label, uint64, in the order of `labels` where there are any."""
        if self._hashes is None:
            self._hashes = text_hashes(self.labels or ())
        return self._hashes


def add_digests(digests: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Digest of all rows from those of batches."""
    rows, first, second = zip(*digests, strict=True)
    return sum(rows), sum(first) % 2**64, sum(second) % 2**64
