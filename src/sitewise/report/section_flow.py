"""Section 1.2: patients by arm and by site, from their allocation to every visit."""

from collections.abc import Callable, Iterator
from functools import partial

from sitewise.report.cells import capped, of_sites
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, count_percent, listed
from sitewise.report.layout import Row, Table, row, table
from sitewise.report.leaving import absent
from sitewise.report.pictured import Allocated, allocated
from sitewise.report.words_front import arms_text
from sitewise.report.words_leaving import reasons_note
from sitewise.trial.description import FlowRow

_MOST_REASONS = 6  # more would fill the table: they are in its file


def arm_names(e: Evidence) -> list[str]:
    """Names of the arms, in the order of the plan."""
    return [arm.name for arm in e.plan.arms.order]


def flow(e: Evidence) -> Table:
    """Patients by arm: allocated, with a reading, seen at each visit."""
    arms = arm_names(e)
    found = {r.arm: r for r in e.description.flow if r.site == ""}
    columns = [arm for arm in (*arms, "") if arm in found]
    sites = {
        arm: sum(1 for r in e.description.flow if r.site and r.patients and arm in (r.arm, ""))
        for arm in arms
    }
    steps = [("Patients with a reading", [found[a].patients for a in columns])]
    steps.append(("with a baseline reading", [found[a].with_baseline for a in columns]))
    steps.append(("with a reading after baseline", [found[a].with_post_baseline for a in columns]))
    for i, visit in enumerate(e.description.visits):
        steps.append((f"seen at {visit}", [found[a].by_visit[i] for a in columns]))
    steps.append(("seen at every visit", [found[a].all_visits for a in columns]))
    totals = steps[0][1]
    rows = _allocated(e, columns)
    rows.append(row("Sites with a reading", *(str(sites[a]) if a else NONE for a in columns)))
    rows.append(row(steps[0][0], *map(str, totals)))
    for label, numbers in steps[1:]:
        cells = [count_percent(n, total) for n, total in zip(numbers, totals, strict=True)]
        rows.append(row(label, *cells))
    first = next(iter(e.plan.endpoints))
    rows += _absent(e, first, columns, totals)
    titles = [("", "text"), *((a or "All", "mixed") for a in columns)]
    label = e.endpoint(first).label
    notes = [
        "Allocated: with a row of the arm in the files, whatever became of their readings; a"
        " patient whose identifier stands at two sites is one patient."
        if e.account.arms
        else "",
        "With a reading: with any analysed reading. Baseline, after baseline, seen: with a reading"
        f" of {first} ({label}); other endpoints are in the tables of patterns.",
        reasons_note(e),
        arms_text(e),
    ]
    return table("tbl-flow", "Patients by arm", titles, rows, notes=notes, file="flow.csv")


def _allocated(e: Evidence, columns: list[str]) -> list[Row]:
    """As allocated, and why patients have no reading left; nothing where files name no patient."""
    of_files = allocated(e.account)
    if not of_files:
        return []
    own = [of_files.get(arm) for arm in columns]
    reasons: dict[str, int] = {}
    for arm in of_files.values():
        for reason, patients in arm.reasons:
            reasons[reason] = reasons.get(reason, 0) + patients
    shown = sorted(reasons, key=lambda reason: (-reasons[reason], reason))

    def line(label: str, count: Callable[[Allocated], int]) -> Row:
        return row(label, *(NONE if arm is None else str(count(arm)) for arm in own))

    rows = [
        line("Sites allocated", lambda arm: arm.sites),
        line("Patients allocated", lambda arm: arm.patients),
        line("no reading left", lambda arm: arm.lost),
    ]
    if 1 < len(shown) <= _MOST_REASONS:
        for reason in shown:
            rows.append(line(f"no reading left: {reason}", partial(_for_reason, reason)))
    return rows


def _absent(e: Evidence, endpoint: str, columns: list[str], totals: list[int]) -> Iterator[Row]:
    """Who was not seen at the visits that matter, and why."""
    for own in absent(e.description, endpoint):
        place = [own.arms.index(arm) for arm in columns]
        for reason, numbers in [("", own.by_arm), *own.reasons]:
            told = f": {reason}" if reason else ""
            cells = [count_percent(numbers[i], n) for i, n in zip(place, totals, strict=True)]
            yield row(f"not seen at {own.visit}{told}", *cells)


def _for_reason(reason: str, arm: Allocated) -> int:
    return dict(arm.reasons).get(reason, 0)


def flow_by_site(e: Evidence) -> Table:
    """One row a site: patients by arm, then how far all of them came."""
    arms = arm_names(e)
    found: dict[str, dict[str, FlowRow]] = {}
    for r in e.description.flow:
        if r.site and r.arm and r.patients:
            found.setdefault(r.site, {})[r.arm] = r
    shown = of_sites([next(iter(own.values())) for own in found.values()])
    rows = []
    for site in (r.site for r in shown):
        own = found[site]
        all_ = [
            sum(values)
            for values in zip(
                *((r.patients, r.with_baseline, r.with_post_baseline, r.all_visits)
                  for r in own.values()),
                strict=True,
            )
        ]  # fmt: skip
        by_arm = [own[arm].patients if arm in own else 0 for arm in arms]
        rows.append(row(site, *map(str, (*by_arm, *all_))))
    titles = (*arms, "All", "With baseline", "After baseline", "Every visit")
    return table(
        "tbl-flow-sites",
        "Patients by site",
        [("Site", "text"), *((title, "number") for title in titles)],
        rows,
        notes=[
            f"{listed(arms)}, all: patients with any analysed reading. Then, of all arms, those"
            f" with a reading of {next(iter(e.plan.endpoints))}; by arm in tables/flow.csv.",
            capped(len(shown), len(found), "tables/flow.csv"),
        ],
        file="flow.csv",
        size="small",
    )
