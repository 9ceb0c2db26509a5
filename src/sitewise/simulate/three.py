"""A small trial of three hospitals, for a first run and for the tests of the workflow.

    python -m sitewise.simulate.three FOLDER [--seed SEED]

Patients are randomised 1:1 within hospital to Active or Placebo and seen at weeks 0, 4, 8, 12.
The hospitals write their files as hospitals do: one with commas, one with semicolons and decimal
commas, one in kPa; and a few readings are wrong, so that the findings have something to say.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

WEEKS = (0, 4, 8, 12)
ARMS = ("Active", "Placebo")
MMHG_PER_KPA = 7.500616827
HEADER = ("subject", "treatment", "visit", "studyday", "sbp", "dbp", "age", "sex")


@dataclass(frozen=True)
class Hospital:
    """One hospital file and how it is written."""

    siteid: str
    file: str
    patients: int
    delimiter: str = ","
    decimal: str = "."
    unit: str = "mmHg"


HOSPITALS = (
    Hospital("H1", "hospital_1.csv", 24),
    Hospital("H2", "hospital_2.csv", 20, delimiter=";", decimal=","),
    Hospital("H3", "hospital_3.csv", 16, unit="kPa"),
)


@dataclass(frozen=True)
class Truth:
    """Constants of the generator, mmHg and mmHg per week."""

    site_sd: float = 4.0
    patient_sd: float = 9.0
    slope_sd: float = 0.35
    residual_sd: float = 7.0
    mean: float = 152.0
    trend: float = -0.4
    effect: float = -0.6
    dropout: float = 0.05


def write_trial(folder: Path, seed: int = 20260601, truth: Truth | None = None) -> list[Path]:
    """Write the three files below `folder` and return their paths; the same seed, the same bytes.

    seed: of numpy's PCG64 generator.
    """
    import numpy as np

    rng = np.random.Generator(np.random.PCG64(seed))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for hospital in HOSPITALS:
        rows = _rows(hospital, rng, truth or Truth())
        _spoil(hospital, rows)
        path = folder / hospital.file
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, delimiter=hospital.delimiter, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(rows)
        paths.append(path)
    return paths


def _rows(hospital: Hospital, rng: "np.random.Generator", truth: Truth) -> list[list[str]]:
    """All rows of one hospital: one a visit that took place."""
    site = rng.normal(0.0, truth.site_sd)
    arms = rng.permutation(list(ARMS) * ((hospital.patients + 1) // 2))[: hospital.patients]
    rows = []
    for number, arm in enumerate(arms, start=1):
        patient = rng.normal(0.0, truth.patient_sd)
        slope = truth.trend + rng.normal(0.0, truth.slope_sd)
        if arm == "Active":
            slope += truth.effect
        age, sex = int(rng.integers(35, 80)), str(rng.choice(["F", "M"]))
        for week in WEEKS:
            if week and rng.random() < truth.dropout:
                break
            day = 1 if week == 0 else 7 * week + int(rng.integers(-3, 4))
            sbp = truth.mean + site + patient + slope * week + rng.normal(0.0, truth.residual_sd)
            dbp = 0.55 * sbp + 8.0 + rng.normal(0.0, 5.0)
            cells = [f"{hospital.siteid}-{number:03d}", str(arm), f"week {week}", str(day)]
            cells += [_cell(sbp, hospital), _cell(dbp, hospital), str(age), sex]
            rows.append(cells)
    return rows


def _cell(mmhg: float, hospital: Hospital) -> str:
    text = f"{mmhg / MMHG_PER_KPA:.2f}" if hospital.unit == "kPa" else f"{mmhg:.0f}"
    return text.replace(".", hospital.decimal)


def _spoil(hospital: Hospital, rows: list[list[str]]) -> None:
    """Make the few mistakes that the findings of the first report show."""
    if hospital.siteid == "H1":
        rows[6][4], rows[6][5] = rows[6][5], rows[6][4]  # SBP and DBP swapped
        rows.insert(12, list(rows[11]))  # a visit entered twice
        rows[20][4] = ""  # SBP not measured
    if hospital.siteid == "H2":
        rows[9][4] = "1500"  # a digit too many


def main() -> None:
    """Command line: write the trial."""
    parser = argparse.ArgumentParser(description="Write a small trial of three hospitals.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=20260601)
    arguments = parser.parse_args()
    write_trial(arguments.folder, arguments.seed)


if __name__ == "__main__":
    main()
