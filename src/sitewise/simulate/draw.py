"""Draw a trial from its constants: arrays, as nobody has written them down yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sitewise.simulate.generator import Generator, Outcome

Parts = tuple[np.ndarray, np.ndarray]

# A range of readings that nearly nobody has would keep the draw going for ever.
_MOST_ROUNDS = 1000
_AGES = (35, 85)
_BLOCK = 4


@dataclass(frozen=True)
class Drawn:
    """One trial: J hospitals, P patients, T visits.

    site: shape (P,), hospital 0..J-1, ascending. arm: shape (P,), 0 control, 1 active.
    age: shape (P,), years. female: shape (P,). day: shape (P, T), study day, 1 at baseline.
    seen: shape (P, T), whether the visit took place. dropped: shape (P,), the first visit after
    dropping out, T for those who stayed. sbp, dbp: shape (P, T), whole mmHg, NaN where not taken.
    site_effects: by part (`site`, `site_slope`), (systolic, diastolic), shape (J,) each.
    """

    site: np.ndarray = field(repr=False)
    arm: np.ndarray = field(repr=False)
    age: np.ndarray = field(repr=False)
    female: np.ndarray = field(repr=False)
    day: np.ndarray = field(repr=False)
    seen: np.ndarray = field(repr=False)
    dropped: np.ndarray = field(repr=False)
    sbp: np.ndarray = field(repr=False)
    dbp: np.ndarray = field(repr=False)
    site_effects: Mapping[str, Parts] = field(repr=False)


def draw_trial(generator: Generator, sizes: Sequence[int], seed: int) -> Drawn:
    """Draw a trial of hospitals with `sizes` patients each.

    seed: of numpy's PCG64 generator. The same constants, sizes and seed give the same arrays.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    hospitals, visits = len(sizes), len(generator.weeks)
    site = np.repeat(np.arange(hospitals), sizes)
    weeks = np.array(generator.weeks, dtype=float)
    arm = _arms(generator, sizes, rng)
    level = _pair(generator, "site", rng, (hospitals,))
    slope = _pair(generator, "site_slope", rng, (hospitals,))
    visit = _pair(generator, "site_visit", rng, (hospitals, visits))
    shared = [
        (a[:, None] + b[:, None] * weeks + c)[site]
        for a, b, c in zip(level, slope, visit, strict=True)
    ]
    age, sbp, dbp = _readings(generator, shared, arm, weeks, rng)
    female = rng.random(len(site)) < 0.5
    jitter = rng.integers(-4, 5, size=sbp.shape)
    jitter[:, 0] = 0
    day = (7 * weeks + 1).astype(int) + jitter
    seen, dropped = _attendance(generator, sbp, arm, rng)
    untaken = rng.random((2, *sbp.shape)) < generator.unmeasured
    untaken[:, :, 0] = False  # nobody is enrolled without a baseline
    sbp, dbp = (
        np.where(seen & ~gone, values, np.nan)
        for values, gone in zip((sbp, dbp), untaken, strict=True)
    )
    effects = {"site": level, "site_slope": slope}
    return Drawn(site, arm, age, female, day, seen, dropped, sbp, dbp, effects)


def _pair(
    generator: Generator, part: str, rng: np.random.Generator, shape: tuple[int, ...]
) -> Parts:
    """The systolic and the diastolic values of one random part, correlated as the constants say."""
    rho = generator.correlations[part]
    first, second = rng.standard_normal((2, *shape))
    sbp, dbp = (getattr(outcome, f"{part}_sd") for outcome in (generator.sbp, generator.dbp))
    return sbp * first, dbp * (rho * first + np.sqrt(1 - rho**2) * second)


def _arms(generator: Generator, sizes: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """0 control, 1 active, by patient: blocks of four in a hospital, or whole hospitals."""
    if generator.design == "cluster":
        hospitals = rng.permutation(np.arange(len(sizes)) % 2)
        return np.repeat(hospitals, sizes)
    blocks = sum(-(-size // _BLOCK) for size in sizes)
    block = np.tile(np.arange(_BLOCK) % 2, (blocks, 1))
    shuffled = rng.permuted(block, axis=1)
    arms, start = [], 0
    for size in sizes:
        count = -(-size // _BLOCK)
        arms.append(shuffled[start : start + count].ravel()[:size])
        start += count
    return np.concatenate(arms)


def _readings(
    generator: Generator,
    shared: Sequence[np.ndarray],
    arm: np.ndarray,
    weeks: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Age and both blood pressures of every patient enrolled, at all visits, in whole mmHg.

    shared: what the hospital adds, systolic and diastolic, shape (P, T) each. Who is not within
    the limits at baseline is drawn again.
    """
    low, high = generator.enrolled
    patients = len(arm)
    age = np.zeros(patients, dtype=int)
    values = [np.zeros((patients, len(weeks))) for _ in shared]
    open_ = np.arange(patients)
    for _ in range(_MOST_ROUNDS):
        age[open_] = rng.integers(_AGES[0], _AGES[1] + 1, size=len(open_))
        intercept = _pair(generator, "patient", rng, (len(open_),))
        slope = _pair(generator, "slope", rng, (len(open_),))
        residual = _pair(generator, "residual", rng, (len(open_), len(weeks)))
        for k, outcome in enumerate((generator.sbp, generator.dbp)):
            mean = _mean(outcome, age[open_], arm[open_])
            own = intercept[k][:, None] + slope[k][:, None] * weeks + residual[k]
            values[k][open_] = np.rint(mean + shared[k][open_] + own)
        first = values[0][open_, 0]
        open_ = open_[(first < low) | (first > high)]
        if not len(open_):
            return age, values[0], values[1]
    raise ValueError(f"nearly nobody has a first reading of {low} to {high} mmHg")


def _mean(outcome: Outcome, age: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Mean by patient and visit, shape (patients, T)."""
    course = np.array(outcome.course) + (arm[:, None] == 1) * np.array(outcome.effect)
    mean: np.ndarray = outcome.mean + outcome.age * (age[:, None] - 60) + course
    return mean


def _attendance(
    generator: Generator, sbp: np.ndarray, arm: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which visits took place, and the first visit after dropping out."""
    patients, visits = sbp.shape
    start, per = (np.array(c)[arm] for c in (generator.dropout, generator.dropout_last))
    seen = np.ones((patients, visits), dtype=bool)
    dropped = np.full(patients, visits)
    last = sbp[:, 0].copy()
    for visit in range(1, visits):
        chance = 1 / (1 + np.exp(-(start + per * (last - 150) / 10)))
        leaves = (rng.random(patients) < chance) & (dropped == visits)
        dropped[leaves] = visit
        seen[:, visit] = (dropped == visits) & (rng.random(patients) >= generator.missed)
        last = np.where(seen[:, visit], sbp[:, visit], last)
    return seen, dropped
