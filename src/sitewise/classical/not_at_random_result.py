"""Result of asking what the contrast is if readings are missing not at random."""

from dataclasses import dataclass

from sitewise.classical.answer import Answer


@dataclass(frozen=True)
class Unseen:
    """Patients of one arm without a reading at the visit.

    patients: of the arm in the analysis set; missing: of these without a reading that the model
    uses. variance: of the share missing / patients; df: its degrees of freedom. covariance: of the
    share with the contrast.
    """

    arm: str
    patients: int
    missing: int
    variance: float
    df: float
    covariance: float

    @property
    def share(self) -> float:
        """Of the arm's patients."""
        return self.missing / self.patients


@dataclass(frozen=True)
class Shifted:
    """The contrast if those without a reading differ by `delta` from what the model predicts.

    where: `arm`, `reference` or `both`, the arms whose unseen readings are shifted.
    """

    where: str
    delta: float
    answer: Answer


@dataclass(frozen=True)
class Tipping:
    """The deltas nearest to 0 at which the answer tips.

    interval: an end of the interval comes to lie on 0; estimate: the estimate does. NaN where none
    does, and `interval` too where the interval holds 0 without any delta (`held`).
    """

    where: str
    interval: float
    estimate: float
    held: bool


@dataclass(frozen=True)
class ArmShifted:
    """One arm against the reference. contrast: its name. start: with readings missing at random."""

    arm: str
    contrast: str
    start: Answer
    own: Unseen
    reference: Unseen
    shifted: tuple[Shifted, ...]
    tipping: tuple[Tipping, ...]


@dataclass(frozen=True)
class NotAtRandom:
    """Delta-adjusted contrasts of one endpoint, arm by arm, that of the plan first.

    model: `primary`, or the key in `StraightLines.rows` of the model that gives each arm and visit
        a mean, where the primary one does not; label, formula: of that model; state: of its fit.
    unit: whose shares are independent, SITEID where sites were randomised, else USUBJID.
    sd: of the readings at the visit within arms. deltas: in the unit of the endpoint; planned: by
        the plan, not from sd. without: arms that have no such contrast. refused: why nothing was
        computed.
    """

    model: str
    label: str
    formula: str
    state: str
    unit: str
    sd: float
    deltas: tuple[float, ...]
    planned: bool
    arms: tuple[ArmShifted, ...]
    without: tuple[str, ...]
    refused: str
