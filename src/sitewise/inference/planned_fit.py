"""The result of fitting one model of the plan to one endpoint."""

import math
from dataclasses import dataclass, fields

from sitewise.lmm.result import Estimate, Fit


@dataclass(frozen=True)
class ArmContrast:
    """Arm minus reference at one visit; kind is `level`, or `change` from baseline."""

    arm: str
    reference: str
    visit: str
    week: float
    kind: str
    result: Estimate


@dataclass(frozen=True)
class ArmMean:
    """The model's mean of one arm at one visit, covariates at their means over the rows used."""

    arm: str
    visit: str
    week: float
    result: Estimate


@dataclass(frozen=True)
class UseCount:
    """How many analysis rows of the endpoint had one use in this model.

    use: a `sitewise.terms.Use`; reason: why, empty for outcomes.
    """

    use: str
    reason: str
    rows: int
    patients: int


@dataclass(frozen=True)
class MissedVisit:
    """A visit whose mean a straight line in WEEK misses; distance: mean of outcome minus line."""

    visit: str
    distance: float


@dataclass(frozen=True)
class VisitSpread:
    """How far the rows used scatter at a visit.

    rows: used. sd: of the marginal residuals, reading less fixed part; NaN of a single row. rms:
    root mean square of the scaled ones, 1 where the model is right; NaN but of the primary model.
    """

    visit: str
    rows: int
    sd: float
    rms: float


@dataclass(frozen=True)
class JointTest:
    """F test that an arm differs from the reference at none of `visits`, by the plan's df method.

    kind: of the contrasts, as the primary one. df1: their rank; of a straight line in time it is 1.
    """

    arm: str
    reference: str
    kind: str
    visits: tuple[str, ...]
    f: float
    df1: int
    df2: float
    p: float


@dataclass(frozen=True)
class PlannedFit:
    """One model of the plan on one endpoint.

    contrasts: arm minus reference, every other arm, every visit, `level` and (baseline as outcome)
        `change`.
    primary: the plan's primary contrast under this model; None where its fixed part holds none
        (the smaller model of a comparison by ML, say). The plan's primary model always has it.
    cautions: what a reader must know before trusting this fit, in plain sentences.
    joint: a test an arm, over the visits after baseline, where there are two or more.
    missed: visits whose mean the model misses by far; only of models linear in WEEK.
    departures: from the plan's formula, by the plan's own rules, a sentence each: another residual
        covariance, a random term dropped. fit.formula is then what was fitted.
    """

    endpoint: str
    model: str
    label: str
    fit: Fit
    contrasts: tuple[ArmContrast, ...]
    means: tuple[ArmMean, ...]
    primary: ArmContrast | None
    patients: int
    sites: int
    cautions: tuple[str, ...]
    missed: tuple[MissedVisit, ...] = ()
    joint: tuple[JointTest, ...] = ()
    departures: tuple[str, ...] = ()

    @property
    def answer(self) -> ArmContrast:
        """The primary contrast, of a model that has it."""
        if self.primary is None:
            raise ValueError(f"the model {self.model} holds no primary contrast")
        return self.primary


@dataclass(frozen=True)
class PlannedScore:
    """What the rows tell of one planned fit.

    uses: sums to the number of analysis rows of the endpoint. spread: by visit, in the plan's
    order. uneven: whether it differs between visits where the model has one standard deviation for
    all, `held` (NaN where that is not among its variances).
    """

    endpoint: str
    model: str
    uses: tuple[UseCount, ...]
    spread: tuple[VisitSpread, ...] = ()
    uneven: bool = False
    held: float = math.nan


@dataclass(frozen=True)
class ScoredFit(PlannedFit):
    """A planned fit with what its rows told (`PlannedScore`), as the report reads it."""

    uses: tuple[UseCount, ...] = ()
    spread: tuple[VisitSpread, ...] = ()
    uneven: bool = False
    held: float = math.nan


def with_score(fit: PlannedFit, score: PlannedScore) -> ScoredFit:
    """The fit and its score as one."""
    if (fit.endpoint, fit.model) != (score.endpoint, score.model):
        raise ValueError(f"the score of {score.model} is not one of {fit.model}")
    own = {one.name: getattr(fit, one.name) for one in fields(PlannedFit)}
    return ScoredFit(**own, uses=score.uses, spread=score.spread, uneven=score.uneven,
                     held=score.held)  # fmt: skip
