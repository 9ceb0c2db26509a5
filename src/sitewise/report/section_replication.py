"""Section 7: the second engine."""

import math
from dataclasses import dataclass

from sitewise.classical.result import ReplicatedNumber, Replication
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, difference, number
from sitewise.report.layout import Table, row, table
from sitewise.report.words_models import coefficient
from sitewise.report.words_replication import FIRST_ENGINE, KINDS, package, sentence, warned

_VERDICTS = {"not expressible": "not replicated", "skipped": "not replicated"}


@dataclass(frozen=True)
class ReplicationOf:
    """Section 7 of one endpoint."""

    name: str
    title: str
    text: tuple[str, ...]
    summary: Table
    numbers: Table | None


def replications(e: Evidence) -> tuple[ReplicationOf, ...]:
    """Build section 7."""
    made = []
    for name, own in e.endpoints.items():
        rows = own.replications.rows
        texts = [sentence(r) for r in rows if r.status != "agrees"]
        texts += [
            warned(r, singular=own.fits[r.model].fit.singularity.singular)
            for r in rows
            if r.warnings
        ]
        primary = next((r for r in rows if r.model == e.plan.primary.model and r.numbers), None)
        shown = primary or next((r for r in rows if r.numbers), None)
        made.append(
            ReplicationOf(
                name=name,
                title=e.endpoint(name).label,
                text=tuple(texts),
                summary=_summary(e, name, rows),
                numbers=_numbers(e, name, shown) if shown else None,
            )
        )
    return tuple(made)


def _unadjusted(e: Evidence, name: str) -> list[str]:
    """That what is compared is not what Kenward and Roger make of it."""
    if e.primary_fit(name).fit.df_method != "kenward-roger":
        return []
    return [
        "SEs are those before the adjustment of Kenward and Roger, which the other sections show:"
        " second engines do not make it, nor its degrees of freedom."
    ]


def _summary(e: Evidence, name: str, found: tuple[Replication, ...]) -> Table:
    rows = []
    for r in found:
        loglik = next((n for n in r.numbers if n.kind == "loglik"), None)
        numbers = (
            (number(loglik.first, 4), number(loglik.second, 4), difference(loglik.difference))
            if loglik
            else (NONE, NONE, NONE)
        )
        largest = (_largest(r.numbers, kind) for kind in ("fixef", "se", "variance"))
        engine = package(r.engine) if r.numbers else NONE
        verdict = _VERDICTS.get(r.status, r.status)
        rows.append(row(r.model, engine, *numbers, *largest, verdict, r.stopped_short or NONE))
    versions = dict.fromkeys(f"{package(r.engine)} {r.engine_version}" for r in found if r.numbers)
    limits = next((f"{r.tolerance:g}" for r in found), "")
    others = next((f"{r.tolerance_numbers:g}" for r in found), "")
    return table(
        f"tbl-replication-{name}",
        f"Every model by both engines, {name}",
        [
            ("Model", "text"),
            ("Second engine", "text"),
            (f"Log-likelihood, {FIRST_ENGINE}", "number"),
            ("Second", "number"),
            ("Difference", "mixed"),
            ("Estimates", "mixed"),
            ("SEs", "mixed"),
            ("Variances", "mixed"),
            ("Verdict", "text"),
            ("Stopped short", "text"),
        ],
        rows,
        notes=[
            "Estimates, SEs, variances: the largest difference of each kind, of estimates in"
            " standard errors, of the others as a share of themselves (of a variance below a"
            " hundredth of the residual one, as a share of that).",
            *_unadjusted(e, name),
            f"Engines disagree where log-likelihoods differ by more than {limits}, or another"
            f" number by more than {others} on that scale.",
            *(f"Second engine: {v}." for v in versions),
        ],
        file="replication.csv",
        size="small",
    )


def _largest(numbers: tuple[ReplicatedNumber, ...], kind: str) -> str:
    """The difference furthest from 0; none where one could not be formed."""
    own = [abs(n.relative) for n in numbers if n.kind == kind]
    return NONE if not own or any(map(math.isnan, own)) else difference(max(own))


def _numbers(e: Evidence, name: str, found: Replication) -> Table:
    d = e.decimals(name) + 3
    rows = [
        row(
            KINDS[n.kind],
            "" if n.kind == "loglik" else _number_name(n.name, e, name),
            number(n.first, d),
            number(n.second, d),
            difference(n.difference),
        )
        for kind in KINDS
        for n in found.numbers
        if n.kind == kind
    ]
    return table(
        f"tbl-replicated-{name}",
        f"Both engines number by number, {name}, model {found.model}",
        [
            ("Kind", "text"),
            ("Number", "text"),
            (FIRST_ENGINE, "number"),
            (package(found.engine), "number"),
            ("Difference", "mixed"),
        ],
        rows,
        file="replication.csv",
        size="small",
    )


def _number_name(text: str, e: Evidence, name: str) -> str:
    levels = e.primary_fit(name).fit.levels
    return coefficient(text, levels)
