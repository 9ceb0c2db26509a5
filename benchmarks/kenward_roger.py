"""Speed of Kenward-Roger: tests of all fixed effects of a fit, the second derivatives included.

    .venv/bin/python benchmarks/kenward_roger.py            beside pbkrtest where R has it
    .venv/bin/python benchmarks/kenward_roger.py --large    a million patients too (some minutes)

Seconds are the best of 3 in a warm process, threads 1. pbkrtest is run once, on the same rows.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measure import NESTED, SLOPES, UNSTRUCTURED, best
from trials import simulate

if TYPE_CHECKING:
    import pandas as pd

SMALL = ((550, 20), (2200, 40))  # patients, sites: about 2 500 and 10 000 rows
MILLION = (1_000_000, 1000)
SCRIPT = """
suppressMessages({library(lme4); library(pbkrtest)})
d <- read.csv("%s", colClasses = c(site = "character", patient = "character"))
fit <- lmer(%s, d)
seconds <- system.time({
  adjusted <- vcovAdj(fit)
  L <- diag(length(fixef(fit)))
  df <- sapply(seq_along(fixef(fit)), function(i) Lb_ddf(L[i, ], vcov(fit), adjusted))
})[["elapsed"]]
cat(seconds, sqrt(diag(as.matrix(adjusted)))[2], df[2])
"""


def own(formula: str, data: "pd.DataFrame") -> tuple[float, float, float]:
    """Seconds, and SE and df of the second fixed effect."""
    import sitewise

    fit = sitewise.lmm(formula, data)
    model, phi = fit.solution.model, fit.solution.phi

    def work() -> "pd.DataFrame":
        model._last.clear()  # the fit keeps its derivatives: here they are made again
        model.point(phi)
        return fit.tests()

    seconds, table = best(work)
    return seconds, float(table["se"].iloc[1]), float(table["df"].iloc[1])


def by_pbkrtest(formula: str, data: "pd.DataFrame") -> tuple[float, float, float] | None:
    """The same by R; None where R is not there."""
    if not shutil.which("Rscript"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.csv"
        data.to_csv(file, index=False)
        code = SCRIPT % (file, formula)
        done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    seconds, se, df = map(float, done.stdout.split())
    return seconds, se, df


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    large = parser.parse_args().large
    print(
        "| work | rows | sitewise, s | pbkrtest, s | ratio | SEs, df |\n|---|---|---|---|---|---|"
    )
    for patients, sites in SMALL:
        data = simulate(patients, sites)
        seconds, se, df = own(NESTED, data)
        other = by_pbkrtest(NESTED, data)
        cells = ["", "", ""]
        if other:
            apart = max(abs(se / other[1] - 1), abs(df / other[2] - 1))
            cells = [f"{other[0]:.1f}", f"{other[0] / seconds:,.0f}", f"agree to {apart:.0e}"]
        print(f"| nested | {len(data):,} | {seconds:.4f} | {' | '.join(cells)} |", flush=True)
    if large:
        data = simulate(*MILLION)
        for name, formula in (("random slopes", SLOPES), ("UN over 6 visits", UNSTRUCTURED)):
            started = time.perf_counter()
            seconds, _, df = own(formula, data)
            took = time.perf_counter() - started
            print(f"| {name} | {len(data):,} | {seconds:.3f} | | | df {df:,.0f}; {took:.0f} s in"
                  " all |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
