"""Results of the reconciliation: from the repeated-measures ANOVA to the primary analysis."""

from dataclasses import dataclass

from sitewise.classical.answer import Answer


@dataclass(frozen=True)
class EffectMatch:
    """One effect of the ANOVA beside the mixed model with (1 | USUBJID) on the same complete cases.

    f, df1, df2, p: the ANOVA's. epsilon, p_gg: Greenhouse and Geisser's, NaN between patients; the
    mixed model has no counterpart. sequential, type3: F of the mixed model by the two kinds of sums
    of squares. apart: relative difference of F by the kind that agrees. agrees: which of them agree
    to 1e-8: `both`, `sequential`, `type III`, `none`. said: the sentence.
    """

    effect: str
    f: float
    df1: float
    df2: float
    p: float
    epsilon: float
    p_gg: float
    sequential: float
    type3: float
    apart: float
    agrees: str
    said: str


@dataclass(frozen=True)
class Step:
    """One step from the ANOVA to the primary analysis, the primary contrast under it.

    key: short name; label: what changed. formula: of a mixed model, else empty. rows, patients,
    sites: used; of the analysis set the rest is dropped at this step. answer: None where refused.
    unchanged: the primary analysis keeps what the step before had, so nothing was refitted.
    estimate_change, se_ratio: against the step before, NaN for the first.
    """

    key: str
    label: str
    formula: str
    rows: int
    patients: int
    sites: int
    answer: Answer | None
    state: str
    refused: str
    unchanged: bool
    estimate_change: float
    se_ratio: float


@dataclass(frozen=True)
class Reconciliation:
    """From the textbook's ANOVA to the plan's primary analysis, one step at a time.

    rows, patients, sites: of the analysis set. equal_arms: whether as many complete patients in
    each arm. patient_variance: of the mixed model on complete cases. effects: empty where there is
    no ANOVA, `refused` says why. The last step is the primary analysis.
    """

    endpoint: str
    contrast: str
    rows: int
    patients: int
    sites: int
    equal_arms: bool
    patient_variance: float
    effects: tuple[EffectMatch, ...]
    steps: tuple[Step, ...]
    refused: str
    notes: tuple[str, ...]
