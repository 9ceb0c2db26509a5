"""Treatment by site of the CDISC pilot study against R: lme4 1.1-31, lmerTest 3.1-3.

lmer with rhoend 1e-9 on the rows of the two endpoints; ARM1, ARM2 0/1 columns of low and high dose:
fixed   AVAL ~ WEEK*TRT01P + SITEID + SITEID:WEEK + SITEID:WEEK:ARM1 + SITEID:WEEK:ARM2
               + (1 + WEEK | USUBJID), without sites 702 and 707; contest1D, contestMD
random  AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 + WEEK | USUBJID) + (0 + WEEK | SITEID)
               + (0 + WEEK:ARM1 | SITEID) + (0 + WEEK:ARM2 | SITEID)
"""

import pandas as pd
import pytest

from sitewise.inference.by_site import treatment_by_site
from sitewise.inference.by_site_result import BySite
from sitewise.plan.by_site import TreatmentBySite
from sitewise.plan.drawing import Bootstrap
from sitewise.plan.model import Plan

# 24 weeks of the slope: estimate, SE, df.
SYSBP_SITES = {
    "701": (-7.786062, 4.145235, 85.15007),
    "704": (-4.685491, 10.46522, 828.9673),
    "706": (-59.685, 50.30268, 1464.247),
    "710": (-8.924828, 4.964477, 91.10292),
    "716": (-5.858096, 5.582125, 92.60356),
    "718": (0.5445250335, 9.749716697, 184.8919253),
}


@pytest.fixture(scope="module")
def plan(cdisc_plan: Plan) -> Plan:
    formula = "AVAL ~ WEEK*TRT01P + (1 | SITEID) + (1 + WEEK | USUBJID)"
    nested = cdisc_plan.models["nested"].model_copy(update={"formula": formula})
    asked = TreatmentBySite(random="correlated", fixed=True)
    return cdisc_plan.model_copy(
        update={"models": {"nested": nested}, "treatment_by_site": asked, "df": "satterthwaite",
                "bootstrap": Bootstrap(draws=0)}
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(plan: Plan, cdisc_adbp: pd.DataFrame) -> dict[str, BySite]:
    lower = cdisc_adbp.assign(PARAMCD="DIABP", AVAL=cdisc_adbp["dbp"].astype(float))
    both = pd.concat([cdisc_adbp, lower[lower["AVAL"].notna()]], ignore_index=True)
    return {name: treatment_by_site(plan, both, name) for name in ("SYSBP", "DIABP")}


def test_fixed(found: dict[str, BySite]) -> None:
    form = found["SYSBP"].fixed
    assert form is not None
    assert form.left_out == ("702", "707")
    # contestMD on an orthonormal set of contrasts of the sites (Helmert).
    assert (form.f, form.df1) == (pytest.approx(0.5280168614, rel=1e-6), 14)
    assert form.df2 == pytest.approx(146.3051932, rel=1e-5)
    assert form.p == pytest.approx(0.9135587957, rel=1e-6)
    own = {r.site: r.estimate for r in found["SYSBP"].rows}
    for site, numbers in SYSBP_SITES.items():
        x = own[site]
        assert x is not None
        assert (x.estimate, x.se, x.df) == pytest.approx(numbers, rel=1e-5)


def test_fixed_by_kenward_roger(plan: Plan, cdisc_adbp: pd.DataFrame) -> None:
    """As pbkrtest 0.5.2, through contestMD."""
    asked = TreatmentBySite(fixed=True)
    kr = plan.model_copy(update={"df": "kenward-roger", "treatment_by_site": asked})
    form = treatment_by_site(kr, cdisc_adbp, "SYSBP").fixed
    assert form is not None
    assert form.f == pytest.approx(0.5197354276, rel=1e-6)
    assert form.df2 == pytest.approx(196.784463, rel=1e-5)


def test_random(found: dict[str, BySite]) -> None:
    form = found["DIABP"].random
    assert form is not None
    assert "singular" in form.passed and form.passed.startswith("AVAL ~ WEEK")
    assert form.sd == pytest.approx(24 * 1.1149317e-01, rel=1e-4)
    assert form.statistic == pytest.approx(1.957192251, rel=1e-6)
    assert form.lower == 0.0


def test_ghana_is_refused(ghana_plan: Plan, ghana_adbp: pd.DataFrame) -> None:
    asked = {"treatment_by_site": TreatmentBySite(random="correlated", fixed=True)}
    refused = treatment_by_site(ghana_plan.model_copy(update=asked), ghana_adbp, "SYSBP")
    assert "every site has one arm" in refused.refused
    assert refused.random is None and refused.fixed is None
