"""Checks over all hospitals, the fate of every reading, and the account (rule check_trial)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sitewise.errors import Problem
from sitewise.terms import AVISIT, SITEID, SRCFILE, SRCROW, TRT01P, USUBJID, Fate, Severity
from sitewise.trial.account import Account, FileRow
from sitewise.trial.accounting import make_account
from sitewise.trial.design_checks import check_design, check_present, trial_notes
from sitewise.trial.findings import (
    Found,
    apply_found,
    file_finding,
    findings_frame,
    join_findings,
    records_frame,
    stop_problem,
)
from sitewise.trial.rows import (
    FATE,
    PARAMCD,
    REASON,
    SITE_DISAGREES,
    SITE_SET_ASIDE,
    arrange,
    set_fate,
    undecided,
)
from sitewise.trial.schema import assert_analysable
from sitewise.trial.stopped import StoppedError

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

TWO_SITES, TWO_ARMS = "patient at two sites", "arm changes"


def check_trial(
    plan: "Plan",
    rows: Sequence["pd.DataFrame"],
    files: Iterable[FileRow],
    findings: Sequence["pd.DataFrame"],
) -> "tuple[pd.DataFrame, pd.DataFrame, Account]":
    """Check what only the whole trial shows, and give every reading its fate.

    rows: checked readings, one frame a batch. files: of all batches. findings: those so far.
    Returns the readings, all findings, and the account. Raises StoppedError, a DataError that has
    the findings, where the data contradict the declared design, where the plan's models can't be
    built from them, or where a rule of the plan says stop.
    """
    readings, said, account, problems = check_whole(plan, rows, files, findings)
    if problems:
        raise StoppedError("The trial can't be analysed as planned.", problems, said, readings)
    return readings, said, account


def check_whole(
    plan: "Plan",
    rows: Sequence["pd.DataFrame"],
    files: Iterable[FileRow],
    findings: Sequence["pd.DataFrame"],
) -> "tuple[pd.DataFrame, pd.DataFrame, Account, list[Problem]]":
    """As `check_trial`; the problems that would stop the run are handed back, not raised."""
    import pandas as pd

    sheet = sorted(files, key=lambda file: file.site)
    readings = arrange(plan, pd.concat([frame for frame in rows if len(frame)] or list(rows[:1])))
    patients = _patients(plan, readings)
    apply_found(readings, patients)
    sites, sheet = _bad_sites(plan, readings, sheet)
    apply_found(readings, sites)
    problems = _stops(plan, [*patients, *sites])
    _settle(plan, readings)
    analysed = readings[readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])]
    assert_analysable(plan, analysed)
    notes, contradictions = check_design(plan, analysed)
    problems += [*check_present(plan, analysed, sheet), *contradictions]
    said = join_findings(
        [
            *findings,
            findings_frame([*patients, *sites, *notes, *trial_notes(plan, analysed)]),
            _same_file(sheet),
        ]
    )
    return readings, said, make_account(plan, readings, sheet, said), problems


def _patients(plan: "Plan", readings: "pd.DataFrame") -> list[Found]:
    """Patients seen at two sites, and patients with two arms: every reading set aside."""
    # A row that claims another site, or a site that was set aside, is no witness against others.
    doubtful = readings[REASON].eq(SITE_DISAGREES) | readings[REASON].str.startswith(
        SITE_SET_ASIDE, na=False
    )
    seen = readings[readings[USUBJID].notna() & ~doubtful]
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


def _bad_sites(
    plan: "Plan", readings: "pd.DataFrame", files: list[FileRow]
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
                action="site set aside",
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


def _stops(plan: "Plan", found: list[Found]) -> list[Problem]:
    keys = {TWO_SITES: "patient_at_two_sites", TWO_ARMS: "arm_changes", "bad site": "bad_site"}
    return [
        stop_problem(item, keys[item.rule])
        for item in found
        if getattr(plan.rules, keys[item.rule]) == "stop"
    ]


def _settle(plan: "Plan", readings: "pd.DataFrame") -> None:
    """Give the readings that are left their fate: analysed, or averaged into a named record."""
    left = undecided(readings)
    size = left.groupby([SITEID, USUBJID, AVISIT, PARAMCD])[FATE].transform("size")
    if plan.replicates == "mean":
        many = left[size > 1]
        readings.loc[many.index, FATE] = Fate.AVERAGED.value
        readings.loc[many.index, REASON] = (
            "mean in the record " + many[USUBJID] + " / " + many[AVISIT] + " / " + many[PARAMCD]
        )
        left = left[size == 1]
    set_fate(readings, left.index, Fate.ANALYSED, "as it stands")


def _same_file(files: list[FileRow]) -> "pd.DataFrame":
    """Two sites with the same bytes: one of them has the other's file."""
    shared: dict[str, list[FileRow]] = {}
    for file in files:
        if file.sha256:
            shared.setdefault(file.sha256, []).append(file)
    return records_frame(
        [
            file_finding(
                file.site, file.file, "same file twice",
                "the file is byte for byte that of site "
                + ", ".join(other.site for other in twins if other is not file),
                severity=Severity.WARNING, action="kept; its rows are judged one by one",
                advice="ask both hospitals; one of them has probably sent the other's file",
            )
            for twins in shared.values() if len(twins) > 1
            for file in twins
        ]
    )  # fmt: skip
