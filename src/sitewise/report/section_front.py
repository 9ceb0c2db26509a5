"""The first page: what was asked, the answer, what to know before trusting it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sitewise.errors import plural
from sitewise.report import words, words_front
from sitewise.report.cells import estimate_cells, estimate_columns, p_rule, place_note
from sitewise.report.evidence import Evidence
from sitewise.report.layout import Figure, Table, row, table
from sitewise.report.pictures import picture
from sitewise.report.section_order import order_sentence, order_table
from sitewise.report.standing import joint, joint_verdict, standing
from sitewise.report.words_cautions import cautions
from sitewise.report.words_models import why_primary
from sitewise.report.words_patients import analysed_text
from sitewise.report.words_states import fit_states, states_in_short

_LETTERS = 106  # of a line of the first page
_ROOM = 42.0  # lines of the first page beside title, headings and figure
_NOTE = 1.5  # lines more, for the note that points follow on the next page


@dataclass(frozen=True)
class Front:
    """answer: one sentence; verdict and levels explain it. others: the other endpoints.

    cautions: those that the first page holds, the gravest; further: the others, with a note that
    says so. places: what the signs behind p-values stand for.

    arms: what their names stand for. explained: patients, model, hospitals, a sentence each.
    joint: the joint claim where other endpoints than the first are co-primary, else empty. order:
    how far the order of testing came, where the plan lists its steps; steps: their table.
    """

    arms: str
    answer: str
    verdict: str
    levels: str
    others: tuple[str, ...]
    joint: str
    order: str
    explained: tuple[str, ...]
    table: Table
    steps: Table | None
    figure: Figure
    cautions: tuple[str, ...]
    further: tuple[str, ...]
    further_note: str
    places: tuple[str, ...]


def front(evidence: Evidence, figures: Mapping[str, str]) -> Front:
    """Build the first page. figures: file name to data URI."""
    endpoints = list(evidence.plan.endpoints)
    first = endpoints[0]
    answer, verdict = words.answer(evidence, first), words.verdict(evidence, first)
    levels = words.levels_sentence(evidence, first)
    others = tuple(words.answer(evidence, name) for name in endpoints[1:])
    places = tuple(note for name in endpoints[1:] if (note := _place(evidence, name)))
    figure = picture(evidence, figures, "profiles", first, "fig-main")
    said = (evidence.plan.title, evidence.plan.question, words_front.arms_text(evidence), answer,
            verdict, levels, _joint(evidence), order_sentence(evidence), *others, *places,
            figure.caption)  # fmt: skip
    shown, further = _room(cautions(evidence), sum(map(_lines, said)))
    return Front(
        arms=words_front.arms_text(evidence),
        answer=answer,
        verdict=verdict,
        levels=levels,
        others=others,
        joint=_joint(evidence),
        order=order_sentence(evidence),
        explained=(
            analysed_text(evidence),
            words_front.model_sentence(evidence),
            why_primary(evidence.plan),
            words_front.hospitals_sentence(evidence, first),
        ),
        table=_contrasts(evidence),
        steps=order_table(evidence),
        places=places,
        figure=figure,
        cautions=shown,
        further=further,
        further_note=_further_note(evidence, further),
    )


def _further_note(evidence: Evidence, further: tuple[str, ...]) -> str:
    """How many follow on the next page; the states of fits among them are named here already."""
    note = f"{plural(len(further), 'further point')} on the next page, less grave than these"
    states = sum(text in fit_states(evidence) for text in further)
    if states:
        every = {1: "it is", 2: "both are"}.get(len(further), "all are")
        who = every if states == len(further) else f"{states} of them"
        note += f"; {who} on fits that are singular, did not converge or were passed over"
        if names := states_in_short(evidence):
            note += f" ({names})"
    return f"{note}."


def _place(evidence: Evidence, name: str) -> str:
    """The note behind the sign, unless the sentence says it in words."""
    return "" if standing(evidence, name).short else place_note(evidence, name)


def _lines(text: str) -> float:
    """Lines that a paragraph takes on the first page, its margin among them."""
    return -(-len(text) // _LETTERS) + 0.5 if text else 0.0


def _room(found: tuple[str, ...], taken: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cautions that the first page holds beside the figure, and those for the next.

    None goes to the next page whose line the note of it would take.
    """
    if taken + sum(map(_lines, found)) <= _ROOM + _NOTE:
        return found, ()
    for i, text in enumerate(found):
        taken += _lines(text)
        if taken > _ROOM:
            return found[: max(1, i)], found[max(1, i) :]
    return found, ()


def _joint(evidence: Evidence) -> str:
    """The joint claim, where the verdict of the first endpoint does not say it already."""
    names, first = joint(evidence), next(iter(evidence.plan.endpoints))
    if not names or (first in names and not words.no_answer(evidence, first)):
        return ""
    return f"C{joint_verdict(evidence)[1:]}."


def _contrasts(e: Evidence) -> Table:
    rows = []
    for name, section in e.plan.endpoints.items():
        fit = e.primary_fit(name)
        label = f"{section.label} ({section.unit})"
        if words.no_answer(e, name):
            label = f"{label}: no answer"
        rows.append(
            row(label, section.role, *estimate_cells(e, fit, fit.answer.result, tested=True))
        )
    primary = e.primary_fit(next(iter(e.plan.endpoints))).answer
    return table(
        "tbl-answer",
        f"Primary contrast: {words.contrast_name(e, primary)}, model {e.plan.primary.model}",
        [("Endpoint", "text"), ("Role", "text"), *estimate_columns(e, "")],
        rows,
        notes=[
            "CI: confidence interval; SE: standard error; df: degrees of freedom.",
            p_rule(e),
            *(place_note(e, name) for name in e.plan.endpoints),
        ],
        file="contrasts.csv",
    )
