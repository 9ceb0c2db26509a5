"""Words on the ladder: they follow the direction found."""

import math

from sitewise.classical.ladder_result import Ladder, Rung, Share
from sitewise.report.evidence import Evidence
from sitewise.report.formatting import level, natural, number
from sitewise.report.words_guard import named
from sitewise.report.words_models import group_name

STOPPED = "not converged"
_ALIKE = 0.02  # ratio of standard errors that prose calls about the same
SMALL = 0.1  # share of the variance of a reading that prose calls small
NOTHING = 0.0005  # share that a table shows as 0.0%


def _shown(found: Ladder) -> list[Rung]:
    return [r for r in found.rungs if r.answer is not None and r.state != "not converged"]


def spread(e: Evidence, name: str) -> str:
    """How far the answers lie apart, and on which side of alpha their p-values are."""
    found = e.endpoints[name].ladder
    d = e.decimals(name)
    shown = [(r, r.answer) for r in _shown(found) if r.answer is not None]
    if len(shown) < 2:
        return ""
    estimates = [a.estimate for _, a in shown]
    low, high = (
        min(shown, key=lambda pair: pair[1].se),
        max(shown, key=lambda pair: pair[1].se),
    )
    below = [named(r.label) for r, a in shown if a.p < e.plan.alpha]
    above = [named(r.label) for r, a in shown if not a.p < e.plan.alpha]
    text = (
        f"{found.contrast}: {len(shown)} analyses give estimates from"
        f" {number(min(estimates), d)} to {number(max(estimates), d)}"
        f" {e.endpoint(name).unit} and standard errors from {number(low[1].se, d + 2)}"
        f" ({named(low[0].label)}) to {number(high[1].se, d + 2)} ({named(high[0].label)})."
    )
    if below and above:
        few, side = (below, "below") if len(below) <= len(above) else (above, "not below")
        text += (
            f" It matters: p is {side} {level(e.plan.alpha)} in: {'; '.join(few)}. It is"
            f" {'not below' if side == 'below' else 'below'} in the other"
            f" {len(shown) - len(few)}. The choice is the plan's; the table is no"
            " menu."
        )
    else:
        text += f" All p-values lie {'below' if below else 'above'} {level(e.plan.alpha)}."
    text += (
        " These are the analyses that are usual, whether the plan names them or not; the plan's own"
        " models stand in section 5."
    )
    return text


def direction(e: Evidence, name: str) -> str:
    """What ignoring the hierarchy does to the SE of the contrast, and between patients."""
    found = e.endpoints[name].ladder
    by_key = {r.key: r for r in found.rungs}
    planned = next((r for r in found.rungs if r.planned), None)
    ols = by_key["ols"]
    if ols.answer is None or planned is None or planned.answer is None:
        return ""
    if planned.state == STOPPED:
        return "The primary model did not converge: its standard error is not compared with others."
    d = e.decimals(name) + 2
    parts = [
        f"Least squares, which takes all readings as independent, has SE"
        f" {number(ols.answer.se, d)} where the primary model has {number(planned.answer.se, d)}:"
        f" {_way(found.ratio)}."
    ]
    nested, opposite = by_key.get("nested"), False
    done = nested is not None and nested.state != STOPPED
    if done and nested is not None and nested.answer is not None and not nested.planned:
        parts.append(_against_nested(e, found, ols, nested, d))
        opposite = _opposite(e, found, ols, nested)
    if found.base and ols.base is not None and planned.base is not None:
        parts.append(
            f"Of the difference between the arms at baseline, which lies between patients"
            f"{' and sites' if e.plan.design == 'cluster' else ''}, least squares claims SE"
            f" {number(ols.base.se, d)} and the primary model {number(planned.base.se, d)}:"
            f" {_way(found.base_ratio)}."
        )
    contrary = found.ratio > 1 + _ALIKE and found.base_ratio < 1 - _ALIKE
    if found.base and contrary and not opposite:
        parts.append(
            "Both errors have one cause: a change is a comparison within patients, where shared"
            " levels cancel, which least squares does not use; a level is one between patients,"
            " whose repeated readings it counts as if each were a patient."
        )
    return " ".join(parts)


def _opposite(e: Evidence, found: Ladder, ols: Rung, nested: Rung) -> bool:
    """Whether what least squares does to patients and what it does to sites meet in one number."""
    if e.plan.design != "cluster" or ols.answer is None or nested.answer is None:
        return False
    return abs(found.ratio - 1) < abs(ols.answer.se / nested.answer.se - 1)


