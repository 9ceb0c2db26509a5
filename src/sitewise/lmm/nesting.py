"""Batches that can't tell patients from hospitals: one patient in each unit above.

There the patient and the grouping above have the same units. Which of the two is the patient is
taken from the formula where it says so, else guessed, and settled when moments are added to others
that know. Until then the moments keep both as levels: the guess can be turned round exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sitewise.lmm.columns import model_columns
from sitewise.lmm.factored import Factored, Term, factor
from sitewise.lmm.formula import Formula
from sitewise.lmm.hashed import clear, hidden, is_hidden, label_hashes, marked, names_of
from sitewise.lmm.hierarchy import Effect, Level
from sitewise.lmm.recode import recoded, recoding
from sitewise.lmm.rows import Rows
from sitewise.lmm.wide import Patients, Wide, WideLevel

Group = tuple[str, ...]


def home(effect: Effect) -> Group:
    """Columns of the grouping whose units the term belongs to: without those across."""
    return tuple(name for name in effect.spec.group if name not in effect.across)


def candidates(formula: Formula, groups: Sequence[Group]) -> list[Group]:
    """Groupings with the same units in some rows, the likeliest innermost first.

    The group of a residual covariance is innermost; a grouping with the columns of another and more
    lies within it; else the one that stands last in the formula is tried first.
    """
    sure = [group for group in groups if above_all(formula, group, groups)]
    order = {spec.group: i for i, spec in enumerate(formula.random)}
    inner = [g for g in groups if not any(set(g) < set(other) for other in groups)]
    return sure or sorted(inner, key=lambda group: -order.get(group, -1))


def inside_out(formula: Formula, groups: Sequence[Group]) -> list[Group]:
    """Groupings with the same units in some rows, in the likeliest order, innermost first."""
    found: list[Group] = []
    while rest := [group for group in groups if group not in found]:
        found.append(candidates(formula, rest)[0])
    return found


def above_all(formula: Formula, patient: Group, groups: Sequence[Group]) -> bool:
    """Whether the formula says that `patient` lies within each other of `groups`."""
    if formula.residual is not None:
        return patient == formula.residual.group
    return all(group == patient or set(group) < set(patient) for group in groups)


def unfolded(formula: Formula, rows: Rows, hierarchy: tuple[Level, ...]) -> list[tuple[Level, ...]]:
    """The hierarchies that the rows may have, the likeliest first.

    Of groupings that share the innermost units one is the patient, the others are the level above
    it, with a patient in each unit.
    """
    first = hierarchy[0]
    homes: dict[Group, list[Effect]] = {}
    if formula.residual is not None:
        homes[formula.residual.group] = []
    for effect in first.effects:
        homes.setdefault(home(effect), []).append(effect)
    if len(homes) < 2:
        return [hierarchy]
    at = np.empty(len(first.labels), dtype=np.int64)
    at[first.codes] = np.arange(len(first.codes))
    found = []
    for patient in candidates(formula, list(homes)):
        other = next(group for group in homes if group != patient)
        rest = tuple(effect for effect in first.effects if home(effect) != patient)
        inner, outer = (
            tuple(labels[k] for k in codes[at])
            for codes, labels in (rows.grouping(patient), rows.grouping(other))
        )
        units = np.arange(len(at), dtype=np.int64)
        found.append((
            Level(patient, first.codes, inner, units, tuple(homes[patient])),
            Level(other, first.codes, outer, first.parent, rest),
            *hierarchy[1:],
        ))  # fmt: skip
    return found


def is_alone(part: Wide) -> bool:
    """Whether each unit above the patient holds one; patients then stand in the units' order."""
    return bool(part.levels) and len(part.levels[0].labels) == part.npatients


def settled(parts: Sequence[Wide]) -> list[Wide]:
    """The parts with one grouping as the patient of all, where there is one."""
    parts = _recognised(parts)
    possible = [_possible(part) for part in parts]
    common = [group for group in possible[0] if all(group in own for own in possible)]
    if not common:
        return parts
    chosen = common[0]
    if len(common) > 1:
        total = sum(part.npatients for part in parts)
        whole = [group for group in common if _count(parts, group) == total]
        chosen = candidates(parts[0].formula, whole or common)[0]
    return [part if part.patient == chosen else turned(part, chosen) for part in parts]


