"""Checks between readings of one patient: pairs (SBP above DBP), duplicates, study days."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sitewise.terms import ADY, AVAL, AVISIT, AVISITN, SITEID, SRCFILE, SRCROW, USUBJID, Severity
from sitewise.trial.findings import Found, lost_readings
from sitewise.trial.rows import ATPT, AVALC, PARAMCD, REASON, SITE_DISAGREES, undecided
from sitewise.trial.value_checks import measured, value_column

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan
    from sitewise.plan.sections import Pair

# So many patients, and more than half of a site's, are how the site counts its days or visits.
FEWEST_PATIENTS = 3
DUPLICATE_EQUAL, DUPLICATE_DIFFERENT = "duplicate, same value", "duplicate, different values"


def check_pairs(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Readings of one moment of which the one must exceed the other: set aside where it does not.

    A moment is the row (layout `visits`), or patient, visit and time point. Where several readings
    share it they are compared in order of size: if that matching has a pair that breaks the rule,
    every matching has one, so the verdict does not depend on the order of rows. Where only some
    matching breaks it, the readings are kept with a warning.
    """
    left = undecided(rows)
    moment = (
        [SRCFILE, SRCROW]
        if plan.columns.layout == "visits"
        else [SITEID, USUBJID, AVISIT, *([ATPT] if plan.columns.timepoint else [])]
    )
    for pair in plan.pairs:
        both = left[left[PARAMCD].isin([pair.above, pair.below])]
        bad, doubtful = _broken_pairs(both, pair, moment)
        yield lost_readings(
            f"{pair.above} not above {pair.below}",
            bad,
            _columns(plan, bad),
            f"{pair.above} must be greater than {pair.below} of the same moment; the two may be"
            " swapped",
            value=bad[AVALC].tolist(),
            allowed=f"{pair.above} > {pair.below}",
            action="both readings set aside (swapped values are never repaired)",
            advice="compare both cells with the source document",
        )
        yield Found(
            f"{pair.above} and {pair.below} overlap",
            Severity.WARNING,
            doubtful,
            _columns(plan, doubtful),
            f"a {pair.below} of this visit is as high as a {pair.above}; which belongs to which"
            " can't be told, so two may be swapped",
            value=doubtful[AVALC].tolist(),
            allowed=f"{pair.above} > {pair.below}",
            action="readings kept",
            advice="compare them with the source document; with a time point column"
            " (columns.timepoint) the pairs could be told",
        )