def _against_nested(e: Evidence, found: Ladder, ols: Rung, nested: Rung, d: int) -> str:
    """Where the primary model is another than the three levels: these beside."""
    assert ols.answer is not None and nested.answer is not None, "checked by the caller"
    ratio = ols.answer.se / nested.answer.se
    text = f"Against three levels alone (SE {number(nested.answer.se, d)}) it is {_way(ratio)}."
    if _opposite(e, found, ols, nested):
        text += (
            " Against the primary model two errors of opposite direction meet: least squares does"
            " not use that patients are their own controls, which makes its SE too large, and does"
            " not know that sites were randomised and change as wholes, which makes it too small."
        )
    return text


def _way(ratio: float) -> str:
    """The ratio of two standard errors in words."""
    if math.isnan(ratio):
        return "not comparable"
    if abs(ratio - 1) < _ALIKE:
        return "about the same"
    size = f"{100 * abs(ratio - 1):.0f}%"
    return f"{size} too {'small' if ratio < 1 else 'large'}"


def sites_words(e: Evidence, name: str) -> str:
    """How much of the variance the sites hold, and what that does to the precision."""
    found = e.endpoints[name].ladder
    own = {(s.rung, s.group): s for s in found.shares}
    site = own.get(("nested", "SITEID"))
    stopped = any(r.state == STOPPED for r in found.rungs if r.key in ("nested", "patient"))
    if site is None or math.isnan(found.site_ratio) or stopped:
        return ""
    text = (
        f"Beside the fixed part, sites hold {100 * site.share:.1f}% of the variance of a reading."
        f" Taking them into a model of patients {_moves(found.site_ratio)} the SE of the contrast"
    )
    if not math.isnan(found.base_site_ratio):
        text += f" and {_moves(found.base_site_ratio)} that of the arms' difference at baseline"
    text += "."
    reference = found.base_site_ratio if found.base else found.site_ratio
    if not math.isnan(reference) and reference > 1 + _ALIKE:
        text += " What sites share counts against a comparison of arms that differ by site."
    elif not math.isnan(reference) and reference < 1 - _ALIKE:
        text += " Arms are compared within sites, so what sites share drops out: precision gained."
    visit = next(
        (s for (rung, group), s in own.items() if rung == "site_by_visit" and ":" in group), None
    )
    if visit is not None:
        text += f" {_visit_words(e, visit)}"
    return text


def _visit_words(e: Evidence, visit: Share) -> str:
    """What a site shares at one visit, and whether the comparison of arms meets it."""
    group, share = group_name(visit.group), f"{100 * visit.share:.1f}%"
    text = f"{group[0].upper()}{group[1:]} holds {share}"
    if visit.share < NOTHING:
        how = "not" if visit.share < 1e-6 else "hardly"
        return f"{text}: sites are estimated {how} to differ in how they change between visits."
    if e.plan.design != "cluster":
        return f"{text}: all arms of a site share it at a visit, so it cancels between them."
    met = "it is what a change between visits meets where whole sites were randomised."
    return f"{text}: small as a share, but {met}" if visit.share < SMALL else f"{text}, and {met}"


def _moves(ratio: float) -> str:
    """`leaves`, `raises by 30%`: of a standard error."""
    if abs(ratio - 1) < 0.005:
        return "does not change"
    verb = "raises" if ratio > 1 else "lowers"
    return f"{verb} by {100 * abs(ratio - 1):.0f}%"


def left_out_words(e: Evidence, name: str) -> str:
    """How far one site moves the answer, and whether it moves p across alpha."""
    found = e.endpoints[name].ladder
    planned = next((r.answer for r in found.rungs if r.planned), None)
    done = [(x, x.answer) for x in found.left_out if x.answer and x.state != "not converged"]
    stopped = any(r.planned and r.state == STOPPED for r in found.rungs)
    if planned is None or not done or stopped:
        return ""
    d = e.decimals(name)
    values = [a.estimate for _, a in done]
    text = (
        f"Without any one of {len(done)} sites the estimate lies between {number(min(values), d)}"
        f" and {number(max(values), d)} {e.endpoint(name).unit}."
    )
    below = planned.p < e.plan.alpha
    crossed = sorted((x.site for x, a in done if (a.p < e.plan.alpha) != below), key=natural)
    side = "above" if below else "below"
    if crossed:
        return f"{text} p comes to lie {side} {level(e.plan.alpha)} without: {', '.join(crossed)}."
    return f"{text} p stays on its side of {level(e.plan.alpha)} whichever is left out."
