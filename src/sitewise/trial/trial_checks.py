"""Checks over all hospitals, the fate of every reading, and the account (rule check_trial)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sitewise.terms import SITEID, SRCFILE, SRCROW, TRT01P, USUBJID, Severity
from sitewise.trial.account import Account, FileRow
from sitewise.trial.accounting import add_counts, make_account
from sitewise.trial.design_checks import check_design, check_factors, check_present
from sitewise.trial.findings import (
    Found,
    file_finding,
    findings_frame,
    join_findings,
    records_frame,
)
from sitewise.trial.identity_checks import check_alike_patients, check_many_arms, unknown_codes
from sitewise.trial.kept_files import kept_findings, with_kept
from sitewise.trial.patient_checks import at_two_sites, first_places, witnesses
from sitewise.trial.rows import ARM, REASON, arrange
from sitewise.trial.settling import settle
from sitewise.trial.stopped import StoppedError, rule_stops
from sitewise.trial.trial_notes import trial_notes

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

    Read = Callable[[list[str] | None], pd.DataFrame]
    Keep = Callable[[pd.DataFrame], None]

# What the checks over all hospitals read of each reading, before it has its fate.
SEEN = [SITEID, USUBJID, TRT01P, ARM, SRCFILE, SRCROW, REASON]


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
    """`judge_trial` of frames in memory: the readings of all hospitals, findings, account.

    rows: checked readings, one frame a batch. Readings stand batch below batch. A StoppedError
    has them too.
    """
    import pandas as pd

    frames = [frame for frame in rows if len(frame)] or list(rows[:1])
    made: list[pd.DataFrame] = []
    try:
        said, account = judge_trial(
            plan, [_reader(frame) for frame in frames], files, findings, left_out,
            keep=made.append,             unlisted=unlisted, kept=kept,
        )  # fmt: skip
    except StoppedError as error:
        raise error.with_rows(pd.concat(made, ignore_index=True)) from None
    return pd.concat(made, ignore_index=True), said, account


def _reader(frame: "pd.DataFrame") -> "Read":
    return lambda columns: frame if columns is None else frame[columns]


def judge_trial(
    plan: "Plan",
    batches: Sequence["Read"],
    files: Iterable[FileRow],
    findings: Sequence["pd.DataFrame"],
    left_out: Mapping[str, Sequence[str]],
    *,
    keep: "Keep",
    unlisted: Sequence[str] = (),
    kept: Sequence[Mapping[str, str]] = (),
) -> "tuple[pd.DataFrame, Account]":
    """Check what only the whole trial shows, and give every reading its fate.

    Batches hold whole hospitals and are read twice, one at a time: first who is where, then all.
    batches: each gives its checked readings, or these columns of them. files: of all batches.
    findings: those so far. left_out: stratification factors by model, of
    `plan.factors.factors_left_out`. keep: is given the readings of each batch with their fates, in
    the order of the batches. unlisted: files of the data folder that no line of the site sheet
    names. kept: earlier files used in place of bad ones: `site`, `file`, `told` each.

    Returns all findings, and the account. Raises StoppedError, a DataError that has the findings,
    where the data contradict the declared design, where the plan's models can't be built from them,
    or where a rule of the plan says stop to a finding of any stage.
    """
    import pandas as pd

    seen = _look(plan, batches)
    sheet = with_kept(sorted(files, key=lambda file: file.site), kept)
    settled = []
    for read in batches:
        one = settle(plan, arrange(plan, read(None)), sheet, seen.two_sites, seen.movers)
        keep(one.readings)
        settled.append(replace(one, readings=one.readings.iloc[:0]))
        sheet = list(one.files)
    cells = pd.concat([one.cells for one in settled], ignore_index=True)
    patients = pd.concat([one.patients for one in settled], ignore_index=True)
    notes, contradictions = check_design(plan, patients, cells)
    said = join_findings(
        [
            *findings,
            *(one.findings for one in settled),
            findings_frame([*seen.alike, *notes, *trial_notes(plan, patients, cells)]),
            check_many_arms(plan, seen.codes),
            check_factors(left_out),
            _same_file(sheet),
            _not_listed(unlisted),
            kept_findings(sheet),
        ]
    )
    counts = add_counts(plan, [one.counts for one in settled])
    account = make_account(plan, counts, sheet, said)
    problems = [
        *rule_stops(plan, said),
        *check_present(plan, counts.fates, cells, sheet),
        *contradictions,
    ]
    if problems:
        raise StoppedError("The trial can't be analysed as planned.", problems, said)
    return said, account


@dataclass(frozen=True)
class _Seen:
    """Who is where, over all hospitals.

    two_sites: by `patient_checks.at_two_sites`. alike: findings on identifiers that look alike.
    codes: of arms that the plan does not know. movers: patients of more than one hospital.
    """

    two_sites: dict[str, str]
    alike: list[Found]
    codes: set[str]
    movers: set[str]


def _look(plan: "Plan", batches: Sequence["Read"]) -> _Seen:
    """Read each batch once for who is where."""
    import pandas as pd

    places, codes, standing = [], set[str](), []
    for read in batches:
        seen = read(SEEN)
        standing.append(seen.loc[seen[USUBJID].notna(), [SITEID, USUBJID]].drop_duplicates())
        places.append(first_places(witnesses(seen)))
        codes |= unknown_codes(seen)
    everybody = pd.concat(places, ignore_index=True)
    named = pd.concat(standing, ignore_index=True)[USUBJID]
    return _Seen(
        at_two_sites(plan, everybody),
        check_alike_patients(plan, everybody),
        codes,
        set(named[named.duplicated()]),
    )


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
