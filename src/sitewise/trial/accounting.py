"""Make the account of readings; a sum that does not add up stops the run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem
from sitewise.terms import SITEID, TRT01P, USUBJID, Fate
from sitewise.trial.account import Account, FateCount, FileRow, FindingCount, PatientCount
from sitewise.trial.rows import FATE, PARAMCD, REASON

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

NONE = ""  # in place of a fate where a reading has none, which is a fault
FEW_MESSAGES = 5  # up to this many messages of one rule are told one by one


@dataclass(frozen=True)
class Counts:
    """What the account takes from the readings of whole hospitals; adds up over batches.

    readings: how many there are. fates, patients: as in `Account`.
    """

    readings: int
    fates: tuple[FateCount, ...]
    patients: tuple[PatientCount, ...]


def count_readings(plan: "Plan", readings: "pd.DataFrame") -> Counts:
    """Count readings by endpoint, site, fate and reason, and their patients by arm."""
    return Counts(len(readings), _fates(plan, readings), _patients(plan, readings))


def add_counts(plan: "Plan", parts: Iterable[Counts]) -> Counts:
    """The counts of all batches as one."""
    total, fates = 0, list[FateCount]()
    patients: dict[tuple[str, str], int] = {}
    for part in parts:
        total += part.readings
        fates += part.fates
        for one in part.patients:
            key = (one.arm, one.reason)
            patients[key] = patients.get(key, 0) + one.patients
    people = (PatientCount(*key, number) for key, number in patients.items())
    return Counts(total, _ordered(plan, fates), _by_arm(plan, people))


def make_account(
    plan: "Plan", counts: Counts, files: Sequence[FileRow], findings: "pd.DataFrame"
) -> Account:
    """The account of the readings by endpoint, site, fate and reason.

    counts: of all batches. Readings in = readings with exactly one fate; raises DataError
    otherwise.
    """
    account = Account(
        rows=sum(file.rows for file in files),
        readings=sum(file.readings for file in files),
        files=tuple(files),
        counts=counts.fates,
        findings=_findings(findings),
        patients=counts.patients,
    )
    _assert_whole(account, counts.readings)
    return account


def _assert_whole(account: Account, readings: int) -> None:
    known = {fate.value for fate in Fate}
    without = sum(count.readings for count in account.counts if count.fate not in known)
    counted = sum(count.readings for count in account.counts)
    if without or not counted == account.readings == readings:
        raise DataError(
            "The account of readings does not add up: please report this fault.",
            [
                Problem(
                    f"{account.readings} readings came in, {readings} were checked,"
                    f" {counted - without} have a fate, {without} have none"
                )
            ],
        )


def _fates(plan: "Plan", readings: "pd.DataFrame") -> tuple[FateCount, ...]:
    # the record that a reading was averaged into is told in the readings, not in the sums
    averaged = readings[FATE] == Fate.AVERAGED.value
    cells = {
        "endpoint": readings[PARAMCD].fillna(""),
        "site": readings[SITEID],
        "fate": readings[FATE].fillna(NONE),
        "reason": readings[REASON].fillna("").mask(averaged, "mean of the readings of one visit"),
    }
    sizes = readings[[]].assign(**cells).groupby(list(cells), sort=True, dropna=False).size()
    counts = [
        FateCount(str(endpoint), str(site), str(fate), str(reason), int(n))
        for (endpoint, site, fate, reason), n in zip(sizes.index.tolist(), sizes, strict=True)
    ]
    return _ordered(plan, counts)


def _ordered(plan: "Plan", counts: Iterable[FateCount]) -> tuple[FateCount, ...]:
    endpoints, fates = [*plan.endpoints, ""], [*(fate.value for fate in Fate), NONE]
    return tuple(
        sorted(
            counts,
            key=lambda c: (endpoints.index(c.endpoint), c.site, fates.index(c.fate), c.reason),
        )
    )


def _patients(plan: "Plan", readings: "pd.DataFrame") -> tuple[PatientCount, ...]:
    """Patients of the files by arm, and why a patient has no analysed reading."""
    used = readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])
    cells = {
        "site": readings[SITEID],
        "patient": readings[USUBJID],
        "arm": readings[TRT01P].fillna(""),
        "reason": readings[REASON].fillna(readings[FATE]).mask(used, ""),
    }
    named = readings.assign(**cells).loc[readings[USUBJID].notna(), list(cells)]
    sizes = named.groupby(list(cells), sort=True).size().rename("n").reset_index()
    # an analysed reading before all others, then the commonest reason; an arm before none
    sizes["used"] = sizes["reason"] == ""
    sizes["known"] = sizes["arm"] != ""
    order = ["site", "patient", "used", "n", "known", "reason", "arm"]
    rising = [True, True, False, False, False, True, True]
    first = sizes.sort_values(order, ascending=rising).drop_duplicates(["site", "patient"])
    arms = sizes[sizes["known"]].drop_duplicates(["site", "patient"])
    arm = first.merge(arms[["site", "patient", "arm"]], on=["site", "patient"], how="left")
    counts = first.assign(arm=arm["arm_y"].fillna("").to_numpy()).groupby(["arm", "reason"]).size()
    return _by_arm(
        plan,
        (
            PatientCount(str(a), str(reason), int(n))
            for (a, reason), n in zip(counts.index.tolist(), counts, strict=True)
        ),
    )


def _by_arm(plan: "Plan", counts: Iterable[PatientCount]) -> tuple[PatientCount, ...]:
    names = [*(a.name for a in plan.arms.order), ""]
    return tuple(sorted(counts, key=lambda c: (names.index(c.arm), c.reason)))


def _findings(findings: "pd.DataFrame") -> tuple[FindingCount, ...]:
    """Counts by rule, severity and message.

    Where a rule has more than FEW_MESSAGES (they name the value that was found), one count an
    endpoint and column, with the first message as an example.
    """
    counts: list[FindingCount] = []
    for (rule, severity), part in findings.groupby(["RULE", "SEVERITY"], sort=True):
        few = part["MESSAGE"].nunique() <= FEW_MESSAGES
        for _, same in part.groupby(["MESSAGE"] if few else [PARAMCD, "COLUMN"], sort=True):
            first = str(same["MESSAGE"].iloc[0])
            alone = same["MESSAGE"].nunique() == 1
            counts.append(
                FindingCount(
                    rule=str(rule),
                    severity=str(severity),
                    findings=len(same),
                    sites=tuple(sorted({str(site) for site in same[SITEID]} - {""})),
                    message=first if alone else f"for example: {first}",
                )
            )
    return tuple(counts)
