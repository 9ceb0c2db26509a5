"""A simulated trial of many hospitals, as files: one CSV each, a site sheet, a plan.

    python benchmarks/scale.py FOLDER --sites 1000 --patients 200

FOLDER/config/scale.yaml is the demo's plan with this trial's site sheet; the data lie in
FOLDER/data/scale. `sitewise run FOLDER/config/scale.yaml --data FOLDER/data/scale` runs it.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import yaml

from sitewise.simulate.draw import draw_trial
from sitewise.simulate.generator import GENERATORS
from sitewise.simulate.hospitals import HEADER, VISITS

DEMO = Path(__file__).parents[1] / "config" / "demo.yaml"


def write_scale(folder: Path, sites: int, patients: int, batches: int, seed: int = 1) -> None:
    """Write `sites` clean files of `patients` patients each, the site sheet and the plan."""
    generator = GENERATORS["individual"]
    drawn = draw_trial(generator, [patients] * sites, seed)
    data, config = folder / "data" / "scale", folder / "config"
    data.mkdir(parents=True, exist_ok=True)
    config.mkdir(exist_ok=True)
    order = np.argsort(drawn.site, kind="stable")
    starts = np.searchsorted(drawn.site[order], np.arange(sites + 1))
    sheet = [["SITEID", "file", "unit"]]
    for place in range(sites):
        siteid = f"{place + 1:04d}"
        name = f"hospital_{siteid}.csv"
        sheet.append([siteid, name, "mmHg"])
        with (data / name).open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(HEADER)
            for own, patient in enumerate(order[starts[place] : starts[place + 1]]):
                fixed = (f"{siteid}-{own + 1:04d}", generator.arms[drawn.arm[patient]])
                sex = "F" if drawn.female[patient] else "M"
                for visit in np.flatnonzero(drawn.seen[patient]):
                    pair = (drawn.sbp[patient, visit], drawn.dbp[patient, visit])
                    cells = ["" if np.isnan(value) else f"{value:.0f}" for value in pair]
                    day = drawn.day[patient, visit]
                    row = (siteid, *fixed, VISITS[visit], day, *cells, drawn.age[patient], sex)
                    writer.writerow(row)
    with (config / "scale_sites.csv").open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(sheet)
    plan = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    plan |= {"trial": "scale", "title": f"{sites} simulated hospitals of {patients} patients"}
    plan["sites"] |= {"sheet": "scale_sites.csv", "batches": batches}
    plan["replication"]["max_rows"] = 100000
    del plan["limits"]
    text = yaml.safe_dump(plan, sort_keys=False, allow_unicode=True)
    (config / "scale.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--batches", type=int, default=8)
    options = parser.parse_args()
    write_scale(options.folder, options.sites, options.patients, options.batches)
