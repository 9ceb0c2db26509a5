"""Simulated coverage of the delta-adjusted contrast where dropout hangs on the last value.

    .venv/bin/python benchmarks/coverage_not_at_random.py
    .venv/bin/python benchmarks/coverage_not_at_random.py --draws 200

Two arms of 100 patients, four visits, us(visit | patient). A patient leaves after a visit with odds
that rise with its value; who has left differs at the last visit by delta from what the others tell.
The truth is that of all patients, seen or not: the shares who leave are from a million patients.
"""

import argparse
import sys

import numpy as np
import pandas as pd
from scipy import special

from sitewise import lmm
from sitewise.classical.answer import Answer
from sitewise.classical.influence import row_influence
from sitewise.classical.tipping import Shift
from sitewise.classical.unseen import Patients
from sitewise.lmm.design import build_design

SEED, PATIENTS, ALPHA = 20260601, 100, 0.05
VISITS, ARMS = ("v0", "v1", "v2", "v3"), ("ref", "act")
LEVELS = {"AVISIT": VISITS, "TRT01P": ARMS}
MEANS = np.array([[150.0, 148, 147, 146], [150, 146, 143, 141]])
WEEK = np.arange(4.0)
V = 60 + 40 * np.eye(4) + 4 * np.outer(WEEK, WEEK)
DELTAS = (-20.0, -10.0, 10.0, 20.0)
FORMULA = "AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)"
CONTRAST = np.array([0, 0, 0, 0, 1.0, 0, 0, 1.0])


def drawn(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Arm of each patient, (2n,), and readings, (2n, 4), NaN once it has left."""
    arm = np.repeat([0, 1], n)
    y = MEANS[arm] + rng.standard_normal((2 * n, 4)) @ np.linalg.cholesky(V).T
    gone = np.zeros(2 * n, dtype=bool)
    for k in (1, 2, 3):
        gone |= rng.random(2 * n) < special.expit(0.15 * (y[:, k - 1] - 150) - 2.2)
        y[gone, k:] = np.nan
    return arm, y


def one(rng: np.random.Generator) -> dict[tuple[str, float], tuple[Answer, Answer]]:
    """The contrast at each delta, with and without the covariance of contrast and shares."""
    arm, y = drawn(rng, PATIENTS)
    name = np.array([f"p{i}" for i in range(len(arm))])
    wide = pd.DataFrame(y, columns=VISITS).assign(USUBJID=name, TRT01P=np.array(ARMS)[arm])
    rows = wide.melt(["USUBJID", "TRT01P"], var_name="AVISIT", value_name="AVAL").dropna()
    rows = rows.reset_index(drop=True)
    fit = lmm(FORMULA, rows, levels=LEVELS)
    found = fit.contrast(CONTRAST, df="kenward-roger").iloc[0]
    start = Answer(*(float(found[k]) for k in ("estimate", "se", "df", "p", "lower", "upper")))
    X = build_design(FORMULA, rows, LEVELS).X
    people = Patients("USUBJID", wide, np.arange(len(wide)), np.isnan(y[:, 3]))
    added = people.added(rows, row_influence(fit, X, rows, CONTRAST), start.se)
    a, r = (people.of_arm(arm, added) for arm in ARMS[::-1])
    answers = {}
    for where in ("arm", "both"):
        shift = Shift.of(start, a, r, where)
        bare = Shift(start, shift.share, 0.0, shift.shares)
        for delta in DELTAS:
            answers[where, delta] = (shift.at(delta, ALPHA), bare.at(delta, ALPHA))
    return answers


def main(draws: int) -> None:
    """Print the table."""
    rng = np.random.default_rng(SEED)
    arm, y = drawn(rng, 500_000)
    left = [float(np.isnan(y[arm == a, 3]).mean()) for a in (0, 1)]
    found = [one(rng) for _ in range(draws)]
    print(f"{100 * left[1]:.1f}% and {100 * left[0]:.1f}% have left; {draws} draws\n")
    titles = ("delta in", "delta", "bias", "its MC SE", "SD", "mean SE", "covered, %",
              "without covariance, %")  # fmt: skip
    print(f"| {' | '.join(titles)} |")
    print("|---|---|---|---|---|---|---|---|")
    for where, delta in found[0]:
        truth = -5 + delta * (left[1] - (where == "both") * left[0])
        pairs = [own[where, delta] for own in found]
        off = np.array([a.estimate - truth for a, _ in pairs])
        se = np.sqrt(np.mean([a.se**2 for a, _ in pairs]))
        held = [[100 * (x.lower <= truth <= x.upper) for x in pair] for pair in pairs]
        covered, bare = np.mean(held, axis=0)
        sd = off.std(ddof=1)
        numbers = [f"{x:.2f}" for x in (off.mean(), sd / np.sqrt(draws), sd, se)]
        cells = ["both" if where == "both" else "one arm", f"{delta:g}", *numbers,
                 f"**{covered:.1f}**", f"{bare:.1f}"]  # fmt: skip
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    sys.exit(main(parser.parse_args().draws))
