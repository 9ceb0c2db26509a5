"""What comes out if readings are missing not at random: delta-adjusted contrasts, tipping points.

A mixed model takes readings as missing at random. Suppose that those of arm a who have no reading
at visit v, a share p_a of its patients, differ there by delta_a on average from what the model
predicts for them. Their arm's mean shifts by p_a delta_a, and with r the reference

    estimate  D + p_a delta_a - p_r delta_r
    variance  var D + sum of (delta^2 var p + 2 sign delta cov(D, p)) over a (sign +) and r (sign -)

on Satterthwaite's degrees of freedom of these variances, with the deltas as given and the shares
as estimated: the mean of a mixture of those with and those
without a reading (Mehrotra, Liu & Permutt 2017, Pharm Stat 16:378-392), and the covariance that
the estimating equations of both give (White, Carpenter & Horton 2018, Stat Sinica 28:1985-2003).
var p = p (1 - p) / n where patients were randomised, and between sites where sites were.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sitewise.classical.influence import row_influence
from sitewise.classical.ladder_result import Ladder
from sitewise.classical.mean_at_visit import Start, start_of
from sitewise.classical.not_at_random_result import (
    ArmShifted,
    NotAtRandom,
    Shifted,
)
from sitewise.classical.question import Ask, Contrast, Question, state_of, tested
from sitewise.classical.tipping import Shift, tip
from sitewise.classical.unseen import Patients, patients_of
from sitewise.errors import ModelError
from sitewise.lmm.record import fixed_part
from sitewise.plan.model import Plan
from sitewise.terms import AVAL, AVISIT, TRT01P

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WHERE = ("arm", "reference", "both")
STEPS = (0.25, 0.5, 1.0)  # of the SD of the readings, where the plan names no deltas


def not_at_random(
    question: Question, endpoint: str, ladder: Ladder, primary: Mapping[str, Any], ask: Ask
) -> NotAtRandom:
    """Every arm against the reference, the arm of the plan first.

    primary: the primary model's fit as plain data (`fit.json`), whose contrasts are the start. A
    model whose means lie on lines has none that a shift at one visit would move as much: the start
    is then the model with a mean for each visit of `ladder.straight`.
    """
    plan = question.plan
    given = plan.endpoints[endpoint].deltas
    sd = _spread(question)
    deltas = given or _default(sd)
    none = NotAtRandom("", "", "", "", question.cluster, sd, deltas, bool(given), (), (), "")
    try:
        start = start_of(question, ladder, primary)
        patients = patients_of(question)
        wanted = tuple(dict.fromkeys([plan.primary.arm, *plan.arms.levels]))
        found = {
            arm: _arm(start, patients, _asked(question, start, ask, arm), deltas, plan)
            for arm in wanted
            if arm != plan.arms.reference
        }
    except ModelError as error:
        return replace(none, refused=" ".join(str(error).split()).rstrip("."))
    arms = tuple(one for one in found.values() if one is not None)
    return replace(
        none,
        model=start.key,
        label=start.label,
        formula=start.fit.formula,
        state=state_of(start.fit),
        arms=arms,
        without=tuple(arm for arm, one in found.items() if one is None),
        refused="" if arms else f"no arm has a contrast at {plan.primary.visit}",
    )


def _asked(question: Question, start: Start, ask: Ask, arm: str) -> Contrast | None:
    """The contrast of an arm as the plan's primary one; None where the data do not determine it."""
    plan = question.plan
    own = plan.primary.model_copy(update={"arm": arm})
    found, _ = ask(plan.model_copy(update={"primary": own}), fixed_part(start.fit), question.rows)
    return found if found is not None and found.estimable else None


def _arm(
    start: Start, patients: Patients, asked: Contrast | None, deltas: Sequence[float], plan: Plan
) -> ArmShifted | None:
    """One arm against the reference; None where it has no contrast."""
    if asked is None:
        return None
    row = np.asarray(asked.row, dtype=np.float64)
    at_random = start.answers.get(asked.arm) or tested(start.fit, row, plan)
    influence = row_influence(start.fit, start.design.X, start.rows, row)
    added = patients.added(start.rows, influence, at_random.se)
    a, r = (patients.of_arm(one, added) for one in (asked.arm, plan.arms.reference))
    shifts = {where: Shift.of(at_random, a, r, where) for where in WHERE}
    return ArmShifted(
        arm=asked.arm,
        contrast=asked.name(plan.arms.reference),
        start=at_random,
        own=a,
        reference=r,
        shifted=tuple(
            Shifted(where, delta, shift.at(delta, plan.alpha))
            for where, shift in shifts.items()
            for delta in deltas
        ),
        tipping=tuple(tip(where, shift, plan.alpha) for where, shift in shifts.items()),
    )


def _spread(question: Question) -> float:
    """SD of the readings at the visit within arms; NaN where no arm has two."""
    rows = question.rows[question.rows[AVISIT] == question.plan.primary.visit]
    values = rows.groupby(TRT01P, observed=True)[AVAL]
    df = len(rows) - values.ngroups
    left = (rows[AVAL] - values.transform("mean")).to_numpy(dtype=np.float64)
    return math.sqrt(float(left @ left) / df) if df > 0 else math.nan


def _default(sd: float) -> tuple[float, ...]:
    """Parts of the SD, rounded to halves of their leading place, both signs."""
    if not sd > 0:
        return ()
    sizes = dict.fromkeys(_rounded(step * sd) for step in STEPS)
    return (*(-size for size in reversed(sizes)), *sizes)


def _rounded(value: float) -> float:
    """14.2 to 15, 7.1 to 7, 3.6 to 3.5, 0.36 to 0.35."""
    place = math.floor(math.log10(value))
    step = 5 * 10.0 ** (place - 1)
    return float(f"{round(value / step) * step:.12g}")