def _possible(part: Wide) -> list[Group]:
    """Groupings that may be the patient in a part."""
    if not is_alone(part):
        return [part.patient]
    across = {effect.home for effect in part.levels[0].effects if effect.across}
    names = [group for group in part.levels[0].names if group not in across]
    return [part.patient, *names]


def _count(parts: Sequence[Wide], group: Group) -> int:
    """Units of a grouping in all parts."""
    own = [
        part.patients.hashes if part.patient == group else label_hashes(part.levels[0].names[group])
        for part in parts
    ]
    return len(np.unique(np.concatenate(own)))


def turned(part: Wide, patient: Group) -> Wide:
    """The same moments with another grouping as the patient; each unit above it holds one."""
    level = part.levels[0]
    names = dict(level.names)
    labels = names.pop(patient)
    names[part.patient] = part.patients.labels or marked(part.patients.hashes)
    effects = [effect for effect in level.effects if effect.home != patient]
    moved = [effect for effect in level.effects if effect.home == patient]
    terms = [
        [Term(e.spec, (), e.across, e.across_levels) for e in own]
        for own in (effects, *(upper.effects for upper in part.levels[1:]))
    ]
    terms[0] += [Term(effect.spec, ()) for effect in part.patient_effects]
    terms[0].sort(key=lambda term: part.formula.random.index(term.spec))
    factored = written(part, terms, [Term(effect.spec, ()) for effect in moved])
    group = level.group if level.group != patient else next(iter(names))
    shift, sums, products = recoded(part, recoding(part, factored.basis))
    levels = [
        replace(own, effects=found)
        for own, found in zip(part.levels[1:], factored.effects[1:], strict=True)
    ]
    first = WideLevel(group, names[group], level.parent, factored.effects[0], names)
    return replace(
        part, patient=patient, basis=factored.basis, fixed=factored.fixed,
        levels=(first, *levels), patient_effects=factored.patient_effects,
        shift=shift, sums=sums, products=products,
        patients=Patients(None if is_hidden(labels) else labels, label_hashes(labels)),
    )  # fmt: skip


def written(whole: Wide, levels: Sequence[Sequence[Term]], patient: Sequence[Term]) -> Factored:
    """The columns of X and of the random terms, on the levels and slots of `whole`.

    The columns left of the bar are made here; those of `levels` and `patient` are not read.
    """

    def columns(term: Term) -> Term:
        return replace(term, columns=model_columns(term.spec.terms, whole.factors, whole.numbers))

    return factor(
        model_columns(whole.formula.fixed, whole.factors, whole.numbers),
        [[columns(term) for term in level] for level in levels],
        [columns(term) for term in patient],
        roles=whole.roles, slots=whole.slots, slot_values=whole.slot_values,
    )  # fmt: skip


def hidden_names(part: Wide) -> Mapping[Group, tuple[str, ...]]:
    """Names of the level above the patient as they may be saved: by hash where they may be his."""
    level = part.levels[0]
    if not is_alone(part) or above_all(part.formula, part.patient, list(level.names)):
        return level.names
    return {
        group: labels if set(group) < set(part.patient) else hidden(labels)
        for group, labels in level.names.items()
    }


def _recognised(parts: Sequence[Wide]) -> list[Wide]:
    """Units that stand as hashes by the names that other parts have for them."""
    lists: dict[Group, list[Sequence[str]]] = {}
    for part in parts:
        for level in part.levels:
            for group, labels in level.names.items():
                lists.setdefault(group, []).append(labels)
    known = {group: names_of(own) for group, own in lists.items() if any(map(is_hidden, own))}
    if not known:
        return list(parts)
    for part in parts:
        if part.patient in known and part.patients.labels is not None:
            known[part.patient] |= names_of([part.patients.labels])
    found = []
    for part in parts:
        levels = []
        for level in part.levels:
            names = {g: clear(labels, known.get(g, {})) for g, labels in level.names.items()}
            levels.append(replace(level, names=names, labels=names[level.group]))
        found.append(replace(part, levels=tuple(levels)))
    return found
