"""Treatment by site: simulated truth, refusals, sites that miss an arm, formulas."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sitewise.inference.by_site import treatment_by_site
from sitewise.inference.by_site_result import BySite
from sitewise.inference.by_site_terms import terms_of
from sitewise.plan.load import read_yaml
from sitewise.plan.model import Plan
from sitewise.plan.parts import part_data, read_part
from sitewise.store.results import dumps, from_plain

ACTIVE, CONTROL = "TASSH+HIC", "HIC"
WEEKS = {"Baseline": 0.0, "Month 6": 26.0, "Month 12": 52.0}
PATIENT = "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + (1 | USUBJID)"


def plan_with(root: Any, formula: str = PATIENT, **changes: Any) -> Plan:
    data = read_yaml(root / "config" / "ghana.yaml")
    data |= {"design": "individual", "randomised_unit": "USUBJID", "comparisons": []}
    data["models"] = {"m": {"label": "M", "formula": formula, "set": "FAS", "reml": True}}
    data["primary"] = {**data["primary"], "model": "m"}
    asked = {"random": "correlated", "fixed": True}
    return Plan.model_validate({**data, "treatment_by_site": asked, "bootstrap": {"draws": 0},
                                **changes})  # fmt: skip


def rows(
    effects: list[float], patients: int = 20, seed: int = 1, noise: float = 4.0
) -> pd.DataFrame:
    """Patients alternate between the arms; effects: of the active arm after baseline, by site."""
    rng = np.random.default_rng(seed)
    found: list[Any] = []
    for s, effect in enumerate(effects):
        site = rng.normal(0, 3)
        for p in range(patients):
            arm, own = (CONTROL, ACTIVE)[p % 2], rng.normal(0, 5)
            for visit, week in WEEKS.items():
                y = 150 + site + own + rng.normal(0, noise)
                y += effect * (arm == ACTIVE and week > 0)
                found.append((f"s{s:02}", f"s{s:02}p{p}", arm, visit, week, y))
    columns = ["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL"]
    frame = pd.DataFrame(found, columns=columns)
    frame["PARAMCD"], frame["ANL01FL"], frame["FASFL"] = "SYSBP", "Y", "Y"
    frame["BASE"], frame["ABLFL"] = 150.0, ""
    return frame


def asked_of(plan: Plan, frame: pd.DataFrame) -> BySite:
    part = read_part(part_data(plan, "sites"))
    return treatment_by_site(part, frame, "SYSBP")


def test_sd_of_effects_is_found_and_covered(root: Any) -> None:
    rng = np.random.default_rng(7)
    found = asked_of(plan_with(root), rows(list(-8 + 6 * rng.normal(size=24)), patients=40))
    assert found.random is not None and found.fixed is not None
    # 24 effects of SD 6, each known to about 1.3: the SD has a standard error of about 0.9.
    assert found.random.sd == pytest.approx(6.0, abs=2.5)
    assert found.random.lower < 6.0 < found.random.upper
    assert found.random.lower > 3.0
    assert max(found.random.p, found.fixed.p) < 1e-6
    assert found.random.answer is not None
    assert found.random.answer.df < 30  # sites, not patients, carry the effect


def test_equal_effects_are_not_found_to_differ(root: Any) -> None:
    found = asked_of(plan_with(root), rows([-8.0] * 10))
    assert found.random is not None and found.fixed is not None
    assert min(found.random.p, found.fixed.p) > 0.01
    assert found.random.lower == 0.0
    assert 0 < found.random.upper < 8
    assert found.fixed.df1 == 9


def test_predictions_are_shrunk(root: Any) -> None:
    effects = [-20.0, -15.0, -10.0, -5.0, 0.0, 5.0]
    asked = {"random": "uncorrelated", "fixed": True}
    found = asked_of(plan_with(root, treatment_by_site=asked), rows(effects, patients=30))
    own = [r.estimate.estimate for r in found.rows if r.estimate]
    assert own == pytest.approx(effects, abs=6)
    assert 0.7 * np.std(own) < np.std([r.predicted for r in found.rows]) < np.std(own)


def test_one_visit_balanced_is_the_two_way_anova(root: Any) -> None:
    """Level at two visits, patients' means: F of interaction is that of the textbook's table."""
    plan = plan_with(
        root,
        "AVAL ~ AVISIT + TRT01P + (1 | SITEID) + (1 | USUBJID)",
        primary={"model": "m", "visit": "Month 12", "arm": ACTIVE, "contrast": "level"},
    )
    frame = rows([-3.0, -9.0, 0.0, -6.0], patients=10)
    found = asked_of(plan, frame).fixed
    means = frame.groupby(["SITEID", "TRT01P", "USUBJID"])["AVAL"].mean()
    cells = means.groupby(level=[0, 1]).mean().unstack()
    inner = cells.sub(cells.mean(axis=1), axis=0).sub(cells.mean(axis=0), axis=1)
    between = 5 * float(((inner + cells.to_numpy().mean()) ** 2).to_numpy().sum()) / 3
    within = float(means.groupby(level=[0, 1]).var().mean())
    F = between / within
    assert found is not None
    assert (found.f, found.df1, found.df2) == pytest.approx((F, 3, 32), rel=1e-6)
    assert found.p == pytest.approx(stats.f.sf(F, 3, 32), rel=1e-6)


def test_refused_where_sites_have_one_arm(root: Any) -> None:
    frame = rows([0.0] * 6)
    arm = frame["SITEID"].map(lambda s: (CONTROL, ACTIVE)[int(s[1:]) % 2])
    found = asked_of(plan_with(root), frame.assign(TRT01P=arm))
    assert "every site has one arm" in found.refused
    assert found.random is None and found.fixed is None


def test_blinded_and_not_asked(root: Any) -> None:
    frame = rows([0.0] * 3)
    assert "blinded" in asked_of(plan_with(root, blinded=True), frame).refused
    nothing = asked_of(plan_with(root, treatment_by_site={}), frame)
    assert not nothing.asked and nothing.rows == ()


# The rows of `effects_by_site()` in R 4.2.2, nlme 3.1-162, arms equal at baseline within a site
# (aa: arm after baseline),
# correlation = corSymm(form = ~ v | id), weights = varIdent(form = ~ 1 | v).
# gls(AVAL ~ 0 + site + m12 + site:after + site:aa + m12a): each site's effect at month 12, its SE,
# and the Wald F that all are equal. lme(AVAL ~ v6 + m12 + m6a + m12a, random = list(site =
# pdDiag(~ 1 + after + aa))): SD of aa, estimate and SE of m12a.
NLME_SITES = (4.26721240394, -4.39967276382, -6.74202119585, 2.93429942120, -2.29619065265,
              -6.93321869056, 2.79561530394, -1.00716056435, -5.75854225420,
              1.52270518809)  # fmt: skip
NLME_SES = (1.22874615079, 1.20149724216, 1.22913388026, 1.20149768033, 1.22913237551,
            1.26397782898, 1.22913388026, 1.22874615079, 1.26402703353, 1.22874704298)  # fmt: skip
NLME_F = 18.6269201149
NLME_RANDOM = (4.1780094528, -1.598056587, 1.5261244457)


def effects_by_site() -> pd.DataFrame:
    """Ten sites of eight patients, some readings missing; effects of 6 cos(2 s) after baseline."""
    found = []
    for s, p, (v, (visit, week)) in product(range(10), range(8), enumerate(WEEKS.items())):
        if (s + 2 * p + 3 * v) % 11 == 0:
            continue
        y = 150 + 4 * np.sin(s) + 3 * (1 + v) * np.cos(0.7 * p + 1.3 * s)
        y += 5 * np.sin(1.7 * s + 2.3 * p + 3.1 * v + 0.9 * s * p)
        y += (6 * np.cos(2 * s) * (p % 2) - 6 - 3 * (p % 2)) * (v > 0)
        found.append((f"s{s}", f"s{s}p{p}", (CONTROL, ACTIVE)[p % 2], visit, week, y))
    columns = ["SITEID", "USUBJID", "TRT01P", "AVISIT", "WEEK", "AVAL"]
    frame = pd.DataFrame(found, columns=columns)
    frame["PARAMCD"], frame["ANL01FL"], frame["FASFL"] = "SYSBP", "Y", "Y"
    frame["BASE"], frame["ABLFL"] = 150.0, ""
    return frame


@pytest.mark.parametrize("contrast", ["change", "level"])
def test_arms_held_equal_at_baseline_as_nlme(root: Any, contrast: str) -> None:
    plan = plan_with(
        root,
        "AVAL ~ AVISIT*TRT01P + (1 | SITEID) + us(AVISIT | USUBJID)",
        baseline={"handling": "constrained", "missing": "keep"},
        treatment_by_site={"random": "uncorrelated", "fixed": True},
        primary={"model": "m", "visit": "Month 12", "arm": ACTIVE, "contrast": contrast},
        df="asymptotic",
    )
    found = asked_of(plan, effects_by_site())
    assert found.random is not None and found.fixed is not None
    own = [r.estimate for r in found.rows if r.estimate is not None]
    assert [e.estimate for e in own] == pytest.approx(NLME_SITES, rel=1e-5)
    assert [e.se for e in own] == pytest.approx(NLME_SES, rel=2e-6)
    assert found.fixed.f == pytest.approx(NLME_F, rel=1e-5)
    answer = found.random.answer
    assert answer is not None
    assert (found.random.sd, answer.estimate, answer.se) == pytest.approx(NLME_RANDOM, rel=2e-6)
    assert found.terms[0] == "ARM1: 1 in TASSH+HIC after baseline, else 0."


@pytest.mark.parametrize("rule", ["leave out", "pool"])
def test_sites_that_miss_an_arm(root: Any, rule: str) -> None:
    frame = rows([-5.0] * 6)
    gone = (frame["SITEID"] == "s01") & (frame["TRT01P"] == ACTIVE)
    gone |= (frame["SITEID"] == "s04") & (frame["TRT01P"] == CONTROL)
    asked = {"fixed": True, "random": "uncorrelated", "missing_arm": rule}
    found = asked_of(plan_with(root, treatment_by_site=asked), frame[~gone])
    assert found.fixed is not None and found.random is not None
    assert found.random.sites == 6
    if rule == "pool":
        assert found.fixed.pooled == ("s01", "s04") and found.fixed.left_out == ()
        assert (found.fixed.sites, found.fixed.df1) == (5, 4)
        assert found.rows[-1].site == "s01 + s04" and found.rows[-1].estimate is not None
    else:
        assert found.fixed.left_out == ("s01", "s04")
        assert (found.fixed.sites, found.fixed.df1) == (4, 3)
    own = {r.site: r for r in found.rows}
    assert own["s01"].estimate is None and np.isfinite(own["s01"].predicted)


def test_a_pool_that_misses_an_arm_is_left_out(root: Any) -> None:
    frame = rows([-5.0] * 5)
    gone = frame["SITEID"].isin(["s01", "s04"]) & (frame["TRT01P"] == ACTIVE)
    asked = {"fixed": True, "missing_arm": "pool"}
    found = asked_of(plan_with(root, treatment_by_site=asked), frame[~gone]).fixed
    assert found is not None
    assert (found.pooled, found.left_out) == ((), ("s01", "s04"))


def test_too_many_sites_and_too_few_patients(root: Any) -> None:
    asked = {"fixed": True, "most_sites": 4}
    found = asked_of(plan_with(root, treatment_by_site=asked), rows([0.0] * 5)).fixed
    assert found is not None and "most_sites" in found.refused
    found = asked_of(plan_with(root), rows([0.0] * 5, patients=2)).fixed
    assert found is not None and "no degrees of freedom" in found.refused


def test_what_leaves_nothing_random_is_refused(root: Any) -> None:
    formula = "AVAL ~ AVISIT*TRT01P + (1 | SITEID)"
    found = asked_of(plan_with(root, formula), rows([0.0] * 4)).fixed
    assert found is not None and "nothing random is left" in found.refused


def test_the_result_survives_its_file(root: Any) -> None:
    import json

    found = asked_of(plan_with(root), rows([-5.0, 3.0, 0.0]))
    assert dumps(from_plain(json.loads(dumps(found)), BySite)) == dumps(found)


@pytest.mark.parametrize(
    ("formula", "contrast", "smaller", "correlated"),
    [
        (PATIENT, "level", "(1 | SITEID) + (1 | USUBJID)",
         "(1 | USUBJID) + (1 + ARM1 | SITEID)"),
        (PATIENT, "change", "(1 | SITEID) + (1 | USUBJID) + (0 + AFTER | SITEID)",
         "(1 | SITEID) + (1 | USUBJID) + (0 + AFTER + AFTER:ARM1 | SITEID)"),
        (PATIENT + " + (1 | SITEID:AVISIT)", "change",
         "(1 | SITEID) + (1 | USUBJID) + (1 | SITEID:AVISIT)",
         "(1 | SITEID) + (1 | USUBJID) + (1 | SITEID:AVISIT) + (0 + AFTER:ARM1 | SITEID)"),
        ("AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 + WEEK | USUBJID)", "change",
         "(1 | SITEID) + (1 + WEEK | USUBJID) + (0 + WEEK | SITEID)",
         "(1 | SITEID) + (1 + WEEK | USUBJID) + (0 + WEEK + WEEK:ARM1 | SITEID)"),
        ("AVAL ~ AVISIT*TRT01P + us(AVISIT | USUBJID)", "level",
         "(1 | SITEID) + us(AVISIT | USUBJID)", "(1 + ARM1 | SITEID) + us(AVISIT | USUBJID)"),
    ],
)  # fmt: skip
def test_formulas(root: Any, formula: str, contrast: str, smaller: str, correlated: str) -> None:
    primary = {"model": "m", "visit": "Month 12", "arm": ACTIVE, "contrast": contrast}
    terms = terms_of(plan_with(root, formula, primary=primary), [ACTIVE, CONTROL], ["ARM"])
    fixed = terms.formula.fixed
    assert terms.smaller == f"AVAL ~ {fixed} + {smaller}"
    assert terms.correlated() == f"AVAL ~ {fixed} + {correlated}"
