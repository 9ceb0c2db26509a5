"""Hospitals of the real trials: means by pandas, BLUPs by lme4."""

import json
from pathlib import Path

import pandas as pd
import pytest

from sitewise.inference.fitting import PlannedResult
from sitewise.plan.model import Plan
from sitewise.sites.effects import site_results
from sitewise.store.results import to_plain


def test_ghana_has_one_arm_a_site(
    ghana_plan: Plan, ghana_adbp: pd.DataFrame, ghana_fits: dict[str, PlannedResult]
) -> None:
    fit = ghana_fits["site_by_visit"]
    facts = to_plain(fit.planned)
    found = site_results(ghana_plan, ghana_adbp, "SYSBP", facts, fit.ranef)
    assert found.arm_constant_in_sites
    assert len(found.effects) == len(found.predictions) == 32
    assert [e.site for e in found.effects] == sorted(e.site for e in found.effects)
    last = ghana_adbp.query("PARAMCD == 'SYSBP' and AVISIT == 'Month 12'")
    means = last.groupby("SITEID")["CHG"].mean()
    for effect in found.effects:
        assert effect.kind == "mean"
        assert effect.estimate == pytest.approx(means[effect.site])
    assert sum(e.n for e in found.effects) == last["CHG"].notna().sum()


def test_ghana_predictions_are_lme4_s(
    ghana_plan: Plan,
    ghana_adbp: pd.DataFrame,
    ghana_fits: dict[str, PlannedResult],
    shared: Path,
) -> None:
    stated = json.loads((shared / "references" / "ghana_sbp_nested.json").read_text())
    blups = stated["reml"]["blups"]["site"]
    fit = ghana_fits["nested"]
    found = site_results(ghana_plan, ghana_adbp, "SYSBP", to_plain(fit.planned), fit.ranef)
    by_site = {p.site: p for p in found.predictions}
    for site, value in zip(blups["levels"], blups["values"]["(Intercept)"], strict=True):
        assert by_site[site].blup == pytest.approx(value, rel=1e-5)
    assert sum(p.patients for p in found.predictions) == 757


def test_cdisc_sites_that_lack_an_arm_are_refused(
    cdisc_plan: Plan, cdisc_adbp: pd.DataFrame, cdisc_fit: PlannedResult
) -> None:
    facts = to_plain(cdisc_fit.planned)
    found = site_results(cdisc_plan, cdisc_adbp, "SYSBP", facts, cdisc_fit.ranef)
    effects = {e.site: e for e in found.effects}
    assert not found.arm_constant_in_sites
    assert len(effects) == 17
    # Sites 702 (low dose only) and 707 (no high dose), says the trial's README.
    assert "Placebo and" not in effects["707"].refused
    assert "Xanomeline High Dose" in effects["707"].refused
    assert effects["702"].n == effects["702"].n_reference == 0
    wide = cdisc_adbp.query("AVISIT == 'WEEK 24' and SITEID == '701'")
    means = wide.groupby("TRT01P")["CHG"].mean()
    expected = means["Xanomeline High Dose"] - means["Placebo"]
    assert effects["701"].estimate == pytest.approx(expected)