def _broken_pairs(
    both: "pd.DataFrame", pair: "Pair", moment: list[str]
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """All readings of the moments at which the rule is broken, and of those where it may be."""
    if both[PARAMCD].nunique() < 2:
        return both.iloc[:0], both.iloc[:0]
    key = both.groupby(moment, dropna=False, sort=False).ngroup()
    keyed = both[[PARAMCD, AVAL]].assign(_moment=key)
    if not keyed.duplicated(["_moment", PARAMCD]).any():  # the rule, unless readings are repeated
        one, other = (keyed[keyed[PARAMCD] == n].set_index("_moment")[AVAL] for n in
                      (pair.above, pair.below))  # fmt: skip
        other = other.reindex(one.index)
        return both[key.isin(one.index[one <= other])], both.iloc[:0]
    group = keyed.groupby(["_moment", PARAMCD])[AVAL]
    keyed = keyed.assign(_place=group.rank(method="first"), _count=group.transform("size"))
    above, below = (keyed[keyed[PARAMCD] == name] for name in (pair.above, pair.below))
    # by size where the counts agree, by their means where one is short of a reading
    ranked = above.merge(below, on=["_moment", "_place", "_count"], suffixes=("_a", "_b"))
    bad = ranked.loc[ranked[f"{AVAL}_a"] <= ranked[f"{AVAL}_b"], "_moment"].tolist()
    mean_above, mean_below = (
        part.groupby("_moment")[[AVAL, "_count"]].mean() for part in (above, below)
    )
    means = mean_above.merge(mean_below, on="_moment", suffixes=("_a", "_b"))
    uneven = means[means["_count_a"] != means["_count_b"]]
    bad += uneven.index[uneven[f"{AVAL}_a"] <= uneven[f"{AVAL}_b"]].tolist()
    lowest, highest = (
        getattr(part.groupby("_moment")[AVAL], edge)()
        for part, edge in ((above, "min"), (below, "max"))
    )
    overlap = lowest.index[lowest <= highest.reindex(lowest.index)]
    return both[key.isin(bad)], both[key.isin(overlap.difference(bad))]


def check_duplicates(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """The same patient, visit and parameter more than once.

    With `replicates: mean` only readings of the same time point are duplicates, and none are where
    the files have no time point.
    """
    if plan.replicates == "mean" and plan.columns.timepoint is None:
        return []
    keys = [SITEID, USUBJID, AVISIT, PARAMCD]
    if plan.replicates == "mean":
        keys.append(ATPT)
    # a reading that another check set aside still speaks against its twin
    every = measured(rows)
    every = every[
        every[USUBJID].notna() & every[AVISIT].notna() & (every[REASON] != SITE_DISAGREES)
    ]
    every = every[every.duplicated(keys, keep=False)]
    if every.empty:
        return []
    values = every.groupby(keys, dropna=False)[AVAL].transform("nunique", dropna=False)
    different = undecided(every[values > 1])
    equal = undecided(every[values == 1])
    if plan.rules.duplicate_equal == "keep first":
        equal = equal[equal.duplicated(keys, keep="first")]  # rows are in the order of lines
        kept = "; the first is kept"
    else:
        kept = ""
    what = "patient, visit and parameter" + (", at one time point" if ATPT in keys else "")
    return [
        lost_readings(
            DUPLICATE_DIFFERENT,
            different,
            _columns(plan, different),
            f"the same {what} more than once, with different values: none can be trusted",
            value=different[AVALC].tolist(),
            allowed=f"one reading for each {what}",
            advice="find out which is right and remove the others, or correct patient or visit",
        ),
        lost_readings(
            DUPLICATE_EQUAL,
            equal,
            _columns(plan, equal),
            f"the same {what} more than once, with the same value{kept}",
            value=equal[AVALC].tolist(),
            allowed=f"one reading for each {what}",
            advice="remove the repeated rows, or correct patient or visit",
        ),
    ]


def _columns(plan: "Plan", part: "pd.DataFrame") -> list[str]:
    """The raw column of each reading's own parameter."""
    return [value_column(plan, str(name)) for name in part[PARAMCD]]


def check_visit_days(plan: "Plan", rows: "pd.DataFrame") -> list[Found]:
    """Replicates of one visit on different study days: their mean takes the first day."""
    if plan.replicates != "mean" or plan.columns.day is None:
        return []
    left = undecided(rows)
    days = left.groupby([SITEID, USUBJID, AVISIT, PARAMCD])[ADY].transform("nunique")
    apart = left[days > 1]
    return [
        Found(
            "visit on several days",
            Severity.WARNING,
            apart,
            plan.columns.day,
            "the readings of this visit lie on different study days: their mean takes the first",
            value=[f"{day:g}" for day in apart[ADY]],
            allowed="readings of one visit on one day",
            action="readings kept",
            advice="check whether they belong to one visit",
            scope="row",
        )
    ]


def check_visit_order(plan: "Plan", rows: "pd.DataFrame") -> Iterator[Found]:
    """Visits that do not lie on later study days than those before them in the plan.

    A visit lies on the first of its days. One finding a patient, at the first such visit; one a
    site where most of its patients have one.
    """
    if plan.columns.day is None:
        return
    patient = [SITEID, USUBJID]
    left = undecided(rows).dropna(subset=[ADY, AVISITN, USUBJID])
    days = left.sort_values([*patient, AVISITN, ADY], kind="stable")
    days = days.drop_duplicates([*patient, AVISITN])
    days = days[days.duplicated(patient, keep=False)]  # one visit has no order
    latest = days.groupby(patient)[ADY].cummax().groupby([days[name] for name in patient]).shift()
    wrong = days[days[ADY] <= latest].drop_duplicates(patient)
    told = {
        index: f"{visit} is on study day {day:g}, a visit before it on day {before:g}"
        for index, visit, day, before in zip(
            wrong.index, wrong[AVISIT], wrong[ADY], latest[wrong.index], strict=True
        )
    }
    seen = days.groupby(SITEID)[USUBJID].nunique()
    many = wrong.groupby(SITEID).size()
    whole = many[(many >= FEWEST_PATIENTS) & (2 * many > seen.reindex(many.index))].index
    for site in whole:
        here = wrong[wrong[SITEID] == site]
        first = here.sort_values([SRCFILE, SRCROW], kind="stable").iloc[:1]
        yield _order_of_visits(
            plan,
            first,
            f"at {len(here)} of {seen[site]} patients of this site visits and study days contradict"
            f" each other; of {first[USUBJID].iloc[0]} {told[first.index[0]]}",
            "site",
        )
    others = wrong[~wrong[SITEID].isin(whole)]
    yield _order_of_visits(plan, others, [told[index] for index in others.index], "row")


def _order_of_visits(
    plan: "Plan", part: "pd.DataFrame", message: "str | list[str]", scope: str
) -> Found:
    return Found(
        "visits against study days",
        Severity.WARNING,
        part,
        str(plan.columns.day),
        message,
        value=[f"{day:g}" for day in part[ADY]],
        allowed="later days at later visits: " + ", ".join(visit.name for visit in plan.visits),
        action="readings kept",
        advice="compare names and days of these visits with the source documents: one is wrong",
        scope=scope,
    )
