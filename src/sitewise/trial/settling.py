"""A fate for every reading of some hospitals, and what the whole trial is judged by."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sitewise.terms import (
    ADY,
    AVAL,
    AVISIT,
    AVISITN,
    SITEID,
    SRCFILE,
    SRCROW,
    TRT01P,
    USUBJID,
    Fate,
    Severity,
)
from sitewise.trial.account import FileRow
from sitewise.trial.accounting import Counts, count_readings
from sitewise.trial.blinding import pool_arms
from sitewise.trial.cells import count_cells, count_patients
from sitewise.trial.findings import SITE_ASIDE, Found, apply_found, findings_frame
from sitewise.trial.leaving_checks import seen_after_leaving
from sitewise.trial.patient_checks import check_patients, witnesses
from sitewise.trial.rows import (
    FATE,
    PARAMCD,
    REASON,
    SITE_SET_ASIDE,
    leaving_columns,
    set_fate,
)
from sitewise.trial.schema import assert_analysable
from sitewise.trial.trial_notes import missing_baselines

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


# What is asked of a reading that reaches the analysis.
ANALYSED = [SITEID, USUBJID, TRT01P, PARAMCD, AVISIT, AVISITN, ADY, AVAL, SRCFILE, SRCROW]


@dataclass(frozen=True)
class Settled:
    """Hospitals whose readings all have a fate.

    readings: as checked, with their fates. findings: of this stage. files: of these hospitals,
    those set aside here marked. counts, cells, patients: for the account and the checks over all
    hospitals (`count_readings`, `count_cells`, `count_patients`).
    """

    readings: "pd.DataFrame" = field(repr=False)
    findings: "pd.DataFrame" = field(repr=False)
    files: tuple[FileRow, ...]
    counts: Counts
    cells: "pd.DataFrame" = field(repr=False)
    patients: "pd.DataFrame" = field(repr=False)


def settle(
    plan: "Plan",
    readings: "pd.DataFrame",
    files: Sequence[FileRow],
    two_sites: Mapping[str, str],
    movers: Collection[str] = (),
) -> Settled:
    """Give every reading of whole hospitals its fate (changes `readings`).

    readings: of `check_batch`, arranged. files: of all hospitals or more than these. two_sites:
    patients who stand at other hospitals too, of `at_two_sites`. movers: those and the patients of
    rows that bear no witness, for the count of patients.
    """
    patients = check_patients(plan, witnesses(readings), two_sites)
    apply_found(readings, patients)
    sites, files = _bad_sites(plan, readings, files)
    apply_found(readings, sites)
    _give_fates(plan, readings)
    pool_arms(plan, readings)
    analysed = readings.loc[
        readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value]),
        [*ANALYSED, *leaving_columns(plan)],
    ]
    assert_analysable(plan, analysed)
    # counted many times over: by code, not by text
    analysed = analysed.astype(
        dict.fromkeys([SITEID, USUBJID, TRT01P, AVISIT, PARAMCD], "category")
    )
    return Settled(
        readings,
        findings_frame(
            [
                *patients,
                *sites,
                *missing_baselines(plan, analysed),
                *seen_after_leaving(plan, analysed),
            ]
        ),
        tuple(files),
        count_readings(plan, readings, movers),
        count_cells(analysed),
        count_patients(analysed),
    )


def _bad_sites(
    plan: "Plan", readings: "pd.DataFrame", files: Sequence[FileRow]
) -> tuple[list[Found], list[FileRow]]:
    """Sites of which too large a share of the measured readings within the plan is set aside."""
    out = [Fate.OUTSIDE_PLAN.value, Fate.NOT_MEASURED.value]
    already = {file.site for file in files if file.status != "used"}
    asked = readings[~readings[FATE].isin(out) & ~readings[SITEID].isin(already)]
    lost = asked[FATE].eq(Fate.SET_ASIDE.value).groupby(asked[SITEID]).agg(["sum", "size"])
    found = []
    reasons: dict[str, str] = {}
    for site, line in lost.iterrows():
        share = line["sum"] / line["size"]
        if share <= plan.rules.bad_site_share:
            continue
        told = f"{line['sum']} of {line['size']} measured readings ({share:.0%}) were set aside"
        reasons[str(site)] = told
        found.append(
            Found(
                "bad site",
                Severity.ERROR,
                asked[asked[SITEID] == site],
                "",
                f"{told}: more than the plan's share",
                value=f"{share:.0%}",
                allowed=f"at most {plan.rules.bad_site_share:.0%} (rules.bad_site_share)",
                action=SITE_ASIDE,
                advice="see the site's other findings; ask the hospital for a corrected file",
                fate=Fate.SET_ASIDE,
                reason=f"{SITE_SET_ASIDE}: too many bad readings",
                scope="site",
            )
        )
    return found, [
        replace(file, status="set aside", reason=reasons[file.site])
        if file.site in reasons
        else file
        for file in files
    ]


def _give_fates(plan: "Plan", readings: "pd.DataFrame") -> None:
    """Give the readings that are left their fate: analysed, or averaged into a named record."""
    keys = [SITEID, USUBJID, AVISIT, PARAMCD]
    left = readings.loc[readings[FATE].isna(), keys]
    if plan.replicates == "mean":
        size = left.groupby(keys)[PARAMCD].transform("size")
        many = left[size > 1]
        readings.loc[many.index, FATE] = Fate.AVERAGED.value
        readings.loc[many.index, REASON] = (
            "mean in the record " + many[USUBJID] + " / " + many[AVISIT] + " / " + many[PARAMCD]
        )
        left = left[size == 1]
    set_fate(readings, left.index, Fate.ANALYSED, "as it stands")
