"""One measurement in a process of its own: seconds (best of 3, warm) and peak memory."""

import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trials import simulate

NESTED = "y ~ t * arm + (1 | site) + (1 | patient)"
SLOPES = "y ~ t * arm + (1 | site) + (1 + t | patient)"
UNSTRUCTURED = "y ~ visit * arm + (1 | site) + us(visit | patient)"


def best(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Shortest of `times` runs after one to warm up, and the last result."""
    found, seconds = work(), []
    for _ in range(times):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def sitewise_frame(formula: str, trial: dict[str, Any]) -> dict[str, float]:
    """Moments, fit from moments, and frame to fit."""
    import sitewise

    frame = simulate(**trial)
    whole, fit = best(lambda: sitewise.lmm(formula, frame))
    made, moments = best(lambda: sitewise.moments(formula, frame))
    fitted, _ = best(lambda: sitewise.lmm(formula, moments))
    point, _ = best(lambda: fit.solution.model.likelihood.point(*_at(fit)))
    return {"rows": len(frame), "moments": made, "fit": fitted, "frame to fit": whole,
            "one evaluation": point, "loglik": fit.loglik}  # fmt: skip


def _at(fit: Any) -> tuple[Any, Any]:
    model, phi = fit.solution.model, fit.solution.phi
    return model.parameters.natural(phi), model.covariances(phi)


def sitewise_parquet(formula: str, trial: dict[str, Any]) -> dict[str, float]:
    """Parquet by row groups to fit, on a warm cache; the file is written by another process."""
    import pyarrow.parquet as pq

    import sitewise

    path = Path(trial["path"])
    rows = pq.ParquetFile(path).metadata.num_rows
    read, _ = best(lambda: [pq.ParquetFile(path).read_row_group(i) for i in range(2)], 1)
    groups = pq.ParquetFile(path).num_row_groups
    made, moments = best(lambda: sitewise.moments(formula, path, batch_rows=500_000), 1)
    fitted, fit = best(lambda: sitewise.lmm(formula, moments))
    return {"rows": rows, "reading": read / 2 * groups, "moments": made, "fit": fitted,
            "frame to fit": made + fitted, "loglik": fit.loglik}  # fmt: skip


def write_parquet(formula: str, trial: dict[str, Any]) -> dict[str, float]:
    """The file for `sitewise_parquet`."""
    path = Path(trial.pop("path"))
    frame = simulate(**trial)
    frame.drop(columns=["visit"]).to_parquet(path, row_group_size=250_000, index=False)
    return {"rows": len(frame)}


def by_mixedlm(formula: str, trial: dict[str, Any]) -> dict[str, float]:
    """The package mixedlm (Rust)."""
    import mixedlm

    frame = simulate(**trial)
    frame["arm"] = frame["arm"].astype("category")
    whole, fit = best(lambda: mixedlm.lmer(formula, frame), 1)
    return {"rows": len(frame), "frame to fit": whole, "loglik": float(fit.logLik().value)}


def by_statsmodels(formula: str, trial: dict[str, Any]) -> dict[str, float]:
    """statsmodels MixedLM: patients as variance components of sites."""
    import statsmodels.formula.api as smf

    frame = simulate(**trial)
    slopes = {"patient": "0 + C(patient)"}
    if "1 + t" in formula:
        raise ValueError("correlated slopes within nested groups can't be expressed")

    def fit() -> Any:
        model = smf.mixedlm("y ~ t * arm", frame, groups="site", vc_formula=slopes)
        return model.fit(reml=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, found = best(fit, 1)
    return {"rows": len(frame), "frame to fit": whole, "loglik": float(found.llf)}


def by_lme4(formula: str, trial: dict[str, Any]) -> dict[str, float]:
    """lme4 in R, the frame read before the clock starts."""
    import subprocess

    frame = simulate(**trial)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        frame.to_csv(path, index=False)
        script = f"""
        suppressMessages(library(lme4))
        d <- read.csv("{path}")
        once <- function() system.time(fit <<- lmer({formula}, d))[["elapsed"]]
        s <- c(once(), once())
        cat(min(s), as.numeric(logLik(fit)), gc()[2, 6], sep = " ")
        """
        done = subprocess.run(
            ["Rscript", "-e", script], capture_output=True, text=True, check=True, env=None
        )
    seconds, loglik, memory = (float(text) for text in done.stdout.split())
    return {"rows": len(frame), "frame to fit": seconds, "loglik": loglik, "peak MB": memory}


WORK = {
    "sitewise": sitewise_frame, "parquet": sitewise_parquet, "write": write_parquet,
    "mixedlm": by_mixedlm, "statsmodels": by_statsmodels, "lme4": by_lme4,
}  # fmt: skip


def main() -> None:
    """engine, formula, trial as JSON; prints the figures as JSON."""
    engine, formula, trial = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    found = WORK[engine](formula, trial)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found.setdefault("peak MB", own)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
