"""What batches must agree on, and their levels and units united."""

from collections.abc import Sequence
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
        if _shape(part) != _shape(first):
            differ(f"random terms sit at {_shape(first)} in one batch, at {_shape(part)} in another:"
                   " one of them has too few units to tell the groupings apart",
                   "make moments of this batch together with another one")  # fmt: skip
    if problems:
        raise ModelError("These moments can't be added.", problems)


def _words(role: str) -> str:
    return {"slot": "function of the visit", "patient": "function of the patient",
            "varying": "covariate that changes by visit and patient"}.get(role, role)  # fmt: skip


def _shape(part: Wide) -> str:
    """Groupings from the patient up with their terms: `USUBJID (1); SITEID (1 across AVISIT)`."""
    own = ", ".join(e.spec.terms for e in part.patient_effects)
    found = [f"{':'.join(part.patient)} ({own})"]
    for level in part.levels:
        terms = [
            e.spec.terms + (f" across {':'.join(e.across)}" if e.across else "")
            for e in level.effects
        ]
        found.append(f"{':'.join(level.group)} ({', '.join(terms)})")
    return "; ".join(found)


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
class Units:
    """Units of each level, innermost first; number[part][level]: new number of each old unit."""

    labels: tuple[tuple[str, ...], ...]
    parent: tuple[np.ndarray, ...]
    number: tuple[tuple[np.ndarray, ...], ...]


def unite_units(
    labels: Sequence[Sequence[tuple[str, ...]]],
    parents: Sequence[Sequence[np.ndarray]],
    groups: Sequence[tuple[str, ...]],
) -> Units:
    """Units by label, [part][level]; sorted by parent, then label; ModelError: two parents."""
    depth = len(groups)
    above: dict[str, int] = {"": 0}
    new_labels: list[tuple[str, ...]] = []
    new_parent: list[np.ndarray] = []
    for level in reversed(range(depth)):
        parent_of: dict[str, int] = {}
        for own, up in zip(labels, parents, strict=True):
            names = [above[own[level + 1][u]] if level + 1 < depth else 0 for u in up[level]]
            for label, parent in zip(own[level], names, strict=True):
                if parent_of.setdefault(label, parent) != parent:
                    raise ModelError(
                        "Groupings are crossed.",
                        [Problem(f"{':'.join(groups[level])} {label} lies in two units of"
                                 f" {':'.join(groups[level + 1])}", where=label,
                                 fix="where labels repeat between them, nest them by a/b")],
                    )  # fmt: skip
        ordered = sorted(parent_of, key=lambda label: (parent_of[label], label))
        new_labels.insert(0, tuple(ordered))
        new_parent.insert(0, np.array([parent_of[label] for label in ordered], dtype=np.int64))
        above = {label: i for i, label in enumerate(ordered)}
    places = [{label: i for i, label in enumerate(own)} for own in new_labels]
    number = tuple(
        tuple(
            np.array([places[k][label] for label in own[k]], dtype=np.int64) for k in range(depth)
        )
        for own in labels
    )
    return Units(tuple(new_labels), tuple(new_parent), number)
