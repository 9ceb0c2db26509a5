"""What comes out if readings are missing not at random: table, words of section 6 and page 1."""

import math

from sitewise.classical.answer import Answer
from sitewise.classical.not_at_random_result import ArmShifted, NotAtRandom, Tipping, Unseen
from sitewise.report.cells import DESCRIPTIVE
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import NONE, count_percent, interval, listed, number
from sitewise.report.layout import Row, Table, group, row, table
from sitewise.report.standing import standing
from sitewise.report.words import no_answer
from sitewise.terms import SITEID

WHERE = ("arm", "reference", "both")
STOPPED = "not converged"


def has_missing(found: NotAtRandom | None) -> bool:
    """Whether there is anything to shift."""
    return found is not None and any(a.own.missing or a.reference.missing for a in found.arms)


def not_at_random_words(e: Evidence, name: str, found: NotAtRandom) -> tuple[str, ...]:
    """Who has no reading at the visit, what is assumed of them, and what would tip the answer."""
    visit = e.plan.primary.visit
    if found.refused:
        said = found.refused
        return (f"What the contrast is if readings are missing not at random was not computed:"
                f" {said}.",)  # fmt: skip
    if not has_missing(found):
        return (f"Every patient of the analysis set has a reading at {visit} that the model uses:"
                " nothing is missing there.",)  # fmt: skip
    arms = [found.arms[0].reference, *(one.own for one in found.arms)]
    told = [f"{count_percent(one.missing, one.patients)} of {one.patients} on {one.arm}"
            for one in arms]  # fmt: skip
    first = (
        f"Missing not at random: {listed(told)} have no reading at {visit} that the model uses. The"
        " primary analysis takes them as missing at random, so that they would have been, on"
        " average, as the model predicts from arm, visit and the patient's other readings. Here"
        " they differ from that by a delta."
    )
    if found.model != "primary":
        first += (
            f" The start is the contrast by {found.label}, since a shift at one visit is no shift"
            " of the primary model's lines."
        )
    return (first, *(_tips(e, name, one) for one in found.arms))


def _tips(e: Evidence, name: str, one: ArmShifted) -> str:
    """The tipping points of one contrast in a sentence or two."""
    by = {tipping.where: tipping for tipping in one.tipping}
    if by["arm"].held:
        return (
            f"{one.contrast}: the interval {_interval(e, name, one.start)} holds 0 as it stands,"
            " without any delta."
        )
    said = [
        text
        for where, who in (
            ("arm", f"for those on {one.arm} alone"),
            ("reference", f"for those on {one.reference.arm} alone"),
            ("both", "for both alike"),
        )
        if (text := _told(e, name, by[where], who))
    ]
    if not said:
        return f"{one.contrast}: no delta brings the interval to 0."
    return f"{one.contrast}: the interval reaches 0 at a delta of {listed(said, 'or')}."


def _told(e: Evidence, name: str, tipping: Tipping, who: str) -> str:
    if math.isnan(tipping.interval):
        return ""
    return f"{_delta(e, name, tipping.interval)} {e.endpoint(name).unit} {who}"


def _delta(e: Evidence, name: str, delta: float) -> str:
    """A delta with its sign."""
    if math.isnan(delta):
        return NONE
    text = number(delta, e.decimals(name))
    return f"+{text}" if delta > 0 and float(text) else text


def _interval(e: Evidence, name: str, a: Answer) -> str:
    d = e.decimals(name)
    return f"{number(a.lower, d)} to {number(a.upper, d)}"


def not_at_random_table(e: Evidence, name: str, found: NotAtRandom) -> Table | None:
    """Rows are deltas; columns the arms whose unseen readings they shift."""
    if not has_missing(found) or found.state == STOPPED:
        return None
    single = found.arms[0] if len(found.arms) == 1 else None
    unit, reference = e.endpoint(name).unit, e.plan.arms.reference
    columns = [
        (f"Delta ({unit})", "number"),
        (f"In {single.arm if single else 'the arm'} alone", "mixed"),
        ("p", "number"),
        (f"In {reference} alone", "mixed"),
        ("p", "number"),
        ("In both alike", "mixed"),
        ("p", "number"),
    ]
    rows: list[Row] = []
    for one in found.arms:
        rows += [group(one.contrast, len(columns)), *_rows(e, name, one, alone=single is not None)]
    return table(
        f"tbl-not-at-random-{name}",
        f"If readings are missing not at random: against {reference} at {e.plan.primary.visit},"
        f" {name}, {unit} ({e.coverage} CI)",
        columns,
        rows,
        notes=_notes(e, name, found),
        file="not_at_random.csv",
        size="small",
    )


