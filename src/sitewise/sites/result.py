"""Results by hospital: predictions and effects."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SitePrediction:
    """Predicted random intercept (BLUP) of one site, with its conditional SE and interval.

    raw: mean over the site's outcomes of the departure from the observed mean of their arm and
        visit (outcome units): what the prediction is shrunk from, but for covariates and for what
        readings of one patient have in common. NaN where the site has no outcome.
    """

    site: str
    patients: int
    blup: float
    se: float
    lower: float
    upper: float
    raw: float = math.nan


@dataclass(frozen=True)
class SiteEffect:
    """Observed contrast within one site, or the site's mean where its arm is constant.

    kind: `contrast` (arm minus reference in the primary contrast's terms, observed) or `mean`
        (mean of the outcome in the primary contrast's terms). refused: why there is none.
    """

    site: str
    arm: str
    kind: str
    n: int
    n_reference: int
    estimate: float
    lower: float
    upper: float
    refused: str


@dataclass(frozen=True)
class SiteResults:
    """The hospitals of one endpoint under the primary model, sorted by SITEID."""

    endpoint: str
    model: str
    predictions: tuple[SitePrediction, ...]
    effects: tuple[SiteEffect, ...]
    arm_constant_in_sites: bool
    note: str
