"""Moments of batches of whole patients add up: levels, slots, units and cells united."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sitewise.errors import ModelError, Problem, plural
from sitewise.lmm.factored import Factored, Term
from sitewise.lmm.nesting import is_alone, settled, written
from sitewise.lmm.recode import recoded, recoding
from sitewise.lmm.schedule import MOST_SLOTS, slot_labels
from sitewise.lmm.unite import UnitedLevel, agree, unite_levels, unite_units
from sitewise.lmm.wide import Patients, Wide, WideEffect, WideLevel, add_digests


def merge(*parts: Wide) -> Wide:
    """The moments of all patients of `parts` (batches of whole patients, the same formula).

    The result does not depend on how patients were batched, but for rounding (1e-13 of a column's
    size). Raises ModelError where batches can't be one data set: a patient in two of them, a site
    under two parents, levels declared otherwise, a variable that changes within patients in one
    and is constant in the other, more than 15 slots without a residual covariance.
    """
    if len(parts) == 1:
        return parts[0]
    parts = tuple(settled(parts))
    agree(parts)
    patients = _patients(parts)
    levels, numbers = unite_units(parts)
    whole, factored = _united(parts, levels)
    patterns, pattern_of = _patterns(parts, whole.slots)
    cells = [_moved(part, factored, numbers[i], pattern_of[i]) for i, part in enumerate(parts)]
    added = _added(cells, len(patterns))
    found = replace(
        whole,
        basis=factored.basis,
        patterns=patterns,
        fixed=factored.fixed,
        levels=tuple(
            WideLevel(level.group, level.labels, level.parent, effects, level.names)
            for level, effects in zip(levels, factored.effects, strict=True)
        ),
        patient_effects=factored.patient_effects,
        unit=added.unit, pattern=added.pattern,
        n=added.n, shift=added.shift, sums=added.sums, products=added.products,
        nobs=sum(part.nobs for part in parts),
        patients=patients,
        digest=add_digests([part.digest for part in parts]),
        nframe=sum(part.nframe for part in parts),
        dropped={
            name: sum(part.dropped.get(name, 0) for part in parts)
            for name in dict.fromkeys(name for part in parts for name in part.dropped)
        },
    )  # fmt: skip
    return replace(found, patients=_by_unit(patients, numbers)) if is_alone(found) else found


def _by_unit(patients: Patients, numbers: Sequence[np.ndarray]) -> Patients:
    """Patients in the order of the units above, each of which holds one."""
    order = np.argsort(np.concatenate(numbers), kind="stable")
    own = patients.labels
    labels = None if own is None else tuple(own[i] for i in order.tolist())
    return Patients(labels, patients.hashes[order])


def _patients(parts: Sequence[Wide]) -> Patients:
    hashes = np.concatenate([part.patients.hashes for part in parts])
    own = [part.patients.labels for part in parts]
    labels = None
    if all(one is not None for one in own):
        labels = tuple(label for one in own if one is not None for label in one)
    order = np.argsort(hashes, kind="stable")
    twice = order[1:][hashes[order[1:]] == hashes[order[:-1]]]
    if len(twice):
        known = {int(h): label for part in parts if part.patients.labels is not None
                 for h, label in zip(part.patients.hashes, part.patients.labels, strict=True)
                 if h in hashes[twice]}  # fmt: skip
        shown = [known.get(int(h), f"hash {int(h):016x}") for h in np.unique(hashes[twice])[:5]]
        raise ModelError(
            "Batches must hold whole patients.",
            [Problem(f"{plural(len(np.unique(hashes[twice])), 'patient')} in two batches:"
                     f" {', '.join(sorted(shown))}", where=parts[0].formula.text,
                     allowed="all rows of a patient in one batch",
                     fix="sort the file by patient, or make moments of these batches together;"
                     " where labels repeat between sites, write (1 | SITEID/USUBJID)")],
        )  # fmt: skip
    return Patients(labels, hashes)


def _united(parts: Sequence[Wide], united: Sequence[UnitedLevel]) -> tuple[Wide, Factored]:
    """Levels, slots and columns of all parts; cells and units are those of the first, still."""
    first = parts[0]
    declared = first.declared
    factors = {
        name: unite_levels(name, [part.factors[name] for part in parts], declared.get(name))
        for name in first.factors
    }
    slots, values = _slots(parts)
    if first.residual is None and len(slots) > MOST_SLOTS:
        raise ModelError(
            "The batches are no schedule together.",
            [Problem(f"{', '.join(first.slot_variables)} take {len(slots)} joint values",
                     where=first.formula.text, allowed=f"up to {MOST_SLOTS} slots in all batches",
                     fix="take the variable that changes from batch to batch out of the model,"
                     " or make moments of the rows together")],
        )  # fmt: skip
    specs = [effect.spec for level in first.levels for effect in level.effects]
    specs.sort(key=first.formula.random.index)
    effects = [
        [next(e for level in part.levels for e in level.effects if e.spec == spec)
         for part in parts]
        for spec in specs
    ]  # fmt: skip
    levels = [
        [_term(parts, own, factors) for own in effects if own[0].home in level.names]
        for level in united
    ]
    notes = tuple(
        f"{name}: no row used has {', '.join(absent)}; the reference is {factors[name][0]}."
        for name, order in declared.items()
        if name in factors and (absent := [v for v in order if v not in factors[name]])
    )
    whole = replace(first, slots=slots, slot_values=values, factors=factors, notes=notes)
    patient = [Term(effect.spec, ()) for effect in first.patient_effects]
    return whole, written(whole, levels, patient)


def _term(
    parts: Sequence[Wide], effects: Sequence[WideEffect], factors: dict[str, tuple[str, ...]]
) -> Term:
    spec, across = effects[0].spec, effects[0].across
    if not across:
        return Term(spec, ())
    orders = [
        unite_levels(
            v,
            [tuple(dict.fromkeys(levels[i] for levels in e.across_levels)) for e in effects]
            if v not in factors else [factors[v]],
            parts[0].declared.get(v),
            text=v not in factors,
        )
        for i, v in enumerate(across)
    ]  # fmt: skip
    found = {levels for effect in effects for levels in effect.across_levels}
    place = [{v: k for k, v in enumerate(order)} for order in orders]
    joint = sorted(found, key=lambda one: [place[i][v] for i, v in enumerate(one)])
    return Term(spec, (), across, tuple(joint))


def _slots(
    parts: Sequence[Wide],
) -> tuple[tuple[str, ...], dict[str, tuple[str | float, ...]]]:
    """Slots of all parts in order, and what each variable of the slot is there."""
    first = parts[0]
    rank: dict[str, dict[str | float, int]] = {}
    for v in first.slot_variables:
        if v in first.numbers:
            seen: list[str | float] = sorted({x for part in parts for x in part.slot_values[v]})
        else:
            own = [tuple(dict.fromkeys(map(str, part.slot_values[v]))) for part in parts]
            known = [part.factors[v] for part in parts] if v in first.factors else own
            seen = list(unite_levels(v, known, first.declared.get(v)))
        rank[v] = {x: k for k, x in enumerate(seen)}
    found: dict[tuple[int, ...], dict[str, str | float]] = {}
    for part in parts:
        for t in range(len(part.slots)):
            values = {v: own[t] for v, own in part.slot_values.items()}
            key = tuple(rank[v][values[v]] for v in first.slot_variables)
            for v, value in values.items():
                before = found.setdefault(key, values)[v]
                if before != value:
                    raise ModelError(
                        "A variable is a function of the visit in each batch, but not in all.",
                        [Problem(f"{v} is {before} at {part.slots[t]} in one batch and {value} in"
                                 " another", where=first.formula.text,
                                 fix=f'make moments with roles={{"{v}": "varying"}} in every batch,'
                                 " so that it may change from patient to patient")],
                    )  # fmt: skip
    united = {v: tuple(found[key][v] for key in sorted(found)) for v in first.slot_values}
    return slot_labels(first.slot_variables, united), united


def _patterns(parts: Sequence[Wide], slots: tuple[str, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """All patterns, complete ones first, and the number of each part's patterns there."""
    place = {slot: t for t, slot in enumerate(slots)}
    spread = []
    for part in parts:
        wide = np.zeros((len(part.patterns), len(slots)), dtype=bool)
        wide[:, [place[slot] for slot in part.slots]] = part.patterns
        spread.append(wide)
    packed, number = np.unique(
        np.packbits(~np.concatenate(spread), axis=1), axis=0, return_inverse=True
    )
    patterns = np.unpackbits(packed, axis=1, count=len(slots)) == 0
    cuts = np.cumsum([len(wide) for wide in spread])[:-1]
    return patterns, np.split(number.reshape(-1).astype(np.int64), cuts)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Fields as in `Wide`; still: features whose shift is 0."""

    unit: np.ndarray
    pattern: np.ndarray
    n: np.ndarray
    shift: np.ndarray = field(repr=False)
    sums: np.ndarray = field(repr=False)
    products: np.ndarray = field(repr=False)


def _moved(part: Wide, whole: Factored, unit: np.ndarray, pattern: np.ndarray) -> _Cells:
    """The cells of a part, in the features, units and patterns of the whole."""
    M = recoding(part, whole.basis)
    shift, sums, products = recoded(part, M)
    return _Cells(
        unit[part.unit], pattern[part.pattern],
        part.n, shift, sums, products,
    )  # fmt: skip


def _added(cells: Sequence[_Cells], patterns: int) -> _Cells:
    """Cells of the same unit and pattern added about a common shift.

    Chan, Golub & LeVeque (1983, The American Statistician 37, 242-247): products about a new shift
    gain delta sums' + sums delta' + n delta delta' with delta = old shift - new shift.
    """
    key = np.concatenate([one.unit * patterns + one.pattern for one in cells])
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    n = np.concatenate([one.n for one in cells])[order]
    shift = np.concatenate([one.shift for one in cells])[order]
    sums = np.concatenate([one.sums for one in cells])[order]
    products = np.concatenate([one.products for one in cells])[order]
    if len(starts) < len(key):
        of = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(key))))
        base, total = shift[starts], np.add.reduceat(n, starts)
        gain = sums + n[:, None] * (shift - base[of])
        common = base + np.add.reduceat(gain, starts, axis=0) / total[:, None]
        alone = np.bincount(of) == 1
        common[alone] = base[alone]
        # What never had a shift (indicators, slots outside the pattern) keeps none.
        common[np.add.reduceat(np.abs(shift), starts, axis=0) == 0] = 0.0
        delta = shift - common[of]
        cross = delta[:, :, None] * (sums + n[:, None] * delta / 2)[:, None, :]
        products += cross
        products += np.swapaxes(cross, 1, 2)
        sums = sums + n[:, None] * delta
        n, shift = total, common
        sums = np.add.reduceat(sums, starts, axis=0)
        products = np.add.reduceat(products, starts, axis=0)
        key = key[starts]
    return _Cells(key // patterns, key % patterns, n, shift, sums, products)