def _rows(e: Evidence, name: str, one: ArmShifted, *, alone: bool) -> list[Row]:
    by: dict[float, dict[str, Answer]] = {0.0: dict.fromkeys(WHERE, one.start)}
    for shifted in one.shifted:
        by.setdefault(shifted.delta, {})[shifted.where] = shifted.answer
    rows = [
        row(
            _delta(e, name, delta) if delta else "0",
            *(text for where in WHERE for text in _cells(e, name, answers[where])),
            kind="" if delta else "strong",
        )
        for delta, answers in sorted(by.items())
    ]
    tips = {tipping.where: tipping for tipping in one.tipping}
    last = "total" if alone else "strong"  # the last rows of a table stay there when it is sorted
    for title, key in (("Interval reaches 0 at", "interval"), ("Estimate is 0 at", "estimate")):
        cells = [(_tipped(e, name, tips[where], key), "") for where in WHERE]
        rows.append(row(title, *(text for pair in cells for text in pair), kind=last))
    return rows


def _tipped(e: Evidence, name: str, tipping: Tipping, key: str) -> str:
    if key == "interval" and tipping.held:
        return "already"
    return _delta(e, name, getattr(tipping, key))


def _cells(e: Evidence, name: str, a: Answer) -> tuple[str, str]:
    d = e.decimals(name)
    return f"{number(a.estimate, d)} {interval(a.lower, a.upper, d)}", e.p(a.p)


def _notes(e: Evidence, name: str, found: NotAtRandom) -> list[str]:
    up, down = ("worse", "better") if e.plan.arms.favours == "lower" else ("better", "worse")
    source = (
        "The deltas are the plan's."
        if found.planned
        else f"The deltas are about 1/4, 1/2 and 1 SD of the readings at {e.plan.primary.visit}"
        f" within arms ({number(found.sd, e.decimals(name))}); the plan names none."
    )
    shares = "shares, between sites," if found.unit == SITEID else "shares"
    return [
        "Delta: mean of the readings that are missing at the visit less what the model predicts"
        f" for them; + is higher, {up}, \u2212 lower, {down}. The contrast shifts by delta"
        f" times the share missing; its variance takes in that of the {shares} and their covariance"
        " with the contrast. The row of 0 is the analysis as missing at random.",
        f"{source} Tipping points are solved for, not read from these rows; \u2013: no delta does"
        " it.",
        *(f"{arm} has no such contrast." for arm in found.without),
        *(["The fit is singular."] if found.state == "singular" else []),
        DESCRIPTIVE,
    ]


def tipping_sentence(e: Evidence) -> str:
    """For page 1: what of those without a reading would undo a claim, within what deltas reach."""
    arm, visit = e.plan.primary.arm, e.plan.primary.visit
    told, unseen = [], []
    for name, own in e.endpoints.items():
        found = own.ladder.not_at_random
        if found is None or found.refused or found.state == STOPPED or not found.deltas:
            continue
        one = next((x for x in found.arms if x.arm == arm), None)
        if one is None or not standing(e, name).claim or no_answer(e, name):
            continue
        at = next(x.interval for x in one.tipping if x.where == "arm")
        if math.isnan(at) or abs(at) > max(map(abs, found.deltas)):
            continue
        by = "" if found.model == "primary" else f" by {found.label}"
        side = "higher" if at > 0 else "lower"
        told.append(
            f"{number(abs(at), e.decimals(name))} {e.endpoint(name).unit} {side} in {name}{by}"
        )
        unseen.append(one.own)
    if not told:
        return ""
    return (
        f" If those on {arm} without a reading at {visit} ({_share(unseen)} analysed) were on"
        f" average {listed(told, 'or')} than the model predicts, and the others as it predicts, the"
        " interval there would reach 0; section 6."
    )


def _share(unseen: list[Unseen]) -> str:
    """`47 of 227`, of each endpoint where they differ."""
    return listed(list(dict.fromkeys(f"{one.missing} of {one.patients}" for one in unseen)))
