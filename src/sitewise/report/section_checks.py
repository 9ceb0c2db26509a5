"""Sections 6 and 7: repeated-measures ANOVA beside the mixed model; the second engine."""

from dataclasses import dataclass

from sitewise.classical.result import CrossCheck, Replication
from sitewise.report.cells import MOST_SITE_ROWS, capped, p_cell, place_note
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, degrees, number, percent, plural, scientific
from sitewise.report.layout import Cell, Row, Table, row, table
from sitewise.report.standing import standing
from sitewise.report.words_models import coefficient, group_name

_KINDS = ("loglik", "fixef", "se", "variance")


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


@dataclass(frozen=True)
class ReplicationOf:
    """Section 7 of one endpoint."""

    name: str
    title: str
    text: tuple[str, ...]
    summary: Table
    numbers: Table | None


def crosschecks(e: Evidence) -> tuple[CheckOf, ...]:
    """Build section 6."""
    return tuple(_check(e, name, own.crosscheck) for name, own in e.endpoints.items())


def _check(e: Evidence, name: str, check: CrossCheck) -> CheckOf:
    dropped = check.patients - check.complete
    text = (
        f"{check.complete} of {plural(check.patients, 'patient')} have a reading at every visit;"
        f" complete-case analysis drops {dropped} ({percent(dropped, check.patients)})."
    )
    tests = {t.effect: t for t in (*check.mixed_all, *check.mixed_complete)}
    agreement = tuple(
        f"{group_name(t.effect)}: {t.agreement}" for t in tests.values() if t.agreement
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
        notes=(*check.notes, *(f"The ANOVA's engine warned: {w}" for w in check.warnings)),
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
    own = sorted(check.by_site, key=lambda r: (-r.dropped, r.level))
    cells = [f"{r.level} {r.dropped} of {r.patients}" for r in own[:MOST_SITE_ROWS] if r.dropped]
    if not cells:
        return "No site loses a patient."
    more = capped(len(cells), len([r for r in own if r.dropped]), "tables/complete_cases.csv")
    return f"Dropped by site: {', '.join(cells)}. {more}".strip()


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
            place_note(e, name),
        ],
        file="crosscheck.csv",
        size="small",
    )


def _contrasts(e: Evidence, name: str, check: CrossCheck) -> Table:
    d = e.decimals(name)
    rows = [
        row(
            c.analysis,
            str(c.patients),
            number(c.estimate, d),
            number(c.se, d + 1),
            degrees(c.df),
            p_cell(e, name, c.p),
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
        notes=[place_note(e, name)],
        file="crosscheck.csv",
    )


def replications(e: Evidence) -> tuple[ReplicationOf, ...]:
    """Build section 7."""
    made = []
    for name, own in e.endpoints.items():
        rows = own.replications.rows
        texts = [sentence(r) for r in rows if r.status in ("disagrees", "failed")]
        texts += [f"{name}, {r.model}, {r.engine}: {w}" for r in rows for w in r.warnings]
        primary = next((r for r in rows if r.model == e.plan.primary.model and r.numbers), None)
        shown = primary or next((r for r in rows if r.numbers), None)
        made.append(
            ReplicationOf(
                name=name,
                title=e.endpoint(name).label,
                text=tuple(texts),
                summary=_summary(name, rows),
                numbers=_numbers(e, name, shown) if shown else None,
            )
        )
    return tuple(made)


def sentence(r: Replication) -> str:
    """What a replication that did not agree means."""
    if r.status == "disagrees":
        return (
            f"{r.endpoint}, {r.model}: the engines disagree; {r.stopped_short} has the lower"
            " log-likelihood and stopped short of the optimum, so that its numbers are not a check"
            f" of the other's. {r.reason}".rstrip()
        )
    return f"{r.endpoint}, {r.model}: {r.status}. {r.reason}"


def _summary(name: str, found: tuple[Replication, ...]) -> Table:
    rows = []
    for r in found:
        loglik = next((n for n in r.numbers if n.kind == "loglik"), None)
        numbers = (
            (number(loglik.first, 4), number(loglik.second, 4), scientific(loglik.difference))
            if loglik
            else (NONE, NONE, NONE)
        )
        why = "" if r.status == "agrees" else r.reason
        rows.append(row(r.model, *numbers, r.status, r.stopped_short or NONE, why))
    engine = next((f"{r.engine} {r.engine_version}".strip() for r in found), "second engine")
    tolerance = next((f"{r.tolerance:g}" for r in found), "")
    return table(
        f"tbl-replication-{name}",
        f"Log-likelihoods of both engines, {name}; the second is {engine}",
        [
            ("Model", "text"),
            ("First", "number"),
            ("Second", "number"),
            ("Difference", "mixed"),
            ("Verdict", "text"),
            ("Stopped short", "text"),
            ("Why", "text"),
        ],
        rows,
        notes=[f"Engines disagree where log-likelihoods differ by more than {tolerance}."],
        file="replication.csv",
        size="small",
    )


def _numbers(e: Evidence, name: str, found: Replication) -> Table:
    labels = {"loglik": "log-likelihood", "fixef": "estimate", "se": "SE", "variance": "variance"}
    d = e.decimals(name) + 3
    rows = [
        row(
            labels[n.kind],
            "" if n.kind == "loglik" else _number_name(n.name, e, name),
            number(n.first, d),
            number(n.second, d),
            scientific(n.difference),
        )
        for kind in _KINDS
        for n in found.numbers
        if n.kind == kind
    ]
    place = standing(e, name)
    return table(
        f"tbl-replicated-{name}",
        f"Both engines number by number, {name}, model {found.model}",
        [
            ("Kind", "text"),
            ("Number", "text"),
            ("First", "number"),
            ("Second", "number"),
            ("Difference", "mixed"),
        ],
        rows,
        notes=[place.note + "." if place.note else ""],
        file="replication.csv",
        size="small",
    )


def _number_name(text: str, e: Evidence, name: str) -> str:
    levels = e.primary_fit(name).fit.levels
    return coefficient(text, levels)
