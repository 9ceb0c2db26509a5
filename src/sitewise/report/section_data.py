"""Section 1: the account of readings, patient flow, analysis sets, baseline."""

from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.report.cells import MOST_LISTED, capped, of_sites
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, count_percent, number
from sitewise.report.layout import Figure, Row, Table, group, row, table
from sitewise.report.pictured import raw_reading
from sitewise.report.pictures import picture
from sitewise.report.section_flow import arm_names, flow, flow_by_site
from sitewise.report.words_leaving import why_absent
from sitewise.terms import Fate
from sitewise.trial.account import FileRow
from sitewise.trial.description import BaselineRow


@dataclass(frozen=True)
class Data:
    """Section 1. account_text: sites used and set aside. flow_text: who was not seen, and why."""

    account_text: str
    flow_text: str
    flow_figure: Figure
    enrolment: Figure
    account: Table
    by_site: Table
    flow: Table
    flow_by_site: Table
    sets: Table
    baseline: Table


def data(e: Evidence, figures: Mapping[str, str]) -> Data:
    """Build section 1."""
    account, raw = e.account, raw_reading(e.plan)
    aside = [f for f in account.files if f.status == "set aside"]
    used = len(account.files) - len(aside)
    text = (
        f"{plural(used, 'site file')} used and {len(aside)} set aside, with"
        f" {plural(account.rows, 'row')} and {plural(account.readings, raw)}. A {raw} is a"
        " row of a file for one endpoint; each has exactly one of the fates below, which add up to"
        f" the {raw}s in."
    )
    if e.plan.replicates != "refuse":
        text += (
            " In all that follows a reading is what is analysed: the mean of the raw readings of"
            " one patient at one visit, or the only one."
        )
    if earlier := [f.site for f in e.files if f.kept]:
        text += (
            f" Of {plural(len(earlier), 'site')} an earlier file is used than the one delivered"
            f" last, which can't be: {', '.join(earlier[:MOST_LISTED])}; see the findings."
        )
    return Data(
        account_text=text,
        flow_text=why_absent(e, next(iter(e.plan.endpoints))),
        flow_figure=picture(e, figures, "flow"),
        enrolment=picture(e, figures, "enrolment"),
        account=_account(e),
        by_site=_by_site(e),
        flow=flow(e),
        flow_by_site=flow_by_site(e),
        sets=_sets(e),
        baseline=_baseline(e),
    )


def _account(e: Evidence) -> Table:
    endpoints = list(e.plan.endpoints)
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for c in e.account.counts:
        by = counts.setdefault((c.fate, c.reason), {})
        by[c.endpoint] = by.get(c.endpoint, 0) + c.readings
    rows = []
    for fate in Fate:
        own = sorted(key for key in counts if key[0] == fate.value)
        for key in own:
            label = f"{fate.value}: {key[1]}" if key[1] else fate.value
            if fate is Fate.AVERAGED:
                label = "analysed: in the mean of its visit"
            numbers = [counts[key].get(name, 0) for name in endpoints]
            rows.append(row(label, *map(str, numbers), str(sum(counts[key].values()))))
        if not own and fate is not Fate.AVERAGED:
            rows.append(row(fate.value, *["0"] * (len(endpoints) + 1)))
    totals = [sum(by.get(name, 0) for by in counts.values()) for name in endpoints]
    everything = sum(sum(by.values()) for by in counts.values())
    raw = raw_reading(e.plan)
    rows.append(row(f"{raw}s in", *map(str, totals), str(everything), kind="total"))
    columns = [("Fate", "text"), *((name, "number") for name in endpoints), ("All", "number")]
    return table("tbl-account", f"Account of {raw}s", columns, rows, file="account.csv")


def _by_site(e: Evidence) -> Table:
    counts: dict[str, dict[str, int]] = {}
    for c in e.account.counts:
        by = counts.setdefault(c.site, {})
        fate = Fate.ANALYSED.value if c.fate == Fate.AVERAGED.value else c.fate
        by[fate] = by.get(fate, 0) + c.readings
    fates = [f.value for f in Fate if any(f.value in by for by in counts.values())]
    raw = raw_reading(e.plan)
    rows = []
    shown = of_sites(e.account.files, lambda f: _lost(f, counts.get(f.site, {})))
    for f in shown:
        by = counts.get(f.site, {})
        status = f"{f.status}: {f.reason}" if f.reason else f.status
        status += "; an earlier file than the one delivered last" if f.kept else ""
        numbers = [str(by.get(fate, 0)) for fate in fates]
        rows.append(row(f.site, str(f.rows), str(f.readings), *numbers, status))
    columns = [("Site", "text"), ("Rows", "number"), (_capital(f"{raw}s"), "number")]
    columns += [(_capital(fate), "number") for fate in fates]
    return table(
        "tbl-files",
        f"Files and {raw}s by site",
        [*columns, ("File", "text")],
        rows,
        notes=[
            "Analysed: alone or in the mean of its visit. The columns after the raw readings add up"
            " to them."
            if e.plan.replicates != "refuse"
            else "",
            capped(len(rows), len(e.account.files), "tables/files.csv")
            and f"The {len(rows)} of {len(e.account.files)} with the largest share of readings set"
            " aside; all are in tables/files.csv.",
        ],
        file="account.csv",
        size="small",
    )


