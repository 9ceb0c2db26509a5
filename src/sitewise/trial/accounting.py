"""Make the account of readings; a sum that does not add up stops the run."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sitewise.errors import DataError, Problem
from sitewise.terms import SITEID, TRT01P, USUBJID, Fate
from sitewise.trial.account import (
    Account,
    ArmCount,
    FateCount,
    FileRow,
    FindingCount,
    PatientCount,
)
from sitewise.trial.rows import FATE, PARAMCD, REASON, SITE_SET_ASIDE, TOTALS

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.plan.model import Plan

NONE = ""  # in place of a fate where a reading has none, which is a fault
FEW_MESSAGES = 5  # up to this many messages of one rule are told one by one


@dataclass(frozen=True)
class Counts:
    """What the account takes from the readings of whole hospitals; adds up over batches.

    readings: how many there are. fates, patients: as in `Account`. sites: by arm, with a patient of
    it. movers: identifier, arm and reason of the patients who stand at several sites, once a site
    and in no count of patients yet.
    """

    readings: int
    fates: tuple[FateCount, ...]
    patients: tuple[PatientCount, ...]
    sites: tuple[tuple[str, int], ...]
    movers: tuple[tuple[str, str, str], ...]


def count_readings(plan: "Plan", readings: "pd.DataFrame", movers: Collection[str]) -> Counts:
    """Count readings by endpoint, site, fate and reason, and their patients by arm.

    movers: identifiers that stand at several sites of the trial.
    """
    people = _people(readings)
    moved = people[USUBJID].isin(list(movers))
    own = people[~moved].groupby([TRT01P, REASON]).size()
    sites = people[[SITEID, TRT01P]].drop_duplicates().groupby(TRT01P).size()
    return Counts(
        len(readings),
        _fates(plan, readings),
        _by_arm(plan, dict(zip(own.index.tolist(), own.tolist(), strict=True))),
        tuple(zip(sites.index.tolist(), sites.tolist(), strict=True)),
        tuple(people.loc[moved, [USUBJID, TRT01P, REASON]].itertuples(index=False, name=None)),
    )


def add_counts(plan: "Plan", parts: Iterable[Counts]) -> Counts:
    """The counts of all batches as one; a patient at several sites is one patient."""
    total, fates, movers = 0, list[FateCount](), list[tuple[str, str, str]]()
    patients, sites = Counter[tuple[str, str]](), Counter[str]()
    for part in parts:
        total += part.readings
        fates += part.fates
        movers += part.movers
        patients.update({(one.arm, one.reason): one.patients for one in part.patients})
        sites.update(dict(part.sites))
    patients.update(_once(movers))
    return Counts(
        total, _ordered(plan, fates), _by_arm(plan, patients), tuple(sorted(sites.items())), ()
    )


def _once(movers: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
    """Arm and reason of each patient: where readings are analysed, else where most is known."""
    told: dict[str, list[tuple[str, str]]] = {}
    for patient, arm, reason in movers:
        told.setdefault(patient, []).append((arm, reason))
    for places in told.values():
        yield min(places, key=lambda place: (place[1] != "", place[0] == ""))


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
        arms=_arms(plan, counts),
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


def _people(readings: "pd.DataFrame") -> "pd.DataFrame":
    """SITEID, USUBJID, TRT01P and REASON of the patients at each site, sorted.

    REASON: why a patient has no analysed reading, else empty: of a site that was set aside that,
    whatever else its readings lack. TRT01P is empty without a known arm.
    """
    used = readings[FATE].isin([Fate.ANALYSED.value, Fate.AVERAGED.value])
    named = readings[USUBJID].notna() & readings[REASON].ne(TOTALS)
    cells = {
        SITEID: readings[SITEID],
        USUBJID: readings[USUBJID],
        TRT01P: readings[TRT01P].fillna(""),
        REASON: readings[REASON].fillna(readings[FATE]).mask(used, ""),
    }
    sizes = readings.assign(**cells).loc[named, list(cells)].groupby(list(cells), sort=True).size()
    told = sizes.rename("n").reset_index()
    # an analysed reading before all others, then the commonest reason; an arm before none
    told["used"] = told[REASON] == ""
    told["known"] = told[TRT01P] != ""
    order = [SITEID, USUBJID, "used", "n", "known", REASON, TRT01P]
    rising = [True, True, False, False, False, True, True]
    told, keys = told.sort_values(order, ascending=rising), [SITEID, USUBJID]
    first, arms = told.drop_duplicates(keys), told[told["known"]].drop_duplicates(keys)
    people = first[[*keys, REASON]].merge(arms[[*keys, TRT01P]], on=keys, how="left")
    aside = told[told[REASON].str.startswith(SITE_SET_ASIDE)].drop_duplicates(SITEID)
    of_site = people[SITEID].map(aside.set_index(SITEID)[REASON])
    people[REASON] = of_site.where(of_site.notna(), people[REASON])
    return people.fillna({TRT01P: ""})


def _by_arm(plan: "Plan", counts: Mapping[tuple[str, str], int]) -> tuple[PatientCount, ...]:
    """Counts by arm and reason, in the order of the plan's arms."""
    names = [*(a.name for a in plan.arms.order), ""]
    people = (PatientCount(arm, reason, n) for (arm, reason), n in counts.items())
    return tuple(sorted(people, key=lambda c: (names.index(c.arm), c.reason)))


def _arms(plan: "Plan", counts: Counts) -> tuple[ArmCount, ...]:
    """Sites and patients of each arm of the plan, whatever became of them."""
    sites, patients = dict(counts.sites), Counter[str]()
    for one in counts.patients:
        patients[one.arm] += one.patients
    names = [arm.name for arm in plan.arms.order]
    return tuple(ArmCount(name, sites.get(name, 0), patients[name]) for name in names)


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
