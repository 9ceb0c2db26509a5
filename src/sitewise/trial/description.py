"""What the describe stage says of the patients: flow, baseline, outcomes, missing visits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FlowRow:
    """Patients of one arm at one site (site "" = all sites).

    patients: with any analysed reading. with_*, all_visits, by_visit: those with readings of the
        first endpoint of the plan at baseline, after it, at every visit, at each visit.
    """

    arm: str
    site: str
    patients: int
    with_baseline: int
    with_post_baseline: int
    all_visits: int
    by_visit: tuple[int, ...]


@dataclass(frozen=True)
class BaselineRow:
    """One line of the baseline table for one arm ("" = all arms).

    statistic: `mean (SD)` uses mean, sd, n; `median [IQR]` uses median, q1, q3; `n (%)` uses count
        and n. level: of a category, else "". missing: patients without a value.
    """

    variable: str
    label: str
    unit: str
    level: str
    arm: str
    n: int
    missing: int
    mean: float
    sd: float
    median: float
    q1: float
    q3: float
    count: int


@dataclass(frozen=True)
class OutcomeRow:
    """Observed outcome of one endpoint, visit and arm.

    change_*: from baseline, patients with both readings; NaN at baseline.
    """

    endpoint: str
    visit: str
    week: float
    arm: str
    n: int
    mean: float
    sd: float
    lower: float
    upper: float
    minimum: float
    maximum: float
    change_n: int
    change_mean: float
    change_sd: float


@dataclass(frozen=True)
class PatternRow:
    """Patients of one arm with one pattern of observed visits.

    pattern: one character a visit, `x` observed, `.` missing. last_mean: mean of the last observed
        value (outcome units); NaN if nothing was observed.
    """

    endpoint: str
    arm: str
    pattern: str
    patients: int
    last_mean: float
    last_sd: float


@dataclass(frozen=True)
class LeavingRow:
    """Patients of one arm by the reason for leaving early that the files give ("" = none given).

    absent, present: those without and those with a reading of the endpoint at the visit. Absent
        over all reasons are the patients without a reading there; a reason of patients who are
        present contradicts their readings.
    """

    endpoint: str
    visit: str
    arm: str
    reason: str
    absent: int
    present: int


@dataclass(frozen=True)
class SiteArmRow:
    """Patients and observed means of one site and arm at the primary visit, for the site plots."""

    endpoint: str
    site: str
    arm: str
    visit: str
    n: int
    mean: float
    se: float
    change_n: int
    change_mean: float
    change_se: float


@dataclass(frozen=True)
class SetRow:
    """One analysis set of one endpoint: patients in it and out of it, by arm ("" = all).

    excluded: patients with any analysed reading who are not in the set; reason: what they lack.
    """

    name: str
    label: str
    arm: str
    patients: int
    excluded: int
    reason: str
    endpoint: str


@dataclass(frozen=True)
class Description:
    """Everything that the describe stage found.

    leaving: empty where the plan names no column of reasons.
    """

    visits: tuple[str, ...]
    arms: tuple[str, ...]
    flow: tuple[FlowRow, ...]
    sets: tuple[SetRow, ...]
    baseline: tuple[BaselineRow, ...]
    outcomes: tuple[OutcomeRow, ...]
    patterns: tuple[PatternRow, ...]
    site_arms: tuple[SiteArmRow, ...]
    leaving: tuple[LeavingRow, ...] = ()
