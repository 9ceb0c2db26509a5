"""For the first page: an answer that hangs on one site, or on how the baseline is handled."""

from collections.abc import Iterator, Sequence

from sitewise.classical.answer import Answer
from sitewise.classical.ladder_result import LeftOut
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import level, listed, natural, number
from sitewise.report.standing import standing
from sitewise.report.words import no_answer

MOST_NAMED = 3  # sites, or handlings, of one sentence
# ASSUME: a move worth the first page, in standard errors. A site left out takes its patients along
# and may move an estimate by much of one; handlings share their readings, and half is much.
SITE_MOVES, HANDLING_MOVES = 1.0, 0.5
STOPPED = "not converged"


def fragile(e: Evidence) -> tuple[str, ...]:
    """That one site decides the verdict, or moves the estimate by more than its standard error."""
    return tuple(text for name, own in _claims(e) if (text := _sites(e, name, own)))


def by_handling(e: Evidence) -> tuple[str, ...]:
    """The same of another handling of the baseline, where the plan looks at them."""
    return tuple(text for name, own in _claims(e) if (text := _handled(e, name, own)))


def _claims(e: Evidence) -> Iterator[tuple[str, Answer]]:
    """Endpoints whose p-value supports or denies a claim, with the primary answer."""
    for name, own in e.endpoints.items():
        planned = next((r for r in own.ladder.rungs if r.planned), None)
        if planned is None or planned.answer is None or planned.state == STOPPED:
            continue
        if standing(e, name).claim and not no_answer(e, name):
            yield name, planned.answer


def _sites(e: Evidence, name: str, own: Answer) -> str:
    left = [
        x for x in e.endpoints[name].ladder.left_out if x.answer is not None and x.state != STOPPED
    ]
    crossed = _first([x for x in left if _crosses(e, x, own)])
    d = e.decimals(name)
    if crossed:
        was = "significant" if own.p < e.plan.alpha else "not significant"
        told = [f"{x.site} ({_number(x, d)}, {e.p_phrase(_p(x))})" for x in crossed[:MOST_NAMED]]
        return (
            f"{name}: the verdict hangs on {_single(crossed)}. With all of them it is {was}"
            f" ({e.p_phrase(own.p)}); p comes to lie {_side(e, own)} without"
            f" {listed([*told, *_more(len(crossed))])}; section 6 leaves out each in turn."
        )
    far = _first([x for x in left if abs(x.change) > SITE_MOVES * own.se])
    if not far:
        return ""
    told = [f"{number(x.change, d)} without {x.site}" for x in far[:MOST_NAMED]]
    return (
        f"{name}: the estimate hangs on {_single(far)}: it moves by more than its standard error"
        f" ({number(own.se, d + 1)}), {listed([*told, *_more(len(far))])}; section 6 leaves out"
        " each in turn."
    )


def _handled(e: Evidence, name: str, own: Answer) -> str:
    found = e.endpoints[name].ladder.baseline
    if found is None:
        return ""
    rows = [
        (x.label, x.answer)
        for x in found.rows
        if x.answer is not None and x.state != STOPPED and x.key != "constrained_intercept"
    ]
    below, d = own.p < e.plan.alpha, e.decimals(name)
    crossed = [(label, a) for label, a in rows if (a.p < e.plan.alpha) != below]
    far = [(label, a) for label, a in rows if _moved(a, own) > HANDLING_MOVES * own.se]
    shown = sorted(crossed or far, key=lambda pair: -_moved(pair[1], own))
    if not shown:
        return ""
    told = [
        f"{number(a.estimate, d)} ({e.p_phrase(a.p)}) with it as {label[0].lower()}{label[1:]}"
        for label, a in shown[:MOST_NAMED]
    ]
    what = (
        f"p comes to lie {_side(e, own)}"
        if crossed
        else "the estimate moves by more than half its standard error"
    )
    return (
        f"{name}: the answer hangs on how the baseline is handled. The primary analysis has"
        f" {number(own.estimate, d)} ({e.p_phrase(own.p)}), and {what}:"
        f" {listed([*told, *_more(len(shown))])}; section 6 has them side by side"
        f"{_guarded(e)}."
    )


def _guarded(e: Evidence) -> str:
    """Where sites were randomised the guard judges each p-value, these too."""
    said = ", and says on which of these p-values not to rely"
    return said if e.plan.design == "cluster" else ""


def _moved(one: Answer, own: Answer) -> float:
    return abs(one.estimate - own.estimate)


def _crosses(e: Evidence, x: LeftOut, own: Answer) -> bool:
    return (_p(x) < e.plan.alpha) != (own.p < e.plan.alpha)


def _p(x: LeftOut) -> float:
    assert x.answer is not None, "chosen so"
    return x.answer.p


def _number(x: LeftOut, d: int) -> str:
    assert x.answer is not None, "chosen so"
    return number(x.answer.estimate, d)


def _first(found: Sequence[LeftOut]) -> list[LeftOut]:
    """Those that move the estimate most first."""
    return sorted(found, key=lambda x: (-abs(x.change), natural(x.site)))


def _single(found: Sequence[LeftOut]) -> str:
    return "one site" if len(found) == 1 else f"single sites ({len(found)} of them)"


def _more(count: int) -> list[str]:
    return [f"{count - MOST_NAMED} more"] if count > MOST_NAMED else []


def _side(e: Evidence, own: Answer) -> str:
    below = own.p < e.plan.alpha
    return f"{'above' if below else 'below'} {level(e.plan.alpha)}"
