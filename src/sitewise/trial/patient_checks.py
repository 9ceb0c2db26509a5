"""Checks of whole patients, over all hospitals: one site and one arm each."""

from collections.abc import Mapping
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


def first_places(seen: "pd.DataFrame") -> "pd.DataFrame":
    """SITEID and USUBJID of each patient at each site, with SRCFILE and SRCROW of the first row.

    seen: `witnesses` in the order of file and line.
    """
    return seen[[SITEID, USUBJID, SRCFILE, SRCROW]].drop_duplicates([SITEID, USUBJID])


def at_two_sites(plan: "Plan", patients: "pd.DataFrame") -> dict[str, str]:
    """`A and B` by identifier of the patients who stand at several sites.

    patients: `first_places` of all hospitals.
    """
    if plan.columns.patient_ids != "trial":
        return {}
    return {key[0]: told for key, told in _conflicts(patients, [USUBJID], SITEID).items()}


def check_patients(plan: "Plan", seen: "pd.DataFrame", two_sites: Mapping[str, str]) -> list[Found]:
    """Patients seen at two sites, and patients with two arms: every reading set aside.

    seen: the `witnesses` of whole hospitals. two_sites: of `at_two_sites`.
    """
    found = []
    if two_sites:
        moved = seen[seen[USUBJID].isin(list(two_sites))]
        sites = moved[USUBJID].map(two_sites)
        found.append(
            _all_of_patient(
                TWO_SITES,
                moved,
                plan.columns.patient,
                "the patient identifier stands at the sites " + sites,
                value=moved[USUBJID],
                allowed="one site a patient; or the plan's columns.patient_ids: site, where"
                " identifiers are unique within a site only",
            )
        )
    arms = _told(seen, [SITEID, USUBJID], _conflicts(seen, [SITEID, USUBJID], TRT01P))
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


def _conflicts(seen: "pd.DataFrame", keys: list[str], column: str) -> dict[tuple[str, ...], str]:
    """`A and B` of those `keys` that come with several values of `column`."""
    pairs = seen.loc[seen[column].notna(), [*keys, column]].drop_duplicates()
    pairs = pairs[pairs.duplicated(keys, keep=False)].sort_values([*keys, column])
    told: dict[tuple[str, ...], str] = {}
    for *key, value in pairs.itertuples(index=False):
        told[tuple(key)] = f"{told[tuple(key)]} and {value}" if tuple(key) in told else value
    return told


def _told(
    seen: "pd.DataFrame", keys: list[str], told: Mapping[tuple[str, ...], str]
) -> "pd.Series[str]":
    """What is told of each row's `keys`, of the rows of which anything is."""
    import pandas as pd

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
