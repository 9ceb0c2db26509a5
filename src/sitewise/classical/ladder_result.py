"""Results of the ladder: one contrast under every usual model, covariance choice, guard."""

from dataclasses import dataclass

from sitewise.classical.answer import Answer
from sitewise.classical.baseline_result import BaselineHandling
from sitewise.classical.not_at_random_result import NotAtRandom
from sitewise.classical.straight_result import StraightLines


@dataclass(frozen=True)
class Rung:
    """The primary contrast under one model.

    key: short name; label: as the report prints it. formula: of a mixed model, else empty.
    rows, patients, sites: used. answer: None where not estimable, `refused` then says why.
    base: the difference between the same arms at baseline, a contrast between patients; None where
        the plan's primary contrast is no change, or it is not estimable.
    effective: independent readings that would give this SE under plain least squares,
        n (SE of plain least squares / SE)^2. df_method: where df come from.
    state: `regular`, `singular`, `not converged` of a mixed model, else empty. planned: whether
        this is the plan's primary model; its numbers are then those of its fit.
    notes: what a reader must know of this row, in sentences.
    """

    key: str
    label: str
    formula: str
    rows: int
    patients: int
    sites: int
    answer: Answer | None
    base: Answer | None
    effective: float
    df_method: str
    refused: str
    state: str
    planned: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Share:
    """Variance of one random intercept, or of the residual, in one rung; share of their sum."""

    rung: str
    group: str
    variance: float
    share: float


@dataclass(frozen=True)
class CovarianceRow:
    """One residual covariance over the visits, same rows and same fixed part.

    npar: covariance parameters. aic, aicc, bic: of the likelihood with these parameters only,
        aicc on the rows less the fixed effects (under REML), bic with log(patients); lower is
        better. usable: converged and positive definite. reason: why not.
    """

    structure: str
    formula: str
    loglik: float
    npar: int
    aic: float
    aicc: float
    bic: float
    usable: bool
    reason: str


@dataclass(frozen=True)
class CovarianceChoice:
    """The plan's order of residual covariances, what each gave, and which one was taken.

    order: of the plan. taken: the first usable of it, empty if none is. deviations: a sentence for
    each that stands before it in the plan and could not be used. primary: the primary model beside
    them, of the same fixed part and rows; None where it did not converge or is one of them.
    """

    order: tuple[str, ...]
    taken: str
    rows: tuple[CovarianceRow, ...]
    deviations: tuple[str, ...]
    primary: CovarianceRow | None = None


@dataclass(frozen=True)
class Guarded:
    """One analysis of the primary contrast held against what the sites give.

    key, label: of the rung, or `baseline_` and the key of a handling of the baseline. df, p: its
    own; most: what sites give to such a contrast. lean: its p on `Guard.between` degrees of freedom
    in place of its own. verdict: `within`; `beyond`, where it lacks a term for the course of sites
    and so counts patients or readings; `assumed`, where it has one, and its number rests on equal
    variances of sites at all visits.
    """

    key: str
    label: str
    df: float
    p: float
    most: int
    lean: float
    verdict: str


@dataclass(frozen=True)
class Guard:
    """What a trial that randomised whole sites must hold its standard errors against.

    units: sites with a reading; arms; visits. between: units - arms, the degrees of freedom that
        the sites give to a difference between arms if nothing is shared by the visits. most: what
        they give to the primary contrast at most where the variance of site by visit is one:
        between x (visits - 1) to a change; at_level: between x visits, to a level, and to a change
        whose arms are held equal at baseline, which mix both strata.
    df: of the primary analysis; levels: the least and the largest of its levels by visit, NaN where
        there are none. checked: every rung with an answer and every handling of the baseline.
    missing: whether the primary model lacks a site-by-visit term. without, with_term: the contrast
        by the model without and with (1 | SITEID:AVISIT); statistic, p: likelihood-ratio test of
        that variance, p from 0.5 chi2(0) + 0.5 chi2(1). refused: why there is none.
    """

    units: int
    arms: int
    visits: int
    between: int
    most: int
    at_level: int
    df: float
    levels: tuple[float, float]
    checked: tuple[Guarded, ...]
    missing: bool
    without: Answer | None
    with_term: Answer | None
    statistic: float
    p: float
    refused: str

    @property
    def beyond(self) -> tuple[str, ...]:
        """Keys of the analyses that count patients or readings where sites were randomised."""
        return tuple(one.key for one in self.checked if one.verdict == "beyond")


@dataclass(frozen=True)
class LeftOut:
    """The primary analysis without one site, variances estimated anew.

    patients: of that site. change: estimate less that with all sites; se_ratio: SE over theirs.
    """

    site: str
    patients: int
    answer: Answer | None
    change: float
    se_ratio: float
    state: str
    refused: str


@dataclass(frozen=True)
class Ladder:
    """The primary contrast of one endpoint under every usual model, plainest first.

    contrast, base: names of the two contrasts (base empty where there is none). cluster: the
        column by which robust SEs and GEE cluster, the randomised unit; clusters: how many.
    ratio, base_ratio: SE of plain least squares over that of the primary model; NaN if either is
        missing. site_ratio: SE of the three-level model over that of the model with a patient
        intercept alone: what the sites do to the precision.
    baseline: the handlings of the baseline side by side; None where the plan does not ask.
    left_out: the primary analysis without each site in turn.
    straight: whether its means lie on the lines that it lays; None where it lays none.
    not_at_random: the contrast if those without a reading differ from what the model predicts.
    """

    endpoint: str
    contrast: str
    base: str
    cluster: str
    clusters: int
    rungs: tuple[Rung, ...]
    shares: tuple[Share, ...]
    ratio: float
    base_ratio: float
    site_ratio: float
    base_site_ratio: float
    covariance: CovarianceChoice
    guard: Guard | None
    baseline: BaselineHandling | None = None
    left_out: tuple[LeftOut, ...] = ()
    straight: StraightLines | None = None
    not_at_random: NotAtRandom | None = None
