"""docs/tutorial.md says what the demo trials really give."""

from pathlib import Path

import pytest

from sitewise.inference.fitting import fit_planned
from sitewise.run.readiness import read_plan
from sitewise.simulate.demo import TRIALS, write_demo
from sitewise.simulate.generator import Design
from sitewise.terms import Fate
from sitewise.trial.pipeline import CheckedTrial, check_data


def checked(root: Path, folder: Path, design: Design) -> CheckedTrial:
    write_demo(folder, design)
    plan, sheet = read_plan(root / "config" / f"{TRIALS[design]}.yaml")
    return check_data(plan, sheet, folder)


@pytest.fixture(scope="module")
def told(root: Path) -> str:
    return " ".join((root / "docs" / "tutorial.md").read_text(encoding="utf-8").split())


def test_the_first_run(root: Path, tmp_path: Path, told: str) -> None:
    trial = checked(root, tmp_path, "individual")
    fates = trial.readings["FATE"].value_counts()
    assert (
        f"{len(trial.readings)} readings in 20 hospital files, 1 of them set aside:"
        f" {fates[Fate.NOT_MEASURED]} not measured, {fates[Fate.ANALYSED]} analysed,"
        f" {fates[Fate.SET_ASIDE]} set aside"
    ) in told
    aside = next(file for file in trial.account.files if file.status == "set aside")
    assert f"HOSPITAL SET ASIDE: {aside.site} ({aside.file}): {aside.reason}" in told
    high = trial.findings[trial.findings["RULE"] == "outside the hard limits"]
    high = high[high["SITEID"] == "006"]
    assert f"| 006 | {high['VALUE'].iloc[0]} mmHg |" in told
    swapped = trial.findings[trial.findings["RULE"] == "SYSBP not above DIABP"]
    line = swapped.loc[swapped["SITEID"] == "002", "SRCROW"].min()
    assert f"Then swap the two pressures of line {line} of `data/demo/hospital_002.csv`" in told
    plan, _ = read_plan(root / "config" / "demo.yaml")
    result = fit_planned(plan, trial.adbp, "SYSBP", plan.primary.model).planned.answer.result
    numbers = [
        f"{x:.1f}".replace("-", "\u2212") for x in (result.estimate, result.lower, result.upper)
    ]
    assert (
        f"SYSBP, Active minus Placebo, level at Week 24: {numbers[0]} mmHg"
        f" (95% CI {numbers[1]} to {numbers[2]}; p < 0.001)"
    ) in told
    assert result.p < 0.001


def test_the_cluster_trial(root: Path, tmp_path: Path, told: str) -> None:
    trial = checked(root, tmp_path, "cluster")
    plan, _ = read_plan(root / "config" / "demo_cluster.yaml")
    nested, primary = (
        fit_planned(plan, trial.adbp, "SYSBP", model).planned.answer.result
        for model in ("nested", plan.primary.model)
    )
    assert (
        f"claims a standard error of {nested.se:.1f} mmHg instead of {primary.se:.1f}, and a"
        f" p-value of {nested.p:.3f} instead of {primary.p:.3f}"
    ) in told
