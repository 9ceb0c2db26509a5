"""A simulated trial of many hospitals, as files: one CSV each, a site sheet, a plan.

    python benchmarks/scale.py FOLDER --sites 1000 --patients 200

FOLDER/config/scale.yaml is the demo's plan with this trial's site sheet; the data lie in
FOLDER/data/scale. `sitewise run FOLDER/config/scale.yaml --data FOLDER/data/scale` runs it.

    python benchmarks/scale.py FOLDER --run 10 100 1000

writes, runs and tabulates: seconds of processor and memory by rule (docs/scale.md). With `--profile
slurm` the jobs go through Slurm; `python -m tests.cluster.one_node FOLDER` starts one for trying.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from sitewise.simulate.draw import draw_trial
from sitewise.simulate.generator import GENERATORS
from sitewise.simulate.hospitals import HEADER, VISITS
from sitewise.simulate.leaving import draw_reasons

HERE = Path(__file__).resolve().parent
DEMO = HERE.parent / "config" / "demo.yaml"


def write_scale(folder: Path, sites: int, patients: int, batches: int, seed: int = 1) -> None:
    """Write `sites` clean files of `patients` patients each, the site sheet and the plan."""
    generator = GENERATORS["individual"]
    drawn = draw_trial(generator, [patients] * sites, seed)
    reasons = draw_reasons(drawn, np.random.default_rng([seed, 2]))
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
                visits = np.flatnonzero(drawn.seen[patient])
                for visit in visits:
                    pair = (drawn.sbp[patient, visit], drawn.dbp[patient, visit])
                    cells = ["" if np.isnan(value) else f"{value:.0f}" for value in pair]
                    day = drawn.day[patient, visit]
                    why = reasons[patient] if visit == visits[-1] else ""
                    row = (siteid, *fixed, VISITS[visit], day, *cells, drawn.age[patient], sex, why)
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


def run_and_meter(
    folder: Path, where: list[str]
) -> tuple[dict[str, list[dict[str, float]]], float]:
    """One whole run; gives what its processes cost, by rule, and its seconds by the clock.

    where: options of `sitewise run` that say where its jobs run.
    """
    meter = folder / "meter.jsonl"
    meter.unlink(missing_ok=True)
    paths = [str(HERE / "meter"), os.environ.get("PYTHONPATH", "")]
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "sitewise.cli.main", "run", str(folder / "config" / "scale.yaml"),
         "--data", str(folder / "data" / "scale"), "--directory", str(folder), *where],
        env={**os.environ, "SITEWISE_METER": str(meter), "OMP_NUM_THREADS": "1",
             "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
        stdout=(folder / "said.txt").open("w"), stderr=subprocess.STDOUT, check=True,
    )  # fmt: skip
    seconds = time.monotonic() - began
    found: dict[str, list[dict[str, float]]] = {}
    for line in meter.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        found.setdefault(said["work"], []).append(said)
    return found, seconds


def table(runs: dict[int, tuple[dict[str, list[dict[str, float]]], float]]) -> str:
    """Seconds of processor and peak memory (MB) by rule, a pair of columns a size."""
    head = ["", *(f"{sites} sites: CPU s | MB" for sites in runs)]
    lines = [head, ["---", *("---: | ---:" for _ in runs)]]
    works = list(dict.fromkeys(work for found, _ in runs.values() for work in found))
    cost = {work: sum(p["cpu"] for p in list(runs.values())[-1][0].get(work, ())) for work in works}
    for work in sorted(works, key=lambda work: -cost[work]):
        cells = [work]
        for found, _ in runs.values():
            own = found.get(work, [])
            many = f" ({len(own)} jobs)" if len(own) > 1 else ""
            peak = max((p["peak"] for p in own), default=0)
            cells.append(f"{sum(p['cpu'] for p in own):.1f}{many} | {peak:.0f}")
        lines.append(cells)
    every = [[p for own in found.values() for p in own] for found, _ in runs.values()]
    lines.append(["all", *(f"{sum(p['cpu'] for p in own):.1f} | " for own in every)])
    lines.append(["by the clock", *(f"{seconds:.0f} s | " for _, seconds in runs.values())])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--run", type=int, nargs="+", metavar="SITES", help="write, run, tabulate")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--profile", default="default", help="as for `sitewise run`")
    options = parser.parse_args()
    local = options.profile == "default"
    where = ["--cores", str(options.cores)] if local else ["--profile", options.profile]
    if options.run:
        done = {}
        for each in options.run:
            place = options.folder / str(each)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            write_scale(place, each, options.patients, min(options.batches, each))
            done[each] = run_and_meter(place.resolve(), where)
            print(table(done), flush=True)
    else:
        write_scale(options.folder, options.sites, options.patients, options.batches)
