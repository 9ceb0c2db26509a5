"""The named numbers of the Ghana trial, through the plan: models, contrasts, comparisons."""

from pathlib import Path

import pandas as pd
import pytest

from sitewise.inference.batch import batch_moments
from sitewise.inference.compare import compare_batches
from sitewise.inference.fitting import check_models, fit_planned
from sitewise.inference.planned_fit import PlannedFit
from sitewise.plan.load import load_plan

VISITS = {"baseline": "Baseline", "month 6": "Month 6", "month 12": "Month 12"}
WEEKS = {"Baseline": 0.0, "Month 6": 26.0, "Month 12": 52.0}


@pytest.fixture(scope="module")
def adbp(shared: Path) -> pd.DataFrame:
    """Analysis rows straight from the site files, SYSBP only."""
    parts = []
    for path in sorted((shared / "data" / "ghana" / "sites").glob("site_*.csv")):
        raw = pd.read_csv(path, dtype={"site": str, "patient": str})
        raw["SRCFILE"], raw["SRCROW"] = path.name, range(2, len(raw) + 2)
        parts.append(raw)
    raw = pd.concat(parts, ignore_index=True)
    raw = raw[raw["sbp"].notna()].reset_index(drop=True)
    rows = pd.DataFrame({
        "SITEID": raw["site"], "USUBJID": raw["patient"], "TRT01P": raw["arm"],
        "PARAMCD": "SYSBP", "AVISIT": raw["visit"].map(VISITS), "AVAL": raw["sbp"],
        "SRCFILE": raw["SRCFILE"], "SRCROW": raw["SRCROW"], "ANL01FL": "Y", "FASFL": "Y",
    })  # fmt: skip
    rows["WEEK"] = rows["AVISIT"].map(WEEKS)
    rows["ABLFL"] = (rows["AVISIT"] == "Baseline").map({True: "Y", False: ""})
    base = rows[rows["ABLFL"] == "Y"].set_index("USUBJID")["AVAL"]
    rows["BASE"] = rows["USUBJID"].map(base)
    return rows


@pytest.fixture(scope="module")
def fits(root: Path, adbp: pd.DataFrame) -> dict[str, PlannedFit]:
    plan = load_plan(root / "config" / "ghana.yaml")
    found = {}
    for model in plan.models:
        found[model] = fit_planned(plan, adbp, "SYSBP", model).planned
    return found


def test_plan_is_sound(root: Path) -> None:
    assert check_models(load_plan(root / "config" / "ghana.yaml")) == []


def test_nested(fits: dict[str, PlannedFit]) -> None:
    """references/ghana_sbp_nested.json; the issue's figures to their printed digits."""
    fit = fits["nested"].fit
    assert fit.loglik == pytest.approx(-8354.78764699432, abs=1e-6)
    variances = [term.variances[0] for term in fit.random]
    assert [round(v, 3) for v in (*variances, fit.sigma**2)] == [8.362, 84.699, 181.143]
    result = fits["nested"].primary.result
    assert result.estimate == pytest.approx(-3.06762018942975, abs=1e-6)
    # Kenward-Roger, pbkrtest
    assert result.se == pytest.approx(1.46223717064887, rel=1e-6)
    assert result.df == pytest.approx(1320.08669440786, rel=1e-6)
    assert result.p == pytest.approx(0.0361041227993323, rel=1e-5)
    said = (fit.df_method, fit.df_information, fit.df_form)
    assert said == ("kenward-roger", "expected", "linear")


def test_site_by_visit_is_the_primary(fits: dict[str, PlannedFit]) -> None:
    fit = fits["site_by_visit"].fit
    assert fit.loglik == pytest.approx(-8351.102, abs=6e-4)
    variances = [term.variances[0] for term in fit.random]
    assert [round(v, 2) for v in (*variances, fit.sigma**2)] == [7.23, 5.18, 86.56, 176.02]
    primary = fits["site_by_visit"].primary
    assert (primary.arm, primary.reference, primary.visit, primary.kind) == (
        "TASSH+HIC", "HIC", "Month 12", "change",
    )  # fmt: skip
    assert round(primary.result.estimate, 3) == -3.075
    assert round(primary.result.se, 2) == 1.84
    assert (round(primary.result.se, 3), round(primary.result.df, 1)) == (1.842, 56.1)
    assert round(primary.result.p, 2) == 0.10


