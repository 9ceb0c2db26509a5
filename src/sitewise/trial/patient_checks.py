"""Checks of whole patients, over all hospitals: one site and one arm each."""

from typing import TYPE_CHECKING

from sitewise.terms import SITEID, SRCFILE, SRCROW, TRT01P, USUBJID, Fate, Severity
from sitewise.trial.findings import Found
from sitewise.trial.rows import REASON, SITE_DISAGREES, SITE_SET_ASIDE, TOTALS

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

TWO_SITES, TWO_ARMS = "patient at two sites", "arm changes"


def witnesses(readings: "pd.DataFrame") -> "pd.DataFrame":
    """Readings that may speak against others of their patient.

    None of no patient, of a row that claims another site, or of a site that was set aside.
    """
    doubtful = readings[REASON].isin([SITE_DISAGREES, TOTALS]) | readings[REASON].str.startswith(
        SITE_SET_ASIDE, na=False
    )
    return readings[readings[USUBJID].notna() & ~doubtful]


def check_patients(plan: "Plan", seen: "pd.DataFrame") -> list[Found]:
    """Patients seen at two sites, and patients with two arms: every reading set aside.

    seen: the `witnesses` of all readings.
    """
    found = []
    if plan.columns.patient_ids == "trial":
        sites = _conflicts(seen, [USUBJID], SITEID)
        found.append(
            _all_of_patient(
                TWO_SITES,
                seen.loc[sites.index],
                plan.columns.patient,
                "the patient identifier stands at the sites " + sites,
                value=seen.loc[sites.index, USUBJID],
                allowed="one site a patient; or the plan's columns.patient_ids: site, where"
                " identifiers are unique within a site only",
            )
        )
    arms = _conflicts(seen, [SITEID, USUBJID], TRT01P)
    witness = _first_of_other_arm(seen.loc[arms.index])
    found.append(
        _all_of_patient(
            TWO_ARMS,
            witness,
            plan.columns.arm,
            "the patient's rows name the arms " + arms,
            value=arms,
            allowed="one planned arm a patient, in every row",
        )
    )
    return [item for item in found if len(item.rows)]


def _conflicts(seen: "pd.DataFrame", keys: list[str], column: str) -> "pd.Series[str]":
    """`A and B` for each row of those `keys` that come with several values of `column`."""
    import pandas as pd

    pairs = seen.loc[seen[column].notna(), [*keys, column]].drop_duplicates()
    pairs = pairs[pairs.duplicated(keys, keep=False)].sort_values([*keys, column])
    told: dict[tuple[str, ...], str] = {}
    for *key, value in pairs.itertuples(index=False):
        told[tuple(key)] = f"{told[tuple(key)]} and {value}" if tuple(key) in told else value
    if not told:
        return seen[column].iloc[:0]
    own = seen[seen[keys[-1]].isin([key[-1] for key in told])]
    texts = [told.get(tuple(key)) for key in own[keys].itertuples(index=False)]
    return pd.Series(texts, index=own.index, dtype="str").dropna()


def _first_of_other_arm(part: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of these patients, each with the place where the patient's arm first changes."""
    if part.empty:
        return part
    keys = [SITEID, USUBJID]
    ordered = part[part[TRT01P].notna()].sort_values([*keys, SRCFILE, SRCROW], kind="stable")
    first = ordered.groupby(keys)[TRT01P].transform("first")
    places = ordered[ordered[TRT01P] != first].drop_duplicates(keys)[[*keys, SRCFILE, SRCROW]]
    placed = part[keys].merge(places, on=keys, how="left")
    return part.assign(**{n: placed[n].set_axis(part.index) for n in (SRCFILE, SRCROW)})


def _all_of_patient(
    rule: str,
    part: "pd.DataFrame",
    column: str,
    told: "pd.Series[str]",
    *,
    value: "pd.Series[str]",
    allowed: str,
) -> Found:
    return Found(
        rule,
        Severity.ERROR,
        part,
        column,
        told.tolist(),
        value=value.tolist(),
        allowed=allowed,
        action="all readings of the patient set aside",
        advice="find out from the source documents which is right, and correct the other rows",
        fate=Fate.SET_ASIDE,
        reason=rule,
        scope="patient row" if rule == TWO_ARMS else "patient",
    )
