"""Columns of a model on the wide row: each is (a function of the slot) x (a feature).

Symbolic: it needs the levels of factors, the slots and the role of each variable, never the rows,
so that moments of batches with other levels get the same columns once these are known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sitewise.lmm.columns import Column
from sitewise.lmm.formula import RandomSpec
from sitewise.lmm.wide import Feature, PatientEffect, WideColumn, WideEffect


@dataclass(frozen=True)
class Term:
    """A random term before it meets the wide row; fields as in `WideEffect`."""

    spec: RandomSpec
    columns: tuple[Column, ...]
    across: tuple[str, ...] = ()
    across_levels: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Factored:
    """All columns of a model on the wide row; fields as in `Wide`."""

    basis: tuple[Feature, ...]
    fixed: tuple[WideColumn, ...]
    effects: tuple[tuple[WideEffect, ...], ...]
    patient_effects: tuple[PatientEffect, ...]


def factor(
    fixed: Sequence[Column],
    levels: Sequence[Sequence[Term]],
    patient: Sequence[Term],
    *,
    roles: Mapping[str, str],
    slots: Sequence[str],
    slot_values: Mapping[str, tuple[str | float, ...]],
) -> Factored:
    """Write X's columns and the random terms of each level above the patient on the wide row."""
    table = _Table(roles, slots, slot_values)
    parts = [(column.name, table.parts(column.atoms)) for column in fixed]
    terms = [[(term, [(c.name, table.parts(c.atoms)) for c in _crossed(term)]) for term in level]
             for level in levels]  # fmt: skip
    basis, index = table.basis()

    def wide(name: str, of: list[tuple[np.ndarray, Feature]]) -> WideColumn:
        return WideColumn(name, tuple((a, index[feature]) for a, feature in of))

    return Factored(
        basis=basis,
        fixed=tuple(wide(*one) for one in parts),
        effects=tuple(
            tuple(
                WideEffect(term.spec, tuple(c.name for c in term.columns), term.across,
                           term.across_levels, tuple(wide(*one) for one in columns))
                for term, columns in level
            )
            for level in terms
        ),
        patient_effects=tuple(
            PatientEffect(
                term.spec,
                tuple(c.name for c in term.columns),
                np.stack([table.slot_part(c.atoms) for c in term.columns], axis=1),
            )
            for term in patient
        ),
    )  # fmt: skip


def _crossed(term: Term) -> list[Column]:
    """Columns of S: (indicator of the across level) x (columns left of the bar), level by level."""
    if not term.across:
        return list(term.columns)
    return [
        Column(
            f"{':'.join(levels)}:{column.name}", (*_atoms_of(term.across, levels), *column.atoms)
        )
        for levels in term.across_levels
        for column in term.columns
    ]


def _atoms_of(variables: Sequence[str], levels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(variables, levels, strict=True))


class _Table:
    """Collects features while columns are taken apart."""

    def __init__(
        self,
        roles: Mapping[str, str],
        slots: Sequence[str],
        slot_values: Mapping[str, tuple[str | float, ...]],
    ) -> None:
        self._roles, self._slots, self._values = roles, tuple(slots), slot_values
        self._order = {variable: i for i, variable in enumerate(roles)}
        self._found: dict[Feature, None] = {Feature(): None}

    def parts(self, atoms: tuple[tuple[str, str | None], ...]) -> list[tuple[np.ndarray, Feature]]:
        """The product of `atoms` as multiples of features."""
        a = self.slot_part(atoms)
        atoms = tuple(dict.fromkeys(atoms))
        own = [atom for atom in atoms if self._roles[atom[0]] != "slot"]
        own.sort(key=lambda atom: self._order[atom[0]])
        if all(self._roles[variable] == "patient" for variable, _ in own):
            return [(a, self._feature(Feature(tuple(own))))]
        found = []
        for t in np.flatnonzero(a):
            alone = np.zeros(len(a))
            alone[t] = a[t]
            found.append((alone, self._feature(Feature(tuple(own), self._slots[t]))))
        return found

    def slot_part(self, atoms: tuple[tuple[str, str | None], ...]) -> np.ndarray:
        """The product of those of `atoms` that are functions of the slot, (T,)."""
        a = np.ones(len(self._slots))
        for variable, level in atoms:
            if self._roles[variable] != "slot":
                continue
            values = self._values[variable]
            if level is None:
                a *= np.array(values, dtype=np.float64)
            else:
                a *= np.array([value == level for value in values], dtype=np.float64)
        return a

    def basis(self) -> tuple[tuple[Feature, ...], dict[Feature, int]]:
        """Features in order: of the patient, by slot, the outcomes."""
        outcomes = [Feature((), slot, outcome=True) for slot in self._slots]
        found = sorted(self._found, key=lambda feature: feature.slot is not None)
        basis = (*found, *outcomes)
        return basis, {feature: i for i, feature in enumerate(basis)}

    def _feature(self, feature: Feature) -> Feature:
        self._found.setdefault(feature)
        return feature
