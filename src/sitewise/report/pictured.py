"""What a figure shows, as counts and words: its drawing and its caption take them from here.

Nothing here draws: the pages are written without loading what draws.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.inference.comparison import ModelComparison
from sitewise.inference.icc_result import Iccs, VarianceShare
from sitewise.plan.model import Plan
from sitewise.report.formatting import first_of, natural, number, p_phrase
from sitewise.terms import SITEID, USUBJID, Fate
from sitewise.trial.account import Account
from sitewise.trial.description import Description

MOST_COURSES = 30  # of an arm: more can't be told apart
ROWS_A_COLUMN = 40  # a longer panel of sites alone in its figure is split in columns
MOST_COLUMNS = 3
LABELLED_ROWS = 48  # of one column; a longer one would fill a page and leave that before it empty
MOST_POINTS = 900  # readings in a panel: more make the page slow and show no more
MOST_BARS = 120  # sites in the order of their names; more are bars by size, without a name
MOST_LABELS = 60  # sites named below their bars
ENDS = 10  # sites at either end that keep their label then
_MOST_PATTERNS = 10
_NAMED_SITES = 4
_MOST_REASONS = 5


@dataclass(frozen=True)
class Patterns:
    """The commonest patterns, one character a visit (`x` seen, `.` missing), with patients by arm.

    others: patterns that are not shown; their patients are the last entry of each arm's counts.
    """

    shown: tuple[str, ...]
    others: int
    counts: dict[str, tuple[int, ...]]
    totals: dict[str, int]


def raw_reading(plan: Plan) -> str:
    """What a value in a file is called: where several make one reading, a raw one."""
    return "reading" if plan.replicates == "refuse" else "raw reading"


@dataclass(frozen=True)
class Allocated:
    """What the files have of one arm: hospitals, patients; reasons: why patients have no reading
    left, with their number."""

    sites: int
    patients: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def lost(self) -> int:
        """Patients without a reading in the analysis."""
        return sum(number for _, number in self.reasons)


def allocated(account: Account) -> dict[str, Allocated]:
    """By arm; empty where the files name no patient."""
    if not any(arm.patients for arm in account.arms):
        return {}
    found = {}
    for arm in account.arms:
        lost = {c.reason: c.patients for c in account.patients if c.arm == arm.arm and c.reason}
        ordered = sorted(lost.items(), key=lambda item: (-item[1], item[0]))
        found[arm.arm] = Allocated(arm.sites, arm.patients, tuple(ordered))
    return found


def came_in(plan: Plan, account: Account) -> list[str]:
    """Files, rows, readings, patients as they came."""
    patients = sum(count.patients for count in account.patients)
    lines = ["Came in", plural(len(account.files), "hospital file")]
    if patients:
        lines.append(plural(patients, "patient"))
    return [*lines, plural(account.rows, "row"), plural(account.readings, raw_reading(plan))]


def left_out_lines(plan: Plan, account: Account) -> list[str]:
    """Hospitals, patients and readings that are not in the analysis, with the reasons."""
    aside = [file.site for file in account.files if file.status == "set aside"]
    aside.sort(key=natural)
    lines = [f"{plural(len(aside), 'hospital')} set aside" + _named(aside)]
    lost: dict[str, int] = {}
    for count in account.patients:
        if count.reason:
            lost[count.reason] = lost.get(count.reason, 0) + count.patients
    lines.append(f"{plural(sum(lost.values()), 'patient')} with no reading left" + _reasons(lost))
    for fate in (Fate.SET_ASIDE, Fate.NOT_MEASURED, Fate.OUTSIDE_PLAN):
        own = [count for count in account.counts if count.fate == fate.value]
        why: dict[str, int] = {}
        for each in own:
            why[each.reason] = why.get(each.reason, 0) + each.readings
        told = _reasons(why) if fate is not Fate.NOT_MEASURED else ""
        lines.append(f"{plural(sum(why.values()), raw_reading(plan))} {fate.value}{told}")
    return lines


def enrolment(plan: Plan, description: Description) -> list[tuple[str, int, int]]:
    """Site, patients, and those seen at the primary visit; in the order of the
    names, of many sites by size."""
    at = description.visits.index(plan.primary.visit)
    found: dict[str, list[int]] = {}
    for row in description.flow:
        if row.site:
            own = found.setdefault(row.site, [0, 0])
            own[0] += row.patients
            own[1] += row.by_visit[at]
    sites = [(site, own[0], own[1]) for site, own in found.items()]
    sites.sort(key=lambda s: natural(s[0]))
    return sites if len(sites) <= MOST_BARS else sorted(sites, key=lambda s: (-s[1], -s[2]))


def named_every(sites: int) -> int:
    """Of how many bars one is named: of each, or of two."""
    return max(1, -(-sites // MOST_LABELS))


def patterns(plan: Plan, description: Description, endpoint: str) -> Patterns:
    """Count the patterns of one endpoint."""
    arms = [arm.name for arm in plan.arms.order]
    found: dict[str, dict[str, int]] = {}
    for row in description.patterns:
        if row.endpoint == endpoint and row.arm in arms:
            found.setdefault(row.pattern, {})[row.arm] = row.patients
    ordered = sorted(found, key=lambda pattern: (-sum(found[pattern].values()), pattern))
    shown = tuple(first_of(ordered, _MOST_PATTERNS))
    rest = ordered[len(shown) :]
    counts = {}
    for arm in arms:
        own = [found[pattern].get(arm, 0) for pattern in shown]
        if rest:
            own.append(sum(found[pattern].get(arm, 0) for pattern in rest))
        counts[arm] = tuple(own)
    totals = {arm: sum(own) for arm, own in counts.items()}
    return Patterns(shown, len(rest), counts, totals)


def told(plan: Plan, test: ModelComparison) -> str:
    """What one test says beside its arrow: the p that fits the question best, and which it is."""
    if test.refused:
        return "test refused"
    p, kind = test.p_naive, "naive"
    if test.p_mixture is not None:
        p, kind = test.p_mixture, "mixture"
    if test.p_bootstrap is not None:
        p, kind = test.p_bootstrap, "bootstrap"
    statistic = f"\u03c7\u00b2 {number(test.statistic, 2)}, df {test.df}"
    return f"{statistic}\n{p_phrase(p, plan.alpha)} ({kind})"


def by_model(plan: Plan, iccs: Iccs) -> dict[str, list[VarianceShare]]:
    """The shares of each model that has any, the primary model first."""
    order = [plan.primary.model, *(m for m in plan.models if m != plan.primary.model)]
    found = {m: [r for r in iccs.shares if r.model == m] for m in order}
    return {m: own for m, own in found.items() if any(math.isfinite(r.share) for r in own)}


def site_share(rows: Sequence[VarianceShare]) -> float:
    """The share of all groups of sites: the ICC of two patients of one site at one visit."""
    own = [r.share for r in rows if SITEID in r.group.split(":") and USUBJID not in r.group]
    return math.fsum(own) if own else math.nan


def between_ends(panels: Sequence[int]) -> int:
    """Sites without a label, close together between the ends of the longest panel; 0 if none.

    panels: sites of each panel of the figure.
    """
    longest = max(panels, default=0)
    most = MOST_COLUMNS * ROWS_A_COLUMN if len(panels) == 1 else LABELLED_ROWS
    return longest - 2 * ENDS if longest > most else 0


def _named(sites: list[str]) -> str:
    shown = ", ".join(sites[:_NAMED_SITES])
    more = f" and {len(sites) - _NAMED_SITES} more" if len(sites) > _NAMED_SITES else ""
    return f": {shown}{more}" if sites else ""


def _reasons(counts: dict[str, int]) -> str:
    ordered = sorted(counts, key=lambda reason: (-counts[reason], reason))
    most = _MOST_REASONS if len(ordered) > _MOST_REASONS + 1 else len(ordered)
    told = [f"{counts[reason]} {reason}" for reason in ordered[:most]]
    if len(ordered) > most:
        rest = sum(counts[reason] for reason in ordered[most:])
        told.append(f"{rest} for {len(ordered) - most} other reasons")
    return f": {'; '.join(told)}" if told else ""
