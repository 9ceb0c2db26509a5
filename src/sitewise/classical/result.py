"""Results of the classical relatives: repeated-measures ANOVA, replication."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AnovaRow:
    """One effect of the mixed ANOVA (pingouin), with its Greenhouse-Geisser correction.

    epsilon, p_gg: NaN where the effect has no within-patient part.
    """

    effect: str
    ss: float
    df1: float
    df2: float
    f: float
    p: float
    epsilon: float
    p_gg: float


@dataclass(frozen=True)
class FTest:
    """F test of one effect in a mixed model, type III, beside the ANOVA's.

    df2, p: on complete cases NaN where the ANOVA's are not exact; on all patients by the plan's
        method of degrees of freedom.
    agreement: whether F is expected to be that of the ANOVA (equal arms; else interaction and arm
        only), and the sentence that says so.
    """

    effect: str
    f: float
    df1: float
    df2: float
    p: float
    agreement: str


@dataclass(frozen=True)
class DroppedPatients:
    """Patients that complete-case analysis drops, by arm or by site."""

    by: str
    level: str
    patients: int
    dropped: int


@dataclass(frozen=True)
class CrossCheck:
    """Repeated-measures ANOVA of one endpoint beside mixed models.

    complete: patients with every visit; by_arm: their number by arm.
    refused: why there is no ANOVA (one visit, no complete patient in an arm); empty if there is.
    mixed_complete: mixed model with (1 | USUBJID) on the same complete cases.
    mixed_all: the same model on all patients. primary: the primary contrast in three rows: RM-ANOVA
        model on complete cases, on all patients, and the primary model.
    notes: sentences that belong under the table. warnings: what the ANOVA's engine warned of, as
    it said it.
    """

    endpoint: str
    refused: str
    patients: int
    complete: int
    by_arm: tuple[DroppedPatients, ...]
    by_site: tuple[DroppedPatients, ...]
    anova: tuple[AnovaRow, ...]
    mixed_complete: tuple[FTest, ...]
    mixed_all: tuple[FTest, ...]
    contrasts: tuple["ContrastRow", ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ContrastRow:
    """The primary contrast under one analysis of the cross-check."""

    analysis: str
    patients: int
    estimate: float
    se: float
    df: float
    p: float


@dataclass(frozen=True)
class ReplicatedNumber:
    """One number of both engines. kind: `loglik`, `fixef`, `se`, `variance`.

    difference: second - first. relative: the difference in log-likelihood as it is; that of an
    estimate over its standard error; of a standard error over itself; of a variance over itself,
    or over a hundredth of the residual variance where that is larger. beyond: whether it exceeds
    the plan's tolerance of that kind; NaN never agrees.
    """

    kind: str
    name: str
    first: float
    second: float
    difference: float
    relative: float = 0.0
    beyond: bool = False


@dataclass(frozen=True)
class Replication:
    """One model fitted by a second, independent engine.

    status: `agrees`, `disagrees`, `skipped` (rows above the plan's limit), `not expressible`,
        `failed`; reason: in words. tolerance: of the log-likelihood, tolerance_numbers: of the
        other numbers (see `ReplicatedNumber.relative`), both from the plan.
    stopped_short: the engine with the lower log-likelihood where that differs by more than the
        tolerance, else "". higher: the engine with the higher one where the engines disagree,
        `neither` where that is within the tolerance; "" where they agree.
    """

    endpoint: str
    model: str
    engine: str
    engine_version: str
    status: str
    reason: str
    tolerance: float
    stopped_short: str
    numbers: tuple[ReplicatedNumber, ...]
    warnings: tuple[str, ...]
    tolerance_numbers: float = 0.0
    higher: str = ""


@dataclass(frozen=True)
class Replications:
    """All replications of one endpoint, in the order of the plan's models."""

    endpoint: str
    rows: tuple[Replication, ...]
