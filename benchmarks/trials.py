"""Simulated trials of any size: patients in sites, visits, dropout, from a seed."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def simulate(
    patients: int, sites: int, visits: int = 6, *, covariates: int = 0, shuffled: bool = False
) -> "pd.DataFrame":
    """One row a reading: site, patient (texts), arm, visit (texts), t (weeks), x1.. , y (mmHg).

    Site SD 3, patient SD 8, slope SD 0.3 a week, residual SD 7; about one in twelve readings is
    lost to dropout or chance. shuffled: rows in any order instead of sorted by patient.
    """
    import pandas as pd

    rng = np.random.default_rng(1)
    site = np.sort(rng.integers(0, sites, patients))
    arm = rng.integers(0, 2, patients)
    patient = np.repeat(np.arange(patients), visits)
    slot = np.tile(np.arange(visits), patients)
    t = 4.0 * slot
    x = rng.normal(size=(patients, covariates))
    level = 140 + rng.normal(0, 3, sites)[site] + rng.normal(0, 8, patients) + x.sum(axis=1)
    slope = rng.normal(0, 0.3, patients) - 0.2 - 0.1 * arm
    y = level[patient] + slope[patient] * t + rng.normal(0, 7, len(t))
    last = rng.integers(1, 3 * visits, patients)
    kept = (slot < last[patient]) & (rng.random(len(t)) > 0.02)
    columns = {
        "site": np.array([f"S{i:04d}" for i in range(sites)])[site][patient],
        "patient": np.array([f"P{i:07d}" for i in range(patients)])[patient],
        "arm": np.array(["A", "B"])[arm][patient],
        "visit": np.array([f"W{4 * k:02d}" for k in range(visits)])[slot],
        "t": t,
        **{f"x{k + 1}": x[patient, k] for k in range(covariates)},
        "y": y,
    }
    frame = pd.DataFrame(columns)[kept]
    if shuffled:
        frame = frame.sample(frac=1.0, random_state=1)
    return frame.reset_index(drop=True)
