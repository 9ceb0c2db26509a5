"""What batches must agree on, and their levels and units united."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sitewise.errors import ModelError, Problem
from sitewise.lmm.wide import Wide


def agree(parts: Sequence[Wide]) -> None:
    """Raise ModelError, with all differences, unless `parts` are moments of the same model."""
    first = parts[0]
    problems: list[Problem] = []

    def differ(what: str, fix: str) -> None:
        problems.append(Problem(what, where=first.formula.text, fix=fix))

    for part in parts[1:]:
        if part.formula != first.formula:
            differ(f"the other batch has {part.formula.text}", "merge moments of one formula")
            continue
        for v in first.roles:
            own, other = first.roles[v], part.roles.get(v, "absent")
            if own != other:
                differ(f"{v} is a {_words(own)} in one batch, a {_words(other)} in another",
                       f'say which in every batch: moments(..., roles={{"{v}": "slot"}}),'
                       " or make moments of the rows together")  # fmt: skip
        if part.numbers != first.numbers:
            odd = sorted(set(part.numbers) ^ set(first.numbers))
            differ(f"{', '.join(odd)}: numbers in one batch, text in another", "use one type")
        for name in sorted({*first.declared, *part.declared}):
            own_levels, other_levels = first.declared.get(name), part.declared.get(name)
            if own_levels != other_levels and name in first.factors:
                differ(f"levels of {name} declared as {own_levels} and as {other_levels}",
                       "declare the same levels in every batch")  # fmt: skip
        if _places(part) != _places(first):
            differ(
                f"random terms sit at {_places(first)} in one batch, at {_places(part)} in another",
                "make moments of the batch with few patients together with another one",
            )
    for part in parts:
        for spec in (effect.spec for effect in part.patient_effects):
            if not set(part.patient) <= set(spec.group):
                both = f"{':'.join(part.patient)} and {spec.group_name}"
                differ(
                    f"{both} have the same units in a batch, one patient each",
                    "make moments of this batch together with another one",
                )
    if problems:
        raise ModelError("These moments can't be added.", dict.fromkeys(problems))


def _words(role: str) -> str:
    return {"slot": "function of the visit", "patient": "function of the patient",
            "varying": "covariate that changes by visit and patient"}.get(role, role)  # fmt: skip


def _places(part: Wide) -> str:
    """Random terms with their groupings: `USUBJID: 1; SITEID: 1, 1 across AVISIT`."""
    found = {part.patient: [effect.spec.terms for effect in part.patient_effects]}
    for effect in (e for level in part.levels for e in level.effects):
        across = f" across {':'.join(effect.across)}" if effect.across else ""
        found.setdefault(effect.home, []).append(effect.spec.terms + across)
    order = [part.patient, *sorted(group for group in found if group != part.patient)]
    return "; ".join(f"{':'.join(group)}: {', '.join(found[group])}" for group in order)


def unite_levels(
    name: str,
    lists: Sequence[tuple[str, ...]],
    declared: tuple[str, ...] | None,
    *,
    text: bool = False,
) -> tuple[str, ...]:
    """Levels that occur in any list: in the declared order, else the one that all lists keep to.

    text: a grouping, always sorted as text.
    """
    found = {level for levels in lists for level in levels}
    if declared is not None and not text:
        return tuple(level for level in declared if level in found)
    longest = max(lists, key=len)
    if not text and all(_within(levels, longest) for levels in lists):
        return longest
    if text or all(list(levels) == sorted(levels) for levels in lists):
        return tuple(sorted(found))
    shown = " and ".join(", ".join(levels) for levels in dict.fromkeys(lists))
    raise ModelError(
        "The order of a factor's levels is not known.",
        [Problem(f"{name} has {shown} in different batches", where=name,
                 fix=f'declare them: moments(..., levels={{"{name}": [...]}})')],
    )  # fmt: skip


def _within(levels: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    """Whether `levels` stand in `longer`, in its order."""
    rest = iter(longer)
    return all(level in rest for level in levels)


@dataclass(frozen=True, eq=False)
class UnitedLevel:
    """A level of all batches: fields as in `WideLevel`, effects not yet."""

    group: tuple[str, ...]
    labels: tuple[str, ...]
    parent: np.ndarray
    names: Mapping[tuple[str, ...], tuple[str, ...]]


def unite_units(parts: Sequence[Wide]) -> tuple[tuple[UnitedLevel, ...], list[np.ndarray]]:
    """Levels of all batches, innermost first, and the new number of each part's innermost units.

    Nesting is read from the units of all batches, as `build_hierarchy` reads it from rows:
    groupings with the same units are one level. Raises ModelError where they are crossed.
    """
    if not parts[0].levels:
        return (), [np.zeros(1, dtype=np.int64) for _ in parts]
    groups = _groups(parts[0])
    tables = [_by_innermost(part) for part in parts]
    known = {group: sorted({v for table in tables for v in table[group]}) for group in groups}
    codes = {group: _coded(known[group], [v for t in tables for v in t[group]]) for group in groups}
    # Coarsest first; the first in the formula speaks for those with the same units.
    chain = sorted(groups, key=lambda group: len(known[group]))
    levels: list[UnitedLevel] = []
    above = np.zeros(sum(len(table[groups[0]]) for table in tables), dtype=np.int64)
    while chain:
        same = [group for group in chain if len(known[group]) == len(known[chain[0]])]
        chain = chain[len(same) :]
        group = same[0]
        for other in same[1:]:
            _parents(codes[group], codes[other], group, other, known)
        over = levels[0].group if levels else ()
        parent = _parents(codes[group], above, group, over, known)
        order = np.lexsort([np.arange(len(parent)), parent])
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.arange(len(order))
        above = number[codes[group]]
        names = {}
        for one in same:
            own = np.empty(len(order), dtype=np.int64)
            own[above] = codes[one]
            names[one] = tuple(known[one][k] for k in own)
        levels.insert(0, UnitedLevel(group, names[group], parent[order], names))
    cuts = np.cumsum([len(table[groups[0]]) for table in tables])[:-1]
    return tuple(levels), np.split(above, cuts)


def _groups(part: Wide) -> list[tuple[str, ...]]:
    """Groupings above the patient, in the order of the formula."""
    found = [effect for level in part.levels for effect in level.effects]
    found.sort(key=lambda effect: part.formula.random.index(effect.spec))
    hosts = [group for level in part.levels for group in level.names]
    return list(dict.fromkeys([*(e.home for e in found if not e.across), *hosts]))


def _by_innermost(part: Wide) -> dict[tuple[str, ...], list[str]]:
    """Labels of the units above each innermost unit, by grouping."""
    found: dict[tuple[str, ...], list[str]] = {}
    at = np.arange(len(part.levels[0].labels))
    for level in part.levels:
        for group, labels in level.names.items():
            found[group] = [labels[k] for k in at]
        at = level.parent[at]
    return found


def _coded(labels: Sequence[str], values: Sequence[str]) -> np.ndarray:
    place = {label: i for i, label in enumerate(labels)}
    return np.array([place[value] for value in values], dtype=np.int64)


def _parents(
    fine: np.ndarray,
    coarse: np.ndarray,
    group: tuple[str, ...],
    over: tuple[str, ...],
    known: Mapping[tuple[str, ...], Sequence[str]],
) -> np.ndarray:
    """Unit of the coarser grouping of each of the finer; raises ModelError where it has two."""
    parent = np.empty(len(known[group]), dtype=np.int64)
    parent[fine] = coarse
    lost = np.flatnonzero(parent[fine] != coarse)
    if len(lost):
        own, upper = ":".join(group), ":".join(over)
        raise ModelError(
            "Groupings are crossed.",
            [Problem(f"{own} {known[group][int(fine[lost[0]])]} lies in two units of {upper}",
                     where=f"{own}, {upper}",
                     fix="where labels repeat between them, nest them by a/b")],
        )  # fmt: skip
    return parent
