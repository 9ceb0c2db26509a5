"""Checks over all hospitals, the fate of every reading, and the account (rule check_trial)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sitewise.terms import AVISIT, SITEID, USUBJID, Fate, Severity
from sitewise.trial.account import Account, FileRow
from sitewise.trial.accounting import make_account
from sitewise.trial.blinding import pool_arms
from sitewise.trial.design_checks import check_design, check_factors, check_present
from sitewise.trial.findings import (
    SITE_ASIDE,
    Found,
    apply_found,
    file_finding,
    findings_frame,
    join_findings,
    records_frame,
)
from sitewise.trial.identity_checks import check_alike_patients, check_many_arms
from sitewise.trial.kept_files import kept_findings, with_kept
from sitewise.trial.patient_checks import check_patients, witnesses
from sitewise.trial.rows import (
    FATE,
    PARAMCD,
    REASON,
    SITE_SET_ASIDE,
    arrange,
    set_fate,
    undecided,
)
from sitewise.trial.schema import assert_analysable
from sitewise.trial.stopped import StoppedError, rule_stops
from sitewise.trial.trial_notes import trial_notes

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan


def check_trial(
    plan: "Plan",
    rows: Sequence["pd.DataFrame"],
    files: Iterable[FileRow],
    findings: Sequence["pd.DataFrame"],
    left_out: Mapping[str, Sequence[str]],
    *,
    unlisted: Sequence[str] = (),
    kept: Sequence[Mapping[str, str]] = (),
) -> "tuple[pd.DataFrame, pd.DataFrame, Account]":
    """Check what only the whole trial shows, and give every reading its fate.

    rows: checked readings, one frame a batch. files: of all batches. findings: those so far.
    left_out: stratification factors by model, of `plan.factors.factors_left_out`.
    unlisted: files of the data folder that no line of the site sheet names.
    kept: earlier files used in place of bad ones: `site`, `file`, `told` each.
    Returns the readings, all findings, and the account. Raises StoppedError, a DataError that has
    the findings, where the data contradict the declared design, where the plan's models can't be
    built from them, or where a rule of the plan says stop to a finding of any stage.
    """
    import pandas as pd

    sheet = with_kept(sorted(files, key=lambda file: file.site), kept)
    readings = arrange(plan, pd.concat([frame for frame in rows if len(frame)] or list(rows[:1])))
    seen = witnesses(readings)
    patients = check_patients(plan, seen)
    alike = [*check_alike_patients(plan, seen), *check_many_arms(plan, readings)]
    apply_found(readings, patients)
    sites, sheet = _bad_sites(plan, readings, sheet)
    apply_found(readings, sites)
    _settle(plan, readings)
    pool_arms(plan, readings)
    analysed = readings[readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])]
    assert_analysable(plan, analysed)
    notes, contradictions = check_design(plan, analysed)
    said = join_findings(
        [
            *findings,
            findings_frame([*patients, *alike, *sites, *notes, *trial_notes(plan, analysed)]),
            check_factors(left_out),
            _same_file(sheet),
            _not_listed(unlisted),
            kept_findings(sheet),
        ]
    )
    account = make_account(plan, readings, sheet, said)
    problems = [
        *rule_stops(plan, said),
        *check_present(plan, readings, analysed, sheet),
        *contradictions,
    ]
    if problems:
        raise StoppedError("The trial can't be analysed as planned.", problems, said, readings)
    return readings, said, account


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
                severity=Severity.WARNING, allowed="a file of its own for each hospital",
                action="kept; its rows are judged one by one",
                advice="ask both hospitals; one of them has probably sent the other's file",
            )
            for twins in shared.values() if len(twins) > 1
            for file in twins
        ]
    )  # fmt: skip


def _not_listed(files: Sequence[str]) -> "pd.DataFrame":
    """Files beside the hospitals' that no line of the site sheet names."""
    return records_frame(
        [
            file_finding(
                "", file, "file not listed",
                "the file lies in the data folder, and no line of the site sheet names it",
                severity=Severity.WARNING, action="not read: its readings are in no count",
                allowed="a line of the site sheet for each .csv and .parquet file beside the"
                " hospitals' files",
                advice="if it is a hospital's file, give it a line in the site sheet; else move it"
                " out of the folder",
            )
            for file in sorted(files)
        ]
    )  # fmt: skip
