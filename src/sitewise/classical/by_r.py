"""R as a second engine: lme4 for random effects, nlme where the residuals have a covariance.

R is a program of its own; nothing of it is installed by the project. Where it or its package is
absent, the error says so: a plan that asks for R is not silently answered by something else.
"""

import csv
import math
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sitewise.classical.r_script import SCRIPT
from sitewise.classical.second_fit import NotExpressibleError, SecondFit, formula_of, rows_of
from sitewise.errors import ModelError, Problem, RunError

if TYPE_CHECKING:
    import pandas as pd

    from sitewise.lmm.design import Design

PROGRAM = "Rscript"
SLOT = "sitewise_slot"  # number of the slot, for nlme's correlations
# What nlme calls a residual covariance: its correlation, and whether slots differ in variance.
STRUCTURES = {
    "us": ("corSymm", True),
    "cs": ("corCompSymm", False),
    "csh": ("corCompSymm", True),
    "ar1": ("corAR1", False),
    "ar1h": ("corAR1", True),
}


def fit_r(design: "Design", *, reml: bool) -> SecondFit:
    """Fit by lme4, or by nlme under a residual covariance.

    R builds its own design from the formula. Raises RunError where R or the package is absent,
    NotExpressibleError where nlme has no such model, ModelError where R gives no fit.
    """
    task = _task(design, reml)
    program = shutil.which(PROGRAM)
    if program is None:
        raise _absent("R is not installed here", f"no program {PROGRAM} on the path")
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), design, task)
        done = subprocess.run(
            [program, "--vanilla", str(Path(folder) / "fit.R"), folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            last = " ".join(done.stderr.split())[-400:]
            raise ModelError(f"{PROGRAM} ended with code {done.returncode}: {last}")
        numbers, said = _read(Path(folder) / "numbers.csv"), _read(Path(folder) / "said.csv")
    return _second_fit(design, task["package"], numbers, said)


def _task(design: "Design", reml: bool) -> dict[str, str]:
    """The call that R evaluates; formulas hold names and operators only."""
    if design.formula.residual is None:
        call = f"lmer({formula_of(design)}, data, REML = {_r(reml)})"
        return {"package": "lme4", "call": call, "group": ""}
    return _nlme(design, reml)


def _nlme(design: "Design", reml: bool) -> dict[str, str]:
    formula, residual = design.formula, design.formula.residual
    assert residual is not None, "checked by the caller"
    simple = all(s.terms == "1" and len(s.group) == 1 for s in formula.random)
    if len(formula.random) > 1 or not simple or len(residual.group) > 1:
        raise NotExpressibleError(
            f"nlme is asked for {residual} with one random intercept of one column at most"
        )
    correlation, unequal = STRUCTURES[residual.structure]
    groups = [*(s.group_name for s in formula.random), residual.group_name]
    form = f"~ {SLOT} | {'/'.join(groups)}"
    parts = [
        f"{formula.response} ~ {formula.fixed}",
        "data = data",
        *(f"random = ~ 1 | {s.group_name}" for s in formula.random),
        f"correlation = {correlation}(form = {form})",
        *([f"weights = varIdent(form = ~ 1 | {residual.slot})"] if unequal else []),
        f'method = "{"REML" if reml else "ML"}"',
    ]
    name = "lme" if formula.random else "gls"
    group = formula.random[0].group_name if formula.random else ""
    return {"package": "nlme", "call": f"{name}({', '.join(parts)})", "group": group}


def _write(folder: Path, design: "Design", task: dict[str, str]) -> None:
    frame = rows_of(design)
    levels: list[tuple[str, str]] = []
    if design.formula.residual is not None:
        slot = design.formula.residual.slot
        frame[SLOT] = design.data.codes[slot].astype(int) + 1
    for name in frame.columns[[hasattr(frame[c], "cat") for c in frame.columns]]:
        found: pd.Series = frame[name]
        levels += [(str(name), str(level)) for level in found.cat.categories]
        frame[name] = found.cat.codes.astype(int) + 1
    (folder / "fit.R").write_text(SCRIPT, encoding="utf-8")
    frame.to_csv(folder / "data.csv", index=False, encoding="utf-8")
    _csv(folder / "levels.csv", [("column", "level"), *levels])
    _csv(folder / "task.csv", [("key", "value"), *task.items()])


def _second_fit(
    design: "Design", package: str, numbers: list[dict[str, str]], said: list[dict[str, str]]
) -> SecondFit:
    heard: dict[str, list[str]] = {}
    for line in said:
        heard.setdefault(line["kind"], []).append(" ".join(line["text"].split()))
    if "absent" in heard:
        raise _absent(f"R has no package {package}", f"library({package}) is not there")
    if "error" in heard or not numbers:
        raise ModelError(f"{package} gives no fit: {'; '.join(heard.get('error', ['no numbers']))}")
    by: dict[str, dict[tuple[str, str], float]] = {}
    for row in numbers:
        by.setdefault(row["kind"], {})[row["group"], row["name"]] = float(row["value"])
    names = {name for _, name in by["fixef"]}
    if names != set(design.names):
        raise NotExpressibleError(
            f"R makes other columns of the fixed part: {', '.join(sorted(names))} where"
            f" sitewise.lmm has {', '.join(design.names)}"
        )
    warned = tuple(heard.get("warning", ()))
    return SecondFit(
        engine=package,
        version=heard["version"][0],
        loglik=by["loglik"]["", ""],
        fixef=tuple(by["fixef"]["", name] for name in design.names),
        se=tuple(by["se"]["", name] for name in design.names),
        variances=by.get("variance", {}),
        sigma2=by.get("sigma2", {}).get(("", ""), math.nan),
        converged=not any("converge" in text for text in warned),
        warnings=warned,
    )


def _absent(title: str, what: str) -> RunError:
    return RunError(
        f"The plan asks for replication by R's lme4, and {title}.",
        [Problem(what, where="replication.engine",
                 allowed="R with the packages lme4 and nlme; or auto, statsmodels, mixedlm, none",
                 fix="install R and lme4 (Debian: r-cran-lme4), or name another engine in the"
                 " plan")],
    )  # fmt: skip


def _r(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _csv(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
