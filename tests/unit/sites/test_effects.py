"""Site results: intervals against scipy's own, and sites that can't have one."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sitewise.plan.load import load_plan, read_yaml, validate_plan
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data, read_part
from sitewise.sites.effects import site_results
from sitewise.store.results import dumps, from_plain, to_plain

FIT = {"model": "site_by_visit", "label": "x"}
A, B = "TASSH+HIC", "HIC"


@pytest.fixture(scope="module")
def plan(root: Path) -> Plan:
    return load_plan(root / "config" / "ghana.yaml")


@pytest.fixture(scope="module")
def replan(root: Path) -> Callable[..., Plan]:
    data = read_yaml(root / "config" / "ghana.yaml")
    return lambda **sections: validate_plan(data | sections, "changed")


def rows_of(patients: list[tuple[str, str, float, float | None]]) -> pd.DataFrame:
    """Two visits a patient from (site, arm, baseline, month 12); None: not seen."""
    rows: list[Any] = []
    for i, (site, arm, first, last) in enumerate(patients):
        rows.append((site, f"p{i}", arm, "Baseline", first, 0.0))
        if last is not None:
            rows.append((site, f"p{i}", arm, "Month 12", last, last - first))
    frame = pd.DataFrame(rows, columns=["SITEID", "USUBJID", "TRT01P", "AVISIT", "AVAL", "CHG"])
    return frame.assign(PARAMCD="SYSBP", ANL01FL="Y", FASFL="Y")


def ranef_of(*rows: Any) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["GROUP", "LEVEL", "TERM", "BLUP", "SE"])


NONE = ranef_of()
MIXED = rows_of(
    [
        ("2", A, 150, 130), ("2", A, 160, 148), ("2", A, 140, 139), ("2", B, 155, 151),
        ("2", B, 145, 144), ("1", A, 150, 140), ("1", A, 150, 142), ("3", A, 150, 140),
        ("3", B, 150, 145), ("4", B, 150, None), ("4", A, 160, 150),
    ]
)  # fmt: skip


def test_contrast_within_a_site_is_the_pooled_t_interval(plan):
    found = {e.site: e for e in site_results(plan, MIXED, "SYSBP", FIT, NONE).effects}
    test = stats.ttest_ind([-20, -12, -1], [-4, -1])
    interval = test.confidence_interval(0.95)
    assert found["2"].estimate == pytest.approx(-11 + 2.5)
    assert (found["2"].lower, found["2"].upper) == pytest.approx((interval.low, interval.high))
    assert (found["2"].kind, found["2"].n, found["2"].n_reference) == ("contrast", 3, 2)
    assert found["2"].refused == ""


def test_sites_without_an_arm_or_an_interval_say_why(plan):
    result = site_results(plan, MIXED, "SYSBP", FIT, NONE)
    found = {e.site: e for e in result.effects}
    assert [e.site for e in result.effects] == ["1", "2", "3", "4"]
    assert found["1"].refused == "no patient of HIC with a change from baseline at Month 12"
    assert math.isnan(found["1"].estimate)
    assert (found["3"].estimate, found["3"].refused) == (
        -5.0, "one patient an arm with a change from baseline at Month 12: no interval"
    )  # fmt: skip
    assert math.isnan(found["3"].lower)
    assert (found["4"].n, found["4"].n_reference) == (1, 0)
    assert not result.arm_constant_in_sites


def test_arm_constant_in_sites_gives_means(plan):
    rows = rows_of(
        [("1", A, 150, 140), ("1", A, 160, 144), ("2", B, 150, 149), ("3", B, 150, None)]
    )
    result = site_results(plan, rows, "SYSBP", FIT, NONE)
    assert result.arm_constant_in_sites
    first, second, third = result.effects
    assert (first.kind, first.arm, first.estimate, first.n) == ("mean", A, -13.0, 2)
    low, high = stats.t.interval(0.95, 1, loc=-13, scale=3)
    assert (first.lower, first.upper) == pytest.approx((low, high))
    assert (second.estimate, second.refused.startswith("one patient")) == (-1.0, True)
    assert (third.n, third.arm, third.refused.startswith("no patient")) == (0, B, True)
    assert "no site has a treatment effect of its own" in result.note


def test_level_contrast_uses_the_outcome(replan):
    primary = {"model": "nested", "visit": "Month 12", "arm": A, "contrast": "level"}
    found = site_results(replan(primary=primary), MIXED, "SYSBP", FIT, NONE).effects
    assert found[1].estimate == pytest.approx(139 - 147.5)


def test_predictions_are_sorted_and_normal(plan):
    ranef = ranef_of(
        ("SITEID", "2", "(Intercept)", -1.5, 0.8),
        ("SITEID", "1", "(Intercept)", 1.0, 0.5),
        ("SITEID:AVISIT", "1:Baseline", "(Intercept)", 9.0, 9.0),
        ("USUBJID", "p0", "(Intercept)", 9.0, 9.0),
    )
    result = site_results(plan, MIXED, "SYSBP", FIT, ranef)
    one, two = result.predictions
    assert (one.site, two.site, one.patients, two.patients) == ("1", "2", 2, 5)
    assert (two.lower, two.upper) == pytest.approx(
        (-1.5 - 1.959963984540054 * 0.8, -1.5 + 1.959963984540054 * 0.8)
    )
    slopes = pd.concat([ranef, ranef_of(("SITEID", "1", "WEEK", 0.1, 0.1))])
    found = site_results(plan, MIXED, "SYSBP", FIT, slopes)
    assert found.predictions == result.predictions
    assert "at week 0" in found.note


def test_without_a_site_term_there_are_no_predictions_and_it_is_said(plan):
    result = site_results(plan, MIXED, "SYSBP", FIT, ranef_of(("USUBJID", "p0", "x", 1.0, 1.0)))
    assert result.predictions == ()
    assert "no random effect of the site" in result.note


def test_rows_outside_the_analysis_are_left_out(plan):
    extra = rows_of([("2", A, 150, 50)]).assign(USUBJID="q")
    wrong = [extra.assign(**{c: "N"}) for c in ("FASFL", "ANL01FL", "PARAMCD")]
    blank = extra.assign(AVAL=np.nan, CHG=np.nan)
    result = site_results(plan, pd.concat([MIXED, *wrong, blank]), "SYSBP", FIT, NONE)
    assert dumps(result) == dumps(site_results(plan, MIXED, "SYSBP", FIT, NONE))


def test_order_of_rows_and_the_rule_s_part_do_not_matter(plan):
    part = read_part(part_data(plan, "sites"))
    first = site_results(plan, MIXED, "SYSBP", FIT, NONE)
    second = site_results(part, MIXED.sample(frac=1, random_state=3), "SYSBP", FIT, NONE)
    one, other = first.effects[1], second.effects[1]
    assert (one.lower, one.upper) == pytest.approx((other.lower, other.upper))
    assert from_plain(to_plain(first), type(first)).note == first.note


def test_raw_departures_are_from_the_mean_of_arm_and_visit(plan):
    """By hand: arm A at baseline 150, 160, 140, 150, 150, 150, 160 (mean 151.43), and so on."""
    ranef = ranef_of(*[("SITEID", s, "(Intercept)", 0.0, 1.0) for s in "1234"])
    found = {p.site: p.raw for p in site_results(plan, MIXED, "SYSBP", FIT, ranef).predictions}
    first = 1060 / 7
    last = (130 + 148 + 139 + 140 + 142 + 140 + 150) / 7
    assert found["1"] == pytest.approx(((150 - first) * 2 + (140 - last) + (142 - last)) / 4)
    assert found["4"] == pytest.approx(((160 - first) + (150 - last) + (150 - 600 / 4)) / 3)
