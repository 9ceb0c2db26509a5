"""Why patients of a demo trial left early, as their hospitals wrote it down.

A patient who dropped out for good has reason r with a probability in proportion to

    exp(weight_r + weight_last_r (LAST_i - 150) / 10)

with constants of the arm, LAST_i the last systolic reading that was written down; with probability
`unwritten` the hospital left the cell empty. That one drops out depends on the same (see
`sitewise.simulate.generator`): no reason tells of anything that was not observed.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from sitewise.simulate.draw import Drawn

REASONS: dict[str, str] = {
    "AE": "adverse event",
    "LOE": "lack of efficacy",
    "WC": "withdrew consent",
    "LTFU": "lost to follow-up",
}


@dataclass(frozen=True)
class Constants:
    """By reason; pairs by arm are in the order of the generator's arms, control first.

    weight: log weights at a last reading of 150 mmHg. weight_last: log weight per 10 mmHg of it.
    unwritten: probability of an empty cell.
    """

    weight: dict[str, tuple[float, float]] = field(
        default_factory=lambda: {
            "AE": (-0.7, 0.6), "LOE": (0.4, -0.6), "WC": (0.0, 0.0), "LTFU": (-0.2, -0.2),
        }
    )  # fmt: skip
    weight_last: dict[str, float] = field(
        default_factory=lambda: {"AE": 0.0, "LOE": 0.5, "WC": 0.0, "LTFU": 0.0}
    )
    unwritten: float = 0.12


UNITS: dict[str, str] = {
    "weight": "log weight of each reason at a last systolic reading of 150 mmHg, by arm",
    "weight_last": "log weight per 10 mmHg of the last systolic reading",
    "unwritten": "probability that the hospital wrote no reason down",
}
CONSTANTS = Constants()


def draw_reasons(drawn: "Drawn", rng: "np.random.Generator") -> "np.ndarray":
    """The code of each patient's reason for leaving, shape (P,); empty where there is none.

    rng: a stream of its own, so that the readings are the same with and without reasons.
    """
    import numpy as np

    patients, visits = drawn.sbp.shape
    order = np.where(np.isnan(drawn.sbp), -1, np.arange(visits)).max(axis=1)
    last = (drawn.sbp[np.arange(patients), order] - 150) / 10  # everybody has a first reading
    weights = np.exp(
        [
            np.array(CONSTANTS.weight[code])[drawn.arm] + CONSTANTS.weight_last[code] * last
            for code in REASONS
        ]
    )
    edges = np.cumsum(weights, axis=0) / weights.sum(axis=0)
    chosen = (rng.random(patients) >= edges[:-1]).sum(axis=0)
    written = rng.random(patients) >= CONSTANTS.unwritten
    codes = np.array(list(REASONS))[chosen]
    return np.where((drawn.dropped < visits) & written, codes, "")


def told(drawn: "Drawn", reasons: "np.ndarray", arms: tuple[str, str]) -> dict[str, Any]:
    """What the truth says of them: constants, and patients by arm and reason, none written last."""
    left = drawn.dropped < drawn.sbp.shape[1]
    return {
        "model": "see sitewise.simulate.leaving",
        "reasons": REASONS,
        "units": UNITS,
        "constants": {
            "weight": CONSTANTS.weight,
            "weight_last": CONSTANTS.weight_last,
            "unwritten": CONSTANTS.unwritten,
        },
        "patients who left": {
            arm: {
                code or "not written down": int((left & (drawn.arm == j) & (reasons == code)).sum())
                for code in (*REASONS, "")
            }
            for j, arm in enumerate(arms)
        },
    }
