"""The result of the intraclass correlations of one endpoint."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class IccLevel:
    """One level of the hierarchy in a random-intercept model.

    level: SITEID or USUBJID. variance: in squared units of the outcome.
    share: variance / total. correlation: of two readings that share this level and those above
        (same site: site / total; same patient: (site + patient) / total).
    lower, upper: two-sided interval of `share`, coverage 1 - alpha, lower end >= 0. Of sites both
        ends are 0 where sites differ less than chance would make them; of patients an estimate of 0
        has a `lower` of 0 and the one-sided upper limit of coverage 1 - alpha.
    method: of the interval, e.g. `profile REML likelihood`.
    """

    level: str
    variance: float
    share: float
    correlation: float
    lower: float
    upper: float
    one_sided: bool
    method: str


@dataclass(frozen=True)
class IccModel:
    """Intraclass correlations under one fixed part: `empty`, `visit` or `primary`."""

    fixed: str
    formula: str
    levels: tuple[IccLevel, ...]
    residual_variance: float
    headline: bool


@dataclass(frozen=True)
class VisitIcc:
    """Site ICC at one visit from one reading a patient, one-way ANOVA with unequal clusters.

    icc: the ANOVA estimate as it is, which may be negative; NaN with fewer than two sites or no
        site with two patients.
    lower, upper: Wald's exact F interval (1947), two-sided, neither end below 0.
    n0: the average cluster size that enters the estimate.
    """

    visit: str
    icc: float
    lower: float
    upper: float
    sites: int
    patients: int
    n0: float


@dataclass(frozen=True)
class IccAtWeek:
    """Shares under a random-slope model, at one week.

    site_share: of the site at that week, every group of sites in the model together; it is the
    correlation of two patients of one site. patient_share: of the patient within the site.
    patient_correlation: of two readings of one patient at that week, (site + patient) / total.
    """

    model: str
    week: float
    site_share: float
    patient_share: float
    total_variance: float
    patient_correlation: float = math.nan


@dataclass(frozen=True)
class DesignEffect:
    """Variance inflation at one visit of the treatment contrast as allocated.

    S: sum over sites of (n1j/n1 - n2j/n2)^2 / (1/n1 + 1/n2) (Vierron & Giraudeau 2009), counted in
        patients. effect: 1 + (S - 1) ICC. mean_cluster: sum m^2 / sum m, patients.
    arm, reference: the contrast. icc: the headline site ICC. It comes from a model with one site
        variance for all visits, so what sites share at a single visit is not in it.
    visit: the primary visit. visit_icc: the ANOVA ICC there (`VisitIcc.icc`), not below 0.
    visit_effect: 1 + (S_v - 1) visit_icc, with S_v as S, but of the patients seen at that visit.
    change_icc: what sites share of the variance of a change from baseline to there, under the
        primary model; change_effect: 1 + (S_c - 1) change_icc, S_c of the patients seen at both.
        NaN where the primary contrast is no change.
    """

    arm: str
    reference: str
    S: float
    mean_cluster: float
    icc: float
    effect: float
    patients: int
    sites: int
    visit: str = ""
    visit_icc: float = math.nan
    visit_effect: float = math.nan
    change_icc: float = math.nan
    change_effect: float = math.nan


@dataclass(frozen=True)
class OlsBeside:
    """Ordinary least squares beside a mixed model, for the same contrast, fixed part and rows.

    model: the planned model. ratio: SE of least squares / SE of the mixed model. Above 1, ignoring
    the hierarchy makes the SE too large (changes within patients); below 1, too small (levels
    between sites).
    """

    model: str
    contrast: str
    estimate: float
    se: float
    mixed_estimate: float
    mixed_se: float
    ratio: float


@dataclass(frozen=True)
class VarianceShare:
    """The variance that one group of a planned model holds at one week, and its share.

    group: as the fit names it (SITEID, SITEID:AVISIT, USUBJID), or `Residual`. variance: z'Gz of
        the group's terms with z at the week, squared units of the outcome. share: of the total of
        the model, the correlation of two readings that share this group and no other.
    """

    model: str
    week: float
    group: str
    variance: float
    share: float


@dataclass(frozen=True)
class Iccs:
    """All intraclass correlations of one endpoint.

    shares: of every planned model that converged, at the week of the primary visit.
    """

    endpoint: str
    models: tuple[IccModel, ...]
    by_visit: tuple[VisitIcc, ...]
    at_week: tuple[IccAtWeek, ...]
    design_effects: tuple[DesignEffect, ...]
    ols: tuple[OlsBeside, ...]
    convention: float
    shares: tuple[VarianceShare, ...] = ()
