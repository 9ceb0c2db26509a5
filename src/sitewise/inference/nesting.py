"""Whether one fitted mixed model is a special case of another, and what the larger one adds.

Told from names: blocks of random effects by grouping, and names of the fixed-effects columns.
Models that are nested in other words (a straight line in WEEK within visits) are not recognised.
"""

from collections import Counter
from dataclasses import dataclass

from sitewise.lmm.result import Fit


@dataclass(frozen=True)
class Added:
    """One random effect that the larger model adds.

    group, term: of the effect. partners: effects of the null model that it is correlated with.
    levels: of the group.
    """

    group: str
    term: str
    partners: tuple[str, ...]
    levels: int


@dataclass(frozen=True)
class Difference:
    """What the larger model has beyond the null.

    fixed: its further columns. random: its further random effects. covariances: further
    covariances among effects that the null has already.
    """

    fixed: tuple[str, ...]
    random: tuple[Added, ...]
    covariances: int


Block = tuple[str, tuple[str, ...], int]


def difference(null: Fit, full: Fit) -> Difference | None:
    """What `full` adds to `null`; None if `null` is not a special case of it."""
    null_fixed = {*(e.name for e in null.fixef), *null.aliased}
    full_fixed = [*(e.name for e in full.fixef), *full.aliased]
    if not null_fixed <= set(full_fixed):
        return None
    small, large = _blocks(null), _blocks(full)
    homes: dict[int, list[Block]] = {i: [] for i in range(len(large))}
    for block in small:
        home = next(
            (
                i
                for i, (group, terms, _) in enumerate(large)
                if sorted(group.split(":")) == sorted(block[0].split(":"))
                and set(block[1]) <= set(terms)
                and not any(set(block[1]) & set(other[1]) for other in homes[i])
            ),
            None,
        )
        if home is None:
            return None
        homes[home].append(block)
    random: list[Added] = []
    covariances = 0
    for i, (group, terms, levels) in enumerate(large):
        held = tuple(term for block in homes[i] for term in block[1])
        random += [Added(group, t, held, levels) for t in terms if t not in held]
        within = sum(len(b[1]) * (len(b[1]) - 1) // 2 for b in homes[i])
        covariances += len(held) * (len(held) - 1) // 2 - within
    fixed = tuple(name for name in full_fixed if name not in null_fixed)
    return Difference(fixed, tuple(random), covariances)


def same_fixed(a: Fit, b: Fit) -> bool:
    """Whether both have the same columns of fixed effects."""
    return Counter([*(e.name for e in a.fixef), *a.aliased]) == Counter(
        [*(e.name for e in b.fixef), *b.aliased]
    )


def _blocks(fit: Fit) -> list[Block]:
    """(group, terms, levels), the widest blocks last."""
    found = [(t.group, t.terms, t.levels) for t in fit.random]
    return sorted(found, key=lambda block: len(block[1]))