def _lost(file: FileRow, fates: Mapping[str, int]) -> float:
    """How grave a file is: set aside, an earlier one, then by its share of readings set aside."""
    if file.status == "set aside" or file.kept:
        return 2.0
    return fates.get(Fate.SET_ASIDE.value, 0) / max(1, file.readings)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _sets(e: Evidence) -> Table:
    columns = [
        ("Endpoint", "text"),
        ("Arm", "text"),
        ("In", "number"),
        ("Out", "number"),
        ("Why out", "text"),
    ]
    rows = []
    for name, label in dict.fromkeys((s.name, s.label) for s in e.description.sets):
        rows.append(group(f"{name}: {label}", len(columns)))
        for s in e.description.sets:
            if s.name == name:
                reason = s.reason if s.excluded else ""
                cells = (str(s.patients), str(s.excluded), reason or NONE)
                rows.append(row(s.endpoint, s.arm or "All", *cells))
    used = [f"{name}: {model.set}" for name, model in e.plan.models.items()]
    note = f"Set of each model: {', '.join(used)}."
    return table("tbl-sets", "Analysis sets", columns, rows, notes=[note], file="sets.csv")


def _baseline(e: Evidence) -> Table:
    arms = [arm for arm in (*arm_names(e), "") if any(r.arm == arm for r in e.description.baseline)]
    by_variable: dict[str, dict[str, dict[str, BaselineRow]]] = {}
    for r in e.description.baseline:
        by_variable.setdefault(r.variable, {}).setdefault(r.level, {})[r.arm] = r
    counted = [max(r.n + r.missing for r in e.description.baseline if r.arm == a) for a in arms]
    rows: list[Row] = [row("patients", *map(str, counted))]
    for levels in by_variable.values():
        any_row = next(iter(next(iter(levels.values())).values()))
        unit = f" ({any_row.unit})" if any_row.unit else ""
        rows.append(group(f"{any_row.label}{unit}", len(arms) + 1))
        for lev, by_arm in levels.items():
            rows += _baseline_rows(lev, [by_arm.get(arm) for arm in arms])
        first = next(iter(levels.values()))
        missing = [first[arm].missing if arm in first else 0 for arm in arms]
        if any(missing):
            rows.append(row("missing", *map(str, missing)))
    return table(
        "tbl-baseline",
        "Baseline characteristics by arm",
        [("", "text"), *((arm or "All", "mixed") for arm in arms)],
        rows,
        notes=[
            _chance(e),
            "Of patients with an analysed reading; percentages are of those with a value.",
        ],
        file="baseline.csv",
        size="small" if len(arms) > 4 else "normal",
    )


def _chance(e: Evidence) -> str:
    """Why the baseline table has no p-values, and how large chance can be."""
    if e.plan.design != "cluster":
        return "No p-values: randomised arms differ at baseline by chance alone."
    used = sum(1 for f in e.account.files if f.status != "set aside")
    return (
        f"No p-values: with {used} clusters randomised, chance differences can be large; where"
        " patients are recruited after their site's arm is known, selection may add to them, which"
        " no test of this table tells apart."
    )


def _baseline_rows(lev: str, cells: list[BaselineRow | None]) -> list[Row]:
    """One row of a category's level, or the two of a number."""
    if lev:
        return [row(lev, *(count_percent(r.count, r.n) if r else NONE for r in cells))]
    means = [f"{number(r.mean, 1)} ({number(r.sd, 1)})" if r else NONE for r in cells]
    medians = [
        f"{number(r.median, 1)} ({number(r.q1, 1)} to {number(r.q3, 1)})" if r else NONE
        for r in cells
    ]
    return [row("mean (SD)", *means), row("median (quartiles)", *medians)]
