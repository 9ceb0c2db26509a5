"""Patients without a reading at a visit, by arm and by the reason for leaving that the files give.

Counts for the table, the figure, the files and the sentences: all take them from here.
"""

from dataclasses import dataclass

from sitewise.trial.description import Description

NONE_GIVEN = "no reason given"
MOST_REASONS = 8  # more are free text: the rarest are told as one, and in full in their file


@dataclass(frozen=True)
class Absent:
    """Patients without a reading of an endpoint at a visit.

    arms: in the order of the plan. reasons: the commonest of all arms first, then those told as
    one, then `NONE_GIVEN`; each with its patients by arm, which add up to those absent. contrary:
    patients with a reason who have a reading there.
    """

    visit: str
    arms: tuple[str, ...]
    reasons: tuple[tuple[str, tuple[int, ...]], ...]
    contrary: int

    @property
    def by_arm(self) -> tuple[int, ...]:
        """Patients without a reading there, by arm."""
        return tuple(map(sum, zip(*(numbers for _, numbers in self.reasons), strict=True)))

    @property
    def patients(self) -> int:
        """Those of all arms."""
        return sum(self.by_arm)

    @property
    def given(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The reasons that are one."""
        return tuple(line for line in self.reasons if line[0] != NONE_GIVEN)


def absent(description: Description, endpoint: str, *visits: str) -> tuple[Absent, ...]:
    """By visit, the primary one first: all that were counted, or `visits` of them.

    Nothing where the plan names no column of reasons.
    """
    own = [row for row in description.leaving if row.endpoint == endpoint]
    counted = tuple(dict.fromkeys(row.visit for row in own))
    return tuple(
        _at(description, endpoint, visit) for visit in counted if visit in visits or not visits
    )


def _at(description: Description, endpoint: str, visit: str) -> Absent:
    arms = tuple(a for a in description.arms if any(r.arm == a for r in description.leaving))
    found: dict[str, dict[str, int]] = {}
    contrary = 0
    for row in description.leaving:
        if (row.endpoint, row.visit) == (endpoint, visit):
            found.setdefault(row.reason, {})[row.arm] = row.absent
            contrary += row.present if row.reason else 0
    counts = {reason: tuple(own[arm] for arm in arms) for reason, own in found.items()}
    none = counts.pop("", (0,) * len(arms))
    ordered = sorted(counts.items(), key=lambda line: (-sum(line[1]), line[0]))
    lines = [line for line in ordered if sum(line[1])]
    if len(lines) > MOST_REASONS + 1:
        rest = lines[MOST_REASONS:]
        summed = tuple(map(sum, zip(*(numbers for _, numbers in rest), strict=True)))
        lines = [*lines[:MOST_REASONS], (f"{len(rest)} other reasons", summed)]
    return Absent(visit, arms, (*lines, (NONE_GIVEN, none)), contrary)
