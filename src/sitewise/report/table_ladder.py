"""Lines of the machine-readable tables of ladder, guard, covariances and reconciliation."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sitewise.classical.answer import Answer
from sitewise.classical.not_at_random_result import Unseen

if TYPE_CHECKING:
    from sitewise.report.evidence import Evidence

Lines = Iterator[dict[str, Any]]
NUMBERS = ("estimate", "se", "df", "p", "lower", "upper")
LADDER = ("endpoint", "key", "label", "formula", "planned", "rows", "patients", "sites", "cluster",
          *NUMBERS, "effective", "df_method", "state", "refused",
          *(f"base_{n}" for n in NUMBERS))  # fmt: skip
STRAIGHT = ("endpoint", "key", "label", "formula", "means", *NUMBERS, "state", "refused", "f",
            "df1", "df2", "p_f", "df_method", "chi2", "p_chi2")  # fmt: skip
SHARES = ("endpoint", "rung", "group", "variance", "share")
GUARD = ("endpoint", "units", "arms", "between", "most", "beyond", "missing", "site_by_visit",
         *NUMBERS, "statistic", "p_lrt", "refused")  # fmt: skip
GUARDED = ("endpoint", "key", "label", "df", "most", "p", "between", "lean", "verdict")
COVARIANCES = ("endpoint", "place", "taken", "structure", "formula", "loglik", "npar", "aic",
               "aicc", "bic", "usable", "reason")  # fmt: skip
LEFT_OUT = ("endpoint", "site", "patients", *NUMBERS, "change", "se_ratio", "state",
            "refused")  # fmt: skip
BASELINE = ("endpoint", "key", "label", "formula", "rows", "patients", "sites", *NUMBERS, "effect",
            "state", "refused")  # fmt: skip
UNSEEN = ("endpoint", "arm", "reference", "visit", "model", "formula", "unit", "patients",
          "missing", "variance", "covariance", "patients_reference", "missing_reference",
          "variance_reference", "covariance_reference", "where", "delta", "what", *NUMBERS,
          "refused")  # fmt: skip
EFFECTS = ("endpoint", "effect", "f", "df1", "df2", "p", "epsilon", "p_gg", "sequential", "type3",
           "apart", "agrees", "said")  # fmt: skip
STEPS = ("endpoint", "key", "label", "formula", "rows", "patients", "sites", *NUMBERS, "state",
         "refused", "unchanged", "estimate_change", "se_ratio")  # fmt: skip


def _numbers(answer: Answer | None, prefix: str = "") -> dict[str, float]:
    return {} if answer is None else {prefix + n: getattr(answer, n) for n in NUMBERS}


def ladder(e: "Evidence") -> Lines:
    """One line a rung."""
    for name, own in e.endpoints.items():
        for r in own.ladder.rungs:
            line = {key: value for key, value in asdict(r).items() if key in LADDER}
            yield {
                "endpoint": name, "cluster": own.ladder.cluster, **line, **_numbers(r.answer),
                **_numbers(r.base, "base_"),
            }  # fmt: skip


def straight(e: "Evidence") -> Lines:
    """One line a model; the test of the lines on each. None where the primary model is no line."""
    for name, own in e.endpoints.items():
        s = own.ladder.straight
        if s is None:
            continue
        test = {"f": s.f, "df1": s.df1, "df2": s.df2, "p_f": s.p, "df_method": s.df_method,
                "chi2": s.chi2, "p_chi2": s.chi2_p}  # fmt: skip
        for r in s.rows:
            line = {key: value for key, value in asdict(r).items() if key != "answer"}
            yield {"endpoint": name, **line, **_numbers(r.answer), **test}


def not_at_random(e: "Evidence") -> Lines:
    """One line a delta and arms shifted; what: `at random`, `delta`, or which tipping point.

    variance, covariance: of the share of patients without a reading, and with the contrast.
    """
    for name, own in e.endpoints.items():
        found = own.ladder.not_at_random
        if found is None:
            continue
        head = {"endpoint": name, "reference": e.plan.arms.reference,
                "visit": e.plan.primary.visit, "model": found.model, "formula": found.formula,
                "unit": found.unit, "refused": found.refused}  # fmt: skip
        if found.refused:
            yield head
        for one in found.arms:
            line = {
                **head,
                "arm": one.arm,
                **_unseen(one.own),
                **_unseen(one.reference, "_reference"),
            }
            yield {**line, "what": "at random", "delta": 0.0, **_numbers(one.start)}
            for x in one.shifted:
                yield {**line, "what": "delta", "where": x.where, "delta": x.delta,
                       **_numbers(x.answer)}  # fmt: skip
            for tip in one.tipping:
                own_line = {**line, "where": tip.where}
                yield {**own_line, "what": "interval reaches 0", "delta": tip.interval}
                yield {**own_line, "what": "estimate is 0", "delta": tip.estimate}


def _unseen(one: Unseen, suffix: str = "") -> dict[str, float]:
    names = ("patients", "missing", "variance", "covariance")
    return {name + suffix: getattr(one, name) for name in names}


def shares(e: "Evidence") -> Lines:
    """One line a level of two rungs."""
    for name, own in e.endpoints.items():
        for s in own.ladder.shares:
            yield {"endpoint": name, **asdict(s)}


def guard(e: "Evidence") -> Lines:
    """Without and with site-by-visit; no line where patients were randomised."""
    for name, own in e.endpoints.items():
        g = own.ladder.guard
        if g is None:
            continue
        head = {"endpoint": name, "units": g.units, "arms": g.arms, "between": g.between,
                "most": g.most, "beyond": g.beyond, "missing": g.missing, "refused": g.refused,
                "statistic": g.statistic, "p_lrt": g.p}  # fmt: skip
        for which, answer in (("without", g.without), ("with", g.with_term)):
            yield {**head, "site_by_visit": which, **_numbers(answer)}


def guarded(e: "Evidence") -> Lines:
    """One line an analysis that the guard held against the sites; lean: p on `between` df."""
    for name, own in e.endpoints.items():
        if own.ladder.guard is not None:
            for one in own.ladder.guard.checked:
                yield {"endpoint": name, "between": own.ladder.guard.between, **asdict(one)}


def covariances(e: "Evidence") -> Lines:
    """One line a structure; place: in the plan's order, from 1."""
    for name, own in e.endpoints.items():
        choice = own.ladder.covariance
        for r in choice.rows:
            place = choice.order.index(r.structure) + 1 if r.structure in choice.order else None
            yield {"endpoint": name, "place": place, "taken": r.structure == choice.taken,
                   **asdict(r)}  # fmt: skip
        if choice.primary is not None:
            yield {"endpoint": name, "place": None, "taken": False, **asdict(choice.primary)}


def baseline(e: "Evidence") -> Lines:
    """One line a handling of the baseline; none where the plan does not ask."""
    for name, own in e.endpoints.items():
        if own.ladder.baseline is None:
            continue
        for h in own.ladder.baseline.rows:
            line = {key: value for key, value in asdict(h).items() if key != "answer"}
            yield {"endpoint": name, **line, **_numbers(h.answer)}


def left_out(e: "Evidence") -> Lines:
    """One line a site."""
    for name, own in e.endpoints.items():
        for x in own.ladder.left_out:
            line = {key: value for key, value in asdict(x).items() if key != "answer"}
            yield {"endpoint": name, **line, **_numbers(x.answer)}


def effects(e: "Evidence") -> Lines:
    """One line an effect of the ANOVA."""
    for name, own in e.endpoints.items():
        for x in own.reconciliation.effects:
            yield {"endpoint": name, **asdict(x)}


def steps(e: "Evidence") -> Lines:
    """One line a step."""
    for name, own in e.endpoints.items():
        for s in own.reconciliation.steps:
            line = {key: value for key, value in asdict(s).items() if key != "answer"}
            yield {"endpoint": name, **line, **_numbers(s.answer)}
