"""The speed figures: one command, tables out.

    .venv/bin/python benchmarks/run.py            what the project promises, beside other programs
    .venv/bin/python benchmarks/run.py --growth   how cost grows with each size of a trial

Each line is a process of its own; threads are 1; seconds are the best of 3 in a warm process.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import NESTED, SLOPES, UNSTRUCTURED

HERE = Path(__file__).resolve().parent
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
SMALL = {"patients": 500, "sites": 20}
MIDDLE = {"patients": 20_000, "sites": 100}
LARGE = {"patients": 200_000, "sites": 500}
HUGE = {"patients": 1_000_000, "sites": 1000}
HEAD = ("work", "engine", "rows", "reading", "moments", "fit", "one evaluation", "frame to fit",
        "peak MB", "log-likelihood")  # fmt: skip


def measure(engine: str, formula: str, trial: dict[str, Any]) -> dict[str, float] | str:
    """Figures, or why there are none."""
    if engine == "lme4" and not shutil.which("Rscript"):
        return "R is not installed"
    done = subprocess.run(
        [sys.executable, str(HERE / "measure.py"), engine, formula, json.dumps(trial)],
        capture_output=True, text=True, env={**os.environ, **THREADS}, check=False,
    )  # fmt: skip
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:120]
    found: dict[str, float] = json.loads(done.stdout)
    return found


def line(work: str, engine: str, found: dict[str, float] | str) -> list[str]:
    """One row of the table."""
    if isinstance(found, str):
        return [work, engine, found, *[""] * (len(HEAD) - 3)]
    seconds = [_seconds(found.get(name)) for name in HEAD[3:8]]
    return [
        work, engine, f"{found['rows']:,.0f}", *seconds, f"{found['peak MB']:.0f}",
        f"{found['loglik']:.4f}",
    ]  # fmt: skip


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def show(head: tuple[str, ...], rows: list[list[str]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def promised(others: bool) -> None:
    """The sizes that the project promises."""
    work = [
        ("500 patients, 20 sites, nested", NESTED, SMALL, ("mixedlm", "lme4", "statsmodels")),
        ("20 000 patients, 100 sites, slopes", SLOPES, MIDDLE, ("mixedlm", "lme4")),
        ("200 000 patients, 500 sites, slopes", SLOPES, LARGE, ("mixedlm", "lme4")),
        ("the same, rows in any order", SLOPES, {**LARGE, "shuffled": True}, ()),
        ("200 000 patients, 500 sites, us(6)", UNSTRUCTURED, LARGE, ()),
    ]
    rows = []
    for name, formula, trial, engines in work:
        for engine in ("sitewise", *(engines if others else ())):
            rows.append(line(name, engine, measure(engine, formula, trial)))
            print(rows[-1], file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        trial = {**HUGE, "path": str(Path(folder) / "trial.parquet")}
        measure("write", SLOPES, trial)
        found = measure("parquet", SLOPES, trial)
        rows.append(line("10^6 patients, 1000 sites, slopes, Parquet", "sitewise", found))
    show(HEAD, rows)


def growth() -> None:
    """Frame to fit and one evaluation, one size at a time."""
    rows = []
    plain = {"patients": 20_000, "sites": 100}
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("base: 20 000 patients, 100 sites, 6 visits, slopes", SLOPES, plain),
        ("patients x 4", SLOPES, {**plain, "patients": 80_000}),
        ("sites x 4", SLOPES, {**plain, "sites": 400}),
        ("visits x 2", SLOPES, {**plain, "visits": 12}),
        ("10 covariates more", SLOPES.replace("t * arm", "t * arm + " + " + ".join(
            f"x{k}" for k in range(1, 11))), {**plain, "covariates": 10}),
        ("nested: 3 covariance parameters", NESTED, plain),
        ("us over 4 visits: 11", UNSTRUCTURED, {**plain, "visits": 4}),
        ("us over 6 visits: 22", UNSTRUCTURED, plain),
        ("us over 9 visits: 46", UNSTRUCTURED, {**plain, "visits": 9}),
    ]  # fmt: skip
    for name, formula, trial in cases:
        rows.append(line(name, "sitewise", measure("sitewise", formula, trial)))
        print(rows[-1], file=sys.stderr, flush=True)
    show(HEAD, rows)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--growth", action="store_true", help="how cost grows")
    parser.add_argument("--alone", action="store_true", help="without other programs")
    asked = parser.parse_args()
    if asked.growth:
        growth()
    else:
        promised(not asked.alone)


if __name__ == "__main__":
    main()
