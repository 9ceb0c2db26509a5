"""The cross-check against R's aov, car::Anova and lmerTest; F to 8 digits, epsilon to 10."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sitewise.classical.crosscheck import cross_check
from sitewise.classical.result import CrossCheck
from sitewise.classical.rmanova import mixed_anova
from sitewise.inference.fitting import PlannedResult
from sitewise.plan.model import Plan
from sitewise.store.results import to_plain

PLAIN = {"TRT01P": "G", "AVISIT": "time", "AVISIT:TRT01P": "G:time"}


def reference(shared: Path, name: str) -> dict[str, Any]:
    return json.loads((shared / "references" / f"{name}.json").read_text())


def type3(expected: dict[str, Any]) -> dict[str, float]:
    block = expected["type3_univariate"]
    return dict(zip(block["term"], block["cols"]["F value"], strict=True))


def sequential(expected: dict[str, Any]) -> dict[str, float]:
    strata = expected["aov_error_strata"]
    terms = [*strata["Error: id"]["term"], *strata["Error: id:time"]["term"]]
    values = [*strata["Error: id"]["F"], *strata["Error: id:time"]["F"]]
    found = dict(zip(terms, values, strict=True))
    return {"G": found["g"], "time": found["time"], "G:time": found["g:time"]}


@pytest.fixture(scope="module")
def ghana(ghana_plan: Plan, ghana_adbp: pd.DataFrame, ghana_facts: dict) -> CrossCheck:
    return cross_check(ghana_plan, ghana_adbp, "SYSBP", ghana_facts["site_by_visit"])


def agrees(found: CrossCheck, expected: dict[str, Any]) -> None:
    assert found.complete == expected["n_subjects"]
    for row in found.anova:
        assert row.f == pytest.approx(sequential(expected)[PLAIN[row.effect]], rel=1e-8)
    for test in found.mixed_complete:
        assert test.f == pytest.approx(type3(expected)[PLAIN[test.effect]], rel=1e-6)
    epsilon = expected["epsilon"]["cols"]["GG eps"][0]
    assert [row.epsilon for row in found.anova[1:]] == pytest.approx([epsilon] * 2, rel=1e-10)
    corrected = expected["epsilon"]["cols"]["Pr(>F[GG])"][1]
    assert found.anova[2].p_gg == pytest.approx(corrected, rel=1e-8)


def test_ghana(ghana: CrossCheck, shared: Path) -> None:
    agrees(ghana, reference(shared, "ghana_sbp_rmanova"))
    kept = {row.level: row.patients - row.dropped for row in ghana.by_arm}
    assert kept == {"HIC": 271, "TASSH+HIC": 281}
    assert sum(row.dropped for row in ghana.by_site) == 757 - 552
    visit = ghana.mixed_complete[1]
    assert (round(ghana.anova[1].f, 3), round(visit.f, 3)) == (329.859, 328.557)
    assert "sequential" in visit.agreement
    assert ghana.mixed_complete[0].agreement == "expected to agree, and does"


def test_ghana_degrees_of_freedom(ghana: CrossCheck) -> None:
    assert [row.df2 for row in ghana.anova] == [550, 1100, 1100]
    # lmerTest 3.1-3: anova(lmer(sbp ~ visit*arm + (1|site) + (1|patient)), ddf="Kenward-Roger")
    # on the 552: 29.5386.
    (note,) = [note for note in ghana.notes if "Whole sites" in note]
    assert "550 denominator" in note
    assert "29.5 (Kenward-Roger)" in note
    # The same with (1|patient) on all 757 patients: F, df, p.
    arm, visit, interaction = ghana.mixed_all
    assert (arm.f, arm.df2) == pytest.approx((0.4156057372, 744.6814184), rel=1e-6)
    assert (visit.f, visit.df2) == pytest.approx((375.4437728, 1324.7191211), rel=2e-6)
    assert (interaction.f, interaction.p) == pytest.approx((5.0787961, 0.006349217701), rel=1e-5)


def test_ghana_contrasts(ghana: CrossCheck) -> None:
    complete, everybody, primary = ghana.contrasts
    assert (complete.patients, everybody.patients, primary.patients) == (552, 757, 757)
    assert (round(primary.estimate, 3), round(primary.se, 2)) == (-3.075, 1.84)
    assert complete.df == pytest.approx(1100, rel=1e-6)


def test_cdisc_three_arms_ten_visits(
    cdisc_plan: Plan, cdisc_adbp: pd.DataFrame, cdisc_fit: PlannedResult, shared: Path
) -> None:
    found = cross_check(cdisc_plan, cdisc_adbp, "SYSBP", to_plain(cdisc_fit.planned))
    agrees(found, reference(shared, "cdisc_sbp_rmanova"))
    assert [row.level for row in found.by_arm] == [
        "Placebo",
        "Xanomeline Low Dose",
        "Xanomeline High Dose",
    ]
    assert sum(row.patients for row in found.by_arm) == 254
    assert not any("Whole sites" in note for note in found.notes)


def test_orthodont(shared: Path) -> None:
    expected = reference(shared, "Orthodont_rmanova")
    raw = pd.read_csv(shared / "data" / "public" / "Orthodont.csv", dtype=str)
    columns = {"Subject": "USUBJID", "Sex": "TRT01P", "age": "AVISIT"}
    data = raw.rename(columns=columns).assign(AVAL=raw["distance"].astype(float))
    for row in mixed_anova(data).rows:
        assert row.f == pytest.approx(sequential(expected)[PLAIN[row.effect]], rel=1e-10)