def test_both_visits_together(fits: dict[str, PlannedFit]) -> None:
    """The issue's figures: F 3.00 on 2 and 59.4, p 0.057."""
    (joint,) = fits["site_by_visit"].joint
    assert (joint.visits, joint.kind) == (("Month 6", "Month 12"), "change")
    said = (round(joint.f, 2), joint.df1, round(joint.df2, 1), round(joint.p, 3))
    assert said == (3.0, 2, 59.4, 0.057)
    assert fits["slope"].joint[0].df1 == 1  # a straight line has one difference in change


def test_uses_account_for_every_row(fits: dict[str, PlannedFit]) -> None:
    for planned in fits.values():
        assert sum(use.rows for use in planned.uses) == 2003
        assert (planned.patients, planned.sites) == (757, 32)
        assert len(planned.means) == 6
        assert len(planned.contrasts) == 5  # three levels, two changes


def test_means_are_emmeans(fits: dict[str, PlannedFit]) -> None:
    """R's emmeans with pbkrtest, emmeans/emmeans.R."""
    means = {(m.arm, m.visit): m.result for m in fits["nested"].means}
    one = means["TASSH+HIC", "Month 12"]
    assert one.estimate == pytest.approx(137.253171591411, abs=1e-6)
    assert one.se == pytest.approx(1.15785415967836, rel=1e-6)
    assert one.df == pytest.approx(60.2931226079601, rel=1e-6)


def test_random_slope_is_singular_in_plain_words(fits: dict[str, PlannedFit]) -> None:
    """references/ghana_sbp_ri_rs.json."""
    planned = fits["slope"]
    assert planned.fit.converged
    assert planned.fit.singularity.singular
    assert planned.fit.singularity.kind == "correlation"
    assert planned.fit.singularity.where == "1 + WEEK | USUBJID"
    assert planned.fit.random[1].correlations[1][0] == pytest.approx(1, abs=1e-6)
    text = " ".join(planned.cautions)
    assert "perfectly correlated (+1)" in text
    assert "spread between patients grow with time" in text
    assert "misses the mean outcome at Baseline by +2.0, Month 6 by -5.3" in text


def test_cluster_design_is_guarded(fits: dict[str, PlannedFit]) -> None:
    assert not any("Sites were randomised" in text for text in fits["site_by_visit"].cautions)
    assert any("(1 | SITEID:AVISIT)" in text for text in fits["nested"].cautions)
    assert any("no site term" in text for text in fits["patient"].cautions)


def test_comparisons(root: Path, adbp: pd.DataFrame, fits: dict[str, PlannedFit]) -> None:
    plan = load_plan(root / "config" / "ghana.yaml")
    moments = {name: [own.moments] for name, own in batch_moments(plan, adbp, "SYSBP").items()}
    compared = compare_batches(plan, fits, moments)
    sites, visits, slopes, site_slopes = compared.tests
    # references/ghana_sbp_lrt.json
    assert sites.statistic == pytest.approx(12.7731463816344, abs=4e-6)
    assert sites.p_mixture == pytest.approx(0.000175815441734242, rel=1e-5)
    assert visits.mixture == "0.5 chi2(0) + 0.5 chi2(1)"
    assert slopes.mixture == "0.5 chi2(1) + 0.5 chi2(2)"
    assert site_slopes.refused == ""
    assert "at a null on the boundary (1 + WEEK | USUBJID)" in site_slopes.mixture
    assert site_slopes.p_error > 0
    assert any("slope is itself singular" in text for text in site_slopes.cautions)
    assert [test.p_bootstrap for test in compared.tests] == [None] * 4  # 32 sites
    bases = [group.basis for group in compared.criteria]
    assert bases == [
        "REML, 2003 rows, fixed part AVISIT * TRT01P",
        "REML, 2003 rows, fixed part WEEK * TRT01P",
    ]
