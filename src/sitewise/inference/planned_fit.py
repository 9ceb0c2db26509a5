"""The result of fitting one model of the plan to one endpoint."""

from dataclasses import dataclass

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
class PlannedFit:
    """One model of the plan on one endpoint.

    contrasts: arm minus reference, every other arm, every visit, `level` and (baseline as outcome)
        `change`.
    primary: the plan's primary contrast under this model; None where its fixed part holds none
        (the smaller model of a comparison by ML, say). The plan's primary model always has it.
    uses: sums to the number of analysis rows of the endpoint.
    cautions: what a reader must know before trusting this fit, in plain sentences.
    missed: visits whose mean the model misses by far; only of models linear in WEEK.
    """

    endpoint: str
    model: str
    label: str
    fit: Fit
    contrasts: tuple[ArmContrast, ...]
    means: tuple[ArmMean, ...]
    primary: ArmContrast | None
    uses: tuple[UseCount, ...]
    patients: int
    sites: int
    cautions: tuple[str, ...]
    missed: tuple[MissedVisit, ...] = ()

    @property
    def answer(self) -> ArmContrast:
        """The primary contrast, of a model that has it."""
        if self.primary is None:
            raise ValueError(f"the model {self.model} holds no primary contrast")
        return self.primary
