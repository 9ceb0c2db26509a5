"""config/cdiscpilot.yaml, from the site files to the fits, against R's values of set B.

Tolerances as in lmm_cases.py: the references are good to 7 digits or more.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sitewise.classical.ladder_result import CovarianceChoice
from sitewise.classical.mixed_rungs import mark_planned
from sitewise.classical.question import pose
from sitewise.classical.straight import straight_lines
from sitewise.inference.fitting import fit_planned
from sitewise.inference.planned_contrasts import ask_primary
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data, read_part
from sitewise.run.readiness import read_plan
from sitewise.store.results import to_plain
from sitewise.terms import Fate
from sitewise.trial.pipeline import CheckedTrial, check_data

ARMS = {"Xanomeline Low Dose": "Low dose", "Xanomeline High Dose": "High dose"}
MODELS = {
    "empty": "cdisc_sbp_nested_null", "patient": "cdisc_sbp_ri", "nested": "cdisc_sbp_nested",
    "main": "cdisc_sbp_main",
}  # fmt: skip


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return read_plan(root / "config" / "cdiscpilot.yaml")[0]


@pytest.fixture(scope="module")
def checked(root: Path, shared: Path) -> CheckedTrial:
    plan, sheet = read_plan(root / "config" / "cdiscpilot.yaml")
    return check_data(plan, sheet, shared / "data" / "cdiscpilot")


@pytest.fixture(scope="module")
def fits(plan: Plan, checked: CheckedTrial) -> dict[str, PlannedFit]:
    return {name: fit_planned(plan, checked.adbp, "SYSBP", name).planned for name in MODELS}


def reference(shared: Path, model: str) -> dict[str, Any]:
    path = shared / "references" / f"{MODELS[model]}.json"
    found: dict[str, Any] = json.loads(path.read_text())["reml"]
    return found


def test_set_b(plan: Plan, checked: CheckedTrial) -> None:
    """1801 rows, 254 patients, 17 sites; three readings averaged; the rest outside the plan."""
    sbp = checked.adbp[checked.adbp["PARAMCD"] == "SYSBP"]
    assert (len(sbp), sbp["USUBJID"].nunique(), sbp["SITEID"].nunique()) == (1801, 254, 17)
    assert (sbp["DTYPE"] == "AVERAGE").sum() == 1801 - (sbp["NREAD"] == 1).sum()
    fates = checked.readings["FATE"].value_counts()
    # README of the data: 8208 SYSBP rows, 3 NOT DONE; in all 16415 rows, 5 NOT DONE, of which 3
    # at scheduled visits
    outside = fates[Fate.OUTSIDE_PLAN]
    names = set(checked.readings.loc[checked.readings["FATE"] == Fate.OUTSIDE_PLAN, "VISIT"])
    assert names == set(plan.other_visits)
    assert fates.sum() == 16415
    assert outside + fates[Fate.NOT_MEASURED] + fates[Fate.AVERAGED] + fates[Fate.ANALYSED] == 16415
    assert fates[Fate.AVERAGED] + fates[Fate.ANALYSED] == checked.adbp["NREAD"].sum()


@pytest.mark.parametrize("model", MODELS)
def test_fits_agree_with_lme4(shared: Path, fits: dict[str, PlannedFit], model: str) -> None:
    wanted, fit = reference(shared, model), fits[model].fit
    assert fit.nobs == 1801
    assert fit.loglik == pytest.approx(wanted["loglik"], abs=1e-6)
    random = wanted["random"]
    for term in fit.random:
        group = next(g for g in random if g.split(":")[0] == term.group)
        assert term.variances == pytest.approx(random[group]["var"], abs=1e-5 * 170)
    assert fit.sigma**2 == pytest.approx(wanted["sigma2"], rel=1e-5)
    named = {effect.name.replace("WEEK", "week"): effect for effect in fit.fixef}
    names = wanted["fixed"]["names"]
    for i, name in enumerate(names if isinstance(names, list) else [names]):
        own = name.replace("ARM", "TRT01P")
        for long, short in ARMS.items():
            own = own.replace(f"TRT01P{long}", f"TRT01P[{short}]")
        effect = named.get(own) or named[own.replace("[", "").replace("]", "")]
        estimate, se = wanted["fixed"]["estimate"][i], wanted["fixed"]["se"][i]
        assert effect.estimate == pytest.approx(estimate, abs=1e-6 * max(abs(estimate), se))
        assert effect.se == pytest.approx(se, rel=1e-6)


def test_the_primary_contrast_is_24_weeks_of_slope(
    shared: Path, fits: dict[str, PlannedFit]
) -> None:
    """The slope's difference times 24; its t, df and p are those of the slope."""
    wanted = reference(shared, "main")["fixed"]
    place = wanted["names"].index("week:ARMXanomeline High Dose")
    result = fits["main"].answer.result
    assert result.estimate == pytest.approx(24 * wanted["estimate"][place], rel=1e-6)
    assert result.se == pytest.approx(24 * wanted["se"][place], rel=1e-6)
    assert result.df == pytest.approx(wanted["satterthwaite"]["df"][place], rel=1e-3)
    assert result.p == pytest.approx(wanted["satterthwaite"]["p"][place], rel=1e-3)


# R (lme4 1.1.31, lmerTest 3.1.3): AVAL ~ w*TRT01P + V*TRT01P + (1 | SITEID) + (1 + w | USUBJID),
# w the week over 24, V the visit, bobyqa, rhoend 1e-9; F and df2 by contestMD of all coefficients
# that the lines lack, the likelihood ratio from both models by ML. lme4's F is good to 1e-7.
STRAIGHT = (2.50657846705, 24, 1415.24753457, 59.89144247)


def test_lines_against_means_by_visit(
    plan: Plan, checked: CheckedTrial, fits: dict[str, PlannedFit]
) -> None:
    part = read_part(part_data(plan, "crosscheck"))
    question = pose(part, checked.adbp, "SYSBP", ask_primary)
    rungs = mark_planned(question, [], to_plain(fits["main"]))
    found = straight_lines(question, rungs, CovarianceChoice((), "", (), ()), ask_primary)
    assert found is not None
    f, df1, df2, chi2 = STRAIGHT
    assert found.f == pytest.approx(f, rel=1e-7)
    assert (found.df1, found.df_method) == (df1, "satterthwaite")
    assert found.df2 == pytest.approx(df2, rel=1e-6)
    assert found.chi2 == pytest.approx(chi2, abs=1e-6)
    assert found.p < 1e-4
    lines, visits = found.rows
    by_visit = fit_planned(plan, checked.adbp, "SYSBP", "visits").planned.answer.result
    assert lines.answer is not None and visits.answer is not None
    assert lines.answer.estimate == fits["main"].answer.result.estimate
    for name in ("estimate", "se", "df", "p"):
        expected = getattr(by_visit, name)
        assert getattr(visits.answer, name) == pytest.approx(expected, rel=1e-6)
