"""Words of the guard where sites were randomised: what their number allows, who claims more."""

import math
from collections.abc import Sequence

from sitewise.classical.ladder_result import Guard, Guarded
from sitewise.errors import plural
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import degrees, level, listed, number

# What an analysis does that claims more than the sites give, by its verdict.
_CLAIMS = {
    "beyond": "takes patients or readings for what was randomised",
    "assumed": "rests on a variance of sites held for equal at all visits",
}


def guard_words(e: Evidence, name: str, guard: Guard) -> tuple[str, ...]:
    """What the number of sites allows, who claims more, and what site-by-visit does."""
    texts = (
        _allowed(e, name, guard),
        _levels(guard),
        _beyond(guard),
        _assumed(e, guard),
        _significant(e, guard),
        _pair(e, name, guard),
    )
    return tuple(text for text in texts if text)


def named(label: str) -> str:
    """A label inside a sentence: a capital stays where it is an acronym's or a name's."""
    return label if label[:2].isupper() else f"{label[0].lower()}{label[1:]}"


def _allowed(e: Evidence, name: str, guard: Guard) -> str:
    text = (
        f"Sites were randomised, {guard.units} of them: by itself a difference between arms has"
        f" {guard.between} degrees of freedom, {guard.units} sites less {guard.arms} arms. "
    )
    if guard.visits > 1:
        text += (
            f"A change between visits has at most {guard.between * (guard.visits - 1)},"
            f" {guard.between} for each of {guard.visits} visits but the first, where the variance"
            " of site by visit is the same at all of them. "
        )
    text += f"The primary analysis has {degrees(guard.df)}"
    key = next((r.key for r in e.endpoints[name].ladder.rungs if r.planned), "")
    own = next((one for one in guard.checked if one.key == key), None)
    if own is None or math.isnan(own.lean) or guard.df <= guard.between:
        return f"{text}."
    return (
        f"{text}, which rest on that; on {plural(guard.between, 'degree')} of freedom alone its p"
        f" would be {e.p(own.lean)} in place of {e.p(own.p)}."
    )


def _levels(guard: Guard) -> str:
    """Why a level at a visit has more degrees of freedom than sites less arms."""
    low, high = guard.levels
    if math.isnan(high) or high <= guard.between:
        return ""
    span = degrees(low) if degrees(low) == degrees(high) else f"{degrees(low)} to {degrees(high)}"
    text = (
        f"The levels of the primary model at single visits have {span}, more than {guard.between}:"
        " the variance of a level has a part between sites and a part between the visits of a site,"
        " the model holds either for equal at all visits, and so it learns both from the means of"
        f" the sites at all {guard.visits} visits, of up to {guard.between} \u00d7 {guard.visits} ="
        f" {guard.at_level} degrees of freedom. "
    )
    if high > guard.at_level:
        text += "More than that no sites give: these numbers are not to be trusted. "
    return text + (
        "If sites differ more at one visit than at another this does not hold, and"
        f" {guard.between} is the number to rely on."
    )


def _beyond(guard: Guard) -> str:
    rungs = sum(not one.key.startswith("baseline_") for one in guard.checked)
    handled = len(guard.checked) - rungs
    text = f"{plural(rungs, 'analysis', 'analyses')} of the table above"
    if handled:
        text += f" and {plural(handled, 'handling')} of the baseline below"
    text += f" {'was' if len(guard.checked) == 1 else 'were'} held against this."
    own = [one for one in guard.checked if one.verdict == "beyond"]
    if not own:
        return f"{text} None counts patients or readings where sites were randomised."
    return (
        f"{text} More than the sites give is claimed by: {'; '.join(named(x.label) for x in own)}."
        " They have no term for how sites change, count patients or readings where sites were"
        " randomised, and their p-values are not to be trusted."
    )


def _assumed(e: Evidence, guard: Guard) -> str:
    own = [one for one in guard.checked if one.verdict == "assumed"]
    if not own:
        return ""
    has, it = ("has", "it") if len(own) == 1 else ("have", "them")
    told = listed([f"{named(x.label)} ({degrees(x.df)}, of at most {x.most})" for x in own])
    return (
        f"{told[0].upper()}{told[1:]} {has} all terms of sites and yet more than the means of sites"
        " give. Such a number comes from joining what sites tell with what patients within sites"
        " tell, whose variances are known from many, and from a variance of sites held for equal at"
        " all visits, which visits of little scatter tell for the others. Do not rely on"
        f" {it}: on {plural(guard.between, 'degree')} of freedom {_leans(e, own)}."
    )


def _leans(e: Evidence, own: Sequence[Guarded]) -> str:
    if len(own) == 1:
        return f"p is {e.p(own[0].lean)} in place of {e.p(own[0].p)}"
    return "their p are " + listed([f"{e.p(x.lean)} in place of {e.p(x.p)}" for x in own])


def _significant(e: Evidence, guard: Guard) -> str:
    """Whether what lies below alpha is among what can't be trusted."""
    below = [one for one in guard.checked if one.p < e.plan.alpha]
    if not below:
        return ""
    sound = [one for one in below if one.verdict == "within"]
    if not sound:
        every = "The one analysis" if len(below) == 1 else f"Each of the {len(below)} analyses"
        kinds = {one.verdict for one in below}
        why = listed([_CLAIMS[verdict] for verdict in _CLAIMS if verdict in kinds])
        return (
            f"{every} with p below {level(e.plan.alpha)} is among those that are not to be"
            f" trusted: what claims significance here {why}."
        )
    return (
        f"Of {plural(len(below), 'analysis', 'analyses')} with p below {level(e.plan.alpha)}"
        f" {len(sound)} {'keeps' if len(sound) == 1 else 'keep'} to what the sites give:"
        f" {'; '.join(named(x.label) for x in sound)}."
    )


def _pair(e: Evidence, name: str, guard: Guard) -> str:
    if guard.without is None or guard.with_term is None:
        return ""
    d = e.decimals(name) + 2
    head = (
        "The primary model has no (1 | SITEID:AVISIT), and should have it: "
        if guard.missing
        else "Without (1 | SITEID:AVISIT) "
    )
    return (
        f"{head}the SE would be {number(guard.without.se, d)} on"
        f" {degrees(guard.without.df)} degrees of freedom, with it it is"
        f" {number(guard.with_term.se, d)} on {degrees(guard.with_term.df)}. Likelihood ratio"
        f" {number(guard.statistic, 2)}, {e.p_phrase(guard.p)} (half of it at 0, half on 1"
        " degree of freedom). The term belongs to the design and stays whatever this test says."
    )
