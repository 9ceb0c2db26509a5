"""What the demo trials are drawn from: every constant with its unit.

A reading of patient i of hospital j at visit t, w_t weeks from baseline, is

    mean + age (AGE_i - 60) + course_t + effect_t [arm is the active one]
    + site_j + site_slope_j w_t + site_visit_jt + patient_i + slope_i w_t + residual_ijt

The six random parts are normal with mean 0 and independent of each other; each is correlated
between the two outcomes. Only patients whose first systolic reading lies within `enrolled` come
into the trial. Before each later visit a patient drops out for good with probability

    1 / (1 + exp(-(dropout + dropout_last (LAST_i - 150) / 10)))

with constants of the arm, LAST_i the systolic reading of the last visit that took place. Patients
of both arms are like each other but for the treatment. Dropping out depends on nothing that was not
observed, but for the few last readings that nobody wrote down (`unmeasured`) or that a hospital
spoilt.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Design = Literal["individual", "cluster"]

WEEKS = (0, 4, 8, 12, 18, 24)

UNITS: dict[str, str] = {
    "mean": "mmHg, at baseline, at age 60, of everybody who could be measured, enrolled or not",
    "age": "mmHg per year of age",
    "course": "mmHg, change from baseline in the control arm, one a visit",
    "effect": "mmHg, active minus control, one a visit",
    "site_sd": "mmHg, standard deviation between hospitals",
    "site_slope_sd": "mmHg per week, standard deviation between hospitals",
    "site_visit_sd": "mmHg, standard deviation between visits of a hospital",
    "patient_sd": "mmHg, standard deviation between patients of a hospital",
    "slope_sd": "mmHg per week, standard deviation between patients",
    "residual_sd": "mmHg, standard deviation of one reading",
    "correlations": "of the systolic with the diastolic part, by part",
    "enrolled": "mmHg, lowest and highest systolic reading at baseline of a patient enrolled",
    "dropout": "log odds of dropping out before a visit at a last reading of 150, by arm",
    "dropout_last": "log odds per 10 mmHg of the last systolic reading, by arm",
    "missed": "probability of missing one visit after baseline and coming back",
    "unmeasured": "probability that one reading of a visit was not taken",
    "weeks": "weeks from baseline, one a visit",
    "arms": "the control arm, then the active one",
    "design": "what is randomised, 1:1: patients within hospital (individual) or hospitals",
}


@dataclass(frozen=True)
class Outcome:
    """Constants of one blood pressure; units in `UNITS`."""

    mean: float
    age: float
    course: tuple[float, ...]
    effect: tuple[float, ...]
    site_sd: float
    site_slope_sd: float
    site_visit_sd: float
    patient_sd: float
    slope_sd: float
    residual_sd: float


@dataclass(frozen=True)
class Generator:
    """Constants of one trial; units in `UNITS`. Pairs by arm are in the order of `arms`."""

    design: Design
    arms: tuple[str, str]
    sbp: Outcome
    dbp: Outcome
    weeks: tuple[int, ...] = WEEKS
    enrolled: tuple[float, float] = (140.0, 180.0)
    dropout: tuple[float, float] = (-3.2, -2.8)
    dropout_last: tuple[float, float] = (0.45, 0.15)
    missed: float = 0.02
    unmeasured: float = 0.004
    correlations: Mapping[str, float] = field(
        default_factory=lambda: {
            "site": 0.5, "site_slope": 0.5, "site_visit": 0.5,
            "patient": 0.6, "slope": 0.5, "residual": 0.55,
        }
    )  # fmt: skip

    def digest(self) -> str:
        """Sha256 of all constants: says whether something was made from these."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


_COURSE_SBP = (0.0, -1.5, -2.5, -3.0, -3.0, -3.0)
_COURSE_DBP = (0.0, -0.8, -1.2, -1.5, -1.5, -1.5)

# Patients randomised within hospitals. Hospitals differ in level and, little, in course.
# ASSUME: a site ICC of about 0.03 is usual for blood pressure; under the enrolment limits these
# constants give 0.024 (SE 0.001) to the readings after baseline, given the baseline, in the nested
# model (config/demo_limits.json).
INDIVIDUAL = Generator(
    design="individual",
    arms=("Placebo", "Active"),
    sbp=Outcome(
        mean=150.0, age=0.25, course=_COURSE_SBP, effect=(0.0, -2.0, -3.5, -4.5, -5.0, -5.0),
        site_sd=4.0, site_slope_sd=0.10, site_visit_sd=0.0,
        patient_sd=11.0, slope_sd=0.30, residual_sd=8.0,
    ),
    dbp=Outcome(
        mean=90.0, age=-0.05, course=_COURSE_DBP, effect=(0.0, -1.0, -1.5, -2.0, -2.5, -2.5),
        site_sd=2.2, site_slope_sd=0.06, site_visit_sd=0.0,
        patient_sd=6.5, slope_sd=0.15, residual_sd=5.5,
    ),
)  # fmt: skip

# Whole hospitals randomised: what a hospital shares at one visit is what the contrast competes
# with, so there is such a part.
CLUSTER = Generator(
    design="cluster",
    arms=("Usual care", "Active"),
    sbp=Outcome(
        mean=150.0, age=0.25, course=_COURSE_SBP, effect=(0.0, -2.0, -3.5, -4.5, -5.0, -5.0),
        site_sd=2.2, site_slope_sd=0.0, site_visit_sd=2.0,
        patient_sd=11.0, slope_sd=0.30, residual_sd=8.0,
    ),
    dbp=Outcome(
        mean=90.0, age=-0.05, course=_COURSE_DBP, effect=(0.0, -1.0, -1.5, -2.0, -2.5, -2.5),
        site_sd=1.3, site_slope_sd=0.0, site_visit_sd=1.1,
        patient_sd=6.5, slope_sd=0.15, residual_sd=5.5,
    ),
)  # fmt: skip

GENERATORS: dict[str, Generator] = {"individual": INDIVIDUAL, "cluster": CLUSTER}
