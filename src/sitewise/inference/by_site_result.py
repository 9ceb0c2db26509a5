"""Whether the treatment effect differs between sites: results."""

from dataclasses import dataclass
from math import nan

from sitewise.lmm.result import Estimate


@dataclass(frozen=True)
class RandomForm:
    """Effects of sites as random: the SD of the primary contrast between sites, and its test.

    formula: of the model fitted; smaller: without the effects by site, the model tested against.
    passed: why (1 + ARM | SITEID) was not taken where the plan names it, else empty. refused: why
    there is no such model. state: `regular`, `singular` or `not converged`.
    answer: the primary contrast under this model. sd: between sites, in units of the contrast;
    lower, upper: its profile interval, of the ML likelihood. statistic, df, p, p_error, rule: the
    likelihood-ratio test of all effects by site as `sitewise.lrt`; test_refused: why there is none.
    p_bootstrap: of the parametric bootstrap, None where sites are many or the plan draws none.
    """

    formula: str
    smaller: str
    passed: str
    refused: str
    state: str
    answer: Estimate | None
    sd: float
    lower: float
    upper: float
    statistic: float
    df: int
    p: float
    p_error: float
    rule: str
    test_refused: str
    p_bootstrap: float | None
    bootstrap_error: float | None
    bootstrap_draws: int | None
    sites: int
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class FixedForm:
    """Effects of sites as fixed: F test that all have the same primary contrast.

    sites: in the test. pooled, left_out: sites that miss an arm, by the plan's rule; inestimable:
    sites whose readings do not determine their contrast, outside the test.
    """

    formula: str
    refused: str
    state: str
    sites: int
    f: float
    df1: int
    df2: float
    p: float
    pooled: tuple[str, ...]
    left_out: tuple[str, ...]
    inestimable: tuple[str, ...]


@dataclass(frozen=True)
class EffectAtSite:
    """The primary contrast at one site, or at the sites pooled (site: their names with +).

    n, n_reference: patients with a reading. estimate: of the fixed form, None where it has none.
    predicted, predicted_se: of the random form, the contrast plus the site's predicted departure,
    SE of that departure given the variances; NaN where there is none.
    """

    site: str
    n: int
    n_reference: int
    estimate: Estimate | None
    predicted: float = nan
    predicted_se: float = nan


@dataclass(frozen=True)
class BySite:
    """Treatment by site of one endpoint, under the plan's primary model.

    asked: whether the plan asks. refused: why neither form exists. terms: what the names of added
    columns stand for, in sentences. rows: one a site, sorted; the pool last.
    """

    endpoint: str
    model: str
    asked: bool
    refused: str
    contrast: str
    terms: tuple[str, ...]
    random: RandomForm | None
    fixed: FixedForm | None
    rows: tuple[EffectAtSite, ...]
