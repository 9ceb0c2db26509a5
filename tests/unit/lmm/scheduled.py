"""A small scheduled trial with what wide rows must cope with, and its dense wide rows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sitewise.lmm.formula import parse_formula
from sitewise.lmm.hierarchy import build_hierarchy
from sitewise.lmm.reading import read_rows
from sitewise.lmm.schedule import find_schedule
from sitewise.lmm.tally import build_wide
from sitewise.lmm.wide import Wide

VISITS = ("Baseline", "Month 3", "Month 6", "Month 12")
LEVELS = {"AVISIT": VISITS, "ARM": ("Placebo", "Low", "High")}
NESTED = "AVAL ~ AVISIT * ARM + BASE:ARM + (1 + ARM | SITEID) + (1 + WEEK | USUBJID)"
ACROSS = "AVAL ~ WEEK * BASE + SEX + (1 | SITEID) + (1 | SITEID:AVISIT) + (1 | USUBJID)"
RESIDUAL = "AVAL ~ AVISIT * ARM + DOSE * BASE + (1 | COUNTRY/SITEID) + us(AVISIT | USUBJID)"
FORMULAS = (NESTED, ACROSS, RESIDUAL)


def trial(patients: int = 60, sites: int = 5, seed: int = 1, offset: float = 130.0) -> pd.DataFrame:
    """Readings of `patients` over four visits, some missing, rows in no order."""
    rng = np.random.default_rng(seed)
    site, arm, sex = (rng.integers(0, k, patients) for k in (sites, 3, 2))
    base = offset + rng.normal(0, 15, patients)
    rows = [(i, t) for i in range(patients) for t in range(4) if rng.random() < 0.8]
    i, t = (np.array(x) for x in zip(*rows, strict=True))
    return pd.DataFrame(
        {
            "USUBJID": [f"P{k:03d}" for k in i],
            "SITEID": [f"S{k}" for k in site[i]],
            "COUNTRY": [f"C{k % 2}" for k in site[i]],
            "AVISIT": np.array(VISITS)[t],
            "WEEK": np.array([0.0, 13.0, 26.0, 52.0])[t],
            "ARM": np.array(LEVELS["ARM"])[arm[i]],
            "SEX": np.array(["F", "M"])[sex[i]],
            "BASE": base[i],
            "DOSE": rng.integers(0, 4, len(i)) * 2.5,
            "AVAL": base[i] + rng.normal(0, 8, len(i)),
        }
    ).sample(frac=1, random_state=seed, ignore_index=True)


def wide_of(text: str, frame: pd.DataFrame) -> Wide:
    formula = parse_formula(text)
    rows = read_rows(formula, frame, LEVELS)
    hierarchy = build_hierarchy(formula, rows)
    schedule = find_schedule(formula, rows, hierarchy)
    assert not isinstance(schedule, str), schedule
    return build_wide(formula, rows, hierarchy, schedule, declared=LEVELS)


def feature_rows(wide: Wide, frame: pd.DataFrame) -> tuple[list[str], NDArray[np.float64]]:
    """Patients and their wide rows (N, F), read off the frame cell by cell."""
    patients = sorted(set(frame["USUBJID"]))
    found = np.zeros((len(patients), len(wide.basis)))
    for i, patient in enumerate(patients):
        own = frame[frame["USUBJID"] == patient]
        for j, feature in enumerate(wide.basis):
            row = own.iloc[0]
            if feature.slot is not None:
                at = own[_slot(wide, own) == feature.slot]
                if at.empty:
                    continue
                row = at.iloc[0]
            value = row["AVAL"] if feature.outcome else 1.0
            for variable, level in feature.atoms:
                value *= row[variable] if level is None else float(row[variable] == level)
            found[i, j] = value
    return patients, found


def _slot(wide: Wide, own: pd.DataFrame) -> "pd.Series[str]":
    """The label of each row's slot, e.g. `Month 3` or `Month 3, 13.0`."""
    texts = [own[name].astype(str) for name in wide.slot_variables]
    return texts[0].str.cat(texts[1:], sep=", ") if len(texts) > 1 else texts[0]


def about(wide: Wide, point: NDArray[np.float64]) -> dict[tuple[str, str], NDArray[np.float64]]:
    """n, sums and cross-products of f - point by unit and pattern, from the cells."""
    found = {}
    for c in range(len(wide.n)):
        seen = wide.patterns[wide.pattern[c]]
        unit = wide.levels[0].labels[wide.unit[c]] if wide.levels else ""
        shown = ",".join(sorted(s for s, p in zip(wide.slots, seen, strict=True) if p))
        moved = wide.shift[c] - point
        cross = np.outer(wide.sums[c], moved)
        G = wide.products[c] + cross + cross.T + wide.n[c] * np.outer(moved, moved)
        found[unit, shown] = np.vstack([wide.sums[c] + wide.n[c] * moved, G])
    return found
