"""The first page: what was asked, the answer, what to know before trusting it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.report import words
from sitewise.report.cells import estimate_cells, estimate_columns, place_note
from sitewise.report.evidence import Evidence
from sitewise.report.layout import Figure, Table, row, table
from sitewise.report.words_figures import profiles_alt, profiles_caption


@dataclass(frozen=True)
class Front:
    """answer: one sentence; verdict and levels explain it. others: the other endpoints."""

    answer: str
    verdict: str
    levels: str
    others: tuple[str, ...]
    table: Table
    figure: Figure
    cautions: tuple[str, ...]


def front(evidence: Evidence, figures: Mapping[str, str]) -> Front:
    """Build the first page. figures: file name to data URI."""
    endpoints = list(evidence.plan.endpoints)
    first = endpoints[0]
    return Front(
        answer=words.answer(evidence, first),
        verdict=words.verdict(evidence, first),
        levels=words.levels_sentence(evidence, first),
        others=tuple(words.answer(evidence, name) for name in endpoints[1:]),
        table=_contrasts(evidence),
        figure=Figure(
            "fig-main",
            profiles_caption(evidence, first),
            profiles_alt(evidence, first),
            figures[f"{first}-profiles.svg"],
        ),
        cautions=words.cautions(evidence),
    )


def _contrasts(e: Evidence) -> Table:
    rows = []
    for name, section in e.plan.endpoints.items():
        primary = e.primary_fit(name).answer
        label = f"{section.label} ({section.unit})"
        rows.append(row(label, section.role, *estimate_cells(e, name, primary.result)))
    primary = e.primary_fit(next(iter(e.plan.endpoints))).answer
    return table(
        "tbl-answer",
        f"Primary contrast: {words.contrast_name(e, primary)}, model {e.plan.primary.model}",
        [("Endpoint", "text"), ("Role", "text"), *estimate_columns(e, "")],
        rows,
        notes=["CI: confidence interval; SE: standard error; df: degrees of freedom."]
        + [place_note(e, name) for name in e.plan.endpoints],
        file="contrasts.csv",
    )
