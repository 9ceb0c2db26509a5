"""Section 6: repeated-measures ANOVA beside the mixed model."""

from dataclasses import dataclass

from sitewise.classical.result import CrossCheck
from sitewise.errors import plural
from sitewise.report.cells import p_cell, p_notes
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, listed, number, percent, typeset
from sitewise.report.layout import Cell, Row, Table, row, table
from sitewise.report.words_models import group_name

_MOST_SITES = 5  # sites named for their drop-out


@dataclass(frozen=True)
class CheckOf:
    """Section 6 of one endpoint; tables are None where there is no ANOVA."""

    name: str
    title: str
    text: str
    refused: str
    dropped: Table
    dropped_sites: str
    anova: Table | None
    contrasts: Table | None
    agreement: tuple[str, ...]
    notes: tuple[str, ...]


def crosschecks(e: Evidence) -> tuple[CheckOf, ...]:
    """Build section 6."""
    return tuple(_check(e, name, own.crosscheck) for name, own in e.endpoints.items())


def _check(e: Evidence, name: str, check: CrossCheck) -> CheckOf:
    dropped = check.patients - check.complete
    visits = "at every visit"
    if e.plan.baseline.handling == "covariate":
        visits = "at baseline and at every visit after it"
    text = (
        f"{check.complete} of {plural(check.patients, 'patient')} have a reading {visits};"
        f" complete-case analysis drops {dropped} ({percent(dropped, check.patients)})."
    )
    agreement = tuple(
        f"{group_name(t.effect)}, complete cases: {t.agreement}."
        for t in check.mixed_complete
        if t.agreement
    )
    return CheckOf(
        name=name,
        title=e.endpoint(name).label,
        text=text,
        refused=check.refused,
        dropped=_dropped(e, name, check),
        dropped_sites=_dropped_sites(check),
        anova=_anova(e, name, check) if check.anova else None,
        contrasts=_contrasts(e, name, check) if check.contrasts else None,
        agreement=agreement,
        notes=(
            *map(typeset, check.notes),
            *(f"The ANOVA's engine warned: {w}" for w in check.warnings),
        ),
    )


def _dropped(e: Evidence, name: str, check: CrossCheck) -> Table:
    order = [arm.name for arm in e.plan.arms.order]
    rows = [
        row(
            r.level,
            str(r.patients),
            str(r.patients - r.dropped),
            str(r.dropped),
            percent(r.dropped, r.patients),
        )
        for r in sorted(check.by_arm, key=lambda r: order.index(r.level))
    ]
    columns = [
        ("Arm", "text"),
        ("Patients", "number"),
        ("Complete", "number"),
        ("Dropped", "number"),
        ("Dropped, %", "mixed"),
    ]
    return table(
        f"tbl-dropped-{name}",
        f"Patients that complete-case analysis drops, {name}",
        columns,
        rows,
        file="complete_cases.csv",
    )


def _dropped_sites(check: CrossCheck) -> str:
    losing = [r for r in check.by_site if r.dropped]
    if not losing:
        return "No site loses a patient."
    losing.sort(key=lambda r: (-r.dropped / r.patients, r.level))
    cells = [
        f"{r.dropped} of {r.patients} ({percent(r.dropped, r.patients)}) at site {r.level}"
        for r in losing[:_MOST_SITES]
    ]
    loses = "loses" if len(losing) == 1 else "lose"
    most = "" if len(losing) <= _MOST_SITES else "the highest shares: "
    return (
        f"{len(losing)} of {plural(len(check.by_site), 'site')} {loses} patients; {most}"
        f"{', '.join(cells)}. All sites are in tables/complete_cases.csv."
    )


def _anova(e: Evidence, name: str, check: CrossCheck) -> Table:
    complete = {t.effect: t for t in check.mixed_complete}
    everyone = {t.effect: t for t in check.mixed_all}
    rows: list[Row] = []
    for r in check.anova:
        cells: list[str | Cell] = [
            number(r.f, 3),
            f"{degrees(r.df1)}, {degrees(r.df2)}",
            p_cell(e, name, r.p),
            number(r.epsilon, 3),
            p_cell(e, name, r.p_gg),
        ]
        for tests in (complete, everyone):
            t = tests.get(r.effect)
            cells += [number(t.f, 3), degrees(t.df2), p_cell(e, name, t.p)] if t else [NONE] * 3
        rows.append(row(group_name(r.effect), *cells))
    titles = [
        ("Effect", "text"),
        ("ANOVA F", "number"),
        ("df", "mixed"),
        ("p", "number"),
        ("\u03b5", "number"),
        ("p, corrected", "number"),
        ("Mixed, complete: F", "number"),
        ("df", "number"),
        ("p", "number"),
        ("Mixed, all: F", "number"),
        ("df", "number"),
        ("p", "number"),
    ]
    return table(
        f"tbl-anova-{name}",
        f"Mixed ANOVA beside mixed models with a patient intercept, {name}",
        titles,
        rows,
        notes=[
            "\u03b5: Greenhouse and Geisser's. Mixed models: type III F, on the same complete cases"
            " and on all patients; df: of the denominator; \u2013: not available.",
            *_all_patients(check),
            *p_notes(e, name, tested=False),
        ],
        file="crosscheck.csv",
        size="small",
    )


def _all_patients(check: CrossCheck) -> list[str]:
    """What the result says of each F on all patients, effects of the same words together."""
    told: dict[str, list[str]] = {}
    for t in check.mixed_all:
        if t.agreement:
            told.setdefault(t.agreement, []).append(group_name(t.effect))
    return [f"Mixed, all, {listed(names)}: {text}." for text, names in told.items()]


def _contrasts(e: Evidence, name: str, check: CrossCheck) -> Table:
    d = e.decimals(name)
    rows = [
        row(
            c.analysis,
            str(c.patients),
            number(c.estimate, d),
            number(c.se, d + 1),
            degrees(c.df),
            p_cell(e, name, c.p, tested=c is check.contrasts[-1]),  # the primary model's
        )
        for c in check.contrasts
    ]
    return table(
        f"tbl-check-{name}",
        f"The primary contrast in three analyses, {name}",
        [
            ("Analysis", "text"),
            ("Patients", "number"),
            (f"Estimate ({e.endpoint(name).unit})", "number"),
            ("SE", "number"),
            ("df", "number"),
            ("p", "number"),
        ],
        rows,
        notes=p_notes(e, name, tested=True),
        file="crosscheck.csv",
    )
