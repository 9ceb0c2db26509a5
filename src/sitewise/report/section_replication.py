"""Section 7: the second engine."""

from dataclasses import dataclass

from sitewise.classical.result import Replication
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, difference, number
from sitewise.report.layout import Table, row, table
from sitewise.report.standing import standing
from sitewise.report.words_models import coefficient

FIRST_ENGINE = "mixedlm + sitewise.lmm"
_KINDS = ("loglik", "fixef", "se", "variance")


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
        texts = [sentence(r) for r in rows if r.status in ("disagrees", "failed")]
        texts += [_warned(r) for r in rows if r.warnings]
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


def _warned(r: Replication) -> str:
    """What the second engine warned of, and whether it got there all the same."""
    text = f"{r.endpoint}, {r.model}: {r.engine} warned: {'; '.join(r.warnings)}."
    if r.status == "agrees" and any("broke down" in w for w in r.warnings):
        text += " Another of its optimisers converged, and its numbers, in the table, agree."
    return text


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
            (number(loglik.first, 4), number(loglik.second, 4), difference(loglik.difference))
            if loglik
            else (NONE, NONE, NONE)
        )
        why = "" if r.status == "agrees" else r.reason
        rows.append(row(r.model, *numbers, r.status, r.stopped_short or NONE, why))
    engine = second_engine(found[0].engine) if found else "Second engine"
    versions = dict.fromkeys(f"{second_engine(r.engine)} {r.engine_version}".strip() for r in found)
    tolerance = next((f"{r.tolerance:g}" for r in found), "")
    return table(
        f"tbl-replication-{name}",
        f"Log-likelihoods of both engines, {name}",
        [
            ("Model", "text"),
            (FIRST_ENGINE, "number"),
            (engine, "number"),
            ("Difference", "mixed"),
            ("Verdict", "text"),
            ("Stopped short", "text"),
            ("Why", "text"),
        ],
        rows,
        notes=[
            f"Engines disagree where log-likelihoods differ by more than {tolerance}.",
            *(f"Second engine: {v}." for v in versions),
        ],
        file="replication.csv",
        size="small",
    )


def second_engine(engine: str) -> str:
    """The package of the second engine, without its optimiser: `statsmodels`."""
    return engine.split(" ", 1)[0]


def _numbers(e: Evidence, name: str, found: Replication) -> Table:
    labels = {"loglik": "log-likelihood", "fixef": "estimate", "se": "SE", "variance": "variance"}
    d = e.decimals(name) + 3
    rows = [
        row(
            labels[n.kind],
            "" if n.kind == "loglik" else _number_name(n.name, e, name),
            number(n.first, d),
            number(n.second, d),
            difference(n.difference),
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
            (FIRST_ENGINE, "number"),
            (second_engine(found.engine), "number"),
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
